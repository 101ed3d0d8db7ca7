//! What a server and an operator do with a store: who makes it, who changes it, whose it is, and what is
//! said of one that cannot be used.

use std::fs;

use serde_json::json;
use tokio_postgres::{Client, NoTls};
use waxwing_testkit::postgres::{Cluster, fresh_name, programs, shared};

use crate::support::{Ran, Site, run, waxwing};

fn ask(site: &Site, words: &[&str]) -> Ran {
    run(waxwing().args(words).arg("--config").arg(site.path("waxwing.toml")))
}

/// Has a server make the store of this site, and stops it.
fn made(site: &Site) {
    let server = site.serve();
    server.signal("TERM");
    assert_eq!(server.ended().code, 0);
}

async fn connect(cluster: &Cluster) -> Client {
    let settings = format!("host={} user=postgres dbname=postgres", cluster.folder().display());
    let (client, connection) = tokio_postgres::connect(&settings, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The version that an SQLite file has, which is set if it is to be another. A log that a server left
/// beside the file is in it afterwards.
fn version_of(site: &Site, set: Option<u32>) -> u32 {
    let file = rusqlite::Connection::open(site.path("waxwing.db")).unwrap();
    if let Some(version) = set {
        file.pragma_update(None, "user_version", version).unwrap();
    }
    let version = file.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    file.close().unwrap();
    version
}

#[test]
fn looking_at_an_sqlite_store_neither_makes_nor_changes_it() {
    let site = Site::new();
    ask(&site, &["jobs", "list"]).fails(1, &["there is no job store yet", "waxwing serve"]);
    assert!(!site.path("waxwing.db").exists() && !site.path("waxwing.db-open").exists());
    made(&site);
    assert_eq!(ask(&site, &["jobs", "list"]).json(), json!({"jobs": [], "more": false}));
    let newest = version_of(&site, None);
    for other in [newest - 1, newest + 1] {
        version_of(&site, Some(other));
        let before = fs::read(site.path("waxwing.db")).unwrap();
        for words in [&["jobs", "list"][..], &["jobs", "purge", "--all", "--yes"]] {
            ask(&site, words).fails(1, &[&format!("schema {other}"), "waxwing serve"]);
        }
        assert!(fs::read(site.path("waxwing.db")).unwrap() == before, "it was changed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_at_a_postgresql_store_neither_makes_nor_changes_it() {
    let test = "looking_at_a_postgresql_store_neither_makes_nor_changes_it";
    let Some(cluster) = shared(test) else { return };
    let schema = fresh_name("looked_at");
    let url = cluster.url(&schema);
    let client = connect(cluster).await;
    let site = Site::new();
    site.keep_jobs_in(&url);
    ask(&site, &["jobs", "list"]).fails(1, &[&schema, "waxwing serve"]);
    let count = "SELECT count(*) FROM pg_namespace WHERE nspname = $1";
    let count: i64 = client.query_one(count, &[&schema]).await.unwrap().get(0);
    assert_eq!(count, 0, "looking makes no schema");

    made(&site);
    assert_eq!(ask(&site, &["jobs", "list"]).json(), json!({"jobs": [], "more": false}));
    let version = format!("SELECT version FROM {schema}.waxwing");
    let newest: i64 = client.query_one(&version, &[]).await.unwrap().get(0);
    for other in [newest - 1, newest + 1] {
        let set = format!("UPDATE {schema}.waxwing SET version = {other}");
        client.batch_execute(&set).await.unwrap();
        for words in [&["jobs", "list"][..], &["jobs", "purge", "--all", "--yes"]] {
            ask(&site, words).fails(1, &[&schema, &format!("version {other}")]);
        }
        let now: i64 = client.query_one(&version, &[]).await.unwrap().get(0);
        assert_eq!(now, other, "it was changed");
    }
}

/// Jobs are told apart by client alone, so that a store is one server's.
#[test]
fn a_store_is_one_servers() {
    let postgres = shared("a_store_is_one_servers").map(|cluster| cluster.url(&fresh_name("one")));
    for store in [Some("sqlite:waxwing.db".to_owned()), postgres].into_iter().flatten() {
        let site = Site::new();
        site.keep_jobs_in(&store);
        made(&site);
        site.edit("waxwing.toml", "\"waxwing.local\"", "\"another.one\"");
        let ran = ask(&site, &["serve"]);
        ran.fails(1, &["waxwing.local", "another.one", "server_id"]);
        let said: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("error")).collect();
        assert_eq!(said.len(), 1, "{}", ran.stderr);
        site.edit("waxwing.toml", "\"another.one\"", "\"waxwing.local\"");
        made(&site);
    }
}

#[test]
fn a_postgresql_that_may_lose_what_it_has_acknowledged_is_refused_in_one_line() {
    let test = "a_postgresql_that_may_lose_what_it_has_acknowledged_is_refused_in_one_line";
    let Some(programs) = programs(test) else { return };
    let cluster = Cluster::start(programs, &["fsync=off"]);
    let site = Site::new();
    site.keep_jobs_in(&cluster.url("unsafe"));
    let ran = ask(&site, &["serve"]);
    ran.fails(1, &["fsync"]);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
}

/// The bounds of the file are those of the store, which counts for every process over it.
#[test]
fn bounds_of_the_file_are_the_stores() {
    let postgres = shared("bounds_of_the_file_are_the_stores")
        .map(|cluster| cluster.url(&fresh_name("bounds")));
    for store in [Some("sqlite:waxwing.db".to_owned()), postgres].into_iter().flatten() {
        let site = Site::new();
        site.keep_jobs_in(&store);
        let bounds = "[replay]\nguard = \"store\"\n[limits]\nnonces = 20\nnonces_per_key = 20\n\
                      [jobs]\nunfinished = 2\nunfinished_per_client = 1\nidempotency_ttl_ms = 2500\nttl_ms = 1500\n";
        site.append("waxwing.toml", &format!("\n{bounds}"));
        let _server = site.serve();
        let keyed = ["call", "long_task", "seconds=20", "--idempotency-key", "k"];
        let accepted = site.client(keyed).json();
        assert_eq!(accepted["ttl_ms"], 2500, "as long as its key: {accepted}");
        site.client(["call", "long_task", "seconds=1"]).fails(4, &["overloaded"]);
        let job = accepted["job_id"].as_str().unwrap();
        site.client(["cancel", job]).json();
        site.client(["watch", job]).fails(5, &["was cancelled"]);
        let accepted = site.client(["call", "long_task", "seconds=0.01"]).json();
        assert_eq!(accepted["ttl_ms"], 1500, "{accepted}");
        // Each call was a nonce, whatever became of it; at last there is no room for more.
        let full = (0..20)
            .map(|_| site.client(["call", "batch_sum", "numbers=[1]"]))
            .find(|ran| ran.code != 0);
        full.unwrap().fails(4, &["overloaded"]);
    }
}

#[test]
fn a_second_server_on_a_file_is_warned_of_replays() {
    let site = Site::new();
    let first = site.serve();
    assert!(!first.has_said("warning:"));
    let second = site.serve();
    assert!(second.has_said("warning: another process has "));
    assert!(second.has_said("guard = \"store\" under [replay]"));
    drop((first, second));
    site.append("waxwing.toml", "\n[replay]\nguard = \"store\"\n");
    let (_first, second) = (site.serve(), site.serve());
    assert!(!second.has_said("warning:"));
}
