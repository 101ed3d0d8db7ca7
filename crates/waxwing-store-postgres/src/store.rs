//! The store: the contract's operations, each sent to the database or to a group of writers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use waxwing_core::{ClientId, JobId, ServerId};
use waxwing_jobs::{
    Admission, Answered, Answers, Beat, BeatVerdict, Bounds, CancelRequest, CancelVerdict, Census,
    Claim, Claimed, Durability, Filter, Inspected, NewJob, NonceRecord, Page, PurgeVerdict,
    RequeueVerdict, Seen, Settle, SettleVerdict, Snapshot, Started, Store, StoreError, StoreInfo,
    Swept,
};

use crate::batch::Group;
use crate::config::{PostgresConfig, Session, Setup};
use crate::connect::{Connector, within};
use crate::database::{Database, Patience, STATEMENT};
use crate::error::Error;
use crate::hint::Hints;
use crate::ops::Core;
use crate::safety::{self, Settings};
use crate::schema;

/// The most time that the schema may take to be made or updated, and to be waited for while another
/// process does so.
const MIGRATION: Duration = Duration::from_secs(600);

/// How many writes of one kind are on their way at once.
const WRITERS: usize = 2;

/// How often somebody who waits looks without having heard anything, when hints come.
const LOOK_HEARING: Duration = Duration::from_millis(250);

/// The same when none come.
const LOOK: Duration = Duration::from_millis(25);

/// Time between looks for each job that is waited for, however many hints come.
const LOOK_PER_JOB: Duration = Duration::from_micros(25);

/// A durable store in PostgreSQL. Any number of processes may open the same schema.
///
/// An operation whose connection is lost, be it by five seconds of silence, is tried again for
/// about ten seconds; of a write whose answer was lost the database is asked what became of it, so
/// that nothing is done twice. After that the answer is [`StoreError::Unavailable`]. Only a server
/// that takes writes is ever asked: none that is a standby.
///
/// Bounds count what is committed: processes that write at the very same moment may exceed one by
/// as much as they had on their way, at most a few hundred items each. Nothing is forgotten for it.
#[derive(Debug)]
pub struct PostgresStore {
    core: Arc<Core>,
    admissions: Group<NonceRecord, Admission>,
    starts: Group<NewJob, Started>,
    settles: Group<Settle, SettleVerdict>,
    hints: Hints,
    detail: String,
}

impl PostgresStore {
    /// Connects, makes or updates the schema, and refuses a server that could lose jobs.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] for an address, a server or a setting that cannot be used, and
    /// for a schema that is another program's or a newer version's; [`StoreError::Unavailable`]
    /// when the database could not be reached for about ten seconds.
    pub async fn open(config: &PostgresConfig, bounds: Bounds) -> Result<Self, StoreError> {
        Self::over(config, bounds, Tables::Made).await
    }

    /// The same over a schema that stands, of which nothing is made or changed: for an operator
    /// beside the servers.
    ///
    /// # Errors
    /// Like [`Self::open`]; and [`StoreError::Misconfigured`] for a schema that is missing or of
    /// another version.
    pub async fn attach(config: &PostgresConfig, bounds: Bounds) -> Result<Self, StoreError> {
        Self::over(config, bounds, Tables::Found).await
    }

    async fn over(
        config: &PostgresConfig,
        bounds: Bounds,
        tables: Tables,
    ) -> Result<Self, StoreError> {
        let connector = Connector::new(config)?;
        let mut patience = Patience::new();
        let settings = loop {
            match prepare(config, &connector, tables).await {
                Ok(settings) => break settings,
                Err(error) => patience.bear(error).await?,
            }
        };
        let core = Arc::new(Core::new(Database::new(config, connector.clone())?, bounds));
        core.health().await?;
        Ok(Self {
            admissions: Group::spawn(Arc::clone(&core), WRITERS),
            starts: Group::spawn(Arc::clone(&core), WRITERS),
            settles: Group::spawn(Arc::clone(&core), WRITERS),
            hints: match config.session {
                Session::Own => Hints::over(connector, config.schema.channel()),
                Session::Pooled => Hints::none(),
            },
            core,
            detail: format!("PostgreSQL {} at {}", settings.version_text, config.place()),
        })
    }

    /// Tells other processes, unless nothing was done.
    fn told<T>(&self, done: Result<T, Error>) -> Result<T, StoreError> {
        if done.is_ok() {
            self.hints.changed();
        }
        Ok(done?)
    }
}

/// Whether the tables are made or only found.
#[derive(Clone, Copy, Debug)]
enum Tables {
    Made,
    Found,
}

/// Checks the server, the schema and the session, over connections of their own.
async fn prepare(
    config: &PostgresConfig,
    connector: &Connector,
    tables: Tables,
) -> Result<Settings, Error> {
    let mut link = connector.link(Setup::Servers).await?;
    let settings = within(STATEMENT, Settings::read(&link)).await?;
    settings.check()?;
    match (within(STATEMENT, schema::verify(&link, &config.schema)).await, tables) {
        (Err(Error::Store(StoreError::Misconfigured(_))), Tables::Made) => {
            within(MIGRATION, schema::migrate(&mut link, &config.schema)).await?;
        }
        (verified, _) => verified?,
    }
    if config.session == Session::Own {
        let link = connector.link(Setup::Ours).await?;
        within(STATEMENT, safety::check_session(&link)).await?;
    }
    Ok(settings)
}

#[async_trait]
impl Store for PostgresStore {
    fn info(&self) -> StoreInfo {
        StoreInfo {
            backend: "postgres",
            durability: Durability::PowerCut,
            detail: self.detail.clone(),
        }
    }

    async fn bind(&self, server: &ServerId<'_>) -> Result<(), StoreError> {
        Ok(self.core.bind(server).await?)
    }

    async fn admit(&self, nonces: Vec<NonceRecord>) -> Result<Vec<Admission>, StoreError> {
        self.admissions.write(nonces).await
    }

    async fn raise_mark(&self, name: &str, at_least: i64) -> Result<Option<i64>, StoreError> {
        Ok(Some(self.core.raise_mark(name, at_least).await?))
    }

    async fn start(&self, jobs: Vec<NewJob>) -> Result<Vec<Started>, StoreError> {
        self.starts.write(jobs).await
    }

    async fn get(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
    ) -> Result<Option<Snapshot>, StoreError> {
        Ok(self.core.snapshot(owner, id).await?)
    }

    async fn answer(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        answers: Answers,
    ) -> Result<Option<Answered>, StoreError> {
        self.told(self.core.answer(owner, id, &answers).await)
    }

    async fn cancel(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        request: CancelRequest,
    ) -> Result<CancelVerdict, StoreError> {
        self.told(self.core.cancel(owner, id, &request).await)
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Claimed>, StoreError> {
        let claimed = self.core.claim(&claim).await?;
        if !claimed.is_empty() {
            self.hints.changed();
        }
        Ok(claimed)
    }

    async fn beat(&self, beats: Vec<Beat>) -> Result<Vec<BeatVerdict>, StoreError> {
        let news = beats.iter().any(|beat| beat.progress.is_some());
        let verdicts = self.core.beat(&beats).await?;
        if news {
            self.hints.changed();
        }
        Ok(verdicts)
    }

    async fn settle(&self, settles: Vec<Settle>) -> Result<Vec<SettleVerdict>, StoreError> {
        let verdicts = self.settles.write(settles).await?;
        self.hints.changed();
        Ok(verdicts)
    }

    async fn sweep(&self, limit: usize) -> Result<Swept, StoreError> {
        let swept = self.core.sweep(limit).await?;
        if swept.lapsed > 0 {
            self.hints.changed();
        }
        Ok(swept)
    }

    async fn changed(
        &self,
        seen: &[Seen],
        wait: Duration,
    ) -> Result<Vec<JobId<'static>>, StoreError> {
        let end = Instant::now() + wait;
        let jobs = u32::try_from(seen.len()).unwrap_or(u32::MAX);
        loop {
            let mut heard = self.hints.listener();
            let moved = self.core.moved(seen).await?;
            let left = end.saturating_duration_since(Instant::now());
            if !moved.is_empty() || left.is_zero() {
                return Ok(moved);
            }
            let look = if self.hints.are_heard() { LOOK_HEARING } else { LOOK };
            let least = LOOK_PER_JOB.saturating_mul(jobs).min(left);
            tokio::select! {
                Ok(()) = heard.changed() => tokio::time::sleep(least).await,
                () = tokio::time::sleep(look.min(left).max(least)) => {}
            }
        }
    }

    async fn list(&self, filter: Filter) -> Result<Page, StoreError> {
        Ok(self.core.list(&filter).await?)
    }

    async fn inspect(&self, id: &JobId<'_>) -> Result<Option<Inspected>, StoreError> {
        Ok(self.core.inspect(id).await?)
    }

    async fn census(&self) -> Result<Census, StoreError> {
        Ok(self.core.census().await?)
    }

    async fn health(&self) -> Result<(), StoreError> {
        self.core.health().await
    }

    async fn requeue(&self, ids: Vec<JobId<'static>>) -> Result<Vec<RequeueVerdict>, StoreError> {
        self.told(self.core.requeue(&ids).await)
    }

    async fn purge(&self, ids: Vec<JobId<'static>>) -> Result<Vec<PurgeVerdict>, StoreError> {
        self.told(self.core.purge(&ids).await)
    }
}
