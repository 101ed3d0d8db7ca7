//! Where the replay guard takes its locks and counters from: the one seam at which the tests put a
//! model checker's in their place (`tests/it/races.rs`).

pub(crate) use std::sync::atomic::{AtomicUsize, Ordering};
pub(crate) use std::sync::{Mutex, MutexGuard, RwLock};
