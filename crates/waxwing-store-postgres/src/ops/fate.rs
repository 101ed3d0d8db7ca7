//! What became of a write whose answer was lost: the database says so, by the name that a write
//! leaves in its own commit.

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use waxwing_jobs::StoreError;

use super::Core;
use crate::database::Batch;
use crate::error::Error;
use crate::link::Value;
use crate::row::{get, integer};

/// How long a name is kept: longer than any write is on its way whose fate is asked for.
pub(super) const KEPT_MS: u64 = 600_000;

/// A write and what it is found again by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name {
    pub(super) batch: Batch,
    /// When a sweep may forget it: by the database's clock, counted from before the write.
    pub(super) until_ms: i64,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Committed,
    /// It was not, and never will be.
    Never,
}

impl Core {
    /// The name of a write that is decided at this time of the database's.
    pub(super) fn name(&self, now: u64) -> Name {
        let until_ms = integer(now.saturating_add(KEPT_MS));
        Name { batch: self.database.next_batch(), until_ms }
    }

    /// Whether a write is committed. [`Error::Lost`] says that it is not and may be made again.
    pub(super) async fn decided(
        &self,
        name: Name,
        written: Result<Vec<Row>, Error>,
    ) -> Result<(), Error> {
        match written {
            Ok(_) => Ok(()),
            Err(Error::Lost(why)) => match self.fate(name).await? {
                Fate::Committed => Ok(()),
                Fate::Never => Err(Error::Lost(why)),
            },
            Err(error) => Err(error),
        }
    }

    /// What became of a write whose answer was lost. One that is still on its way when this is
    /// asked is waited for or shut out: two cannot leave the same name. What is said here is itself
    /// committed, and with it, on every standby too, the write that it is about. Where a sweep may
    /// have forgotten the name, nothing is known, and nothing is to be made again.
    pub(super) async fn fate(&self, name: Name) -> Result<Fate, Error> {
        const SEAL: &str = "INSERT INTO @commits AS c (batch, until_ms, sealed)
            VALUES ($1, @now_ms() + $2, true)
            ON CONFLICT (batch) DO UPDATE SET until_ms = excluded.until_ms RETURNING c.sealed";
        // Read after the name was sealed: it may have been forgotten until then.
        const KEPT: &str = "SELECT forgotten_ms < $1 FROM @waxwing";
        let seal = [(&name.batch.0 as _, Type::INT8), (&integer(KEPT_MS) as _, Type::INT8)];
        if !self.certainly(SEAL, &seal).await? {
            return Ok(Fate::Committed);
        }
        match self.certainly(KEPT, &[(&name.until_ms, Type::INT8)]).await? {
            true => Ok(Fate::Never),
            false => Err(unknown("it was too long ago")),
        }
    }

    /// Yes or no; there was patience enough when there is no answer, and nobody begins anew.
    async fn certainly(&self, sql: &str, values: &[Value<'_>]) -> Result<bool, Error> {
        let rows = self.database.ask(sql, values).await.map_err(|error| match error {
            Error::Lost(why) => unknown(&why),
            error => error,
        })?;
        rows.first().map_or_else(|| Err(unknown("there is no answer")), |row| get(row, 0))
    }
}

fn unknown(why: &str) -> Error {
    StoreError::Unavailable(format!("what became of a write is not known: {why}")).into()
}
