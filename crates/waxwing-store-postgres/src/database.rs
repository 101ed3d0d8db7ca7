//! Connections, and statements that survive the loss of one: a read is asked again, and of a write
//! whose answer was lost the database itself says what became of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{Manager, Metrics, Object, Pool, PoolError, RecycleError, RecycleResult};
use tokio::time::Instant;
use tokio_postgres::Row;
use waxwing_jobs::StoreError;

use crate::config::{PostgresConfig, Session, Setup};
use crate::connect::{Connector, within};
use crate::error::Error;
use crate::link::{Link, Value};
use crate::schema::Schema;

/// How long a statement may take before its connection counts as lost.
pub(crate) const STATEMENT: Duration = Duration::from_secs(5);

/// How long an operation goes on trying, once it has lost a connection; more than [`STATEMENT`], so
/// that what was lost by silence is tried again too.
const PATIENCE: Duration = Duration::from_secs(10);

/// The same for a check that is made every second.
const BRIEF: Duration = Duration::from_millis(500);

/// The most that such a check may take in all.
const CHECK: Duration = Duration::from_secs(2);

/// Waits between tries; the last one is repeated.
const PAUSES: [Duration; 6] = [
    Duration::from_millis(5),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
];

/// How often an operation is decided anew because others were faster.
const CONFLICTS: u32 = 200;

/// Names one write, by which it is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Batch(pub(crate) i64);

impl Batch {
    /// Which of the places of a counter this write uses, so that writes at the same time rarely
    /// use the same.
    pub(crate) fn slot(self) -> i16 {
        i16::try_from(self.0.rem_euclid(8)).unwrap_or_default()
    }
}

/// Makes the connections of the pool.
#[derive(Debug)]
struct Links(Connector);

impl Manager for Links {
    type Type = Link;
    type Error = Error;

    async fn create(&self) -> Result<Link, Error> {
        // It is large, seldom, and part of every statement.
        Box::pin(self.0.link(Setup::Ours)).await
    }

    async fn recycle(&self, link: &mut Link, _: &Metrics) -> RecycleResult<Error> {
        if link.is_closed() { Err(RecycleError::message("closed")) } else { Ok(()) }
    }
}

/// The pool and what its statements need.
#[derive(Debug)]
pub(crate) struct Database {
    pool: Pool<Links>,
    schema: Schema,
    session: Session,
    batches: AtomicU64,
}

impl Database {
    pub(crate) fn new(config: &PostgresConfig, connector: Connector) -> Result<Self, StoreError> {
        let pool = Pool::builder(Links(connector))
            .max_size(config.connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(PATIENCE))
            .build()
            .map_err(|error| StoreError::Fault(error.to_string()))?;
        // Far from what any other process counts from.
        let first = uuid::Uuid::new_v4().as_u64_pair().1;
        let (schema, session) = (config.schema.clone(), config.session);
        Ok(Self { pool, schema, session, batches: AtomicU64::new(first) })
    }

    pub(crate) fn next_batch(&self) -> Batch {
        Batch(self.batches.fetch_add(1, Ordering::Relaxed).cast_signed())
    }

    async fn link(&self) -> Result<Object<Links>, Error> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error.passing(),
            _ => Error::Lost("all connections to the database are busy".to_owned()),
        })
    }

    /// Asks once. After an error the connection is not used again, unless the server itself
    /// refused the statement. Where one is silent the others may be: none that has been used
    /// before is used for the next try.
    pub(crate) async fn once(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        let mut link = self.link().await?;
        let begun = Instant::now();
        let asked = link.ask((self.session, &self.schema), sql, values);
        let answered = within(STATEMENT, asked).await.map_err(Error::passing);
        if let Err(Error::Lost(_)) = &answered {
            drop(Object::take(link));
            if begun.elapsed() >= STATEMENT {
                self.pool.retain(|_, _| false);
            }
        }
        answered
    }

    /// Asks again for as long as connections are lost, up to a bound: for reads, and for writes
    /// that may be repeated.
    pub(crate) async fn ask(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        let mut patience = Patience::new();
        loop {
            match self.once(sql, values).await {
                Ok(rows) => return Ok(rows),
                Err(error) => patience.bear(error).await?,
            }
        }
    }

    /// Asks again only for as long as a pool of dead connections may last.
    pub(crate) async fn ask_briefly(&self, sql: &str) -> Result<Vec<Row>, Error> {
        let mut patience = Patience::of(BRIEF);
        let asked = async {
            loop {
                match self.once(sql, &[]).await {
                    Ok(rows) => return Ok::<_, Error>(rows),
                    Err(error) => patience.bear(error).await?,
                }
            }
        };
        within(CHECK, asked).await
    }
}

/// How long an operation bears that connections are lost and rows change under it.
#[derive(Debug)]
pub(crate) struct Patience {
    time: Duration,
    /// Known once a connection was lost.
    end: Option<Instant>,
    losses: usize,
    conflicts: u32,
}

impl Patience {
    pub(crate) fn new() -> Self {
        Self::of(PATIENCE)
    }

    pub(crate) fn of(time: Duration) -> Self {
        Self { time, end: None, losses: 0, conflicts: 0 }
    }

    /// Returns when it is time to try again, or gives the error back when that is in vain.
    pub(crate) async fn bear(&mut self, error: Error) -> Result<(), Error> {
        match error {
            Error::Conflict if self.conflicts < CONFLICTS => {
                self.conflicts += 1;
                Ok(())
            }
            Error::Lost(why) => {
                let now = Instant::now();
                if now >= *self.end.get_or_insert(now + self.time) {
                    return Err(Error::Lost(why));
                }
                tracing::debug!(why, "the database is asked again");
                let pause = PAUSES.get(self.losses).or(PAUSES.last()).copied();
                self.losses += 1;
                tokio::time::sleep(pause.unwrap_or_default()).await;
                Ok(())
            }
            error => Err(error),
        }
    }
}
