//! Jobs as one operation holds them: as they were read, and what is to become of them.

use std::collections::HashMap;

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use waxwing_jobs::settlement::{self, Settlement, Write};
use waxwing_jobs::state::Life;
use waxwing_jobs::{Exchange, StoreError, record};

use super::Core;
use crate::error::Error;
use crate::link::Value;
use crate::row::{HOT, HOT_COLUMNS, Hot, get, missing, number};

/// How much of jobs is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// Without the long values, for steps that do not look at them.
    Life,
    /// With them.
    Whole,
}

/// The long values of a row that some steps look at.
#[derive(Debug)]
struct Long {
    attempts: Option<String>,
    requests: Option<String>,
    answers: Option<String>,
}

/// A job: its row as far as it was read, and what is to be written.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) hot: Hot,
    pub(super) id: String,
    /// What follows; nothing is written while there is none.
    pub(super) next: Option<Life>,
    pub(super) cancel_asked: bool,
    pub(super) cancel_reason: Option<String>,
    pub(super) progress_done: Option<f64>,
    pub(super) progress_total: Option<f64>,
    pub(super) progress_message: Option<String>,
    /// As they are stored; `None` when they were not read.
    stored: Option<Long>,
    /// New ones; without, those that are stored stay.
    pub(super) attempts: Option<String>,
    pub(super) requests: Option<String>,
    pub(super) answers: Option<String>,
    pub(super) checkpoint: Option<String>,
    pub(super) output: Option<String>,
}

impl Job {
    fn read(row: &Row, from: usize, depth: Depth) -> Result<Self, Error> {
        let hot = Hot::read(row, from)?;
        let column = |n| from + HOT_COLUMNS + n;
        let stored = match depth {
            Depth::Life => None,
            Depth::Whole => Some(Long {
                attempts: get(row, column(5))?,
                requests: get(row, column(6))?,
                answers: get(row, column(7))?,
            }),
        };
        Ok(Self {
            id: get(row, column(0))?,
            next: None,
            cancel_asked: hot.cancel_asked,
            cancel_reason: get(row, column(1))?,
            progress_done: get(row, column(2))?,
            progress_total: get(row, column(3))?,
            progress_message: get(row, column(4))?,
            stored,
            attempts: None,
            requests: None,
            answers: None,
            checkpoint: None,
            output: None,
            hot,
        })
    }

    /// The life as it stands after what was done so far.
    pub(super) fn life(&self) -> Result<Life, Error> {
        self.next.map_or_else(|| self.hot.life(), Ok)
    }

    fn stored(&self) -> Result<&Long, Error> {
        let unread = || StoreError::Fault("a job was not read as a whole".to_owned());
        Ok(self.stored.as_ref().ok_or_else(unread)?)
    }

    pub(super) fn exchange(&self) -> Result<Exchange, Error> {
        let Long { requests, answers, .. } = self.stored()?;
        let Some(requests) = self.requests.as_ref().or(requests.as_ref()) else {
            return Ok(Exchange::default());
        };
        let requests = record::requests_from_text(requests)?;
        let answers = self.answers.as_ref().or(answers.as_ref());
        let answers = record::answers_from_text(answers.ok_or_else(|| missing("the answers"))?)?;
        Ok(Exchange::restore(Some(requests), answers))
    }

    /// The text of the attempts so far.
    fn listed(&self) -> Result<Option<&str>, Error> {
        let stored = self.stored()?.attempts.as_deref();
        Ok(self.attempts.as_deref().or(stored))
    }

    pub(super) fn keep_exchange(&mut self, exchange: &Exchange) -> Result<(), Error> {
        let requests = exchange.asked().ok_or_else(|| missing("the requests"))?;
        let requests = record::requests_to_text(&requests)?;
        self.answers = Some(record::answers_to_text(exchange.answers())?);
        self.requests = Some(requests);
        Ok(())
    }

    /// Takes a settlement: the life that follows and what goes with it, wholly or not at all.
    pub(super) fn apply(&mut self, made: Settlement) -> Result<(), Error> {
        match made.write {
            Write::Nothing => {}
            Write::Output(output) => self.output = Some(output.as_str().to_owned()),
            Write::Attempt(attempt) => {
                let mut attempts = match self.listed()? {
                    Some(text) => record::attempts_from_text(text)?,
                    None => Vec::new(),
                };
                settlement::list_attempt(&mut attempts, attempt);
                self.attempts = Some(record::attempts_to_text(&attempts)?);
            }
            Write::Asked(exchange, checkpoint) => {
                self.keep_exchange(&exchange)?;
                if let Some(checkpoint) = checkpoint {
                    self.checkpoint = Some(checkpoint.as_str().to_owned());
                }
            }
        }
        self.next = Some(made.life);
        Ok(())
    }

    /// Fails a job whose row does not read back, where its operator sees it and it stands in
    /// nobody's way.
    pub(super) fn condemn(&mut self, why: &str, now: u64) -> Result<(), Error> {
        tracing::error!(job = self.hot.seq, why, "a job's row is damaged; the job fails");
        let life = self.hot.condemned();
        self.attempts = Some(record::condemned_attempts(self.listed()?, life.failures, now)?);
        self.next = Some(life);
        Ok(())
    }
}

/// The jobs of one operation, read at one time.
#[derive(Debug)]
pub(super) struct Jobs {
    pub(super) now: u64,
    pub(super) all: Vec<Job>,
    /// Those that turned out not to read back, and why: they are to be failed by themselves.
    pub(super) damaged: Vec<(i64, String)>,
    by_id: HashMap<String, usize>,
}

impl Jobs {
    pub(super) fn find(&mut self, id: &str) -> Option<&mut Job> {
        self.by_id.get(id).and_then(|index| self.all.get_mut(*index))
    }

    pub(super) fn of(&self, id: &str) -> Option<&Job> {
        self.by_id.get(id).and_then(|index| self.all.get(*index))
    }

    /// The unexpired job of this owner and id.
    pub(super) fn owned(&mut self, owner: &str, id: &str) -> Result<Option<&mut Job>, Error> {
        let now = self.now;
        let Some(job) = self.find(id).filter(|job| job.hot.owner == owner) else { return Ok(None) };
        Ok(if job.life()?.is_expired(now) { None } else { Some(job) })
    }

    pub(super) fn changed(&self) -> impl Iterator<Item = (&Job, Life)> {
        self.all.iter().filter_map(|job| Some((job, job.next?)))
    }
}

impl Core {
    /// The jobs of these ids, expired or not.
    pub(super) async fn jobs(&self, ids: &[&str], depth: Depth) -> Result<Jobs, Error> {
        self.read_jobs("id = ANY($1)", &[(&ids, Type::TEXT_ARRAY)], depth).await
    }

    /// The jobs that a condition picks, which may use `clock.ms`, and the database's time.
    pub(super) async fn read_jobs(
        &self,
        condition: &str,
        values: &[Value<'_>],
        depth: Depth,
    ) -> Result<Jobs, Error> {
        let long = match depth {
            Depth::Life => "",
            Depth::Whole => ", attempts, requests, answers",
        };
        let sql = format!(
            "WITH clock AS MATERIALIZED (SELECT @now_ms() AS ms)
             SELECT clock.ms, j.* FROM clock LEFT JOIN LATERAL (
                 SELECT {HOT}, id, cancel_reason, progress_done, progress_total, progress_message
                     {long}
                 FROM @jobs WHERE {condition}) j ON true"
        );
        let rows = self.database.ask(&sql, values).await?;
        let all = Vec::with_capacity(rows.len());
        let mut jobs = Jobs { now: 0, all, damaged: Vec::new(), by_id: HashMap::new() };
        for row in &rows {
            jobs.now = number(get(row, 0)?)?;
            if get::<Option<i64>>(row, 1)?.is_some() {
                let job = Job::read(row, 1, depth)?;
                jobs.by_id.insert(job.id.clone(), jobs.all.len());
                jobs.all.push(job);
            }
        }
        Ok(jobs)
    }
}
