//! A store that an operator opens beside the servers: it works over what stands, and makes nothing.

use waxwing_jobs::{Bounds, Store, StoreError};
use waxwing_store_postgres::{PostgresConfig, PostgresStore};

use crate::support::{Place, find, order};

async fn attach(place: &Place) -> Result<PostgresStore, StoreError> {
    PostgresStore::attach(&PostgresConfig::parse(&place.url())?, Bounds::default()).await
}

#[tokio::test]
async fn a_store_that_is_attached_to_is_used_and_never_made_or_changed() {
    let Some(place) = Place::new("a_store_that_is_attached_to") else { return };
    let refused = async |says: &str| {
        let error = attach(&place).await.unwrap_err();
        let line = error.to_string();
        assert!(matches!(error, StoreError::Misconfigured(_)), "{line}");
        assert!(line.contains(says) && line.contains("`waxwing serve`"), "{line}");
        assert!(line.contains(&place.schema) && !line.contains('\n'), "{line}");
    };
    refused("holds no jobs").await;
    let sql = format!("SELECT to_regnamespace('{}') IS NULL", place.schema);
    assert!(place.client().await.query_one(&sql, &[]).await.unwrap().get::<_, bool>(0));

    let server = place.open(Bounds::default()).await.unwrap();
    server.start(vec![order("one")]).await.unwrap();
    let operator = attach(&place).await.unwrap();
    assert!(find(&operator, "one").await.is_some());

    place.run("UPDATE waxwing SET version = version - 1").await;
    refused("updates it").await;
    place.run("UPDATE waxwing SET version = version + 2").await;
    refused("this program knows").await;
}
