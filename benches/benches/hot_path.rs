//! The hot path against its floor and its rivals: verify, sign, canonicalise.

#![expect(clippy::expect_used, reason = "a bench that cannot go on must stop")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use waxwing_benches::payload::{self, Payload};
use waxwing_benches::rivals::{Floor, RIVALS};
use waxwing_benches::{NOW_MS, SECRET, key, message, request, ring, rivals, server_id};
use waxwing_core::message::Request;
use waxwing_core::{Limits, Scratch, canonical};
use waxwing_crypto::{sign_request, verify_request};

/// The bytes of `message` that its signature covers.
fn signed_bytes(message: &[u8]) -> Vec<u8> {
    let mut scratch = Scratch::new();
    let request = Request::read(message, &Limits::default(), &mut scratch).expect("a request");
    request.signed().concat().into_bytes()
}

fn verify(c: &mut Criterion) {
    let (ring, server_id, limits, floor) =
        (ring(), server_id(), Limits::default(), Floor::new(SECRET));
    for Payload { name, args, .. } in payload::all() {
        let message = message(&args);
        let signed = signed_bytes(&message);
        let tag = floor.mac(&signed);
        let mut group = c.benchmark_group(format!("verify/{name}"));
        group.throughput(Throughput::Bytes(message.len() as u64));
        group.bench_function("hmac", |b| b.iter(|| floor.verifies(black_box(&signed), &tag)));
        let mut scratch = Scratch::new();
        group.bench_function("waxwing", |b| {
            b.iter(|| {
                verify_request(
                    black_box(&message),
                    &limits,
                    &server_id,
                    &ring,
                    NOW_MS,
                    &mut scratch,
                )
                .expect("it verifies");
            });
        });
        for rival in RIVALS {
            group.bench_with_input(
                BenchmarkId::from_parameter(rival.name),
                &message,
                |b, message| {
                    b.iter(|| assert!(rival.verify(&floor, black_box(message))));
                },
            );
        }
        group.bench_function("jcs-admit (canonicalise only)", |b| {
            b.iter(|| rivals::jcs_admit_canonical(black_box(&message)));
        });
        group.finish();
    }
}

/// The unsigned request, for rivals that take any `Serialize`.
#[derive(serde::Serialize)]
struct Plain<'a> {
    v: &'a str,
    typ: &'a str,
    request_id: &'a str,
    ts_ms: i64,
    client_id: &'a str,
    server_id: &'a str,
    key_id: &'a str,
    nonce: &'a str,
    tool: &'a str,
    args: &'a payload::Args,
}

fn sign(c: &mut Criterion) {
    let (key, floor) = (key(), Floor::new(SECRET));
    for Payload { name, args, .. } in payload::all() {
        let signed = signed_bytes(&message(&args));
        let request = request(&args);
        let plain = Plain {
            v: waxwing_core::message::VERSION,
            typ: "request",
            request_id: request.request_id.as_str(),
            ts_ms: request.ts_ms,
            client_id: request.client_id.as_str(),
            server_id: request.server_id.as_str(),
            key_id: request.key_id.as_str(),
            nonce: request.nonce.as_str(),
            tool: request.tool.as_str(),
            args: &args,
        };
        let mut group = c.benchmark_group(format!("sign/{name}"));
        group.throughput(Throughput::Bytes(signed.len() as u64));
        group.bench_function("hmac", |b| b.iter(|| floor.mac(black_box(&signed))));
        let (mut scratch, mut out) = (Scratch::new(), Vec::new());
        group.bench_function("waxwing", |b| {
            b.iter(|| {
                out.clear();
                sign_request(&key, black_box(&request), &mut scratch, &mut out).expect("it signs")
            });
        });
        for rival in RIVALS {
            group.bench_function(rival.name, |b| b.iter(|| rival.sign(&floor, black_box(&plain))));
        }
        group.finish();
    }
}

/// The arguments alone, from a typed value, without a signature.
fn write(c: &mut Criterion) {
    for Payload { name, args, .. } in payload::all() {
        let mut group = c.benchmark_group(format!("write/{name}"));
        let (mut scratch, mut out) = (Scratch::new(), Vec::new());
        group.bench_function("waxwing", |b| {
            b.iter(|| {
                out.clear();
                canonical::write_into(black_box(&args), &mut scratch, &mut out).expect("JSON");
            });
        });
        group.bench_function("serde_json_canonicalizer", |b| {
            b.iter(|| serde_json_canonicalizer::to_vec(black_box(&args)).expect("JSON"));
        });
        group.bench_function("serde_jcs", |b| {
            b.iter(|| serde_jcs::to_vec(black_box(&args)).expect("JSON"));
        });
        group.bench_function("json-canon", |b| {
            b.iter(|| json_canon::to_string(black_box(&args)).expect("JSON"));
        });
        group.finish();
    }
}

fn canonicalize(c: &mut Criterion) {
    let limits = Limits::default();
    for Payload { name, args, .. } in payload::all() {
        let message = payload::not_canonical(&message(&args));
        let mut group = c.benchmark_group(format!("canonicalize/{name}"));
        group.throughput(Throughput::Bytes(message.len() as u64));
        group.bench_function("waxwing", |b| {
            b.iter(|| canonical::canonicalize(black_box(&message), &limits).expect("JSON").len());
        });
        for rival in RIVALS {
            group.bench_function(rival.name, |b| {
                b.iter(|| {
                    let value = serde_json::from_slice(black_box(&message)).expect("JSON");
                    (rival.canonicalize)(&value)
                });
            });
        }
        group.bench_function("jcs-admit", |b| {
            b.iter(|| rivals::jcs_admit_canonical(black_box(&message)));
        });
        group.finish();
    }
}

// Eighty benches: short ones, so that all of them run under the same conditions.
criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(1500))
        .sample_size(50);
    targets = verify, sign, write, canonicalize
}
criterion_main!(benches);
