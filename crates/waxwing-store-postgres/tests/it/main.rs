//! The PostgreSQL store: the contract, the reference, several stores on one database, connections
//! cut at every statement or silent, a server that crashes under load or fails over, a pooler, what
//! operations cost.

#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "in tests a panic is the failure message")]

mod access;
mod attach;
mod clocks;
mod contract;
mod costs;
mod crash;
mod cut;
mod damage;
mod engine;
mod failover;
mod gate;
mod pooler;
mod queue;
mod refusal;
mod several;
mod silence;
mod support;
mod tls;
mod upkeep;
