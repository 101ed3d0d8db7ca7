//! Short names for the usual steps, and a clock that stands still.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_postgres::{Client, NoTls};
use waxwing_core::{CanonicalJson, ClientId, JobId, KeyId, Nonce, ServerId, ToolName};
use waxwing_jobs::{
    Bounds, Claim, Idempotency, NewJob, NonceRecord, Snapshot, Store, StoreError, millis,
};
use waxwing_store_postgres::{PostgresConfig, PostgresStore};
use waxwing_testkit::postgres::{Cluster, fresh_name, shared};

pub(crate) const LEASE: Duration = Duration::from_secs(30);
pub(crate) const T: u64 = 1_790_000_000_000;

/// A schema of its own on the tests' server.
pub(crate) struct Place {
    pub(crate) server: &'static Cluster,
    pub(crate) schema: String,
}

impl Place {
    /// `None` where there is no PostgreSQL: the test ends there, having said so.
    pub(crate) fn new(test: &str) -> Option<Self> {
        let server = shared(test)?;
        Some(Self { server, schema: fresh_name("it") })
    }

    pub(crate) fn url(&self) -> String {
        self.server.url(&self.schema)
    }

    pub(crate) async fn open(&self, bounds: Bounds) -> Result<Arc<PostgresStore>, StoreError> {
        let config = PostgresConfig::parse(&self.url())?;
        Ok(Arc::new(PostgresStore::open(&config, bounds).await?))
    }

    /// A connection past the store.
    pub(crate) async fn client(&self) -> Client {
        connect(self.server).await
    }

    /// Runs SQL in the schema.
    pub(crate) async fn run(&self, sql: &str) {
        let sql = format!("SET search_path = \"{}\"; {sql}", self.schema);
        self.client().await.batch_execute(&sql).await.unwrap();
    }
}

pub(crate) async fn connect(server: &Cluster) -> Client {
    let url = server.url("x");
    let driver: tokio_postgres::Config = url.strip_suffix("&schema=x").unwrap().parse().unwrap();
    let (client, connection) = driver.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The database's clock of one schema, in the hands of a test.
pub(crate) struct StillClock {
    client: Client,
    schema: String,
    now_ms: AtomicU64,
}

impl StillClock {
    pub(crate) async fn of(place: &Place) -> Self {
        let now_ms = AtomicU64::new(T);
        let clock = Self { client: place.client().await, schema: place.schema.clone(), now_ms };
        clock.set(T).await;
        clock
    }

    pub(crate) async fn set(&self, now_ms: u64) {
        self.now_ms.store(now_ms, Ordering::SeqCst);
        let sql = format!(
            "CREATE OR REPLACE FUNCTION \"{}\".now_ms() RETURNS bigint LANGUAGE sql VOLATILE
             AS 'SELECT {now_ms}::bigint'",
            self.schema
        );
        self.client.batch_execute(&sql).await.unwrap();
    }

    pub(crate) async fn advance(&self, by: Duration) {
        self.set(self.now_ms.load(Ordering::SeqCst) + millis(by)).await;
    }
}

pub(crate) fn owner() -> ClientId<'static> {
    ClientId::new("client").unwrap()
}

pub(crate) fn id(name: &str) -> JobId<'static> {
    JobId::new(name.to_owned()).unwrap()
}

pub(crate) fn kind() -> ToolName<'static> {
    ToolName::new("work").unwrap()
}

pub(crate) fn json(value: impl serde::Serialize) -> CanonicalJson<'static> {
    CanonicalJson::from_serialize(&value).unwrap()
}

pub(crate) fn order(name: &str) -> NewJob {
    NewJob::new(id(name), owner(), kind(), json(name))
}

pub(crate) fn nonce(name: &str) -> NonceRecord {
    NonceRecord {
        server: ServerId::new("server").unwrap(),
        client: owner(),
        key: KeyId::new("k1").unwrap(),
        nonce: Nonce::new(format!("{name:-<20}")).unwrap(),
        keep: LEASE,
    }
}

pub(crate) fn keyed(name: &str, key: &str) -> NewJob {
    let key = key.parse().unwrap();
    order(name).with_idempotency(Idempotency { key, digest: [7; 32], keep: LEASE })
}

pub(crate) fn claim(max: usize) -> Claim {
    Claim { worker: "test".into(), kinds: vec![kind()], lease: LEASE, max }
}

pub(crate) async fn find(store: &dyn Store, name: &str) -> Option<Snapshot> {
    store.get(&owner(), &id(name)).await.unwrap()
}

/// What is counted otherwise than it is there, in a schema on which nothing is at work: nothing,
/// if every write counts what it does in its own commit.
pub(crate) async fn miscounted(client: &Client, schema: &str) -> Vec<String> {
    const SQL: &str = "
        WITH counted AS (
            SELECT 'jobs ' || client AS what, sum(jobs) AS n FROM job_counts GROUP BY client
            UNION ALL SELECT 'nonces ' || scope, sum(nonces) FROM nonce_counts GROUP BY scope),
        unfinished AS (SELECT owner FROM jobs WHERE stage IN ('queued', 'running', 'parked')),
        there AS (
            SELECT 'jobs ' || owner AS what, count(*) AS n FROM unfinished GROUP BY owner
            UNION ALL SELECT 'jobs ', count(*) FROM unfinished
            UNION ALL SELECT 'jobs  stored', count(*) FROM jobs
            UNION ALL SELECT 'jobs  failed', count(*) FROM jobs WHERE stage = 'failed'
            UNION ALL SELECT 'nonces ' || scope, count(*) FROM nonces GROUP BY scope
            UNION ALL SELECT 'nonces 0', count(*) FROM nonces)
        SELECT what || ': ' || coalesce(c.n, 0) || ' counted, ' || coalesce(t.n, 0) || ' there'
        FROM counted c FULL JOIN there t USING (what)
        WHERE coalesce(c.n, 0) <> coalesce(t.n, 0)";
    client.batch_execute(&format!("SET search_path = \"{schema}\"")).await.unwrap();
    let rows = client.query(SQL, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}
