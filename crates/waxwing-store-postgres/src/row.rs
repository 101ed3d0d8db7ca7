//! Between the rows of `jobs` and the state machine's [`Life`].

use tokio_postgres::Row;
use tokio_postgres::types::FromSql;
use waxwing_jobs::StoreError;
use waxwing_jobs::state::{Cancel, Life, Stage, StageName};

use crate::error::Error;

/// The columns of [`Hot`], in its order.
pub(crate) const HOT: &str = "seq, revision, owner, stage, ready_ms, lease_until_ms, cancel_asked, \
    epoch, failures, max_attempts, version, created_ms, expires_ms";

/// How many columns [`HOT`] has: where those of a query's own begin.
pub(crate) const HOT_COLUMNS: usize = 13;

/// The part of a job that its transitions need, as it stands in its row.
#[derive(Clone, Debug)]
pub(crate) struct Hot {
    pub(crate) seq: i64,
    /// Rises with every write to the row, seen or not: the guard of the next one.
    pub(crate) revision: i64,
    pub(crate) owner: String,
    pub(crate) stage: String,
    pub(crate) ready_ms: Option<i64>,
    pub(crate) lease_until_ms: Option<i64>,
    pub(crate) cancel_asked: bool,
    pub(crate) epoch: i64,
    pub(crate) failures: i64,
    pub(crate) max_attempts: i64,
    pub(crate) version: i64,
    pub(crate) created_ms: i64,
    pub(crate) expires_ms: i64,
}

/// PostgreSQL's integers are signed; a time or count beyond them is as good as for ever.
pub(crate) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// PostgreSQL's text cannot hold U+0000: it becomes U+FFFD.
pub(crate) fn text(value: &str) -> String {
    value.replace('\0', "\u{fffd}")
}

/// A column, or that it does not read back.
pub(crate) fn get<'r, T: FromSql<'r>>(row: &'r Row, column: usize) -> Result<T, Error> {
    row.try_get(column).map_err(|_| damaged("a column"))
}

fn damaged(what: &str) -> Error {
    StoreError::Corrupt(format!("{what} of a job does not read back")).into()
}

/// A number that is never negative, nor too large for its type.
pub(crate) fn number<T: TryFrom<i64>>(value: i64) -> Result<T, Error> {
    T::try_from(value).map_err(|_| damaged("a number"))
}

pub(crate) fn stage_name(text: &str) -> Result<StageName, Error> {
    StageName::parse(text).ok_or_else(|| damaged("the stage"))
}

impl Hot {
    /// Reads [`HOT`] from the row's column `from` on.
    pub(crate) fn read(row: &Row, from: usize) -> Result<Self, Error> {
        Ok(Self {
            seq: get(row, from)?,
            revision: get(row, from + 1)?,
            owner: get(row, from + 2)?,
            stage: get(row, from + 3)?,
            ready_ms: get(row, from + 4)?,
            lease_until_ms: get(row, from + 5)?,
            cancel_asked: get(row, from + 6)?,
            epoch: get(row, from + 7)?,
            failures: get(row, from + 8)?,
            max_attempts: get(row, from + 9)?,
            version: get(row, from + 10)?,
            created_ms: get(row, from + 11)?,
            expires_ms: get(row, from + 12)?,
        })
    }

    /// What the state machine makes of it, if it reads back.
    pub(crate) fn life(&self) -> Result<Life, Error> {
        let time = |time: Option<i64>| time.ok_or_else(|| damaged("a time")).and_then(number);
        let stage = match stage_name(&self.stage)? {
            StageName::Queued => Stage::Queued { ready_ms: time(self.ready_ms)? },
            StageName::Running => {
                let cancel = if self.cancel_asked { Cancel::Asked } else { Cancel::NotAsked };
                Stage::Running { lease_until_ms: time(self.lease_until_ms)?, cancel }
            }
            StageName::Parked => Stage::Parked,
            StageName::Completed => Stage::Completed,
            StageName::Failed => Stage::Failed,
            StageName::Cancelled => Stage::Cancelled,
        };
        Ok(Life {
            stage,
            epoch: number(self.epoch)?,
            failures: number(self.failures)?,
            max_attempts: number(self.max_attempts)?,
            version: number(self.version)?,
            created_ms: number(self.created_ms)?,
            expires_ms: number(self.expires_ms)?,
        })
    }

    /// The life that follows when nothing of the row is known to be right: failed, with all numbers
    /// such as read back.
    pub(crate) fn condemned(&self) -> Life {
        const MOST: i64 = 9_000_000_000_000_000_000;
        let natural = |value: i64| value.clamp(0, MOST).unsigned_abs();
        let small = |value: i64| u32::try_from(value.max(0)).unwrap_or(u32::MAX);
        Life {
            stage: Stage::Failed,
            epoch: natural(self.epoch) + 1,
            failures: small(self.failures).min(u32::MAX - 1) + 1,
            max_attempts: small(self.max_attempts).max(1),
            version: natural(self.version) + 1,
            created_ms: natural(self.created_ms),
            expires_ms: natural(self.expires_ms),
        }
    }

    pub(crate) fn is_unfinished(&self) -> bool {
        matches!(self.stage.as_str(), "queued" | "running" | "parked")
    }
}

/// A row that must be there and is not.
pub(crate) fn missing(what: &str) -> Error {
    StoreError::Corrupt(format!("{what} of a job is missing")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hot(stage: &str) -> Hot {
        Hot {
            seq: 1,
            revision: 0,
            owner: "a".into(),
            stage: stage.into(),
            ready_ms: None,
            lease_until_ms: None,
            cancel_asked: false,
            epoch: 0,
            failures: 0,
            max_attempts: 3,
            version: 1,
            created_ms: 1,
            expires_ms: 2,
        }
    }

    #[test]
    fn a_row_that_makes_no_sense_is_damaged_and_can_still_be_condemned() {
        assert_eq!(hot("failed").life().unwrap().stage, Stage::Failed);
        for bad in [
            hot("lost"),
            hot("queued"),
            hot("running"),
            Hot { version: -1, ..hot("parked") },
            Hot { epoch: i64::MIN, failures: 5_000_000_000, ..hot("parked") },
            Hot { max_attempts: -3, expires_ms: -9, epoch: i64::MAX, ..hot("parked") },
        ] {
            assert!(bad.life().is_err(), "{bad:?}");
            let life = bad.condemned();
            let mended = Hot {
                stage: "failed".into(),
                epoch: integer(life.epoch),
                failures: i64::from(life.failures),
                max_attempts: i64::from(life.max_attempts),
                version: integer(life.version),
                created_ms: integer(life.created_ms),
                expires_ms: integer(life.expires_ms),
                ..bad
            };
            assert_eq!(mended.life().unwrap(), life);
        }
        assert_eq!(text("a\0b"), "a\u{fffd}b");
    }
}
