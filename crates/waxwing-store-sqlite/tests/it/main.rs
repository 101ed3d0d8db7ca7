//! The SQLite store: the contract, the reference, crashes at every write, several processes.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in tests a panic is the failure message")]

mod clocks;
mod contract;
mod crash;
mod damage;
mod engine;
mod file;
mod process;
mod support;
