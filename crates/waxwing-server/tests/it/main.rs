//! Scenarios over real HTTP: every test starts servers on loopback and talks to them as a peer
//! would, signed or not.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic here is the failure message"
)]

mod asking;
mod audit;
mod authorisation;
mod codes;
mod crowd;
mod drain;
mod harness;
mod heads;
mod health;
mod http;
mod idempotency;
mod jobs;
mod lanes;
mod logs;
mod metrics;
mod order;
mod outputs;
mod parked;
mod replays;
mod reserved;
mod restart;
mod rings;
mod slow;
mod stale_writes;
mod tools;
mod unruly;
mod wire;
