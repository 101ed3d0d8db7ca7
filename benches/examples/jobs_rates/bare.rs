//! What a store is measured against: the same rows written, and read, by the bare driver.

mod postgres;
mod sqlite;

pub(crate) use postgres::Reader;

use crate::orders::Ids;
use crate::places::Place;

/// Rows in one commit.
const BATCH: usize = 256;

/// Who writes the rows.
pub(crate) fn writer(place: &Place) -> &'static str {
    if place.is_sqlite() { "bare rusqlite" } else { "bare tokio-postgres" }
}

/// Jobs a second, into tables that the store has made.
pub(crate) async fn starts(place: &Place, name: &str, count: u64, ids: Ids) -> f64 {
    drop(place.open(name).await);
    match place {
        Place::Files(folder) => sqlite::starts(&folder.path().join(name), count, ids),
        Place::Server(server) => postgres::starts(&server.url(name), name, count, ids).await,
    }
}
