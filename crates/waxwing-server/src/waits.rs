//! How often each client waits at once. Waiting costs a connection, of which there are only so many, so
//! one client's waits leave room for everybody else's.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use waxwing_core::ClientId;

/// How often one client may wait at once: for jobs, and for calls with an idempotency key.
const MOST: usize = 64;

/// Everybody who waits.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    counts: Mutex<HashMap<ClientId<'static>, usize>>,
}

/// One wait, for as long as it is held.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    waits: &'a Waits,
    client: ClientId<'static>,
}

impl Waits {
    /// A place to wait in, unless this client has taken all of its own.
    pub(crate) fn place(&self, client: &ClientId<'_>) -> Option<Place<'_>> {
        self.take(client, MOST)
    }

    /// A place for a call that has to wait for its own work, however many there are.
    pub(crate) fn place_of_work(&self, client: &ClientId<'_>) -> Option<Place<'_>> {
        self.take(client, usize::MAX)
    }

    fn take(&self, client: &ClientId<'_>, most: usize) -> Option<Place<'_>> {
        let client = client.clone().into_owned();
        let mut counts = self.lock();
        let count = counts.entry(client.clone()).or_default();
        (*count < most).then(|| {
            *count += 1;
            Place { waits: self, client }
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ClientId<'static>, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut counts = self.waits.lock();
        if let Some(count) = counts.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_each_clients_own_and_come_back() {
        let (waits, [one, other]) =
            (Waits::default(), ["one", "other"].map(|id| id.parse().unwrap()));
        let mut taken: Vec<_> = (0..MOST).map(|_| waits.place(&one).unwrap()).collect();
        assert!(waits.place(&one).is_none());
        let work = waits.place_of_work(&one);
        assert!(work.is_some() && waits.place(&other).is_some());
        taken.pop();
        assert!(waits.place(&one).is_none(), "work counts");
        drop(work);
        assert!(waits.place(&one).is_some());
        drop(taken);
        assert!(waits.lock().is_empty());
    }
}
