//! A real PgBouncer in transaction mode before the server: with `pooled=true` every promise is kept
//! behind it, and without it is found out before anything goes wrong.

use waxwing_jobs::contract::check;
use waxwing_jobs::{Bounds, StoreError};
use waxwing_store_postgres::{PostgresConfig, PostgresStore};
use waxwing_testkit::postgres::{Pooler, pgbouncer};

use crate::contract::Postgres;
use crate::support::{Place, find, order};

/// So few sessions that each connection's statements go to all of them.
const FEW: &str = "default_pool_size = 3";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_every_promise_behind_pgbouncer() {
    let test = "it_keeps_every_promise_behind_pgbouncer";
    let (Some(place), Some(program)) = (Place::new(test), pgbouncer(test)) else { return };
    let pooler = Pooler::start(&program, place.server, &[FEW]);
    let by = Some(pooler.folder().to_owned());
    assert_eq!(check(&Postgres { by, more: "&pooled=true&connections=4" }).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_that_the_address_does_not_tell_of_is_found_out_in_one_line() {
    let test = "a_pooler_that_the_address_does_not_tell_of";
    let (Some(place), Some(program)) = (Place::new(test), pgbouncer(test)) else { return };
    // One refuses what a session would be set up with, another lets it fall under the table.
    for settings in [&[FEW][..], &[FEW, "ignore_startup_parameters = options"]] {
        let pooler = Pooler::start(&program, place.server, settings);
        let url = pooler.url(&place.schema);
        let open = async |more: &str| {
            let config = PostgresConfig::parse(&(url.clone() + more)).unwrap();
            PostgresStore::open(&config, Bounds::default()).await
        };
        let error = open("").await.unwrap_err();
        let line = error.to_string();
        assert!(matches!(error, StoreError::Misconfigured(_)), "{line}");
        assert!(line.contains("pooled=true") && !line.contains('\n'), "{line}");
        let store = open("&pooled=true").await.unwrap();
        let name = format!("job-{}", settings.len());
        waxwing_jobs::Store::start(&store, vec![order(&name)]).await.unwrap();
        assert!(find(&store, &name).await.is_some());
    }
}
