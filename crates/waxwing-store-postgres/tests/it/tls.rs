//! TLS to the database: what each `sslmode` verifies, against a server whose certificate names
//! `localhost` and is signed by an authority of the tests' own. The key here protects nothing else.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use waxwing_jobs::{Bounds, Started, Store, StoreError};
use waxwing_store_postgres::{PostgresConfig, PostgresStore};
use waxwing_testkit::postgres::{Cluster, programs};

use crate::support::order;

const CERTIFICATE: &str = include_str!("tls/server.pem");
const KEY: &str = include_str!("tls/server.key");

/// Puts a file into the server's data folder, as its user's own.
fn put(server: &Cluster, name: &str, text: &str) {
    let owner = fs::metadata(server.folder()).unwrap();
    let path = server.folder().join("data").join(name);
    let mut file = fs::OpenOptions::new().create(true).append(true).open(&path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
}

async fn open(url: &str) -> Result<PostgresStore, StoreError> {
    PostgresStore::open(&PostgresConfig::parse(url)?, Bounds::default()).await
}

#[tokio::test]
async fn each_mode_verifies_what_it_says() {
    let Some(programs) = programs("each_mode_verifies_what_it_says") else { return };
    // Held for as long as the test: the server may have it beside a socket that only stands on it.
    let held = tokio::net::TcpSocket::new_v4().unwrap();
    held.set_reuseaddr(true).unwrap();
    held.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let port = held.local_addr().unwrap().port();
    let port_setting = format!("port={port}");
    let mut server = Cluster::start(programs, &["listen_addresses=127.0.0.1", &port_setting]);
    server.crash();
    put(&server, "server.crt", CERTIFICATE);
    put(&server, "server.key", KEY);
    put(&server, "postgresql.conf", "\nssl = on\n");
    // Nobody gets in over the network without TLS.
    put(&server, "pg_hba.conf", "");
    let hba = "local all all trust\nhostssl all all 127.0.0.1/32 trust\n";
    fs::write(server.folder().join("data/pg_hba.conf"), hba).unwrap();
    server.restart();
    let authorities = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls");
    let root = |name: &str| format!("&sslrootcert={}", authorities.join(name).display());
    let (ours, another) = (root("ca.pem"), root("other.pem"));
    let url = |host: &str, rest: &str| {
        format!("postgres://postgres@{host}:{port}/postgres?schema=tls&sslmode={rest}")
    };
    let taken = [
        ("localhost", format!("verify-full{ours}")),
        ("127.0.0.1", format!("verify-ca{ours}")),
        ("127.0.0.1", format!("require{ours}")),
        ("127.0.0.1", "require".to_owned()),
        ("127.0.0.1", "prefer".to_owned()),
    ];
    for (n, (host, rest)) in taken.iter().enumerate() {
        let store = open(&url(host, rest)).await;
        let store = store.unwrap_or_else(|error| panic!("{host} {rest}: {error}"));
        let started = store.start(vec![order(&format!("job-{n}"))]).await;
        assert_eq!(started, Ok(vec![Started::Created]), "{host} {rest}");
    }
    let refused = [
        ("127.0.0.1", format!("verify-full{ours}")),
        ("localhost", format!("verify-full{another}")),
        ("127.0.0.1", format!("verify-ca{another}")),
        ("127.0.0.1", format!("require{another}")),
        ("localhost", format!("verify-full{}", root("no-such.pem"))),
        ("localhost", "verify-full".to_owned()),
        ("127.0.0.1", "disable".to_owned()),
    ];
    for (host, rest) in refused {
        let error = open(&url(host, &rest)).await.unwrap_err();
        assert!(matches!(error, StoreError::Misconfigured(_)), "{host} {rest}: {error}");
        assert!(!error.to_string().contains('\n'));
    }
}
