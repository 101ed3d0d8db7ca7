//! The store: the contract's operations, each sent to the writer or to the readers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::time::Instant;
use waxwing_core::{ClientId, JobId, ServerId};
use waxwing_jobs::{
    Admission, Answered, Answers, Beat, BeatVerdict, Bounds, CancelRequest, CancelVerdict, Census,
    Claim, Claimed, Clock, Durability, Filter, Inspected, NewJob, NonceRecord, Page, PurgeVerdict,
    RequeueVerdict, Seen, Settle, SettleVerdict, Sharing, Snapshot, Started, Store, StoreError,
    StoreInfo, Swept, SystemClock,
};

use crate::clock::{self, FileClock};
use crate::files::{Company, Presence};
use crate::reader::Readers;
use crate::writer::Writer;
use crate::{files, ops, safety, schema};

/// How many reads run at once.
const READERS: usize = 4;

/// How often somebody who waits looks for commits of other connections. A look where nothing was
/// committed is one read of shared memory.
const LOOK: Duration = Duration::from_millis(10);

/// Time between looks for each job that is waited for, once there are more than fit in [`LOOK`].
const LOOK_PER_JOB: Duration = Duration::from_micros(25);

/// A durable store in one SQLite file. Several processes of one machine may open the same file.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    clock: Arc<FileClock>,
    writer: Writer,
    readers: Arc<Readers>,
    /// A connection of its own, since only it can tell what changed since it last looked.
    watcher: Arc<Readers>,
    _presence: Presence,
    company: Company,
}

impl SqliteStore {
    /// Opens the file, or makes it, readable by its owner alone. Blocks; for use at start-up.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] for a file that is another program's, a newer version's, or
    /// open to others, and for an SQLite or a setting under which acknowledged jobs could be lost;
    /// [`StoreError::Corrupt`] for a damaged file; [`StoreError::Unavailable`] otherwise.
    pub fn open(path: impl AsRef<Path>, bounds: Bounds) -> Result<Self, StoreError> {
        Self::open_with_clock(path, bounds, Arc::new(SystemClock::new()))
    }

    /// Opens a store that stands, to look at it and operate it beside the servers that use it. It
    /// makes no file and changes none of an older version. Blocks.
    ///
    /// # Errors
    /// Those of [`SqliteStore::open`], and [`StoreError::Misconfigured`] for a file that is missing
    /// or of an older version: `waxwing serve` brings it up to date.
    pub fn attach(path: impl AsRef<Path>, bounds: Bounds) -> Result<Self, StoreError> {
        let path = path.as_ref();
        files::find(path)?;
        safety::look(path, schema::check)?;
        Self::over(safety::connect(path)?, path, bounds, Arc::new(SystemClock::new()))
    }

    /// Like [`SqliteStore::open`], on a clock of the caller's: for tests.
    ///
    /// # Errors
    /// Those of [`SqliteStore::open`].
    pub fn open_with_clock(
        path: impl AsRef<Path>,
        bounds: Bounds,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let path = path.as_ref();
        files::prepare(path)?;
        let mut connection = safety::connect(path)?;
        schema::migrate(&mut connection)?;
        Self::over(connection, path, bounds, clock)
    }

    /// Over a connection to a file in the present form.
    fn over(
        mut connection: Connection,
        path: &Path,
        bounds: Bounds,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let path = path.to_owned();
        let clock = Arc::new(FileClock::new(clock));
        let (presence, company) = clock::join(&mut connection, &path, &clock)?;
        Ok(Self {
            writer: Writer::spawn(connection, bounds, Arc::clone(&clock))?,
            readers: Readers::open(path.clone(), READERS)?,
            watcher: Readers::open(path.clone(), 1)?,
            path,
            clock,
            _presence: presence,
            company,
        })
    }

    /// Who else had the file open when this store was opened. A replay guard in memory does not know
    /// what servers in other processes have accepted.
    #[must_use]
    pub const fn company(&self) -> Company {
        self.company
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn info(&self) -> StoreInfo {
        StoreInfo {
            backend: "sqlite",
            durability: Durability::PowerCut,
            detail: format!("SQLite {} in {}", rusqlite::version(), self.path.display()),
        }
    }

    fn sharing(&self) -> Sharing {
        Sharing::Alone
    }

    async fn bind(&self, server: &ServerId<'_>) -> Result<(), StoreError> {
        let server = server.clone().into_owned();
        self.writer.write(move |tx| tx.bind(&server)).await
    }

    async fn admit(&self, nonces: Vec<NonceRecord>) -> Result<Vec<Admission>, StoreError> {
        self.writer.write(move |tx| nonces.iter().map(|nonce| tx.admit(nonce)).collect()).await
    }

    async fn raise_mark(&self, name: &str, at_least: i64) -> Result<Option<i64>, StoreError> {
        let name = name.to_owned();
        self.writer.write(move |tx| Ok(tx.raise_mark(&name, at_least)?)).await
    }

    async fn start(&self, jobs: Vec<NewJob>) -> Result<Vec<Started>, StoreError> {
        self.writer.write(move |tx| jobs.iter().map(|job| tx.start(job)).collect()).await
    }

    async fn get(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
    ) -> Result<Option<Snapshot>, StoreError> {
        let (owner, id) = (owner.clone().into_owned(), id.clone().into_owned());
        let now = self.clock.now_ms();
        self.readers.read(move |connection| ops::snapshot(connection, &owner, &id, now)).await
    }

    async fn answer(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        answers: Answers,
    ) -> Result<Option<Answered>, StoreError> {
        let (owner, id) = (owner.clone().into_owned(), id.clone().into_owned());
        self.writer.write(move |tx| tx.answer(&owner, &id, &answers)).await
    }

    async fn cancel(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        request: CancelRequest,
    ) -> Result<CancelVerdict, StoreError> {
        let (owner, id) = (owner.clone().into_owned(), id.clone().into_owned());
        self.writer.write(move |tx| tx.cancel(&owner, &id, &request)).await
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Claimed>, StoreError> {
        self.writer.write(move |tx| tx.claim(&claim)).await
    }

    async fn beat(&self, beats: Vec<Beat>) -> Result<Vec<BeatVerdict>, StoreError> {
        self.writer.write(move |tx| tx.beats(&beats)).await
    }

    async fn settle(&self, settles: Vec<Settle>) -> Result<Vec<SettleVerdict>, StoreError> {
        self.writer.write(move |tx| settles.iter().map(|one| tx.settle(one)).collect()).await
    }

    async fn sweep(&self, limit: usize) -> Result<Swept, StoreError> {
        self.writer.write(move |tx| tx.sweep(limit)).await
    }

    async fn changed(
        &self,
        seen: &[Seen],
        wait: Duration,
    ) -> Result<Vec<JobId<'static>>, StoreError> {
        let end = Instant::now() + wait;
        let jobs = u32::try_from(seen.len()).unwrap_or(u32::MAX);
        let pause = LOOK.max(LOOK_PER_JOB.saturating_mul(jobs));
        let seen: Arc<[Seen]> = seen.into();
        let mut before = None;
        loop {
            let (seen, now) = (Arc::clone(&seen), self.clock.now_ms());
            let look = move |connection: &_| {
                let version = ops::data_version(connection)?;
                // Nothing was committed since the last look: nothing has moved.
                let same = before == Some(version);
                Ok((version, if same { Vec::new() } else { ops::moved(connection, &seen, now)? }))
            };
            let (version, moved) = self.watcher.read(look).await?;
            before = Some(version);
            let left = end.saturating_duration_since(Instant::now());
            if !moved.is_empty() || left.is_zero() {
                return Ok(moved);
            }
            tokio::time::sleep(pause.min(left)).await;
        }
    }

    async fn list(&self, filter: Filter) -> Result<Page, StoreError> {
        let now = self.clock.now_ms();
        self.readers.read(move |connection| ops::list(connection, &filter, now)).await
    }

    async fn inspect(&self, id: &JobId<'_>) -> Result<Option<Inspected>, StoreError> {
        let (id, now) = (id.clone().into_owned(), self.clock.now_ms());
        self.readers.read(move |connection| ops::inspect(connection, &id, now)).await
    }

    async fn census(&self) -> Result<Census, StoreError> {
        let now = self.clock.now_ms();
        self.readers.read(move |connection| ops::census(connection, now)).await
    }

    /// Goes through the writer and takes its lock on the file, but writes nothing.
    async fn health(&self) -> Result<(), StoreError> {
        self.writer.write(|tx| tx.look()).await?;
        self.readers.read(|connection| ops::data_version(connection).map(drop)).await
    }

    async fn requeue(&self, ids: Vec<JobId<'static>>) -> Result<Vec<RequeueVerdict>, StoreError> {
        self.writer.write(move |tx| ids.iter().map(|id| tx.requeue(id)).collect()).await
    }

    async fn purge(&self, ids: Vec<JobId<'static>>) -> Result<Vec<PurgeVerdict>, StoreError> {
        self.writer.write(move |tx| ids.iter().map(|id| tx.purge(id)).collect()).await
    }
}
