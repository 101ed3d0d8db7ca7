//! Signs and verifies requests: steps 1 to 6 of wire.md §5.

use std::ops::Deref;

use waxwing_core::message::{CanonicalWrite, MessageError, Request, Unverified, VERSION};
use waxwing_core::{
    CallError, CanonicalJson, ErrorCode, Limits, Scratch, ServerId, Signature, WriteError,
};

use crate::key::Key;
use crate::ring::KeyRing;

/// A request whose signature has been verified with a key of the client it names, for this server.
/// Its time and nonce have not been judged yet: that is [`admit`](crate::admit).
#[derive(Debug)]
pub struct Verified<'a> {
    key: &'a Key,
    checked: Unverified<'a, Request<'a>>,
}

impl<'a> Verified<'a> {
    /// The key that verified it, which signs the reply too.
    #[must_use]
    pub const fn key(&self) -> &'a Key {
        self.key
    }

    /// The signature that verified, which names the request and everything in it.
    #[must_use]
    pub const fn signature(&self) -> &Signature<'a> {
        self.checked.signature()
    }
}

impl<'a> Deref for Verified<'a> {
    type Target = Request<'a>;

    fn deref(&self) -> &Request<'a> {
        self.checked.claim()
    }
}

/// Why bytes are not a request that can be believed: the peer's fault, and answered unsigned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestFault {
    /// Not the JSON of wire.md §1 or the shape of §2.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// Meant for another server.
    #[error("this request is meant for another server")]
    WrongServer,
    /// Unknown client, unknown key, a key that is revoked, not yet valid or expired, or a wrong
    /// signature: they are told apart nowhere.
    #[error("the client, the key or the signature is not known here")]
    Unauthenticated,
}

impl RequestFault {
    /// What the peer is told, in a refusal.
    #[must_use]
    pub fn to_call_error(&self) -> CallError {
        let code = match self {
            Self::Message(error) => error.code(),
            Self::WrongServer => ErrorCode::WrongServer,
            Self::Unauthenticated => ErrorCode::Unauthenticated,
        };
        let error = CallError::new(code, self.to_string());
        let details = match (code, self) {
            (ErrorCode::UnsupportedVersion, _) => serde_json::json!({"supported": [VERSION]}),
            (ErrorCode::Malformed, Self::Message(fault)) => {
                serde_json::json!({"offset": fault.offset(), "reason": self.to_string()})
            }
            _ => return error,
        };
        match CanonicalJson::from_serialize(&details) {
            Ok(details) => error.with_details(details),
            Err(_) => error,
        }
    }
}

/// Writes `request` canonically behind what `out` holds, signs it and gives its signature, which the
/// reply must name.
///
/// # Errors
/// [`WriteError`] when the arguments have no canonical form or are no object; `out` is then as it was.
pub fn sign_request<A: CanonicalWrite>(
    key: &Key,
    request: &Request<'_, A>,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Result<Signature<'static>, WriteError> {
    let start = out.len();
    let drafted = request.draft(key.signature_digits(), scratch, out);
    let draft = drafted.inspect_err(|_| out.truncate(start))?;
    let digits = key.sign(draft.signed(out));
    draft.complete(out, digits.as_bytes()).map_err(|_| WriteError::NotObject)?;
    Ok(digits.to_signature())
}

/// Reads a request and verifies its signature with the key it names, if that may be used at `now_ms`
/// (milliseconds since the Unix epoch, by the server's clock). A canonical message under an HMAC key is
/// verified where it stands: nothing is copied or allocated.
///
/// # Errors
/// [`RequestFault`], in the order of wire.md §5: JSON, shape, audience, then key and signature alike.
#[inline]
pub fn verify_request<'a>(
    bytes: &'a [u8],
    limits: &Limits,
    server_id: &ServerId<'_>,
    ring: &'a KeyRing,
    now_ms: i64,
    scratch: &'a mut Scratch,
) -> Result<Verified<'a>, RequestFault> {
    let unverified = Request::read(bytes, limits, scratch)?;
    let claim = unverified.claim();
    if claim.server_id.as_str() != server_id.as_str() {
        return Err(RequestFault::WrongServer);
    }
    let name = (&claim.client_id, &claim.key_id);
    let parts = unverified.signed().map(str::as_bytes);
    match ring.verify(name, parts, unverified.signature(), now_ms) {
        Some(key) => Ok(Verified { key, checked: unverified }),
        None => Err(RequestFault::Unauthenticated),
    }
}
