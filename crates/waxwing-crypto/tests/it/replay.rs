//! The guard's own source once more, upon the model checker's locks and counters: what `races` looks
//! at is the code that ships.

#![expect(unreachable_pub, reason = "in the library these are exported")]

#[path = "../../src/replay/forgotten.rs"]
mod forgotten;
#[path = "../../src/replay/memory.rs"]
pub(crate) mod memory;

pub(crate) use waxwing_crypto::{Admission, Capacity, NonceRecord, ReplayGuard};

/// What the guard takes from `src/sync.rs`, from the checker.
pub(crate) mod sync {
    pub(crate) use shuttle::sync::atomic::{AtomicUsize, Ordering};
    pub(crate) use shuttle::sync::{Mutex, MutexGuard, RwLock};
}

/// What the guard takes from `src/window.rs`.
pub(crate) mod window {
    pub(crate) use waxwing_crypto::Window;
}
