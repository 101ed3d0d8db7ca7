//! Durable jobs: a pure state machine, an engine that runs work, and the contract of its stores.
//!
//! The crate knows nothing of tools, HTTP or SQL. A [`Runner`] does the work, a [`Store`] keeps the
//! truth, the [`Engine`] moves jobs between them. Store authors run [`contract`] against theirs.

mod backoff;
mod cancellation;
mod clock;
pub mod contract;
mod engine;
mod input;
mod job;
mod memory;
mod observer;
pub mod record;
mod runner;
pub mod settlement;
pub mod state;
mod store;

pub use backoff::{Backoff, Jitter};
pub use cancellation::{Cancellation, Canceller};
pub use clock::{Clock, FOR_EVER, ManualClock, RuntimeClock, SystemClock, millis};
pub use engine::{Drained, Engine, EngineConfig};
pub use input::{Answered, Answers, Exchange, InputKey, InputRequest, InputRequests, InvalidInput};
pub use job::{
    Attempt, CancelRequest, Cause, Failure, Idempotency, NewJob, NonceRecord, Phase, Progress,
    Snapshot,
};
pub use memory::MemoryStore;
pub use observer::{AttemptEnd, JobEnd, JobEnding, Observer, Unobserved};
pub use runner::{JobContext, JobFailure, Kind, Lane, Retry, RunOutcome, Runner};
pub use store::{
    Admission, Beat, BeatVerdict, Bound, Bounds, CancelVerdict, Census, Claim, Claimed, Durability,
    Filter, Inspected, Listed, Outcome, Page, PurgeVerdict, Remaining, RequeueVerdict, Seen,
    Settle, SettleVerdict, Sharing, Started, Store, StoreError, StoreInfo, Swept, TOLD_WITHIN,
    Ticket,
};
