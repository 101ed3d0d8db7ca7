//! Opens the store that a server's configuration names: for the server, and for its operator beside it.

use std::sync::Arc;

use waxwing_jobs::{Bounds, MemoryStore, Store};
use waxwing_server::ReplayPolicy;
use waxwing_store_postgres::PostgresStore;
use waxwing_store_sqlite::{Company, SqliteStore};

use crate::config::store::StoreUrl;
use crate::exit::Failure;
use crate::terminal;

/// The store, made if there is none and brought to this version's form: what a server does.
pub(crate) async fn open(
    url: &StoreUrl,
    bounds: Bounds,
    guard: ReplayPolicy,
) -> Result<Arc<dyn Store>, Failure> {
    Ok(match url {
        StoreUrl::Memory => Arc::new(MemoryStore::new(bounds)),
        StoreUrl::Sqlite(path) => {
            let store = SqliteStore::open(path, bounds)?;
            if store.company() == Company::Others && guard != ReplayPolicy::Store {
                terminal::note(&format!(
                    "warning: another process has {} open; if it is a server, each would accept what \
                     the other has accepted before: give both guard = \"store\" under [replay]",
                    path.display()
                ));
            }
            Arc::new(store)
        }
        StoreUrl::Postgres(url) => Arc::new(PostgresStore::open(&url.config()?, bounds).await?),
    })
}

/// The store that is there already, in whatever form it is: what an operator does. It may be in use by
/// servers, and looking at it changes nothing.
pub(crate) async fn attach(url: &StoreUrl, bounds: Bounds) -> Result<Arc<dyn Store>, Failure> {
    Ok(match url {
        StoreUrl::Memory => {
            let text = "store = \"memory:\" keeps jobs inside the server's process; there is nothing to open";
            return Err(Failure::usage(text));
        }
        StoreUrl::Sqlite(path) => Arc::new(SqliteStore::attach(path, bounds)?),
        StoreUrl::Postgres(url) => Arc::new(PostgresStore::attach(&url.config()?, bounds).await?),
    })
}
