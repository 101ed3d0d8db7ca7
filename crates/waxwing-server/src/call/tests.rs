//! Whole calls without sockets, as many as the guard promises something about.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use waxwing_core::message::Request;
use waxwing_core::{Scratch, ServerId};
use waxwing_crypto::{Capacity, HmacKey, KeyRing, sign_request};
use waxwing_jobs::{Bounds, MemoryStore};
use waxwing_tools::{Registry, Tool, ToolError};

use super::answer;
use crate::environment::Environment;
use crate::service::{Course, Service};
use crate::{ReplayPolicy, Server};

const NOW_MS: i64 = 1_790_000_000_000;

/// A clock that stands still, and ids that count.
#[derive(Debug, Default)]
struct Still(AtomicU64);

impl Environment for Still {
    fn now_ms(&self) -> i64 {
        NOW_MS
    }

    fn random(&self) -> [u8; 16] {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed)).to_be_bytes()
    }
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

fn key(seed: u8) -> HmacKey {
    HmacKey::new(&(0..32).map(|n| n ^ seed).collect::<Vec<u8>>()).unwrap()
}

/// A server, less its sockets.
async fn service(policy: ReplayPolicy, capacity: Capacity) -> Arc<Service> {
    let server_id: ServerId<'static> = "sums.example".parse().unwrap();
    let mut ring = KeyRing::new(key(0x80).into());
    for (n, client) in ["agent", "flood"].into_iter().enumerate() {
        ring.insert(client.parse().unwrap(), "k1".parse().unwrap(), key(n as u8).into());
    }
    let tool = Tool::sync("tick", "Does nothing.", |_: Nothing| async { Ok::<_, ToolError>(1) });
    let registry = Registry::builder().tool(tool).build(&server_id).unwrap();
    let store = Arc::new(MemoryStore::new(Bounds::default()));
    let bound = Server::builder(server_id, ring, registry, store)
        .environment(Still::default())
        .replay_policy(policy)
        .replay_capacity(capacity)
        .bind()
        .await
        .unwrap();
    let (_, course) = watch::channel(Course::Serving);
    Arc::clone(&bound.prepared.launch(course).0.service)
}

/// The call of a client, signed by it.
fn signed(client: &str, nonce: u64) -> Vec<u8> {
    let request = Request {
        request_id: "r-1".parse().unwrap(),
        ts_ms: NOW_MS,
        client_id: client.parse().unwrap(),
        server_id: "sums.example".parse().unwrap(),
        key_id: "k1".parse().unwrap(),
        nonce: format!("nonce-{nonce:018}").parse().unwrap(),
        tool: "tick".parse().unwrap(),
        args: json!({}),
        idempotency_key: None,
        tool_digest: None,
        traceparent: None,
    };
    let (key, mut message) = (key(u8::from(client == "flood")).into(), Vec::new());
    sign_request(&key, &request, &mut Scratch::new(), &mut message).unwrap();
    message
}

async fn status(service: &Service, message: &[u8]) -> u16 {
    answer(service, message).await.status
}

/// How many of `envelopes`, each sent `copies` times at once, were served.
async fn served(service: &Arc<Service>, envelopes: u64, copies: usize) -> usize {
    let mut served = 0;
    for n in 0..envelopes {
        let (message, mut sent) = (Arc::new(signed("agent", n)), JoinSet::new());
        for _ in 0..copies {
            let (service, message) = (Arc::clone(service), Arc::clone(&message));
            sent.spawn(async move { status(&service, &message).await });
        }
        for status in sent.join_all().await {
            match status {
                200 => served += 1,
                status => assert_eq!(status, 409),
            }
        }
    }
    served
}

fn quick() -> bool {
    std::env::var_os("WAXWING_QUICK").is_some()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_copies_of_10_000_envelopes_10_000_are_served() {
    let envelopes = if quick() { 500 } else { 10_000 };
    let service = service(ReplayPolicy::Auto, Capacity::default()).await;
    assert_eq!(served(&service, envelopes, 64).await as u64, envelopes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_copies_one_is_served_through_a_store() {
    let envelopes = if quick() { 50 } else { 500 };
    let service = service(ReplayPolicy::Store, Capacity::default()).await;
    assert_eq!(served(&service, envelopes, 64).await as u64, envelopes);
}

/// Three times what a key may send: two thirds are refused as `overloaded`, the other client loses
/// nothing, and what was served is not served again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_at_three_times_the_bound_harms_its_sender_alone() {
    let cap = if quick() { 500 } else { 10_000 };
    let capacity = Capacity { total: 3 * cap as usize, per_key: cap as usize };
    let service = service(ReplayPolicy::Auto, capacity).await;
    let (mut overloaded, mut lost) = (0, 0);
    for n in 0..3 * cap {
        match status(&service, &signed("flood", n)).await {
            200 => assert!(n < cap),
            status => {
                assert_eq!((status, n >= cap), (503, true));
                overloaded += 1;
            }
        }
        if n.is_multiple_of(10) && status(&service, &signed("agent", n)).await != 200 {
            lost += 1;
        }
    }
    assert_eq!((overloaded, lost), (2 * cap, 0));
    for n in 0..cap {
        assert_eq!(status(&service, &signed("flood", n)).await, 409);
    }
}
