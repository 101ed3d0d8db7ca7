//! A running server for a test, with a clock that the test moves.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;
use waxwing_core::ServerId;
use waxwing_crypto::{HmacKey, Key, KeyRing};
use waxwing_jobs::{Bounds, MemoryStore, Store};
use waxwing_server::{Environment, KeyRings, Server, ServerBuilder, Summary};
use waxwing_tools::Registry;

use crate::logs::run_log;
use crate::tools::{Signals, registry};
use crate::wire::{Caller, Wire};

pub(crate) const NOW_MS: i64 = 1_790_000_000_000;

/// Longer than anything here takes; a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A clock that stands still until a test moves it, and counts how often the server reads it.
#[derive(Clone, Debug)]
pub(crate) struct TestClock {
    now: Arc<AtomicI64>,
    readings: Arc<watch::Sender<u64>>,
}

impl TestClock {
    pub(crate) fn new() -> Self {
        Self::at(NOW_MS)
    }

    pub(crate) fn at(now_ms: i64) -> Self {
        Self { now: Arc::new(AtomicI64::new(now_ms)), readings: Arc::default() }
    }

    pub(crate) fn set(&self, now_ms: i64) {
        self.now.store(now_ms, Ordering::SeqCst);
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    /// How often the server has read the clock: once to admit a call, once to answer it.
    pub(crate) fn readings(&self) -> u64 {
        *self.readings.borrow()
    }

    /// Waits until the server has read the clock again.
    pub(crate) async fn read_after(&self, readings: u64) {
        let mut seen = self.readings.subscribe();
        let read = seen.wait_for(|now| *now > readings);
        tokio::time::timeout(PATIENCE, read).await.expect("a reading in time").unwrap();
    }

    pub(crate) fn advance(&self, by_ms: i64) {
        self.now.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Environment for TestClock {
    fn now_ms(&self) -> i64 {
        self.readings.send_modify(|readings| *readings += 1);
        self.now_ms()
    }

    #[expect(clippy::disallowed_methods, reason = "a test's ids need not be the same in each run")]
    fn random(&self) -> [u8; 16] {
        Uuid::new_v4().into_bytes()
    }
}

pub(crate) fn server_id() -> ServerId<'static> {
    "sums.example".parse().unwrap()
}

/// The key of a client: a digest of its name.
pub(crate) fn key_of(client: &str) -> Key {
    secret_of(client).into()
}

fn secret_of(name: &str) -> HmacKey {
    HmacKey::new(&Sha256::digest(name)).unwrap()
}

/// A ring without keys.
pub(crate) fn empty_ring() -> KeyRing {
    KeyRing::new(secret_of("decoy").into())
}

pub(crate) const CLIENTS: [&str; 3] = ["agent-7", "agent-8", "guest"];

pub(crate) fn ring() -> KeyRing {
    let mut ring = empty_ring();
    for client in CLIENTS {
        ring.insert(client.parse().unwrap(), "k1".parse().unwrap(), key_of(client));
    }
    ring
}

pub(crate) fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(Bounds::default()))
}

/// A running server.
pub(crate) struct House {
    pub(crate) addr: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) clock: TestClock,
    pub(crate) rings: KeyRings,
    pub(crate) signals: Signals,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<Summary>,
}

impl House {
    pub(crate) async fn open() -> Self {
        Self::with(|builder| builder).await
    }

    pub(crate) async fn with(tune: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        Self::over(memory(), tune).await
    }

    /// A server over this store.
    pub(crate) async fn over(
        store: Arc<dyn Store>,
        tune: impl FnOnce(ServerBuilder) -> ServerBuilder,
    ) -> Self {
        Self::over_at(store, TestClock::new(), tune).await
    }

    /// A server over this store, on this clock.
    pub(crate) async fn over_at(
        store: Arc<dyn Store>,
        clock: TestClock,
        tune: impl FnOnce(ServerBuilder) -> ServerBuilder,
    ) -> Self {
        Self::offering(registry, store, clock, tune).await
    }

    /// A server with these tools.
    pub(crate) async fn offering(
        tools: impl FnOnce(&Signals) -> Registry,
        store: Arc<dyn Store>,
        clock: TestClock,
        tune: impl FnOnce(ServerBuilder) -> ServerBuilder,
    ) -> Self {
        run_log();
        let (signals, rings) = (Signals::new(), KeyRings::new(ring()));
        let builder = Server::builder(server_id(), rings.clone(), tools(&signals), store)
            .environment(clock.clone())
            .drain(Duration::from_secs(10));
        let bound = tune(builder).bind().await.unwrap();
        let (addr, admin) = (bound.local_addr(), bound.admin_addr());
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(bound.run(async move {
            let _ = stopped.await;
        }));
        Self { addr, admin, clock, rings, signals, stop: Some(stop), running }
    }

    pub(crate) async fn wire(&self) -> Wire {
        Wire::connect(self.addr).await
    }

    /// What `/readyz` says.
    pub(crate) async fn ready(&self) -> (u16, String) {
        let said = Wire::connect(self.admin).await.fetch("/readyz").await;
        (said.status, said.text().to_owned())
    }

    pub(crate) fn caller(&self, client: &str) -> Caller {
        Caller::new(client, self.clock.clone())
    }

    /// A good call on this connection.
    pub(crate) async fn good_on(&self, wire: &mut Wire) {
        let args = serde_json::json!({"numbers": [1.5, 2]});
        let (status, outcome) = self.caller("agent-7").call(wire, "batch_sum", args).await;
        assert_eq!(status, 200, "{outcome:?}");
        assert_eq!(crate::wire::output(&outcome), serde_json::json!({"count": 2, "total": 3.5}));
    }

    /// A good call on a new connection.
    pub(crate) async fn good(&self) {
        self.good_on(&mut self.wire().await).await;
    }

    /// Tells the server to stop.
    pub(crate) fn begin_stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits for the end of a stop.
    pub(crate) async fn ended(self) -> Summary {
        tokio::time::timeout(PATIENCE, self.running).await.expect("the server stops").unwrap()
    }

    /// Ends the server as a crash would.
    pub(crate) async fn crash(self) {
        self.running.abort();
        assert!(self.running.await.unwrap_err().is_cancelled());
    }
}
