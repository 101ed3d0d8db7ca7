//! A whole call: in process (all but the socket), and over loopback HTTP with a real server and client.

#![expect(clippy::expect_used, reason = "a bench that cannot go on must stop")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;
use waxwing_benches::{key, request, ring, server_id};
use waxwing_client::Client;
use waxwing_core::message::Outcome;
use waxwing_core::{Limits, Nonce, Scratch};
use waxwing_crypto::{
    Capacity, MemoryReplayGuard, SentRequest, Window, admit, sign_reply, sign_request,
    verify_reply, verify_request,
};
use waxwing_jobs::{Bounds, MemoryStore};
use waxwing_server::Server;
use waxwing_tools::{CallContext, Registry, Tool, ToolError};

#[derive(Serialize, Deserialize, JsonSchema)]
struct BatchSum {
    numbers: Vec<f64>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Sum {
    count: usize,
    total: f64,
}

fn registry() -> Registry {
    let batch_sum = Tool::sync("batch_sum", "Adds numbers.", |args: BatchSum| async move {
        let BatchSum { numbers } = args;
        Ok::<_, ToolError>(Sum { count: numbers.len(), total: numbers.iter().sum() })
    });
    Registry::builder().tool(batch_sum).build(&server_id()).expect("a registry")
}

fn three_numbers() -> BatchSum {
    BatchSum { numbers: vec![1.5, 2.0, 0.25] }
}

/// Sign, verify, admit, check, run, check, sign the reply, verify the reply.
async fn call_in_process(
    parts: &(waxwing_crypto::Key, waxwing_crypto::KeyRing, Registry, MemoryReplayGuard),
    count: u64,
    scratch: &mut [Scratch; 3],
) {
    let (key, ring, registry, guard) = parts;
    let (limits, window, now) = (Limits::default(), Window::DEFAULT, 1_790_000_000_000);
    let [own, servers, clients] = scratch;
    let mut request = request(three_numbers());
    request.nonce = Nonce::new(format!("{count:024}")).expect("a nonce");
    let mut message = Vec::with_capacity(512);
    let signature = sign_request(key, &request, own, &mut message).expect("it signs");
    let sent = SentRequest::new(&request, signature);

    let verified =
        verify_request(&message, &limits, &server_id(), ring, now, servers).expect("it verifies");
    let admitted = admit(&verified, guard, &window, now).await.expect("it is new");
    let prepared =
        registry.prepare(admitted.tool.as_str(), &admitted.args).expect("good arguments");
    let context = CallContext::new(admitted.client_id.clone().into_owned());
    let output = prepared.run(context).await.expect("it runs");
    let nonce = Nonce::new(format!("{count:024}")).expect("a nonce");
    let mut reply = Vec::with_capacity(512);
    sign_reply(&verified, Outcome::Ok(output), now, nonce, own, &mut reply).expect("it signs");

    let reply =
        verify_reply(&reply, &limits, key, &sent, now, &window, clients).expect("it is true");
    black_box(reply.into_outcome());
}

fn in_process(c: &mut Criterion) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("tokio");
    let capacity = Capacity { total: usize::MAX, per_key: usize::MAX };
    let guard = MemoryReplayGuard::new(Window::DEFAULT, capacity, 1_789_999_999_999, [7; 32]);
    let parts = (key(), ring(), registry(), guard);
    let (mut count, mut scratch) = (0, [Scratch::new(), Scratch::new(), Scratch::new()]);
    c.bench_function("call/in-process", |b| {
        b.iter(|| {
            count += 1;
            runtime.block_on(call_in_process(&parts, count, &mut scratch));
        });
    });
}

fn loopback(c: &mut Criterion) {
    let runtime = Runtime::new().expect("tokio");
    let store = Arc::new(MemoryStore::new(Bounds::default()));
    let capacity = Capacity { total: usize::MAX, per_key: usize::MAX };
    let builder = Server::builder(server_id(), ring(), registry(), store).replay_capacity(capacity);
    let server = runtime.block_on(builder.bind()).expect("a free port");
    let url = format!("http://{}", server.local_addr());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = runtime.spawn(server.run(async {
        let _ = stopped.await;
    }));
    let id = |text: &str| text.parse().expect("an id");
    let client =
        Client::builder(&url, id("agent-7"), server_id(), "k1".parse().expect("an id"), key())
            .build()
            .expect("a client");
    let mut group = c.benchmark_group("call");
    group.bench_function("loopback", |b| {
        b.iter(|| {
            let sum: Sum = runtime
                .block_on(client.call("batch_sum", &three_numbers()))
                .expect("the call succeeds");
            black_box(sum.total);
        });
    });
    group.bench_function("loopback, 32 at once", |b| {
        b.iter_custom(|rounds| {
            let started = Instant::now();
            runtime.block_on(async {
                let calls = (0..32).map(|_| {
                    let client = client.clone();
                    tokio::spawn(async move {
                        for _ in 0..rounds.div_ceil(32) {
                            let sum: Sum = client
                                .call("batch_sum", &three_numbers())
                                .await
                                .expect("it succeeds");
                            black_box(sum.total);
                        }
                    })
                });
                for call in calls.collect::<Vec<_>>() {
                    call.await.expect("no panic");
                }
            });
            started.elapsed()
        });
    });
    group.finish();
    let _ = stop.send(());
    let _ = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(5), serving).await });
}

criterion_group!(benches, in_process, loopback);
criterion_main!(benches);
