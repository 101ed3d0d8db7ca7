//! Connections, and statements that survive the loss of one: a read is asked again, and of a write
//! whose answer was lost the database itself says what became of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use tokio::time::Instant;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;
use waxwing_jobs::StoreError;

use crate::config::{PostgresConfig, Session};
use crate::error::Error;
use crate::schema::Schema;

/// How long a statement may take before its connection counts as lost.
const STATEMENT: Duration = Duration::from_secs(20);

/// How long an operation goes on trying to reach the database.
const PATIENCE: Duration = Duration::from_secs(10);

/// The same for a check that is made every second.
const BRIEF: Duration = Duration::from_millis(500);

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

/// A value of a statement, with its type, so that the database need not be asked for it.
pub(crate) type Value<'a> = (&'a (dyn ToSql + Sync), Type);

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

/// What became of a write whose answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Committed,
    /// It was not, and never will be.
    Never,
}

/// One connection outside the pool.
#[derive(Debug)]
pub(crate) struct Link {
    client: Client,
}

impl Link {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    pub(crate) fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    pub(crate) async fn simple(&self, sql: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
        Ok(self.client.simple_query(sql).await?)
    }
}

/// The pool and what its statements need.
#[derive(Debug)]
pub(crate) struct Database {
    pool: Pool,
    schema: Schema,
    session: Session,
    batches: AtomicU64,
}

impl Database {
    pub(crate) fn new(
        config: &PostgresConfig,
        driver: tokio_postgres::Config,
        tls: MakeRustlsConnect,
    ) -> Result<Self, StoreError> {
        let recycling_method = RecyclingMethod::Fast;
        let manager = Manager::from_config(driver, tls, ManagerConfig { recycling_method });
        let pool = Pool::builder(manager)
            .max_size(config.connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
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

    async fn connection(&self) -> Result<Object, Error> {
        self.pool.get().await.map_err(|error| match error {
            deadpool_postgres::PoolError::Backend(error) => match error.into() {
                Error::Store(error) => Error::Store(error),
                Error::Lost(why) => Error::Lost(why),
                Error::Conflict => Error::Lost("the database refused a connection".to_owned()),
            },
            other => Error::Lost(format!("no connection to the database: {other}")),
        })
    }

    /// Asks once. After an error the connection is not used again, unless the server itself
    /// refused the statement.
    pub(crate) async fn once(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        let connection = self.connection().await?;
        let sql = self.schema.sql(sql);
        let asked = async {
            match self.session {
                Session::Pooled => connection.query_typed(&sql, values).await,
                Session::Own => {
                    let types: Vec<Type> = values.iter().map(|(_, kind)| kind.clone()).collect();
                    let statement = connection.prepare_typed_cached(&sql, &types).await?;
                    let plain: Vec<_> = values.iter().map(|(value, _)| *value).collect();
                    connection.query(&statement, &plain).await
                }
            }
        };
        let answered = match tokio::time::timeout(STATEMENT, asked).await {
            Ok(answered) => answered.map_err(Error::from),
            Err(_) => Err(Error::Lost("the database does not answer".to_owned())),
        };
        if let Err(Error::Lost(_)) = &answered {
            drop(Object::take(connection));
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
        loop {
            match self.once(sql, &[]).await {
                Ok(rows) => return Ok(rows),
                Err(error) => patience.bear(error).await?,
            }
        }
    }

    /// What became of a write whose answer was lost. A write that is still on its way when this is
    /// asked is waited for or shut out: two cannot leave the same name.
    pub(crate) async fn fate(&self, batch: Batch) -> Result<Fate, Error> {
        const SEAL: &str = "INSERT INTO @commits (batch, until_ms, sealed)
            VALUES ($1, @now_ms() + 600000, true) ON CONFLICT (batch) DO NOTHING";
        const READ: &str = "SELECT sealed FROM @commits WHERE batch = $1";
        self.ask(SEAL, &[(&batch.0, Type::INT8)]).await?;
        let rows = self.ask(READ, &[(&batch.0, Type::INT8)]).await?;
        match rows.first() {
            Some(row) if row.try_get::<_, bool>(0)? => Ok(Fate::Never),
            Some(_) => Ok(Fate::Committed),
            None => Err(Error::Lost("what became of a write is not known".to_owned())),
        }
    }
}

/// How long an operation bears that connections are lost and rows change under it.
#[derive(Debug)]
pub(crate) struct Patience {
    end: Instant,
    losses: usize,
    conflicts: u32,
}

impl Patience {
    pub(crate) fn new() -> Self {
        Self::of(PATIENCE)
    }

    pub(crate) fn of(time: Duration) -> Self {
        Self { end: Instant::now() + time, losses: 0, conflicts: 0 }
    }

    /// Returns when it is time to try again, or gives the error back when that is in vain.
    pub(crate) async fn bear(&mut self, error: Error) -> Result<(), Error> {
        match error {
            Error::Conflict if self.conflicts < CONFLICTS => {
                self.conflicts += 1;
                Ok(())
            }
            Error::Lost(why) if Instant::now() < self.end => {
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
