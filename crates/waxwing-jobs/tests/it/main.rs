//! Scenarios of the job engine and its memory store, and the proof that the contract suite bites.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in tests a panic is the failure message")]

mod away;
mod broken;
mod contract;
mod drain;
mod engine;
mod lanes;
mod observer;
mod outage;
mod support;
mod waiting;
