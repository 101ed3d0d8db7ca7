//! The SQLite store: the contract, the reference, crashes at every write, several processes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "in tests a panic is the failure message, and a child process talks by its output"
)]

mod contract;
mod crash;
mod engine;
mod file;
mod plan;
mod process;
mod support;
