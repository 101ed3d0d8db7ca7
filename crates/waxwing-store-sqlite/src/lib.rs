//! A durable job store in one SQLite file, for the processes of one machine.
//!
//! All writes go through one thread, which commits those that come together at once (group commit);
//! reads go to a small pool. An acknowledged write has been synced to the disk.

mod clock;
mod error;
mod files;
mod ops;
mod reader;
mod row;
mod safety;
mod schema;
mod store;
mod writer;

pub use files::Company;
pub use store::SqliteStore;
