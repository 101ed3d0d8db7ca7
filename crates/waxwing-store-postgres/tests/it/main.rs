//! The PostgreSQL store: the contract, the reference, several stores on one database, connections
//! cut at every statement, a server that crashes under load.

#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "in tests a panic is the failure message")]

mod clocks;
mod contract;
mod crash;
mod cut;
mod damage;
mod engine;
mod refusal;
mod several;
mod support;
mod tls;
