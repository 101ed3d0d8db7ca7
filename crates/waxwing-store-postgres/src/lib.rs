//! A durable job store in PostgreSQL 15 or newer, for the processes of several machines.
//!
//! Every write is one statement and so one transaction: no lock outlives a message, a process that
//! stalls holds nobody up, and a pooler in front is welcome. What a write was decided on is its
//! guard: if a row has changed since it was read, nothing is written and all is decided anew.
//! Calls that come together are committed together (group commit).

mod batch;
mod config;
mod connect;
mod database;
mod error;
mod hint;
mod link;
mod ops;
mod row;
mod safety;
mod schema;
mod store;
mod tls;

pub use config::PostgresConfig;
pub use store::PostgresStore;
