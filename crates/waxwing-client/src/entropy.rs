//! Fresh ids: random bytes from the operating system, or from a test.

use std::{fmt, io};

use uuid::Uuid;
use waxwing_core::{Nonce, RequestId};

use crate::error::ClientError;

/// Fills a buffer with random bytes.
trait Fill: Fn(&mut [u8]) -> io::Result<()> + Send + Sync {}

impl<F: Fn(&mut [u8]) -> io::Result<()> + Send + Sync> Fill for F {}

/// Where nonces and request ids come from.
pub(crate) struct Entropy(Box<dyn Fill>);

impl Entropy {
    pub(crate) fn new(
        source: impl Fn(&mut [u8]) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self(Box::new(source))
    }

    pub(crate) fn of_system() -> Self {
        Self::new(|buffer| getrandom::fill(buffer).map_err(io::Error::from))
    }

    /// A request id and a nonce: two independent UUIDs, 122 random bits each.
    pub(crate) fn ids(&self) -> Result<(RequestId<'static>, Nonce<'static>), ClientError> {
        let request_id = self.uuid()?.hyphenated().to_string();
        let nonce = self.uuid()?.simple().to_string();
        match (RequestId::new(request_id), Nonce::new(nonce)) {
            (Ok(request_id), Ok(nonce)) => Ok((request_id, nonce)),
            (Err(invalid), _) | (_, Err(invalid)) => {
                Err(ClientError::NoEntropy(io::Error::other(invalid)))
            }
        }
    }

    /// One byte, for jitter; zero where there is none to be had.
    pub(crate) fn byte(&self) -> u8 {
        let mut byte = [0];
        match (self.0)(&mut byte) {
            Ok(()) => byte[0],
            Err(_) => 0,
        }
    }

    fn uuid(&self) -> Result<Uuid, ClientError> {
        let mut bytes = [0; 16];
        (self.0)(&mut bytes).map_err(ClientError::NoEntropy)?;
        Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_fresh_and_well_formed() {
        let entropy = Entropy::of_system();
        let (request_id, nonce) = entropy.ids().unwrap();
        assert_eq!((request_id.as_str().len(), nonce.as_str().len()), (36, 32));
        assert_ne!(request_id.as_str().replace('-', ""), nonce.as_str());
        assert_ne!(entropy.ids().unwrap().1, nonce);
    }

    #[test]
    fn no_randomness_is_an_error() {
        let entropy = Entropy::new(|_| Err(io::Error::other("dry")));
        assert!(matches!(entropy.ids(), Err(ClientError::NoEntropy(_))));
        assert_eq!(entropy.byte(), 0);
    }
}
