//! The rows that a start writes, and one job's row read again, by tokio-postgres.

use std::time::Instant;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Statement};

use super::BATCH;
use crate::orders::{Ids, id, owner};

async fn connect(url: &str) -> Client {
    // The schema is the store's own option.
    let (url, _) = url.split_once("&schema=").expect("an address with a schema");
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

/// Jobs a second: as arrays, one statement and one commit for each batch, which is the fastest that
/// the driver has beside COPY.
pub(super) async fn starts(url: &str, schema: &str, count: u64, ids: Ids) -> f64 {
    let client = connect(url).await;
    let sql = format!(
        "INSERT INTO \"{schema}\".jobs (id, owner, kind, stage, ready_ms, rank, epoch, failures,
            max_attempts, version, created_ms, expires_ms, input)
        SELECT id, owner, 'work', 'queued', 1, rank, 0, 0, 3, 1, 1, 3600001, input
        FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) AS n (id, owner, rank, input)"
    );
    let statement = client.prepare(&sql).await.expect("a statement");
    let orders: Vec<_> = (0..count).map(|n| ids.order(n)).collect();
    let began = Instant::now();
    for batch in orders.chunks(BATCH) {
        let ids: Vec<&str> = batch.iter().map(|job| job.id.as_str()).collect();
        let owners: Vec<&str> = batch.iter().map(|job| job.owner.as_str()).collect();
        let ranks: Vec<i64> = (0..batch.len() as i64).collect();
        let inputs: Vec<&str> = batch.iter().map(|job| job.input.as_str()).collect();
        let values: [&(dyn ToSql + Sync); 4] = [&ids, &owners, &ranks, &inputs];
        client.execute(&statement, &values).await.expect("rows");
    }
    count as f64 / began.elapsed().as_secs_f64()
}

/// One connection with one prepared statement: the way to the database and back.
pub(crate) struct Reader {
    client: Client,
    statement: Statement,
}

impl Reader {
    pub(crate) async fn open(url: &str, schema: &str) -> Self {
        let client = connect(url).await;
        let sql = format!(
            "SELECT stage, version, expires_ms, output FROM \"{schema}\".jobs WHERE id = $1 AND owner = $2"
        );
        let statement = client.prepare(&sql).await.expect("a statement");
        Self { client, statement }
    }

    pub(crate) async fn read(&self, n: u64) {
        let (id, owner) = (id(n), owner(n));
        let values: [&(dyn ToSql + Sync); 2] = [&id.as_str(), &owner.as_str()];
        let row = self.client.query_one(&self.statement, &values).await.expect("a row");
        assert_eq!(row.get::<_, &str>(0), "completed");
    }
}
