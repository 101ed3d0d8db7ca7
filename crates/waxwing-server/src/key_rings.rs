//! The key ring of a running server, which can be changed for another while calls go on.

use std::sync::{Arc, PoisonError, RwLock};

use waxwing_crypto::KeyRing;

/// A place for a key ring. Clones share it: one is given to the server, the other is kept to change the
/// ring. A call reads it once, so one that is under way ends with the ring it began with. What the replay
/// guard remembers is not touched: a message that was taken under one ring is not taken again under the
/// next.
#[derive(Clone, Debug)]
pub struct KeyRings {
    current: Arc<RwLock<Arc<KeyRing>>>,
}

impl KeyRings {
    /// A place for `ring`.
    #[must_use]
    pub fn new(ring: impl Into<Arc<KeyRing>>) -> Self {
        Self { current: Arc::new(RwLock::new(ring.into())) }
    }

    /// The ring of this moment.
    #[must_use]
    pub fn current(&self) -> Arc<KeyRing> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the ring for all calls that begin from now on, and gives back the one before.
    pub fn replace(&self, ring: impl Into<Arc<KeyRing>>) -> Arc<KeyRing> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut current, ring.into())
    }
}

impl From<KeyRing> for KeyRings {
    fn from(ring: KeyRing) -> Self {
        Self::new(ring)
    }
}

impl From<Arc<KeyRing>> for KeyRings {
    fn from(ring: Arc<KeyRing>) -> Self {
        Self::new(ring)
    }
}
