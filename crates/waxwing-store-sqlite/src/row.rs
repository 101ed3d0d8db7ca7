//! Between the rows of `jobs` and the state machine's [`Life`].

use rusqlite::Row;
use rusqlite::types::{FromSqlError, Type};
use waxwing_core::ClientId;
use waxwing_jobs::StoreError;
use waxwing_jobs::state::{Cancel, Life, Stage, StageName};

use crate::error::Error;

/// The columns of [`Hot`], in its order.
pub(crate) const HOT: &str = "seq, owner, stage, ready_ms, lease_until_ms, cancel_asked, epoch, \
    failures, max_attempts, version, created_ms, expires_ms";

/// How many columns [`HOT`] has: where those of a query's own begin.
pub(crate) const HOT_COLUMNS: usize = 12;

/// The part of a job that its transitions need.
#[derive(Debug)]
pub(crate) struct Hot {
    pub(crate) seq: i64,
    pub(crate) owner: String,
    pub(crate) life: Life,
}

/// SQLite's integers are signed; a time or count beyond them is as good as for ever.
pub(crate) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A column that is never negative.
pub(crate) fn natural(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

fn small(row: &Row<'_>, column: usize) -> rusqlite::Result<u32> {
    let value: i64 = row.get(column)?;
    u32::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

pub(crate) fn stage_name(row: &Row<'_>, column: usize) -> rusqlite::Result<StageName> {
    let text = row.get_ref(column)?.as_str()?;
    StageName::parse(text).ok_or_else(|| {
        let unknown = FromSqlError::Other("a stage of no known name".into());
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(unknown))
    })
}

impl Hot {
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let stage = match stage_name(row, 2)? {
            StageName::Queued => Stage::Queued { ready_ms: natural(row, 3)? },
            StageName::Running => {
                let cancel = if row.get(5)? { Cancel::Asked } else { Cancel::NotAsked };
                Stage::Running { lease_until_ms: natural(row, 4)?, cancel }
            }
            StageName::Parked => Stage::Parked,
            StageName::Completed => Stage::Completed,
            StageName::Failed => Stage::Failed,
            StageName::Cancelled => Stage::Cancelled,
        };
        let life = Life {
            stage,
            epoch: natural(row, 6)?,
            failures: small(row, 7)?,
            max_attempts: small(row, 8)?,
            version: natural(row, 9)?,
            created_ms: natural(row, 10)?,
            expires_ms: natural(row, 11)?,
        };
        Ok(Self { seq: row.get(0)?, owner: row.get(1)?, life })
    }

    pub(crate) fn owner(&self) -> Result<ClientId<'static>, Error> {
        Ok(ClientId::new(self.owner.clone())?)
    }
}

/// A row that must be there and is not.
pub(crate) fn missing(what: &str) -> Error {
    StoreError::Corrupt(format!("{what} of a job is missing")).into()
}
