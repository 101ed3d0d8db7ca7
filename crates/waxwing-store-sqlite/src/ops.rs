//! What the store does inside one write transaction, each thought in a file of its own.

mod client;
mod damage;
mod guard;
mod queue;
mod start;
mod transition;
mod upkeep;
mod view;
mod work;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row};
use waxwing_jobs::Bounds;

pub(crate) use view::{census, data_version, inspect, list, moved, snapshot};

/// One operation's view of the transaction it is part of.
#[derive(Debug)]
pub(crate) struct Tx<'c> {
    connection: &'c Connection,
    now: u64,
    bounds: &'c Bounds,
}

impl<'c> Tx<'c> {
    pub(crate) const fn new(connection: &'c Connection, now: u64, bounds: &'c Bounds) -> Self {
        Self { connection, now, bounds }
    }

    fn statement(&self, sql: &str) -> rusqlite::Result<CachedStatement<'c>> {
        prepare(self.connection, sql)
    }

    pub(crate) fn execute(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.statement(sql)?.execute(params)
    }

    pub(crate) fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        self.statement(sql)?.query_row(params, read).optional()
    }

    fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        self.statement(sql)?.query_map(params, read)?.collect()
    }
}

/// Every statement of this crate's operations is prepared here.
fn prepare<'c>(connection: &'c Connection, sql: &str) -> rusqlite::Result<CachedStatement<'c>> {
    #[cfg(test)]
    tests::note(sql);
    connection.prepare_cached(sql)
}

#[cfg(test)]
mod tests;
