//! Opens the store that a server's configuration names: for the server, and for its operator beside it.

use std::sync::Arc;

use waxwing_jobs::{Bounds, MemoryStore, Store};
use waxwing_store_postgres::PostgresStore;
use waxwing_store_sqlite::SqliteStore;

use crate::config::store::StoreUrl;
use crate::exit::Failure;

/// The store, made if there is none: what a server does.
pub(crate) async fn open(url: &StoreUrl) -> Result<Arc<dyn Store>, Failure> {
    Ok(match url {
        StoreUrl::Memory => Arc::new(MemoryStore::new(Bounds::default())),
        StoreUrl::Sqlite(path) => Arc::new(SqliteStore::open(path, Bounds::default())?),
        StoreUrl::Postgres(url) => {
            Arc::new(PostgresStore::open(&url.config()?, Bounds::default()).await?)
        }
    })
}

/// The store that is there already: what an operator does. It may be in use by servers.
pub(crate) async fn open_existing(url: &StoreUrl) -> Result<Arc<dyn Store>, Failure> {
    match url {
        StoreUrl::Memory => Err(Failure::usage(
            "store = \"memory:\" keeps jobs inside the server's process; there is nothing to open",
        )),
        StoreUrl::Sqlite(path) if !path.exists() => {
            let path = path.display();
            Err(Failure::usage(format!("there is no store at {path}: no server has run with it")))
        }
        StoreUrl::Sqlite(_) | StoreUrl::Postgres(_) => open(url).await,
    }
}
