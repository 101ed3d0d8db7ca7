//! What checking costs: arguments that are checked and decoded, and a whole call of a tool, each against
//! `serde_json` that only decodes the same bytes.

#![expect(clippy::expect_used, reason = "a bench that cannot go on must stop")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use waxwing_benches::payload::{self, Args};
use waxwing_benches::server_id;
use waxwing_core::CanonicalJson;
use waxwing_tools::{CallContext, Registry, Tool, ToolError};

#[derive(Deserialize, JsonSchema)]
struct BatchSum {
    #[schemars(length(min = 1))]
    numbers: Vec<f64>,
}

#[derive(Serialize, JsonSchema)]
struct Sum {
    count: usize,
    total: f64,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Class {
    Economy,
    Business,
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "decoding them is what is measured")]
struct Traveller {
    #[schemars(length(min = 1, max = 80))]
    name: String,
    #[schemars(range(max = 130))]
    age: u8,
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "decoding them is what is measured")]
struct Booking {
    #[schemars(regex(pattern = "^[A-Z]{3}$"))]
    from: String,
    #[schemars(regex(pattern = "^[A-Z]{3}$"))]
    to: String,
    class: Class,
    #[schemars(length(min = 1, max = 9))]
    travellers: Vec<Traveller>,
    #[schemars(range(min = 0))]
    budget: f64,
    note: Option<String>,
}

fn registry() -> Registry {
    let batch_sum = Tool::sync("batch_sum", "Adds numbers.", |args: BatchSum| async move {
        let BatchSum { numbers } = args;
        Ok::<_, ToolError>(Sum { count: numbers.len(), total: numbers.iter().sum() })
    });
    let book = Tool::sync("book", "Books a journey.", |args: Booking| async move {
        Ok::<_, ToolError>(args.travellers.len())
    });
    Registry::builder().tool(batch_sum).tool(book).build(&server_id()).expect("a registry")
}

/// Arguments of about 300 bytes with members of every kind.
fn booking() -> CanonicalJson<'static> {
    let traveller = |name: &str, age: u8| json!({"name": name, "age": age});
    let args = json!({
        "from": "BER", "to": "LIS", "class": "economy", "budget": 1234.5,
        "travellers": [
            traveller("Ada Lovelace", 36), traveller("Charles Babbage", 79), traveller("Mary Somerville", 91),
        ],
        "note": "Two of them would like to sit together, by a window if there is one, and all of them \
                 need to be back by the evening of the ninth.",
    });
    CanonicalJson::from_serialize(&args).expect("JSON")
}

/// A thousand amounts with two decimals.
fn thousand() -> CanonicalJson<'static> {
    let mut numbers = match payload::decimals(64 << 10) {
        Args::Numbers { numbers } => numbers,
        _ => Vec::new(),
    };
    numbers.truncate(1000);
    assert_eq!(numbers.len(), 1000);
    CanonicalJson::from_serialize(&json!({ "numbers": numbers })).expect("JSON")
}

fn arguments(c: &mut Criterion) {
    let (registry, args) = (registry(), booking());
    assert!((280..360).contains(&args.as_str().len()), "{} bytes", args.as_str().len());
    let mut group = c.benchmark_group("args/300B");
    group.throughput(Throughput::Bytes(args.as_str().len() as u64));
    group.bench_function("serde_json", |b| {
        b.iter(|| serde_json::from_str::<Booking>(black_box(args.as_str())).expect("it decodes"));
    });
    group.bench_function("waxwing", |b| {
        b.iter(|| registry.prepare("book", black_box(&args)).expect("good arguments"));
    });
    group.finish();
}

fn batch_sum(c: &mut Criterion) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("tokio");
    let (registry, args) = (registry(), thousand());
    let mut group = c.benchmark_group("batch_sum/1000");
    group.throughput(Throughput::Bytes(args.as_str().len() as u64));
    group.bench_function("serde_json", |b| {
        b.iter(|| serde_json::from_str::<BatchSum>(black_box(args.as_str())).expect("it decodes"));
    });
    group.bench_function("waxwing", |b| {
        b.iter(|| {
            let context = CallContext::new("agent-7".parse().expect("an id"));
            let call = registry.call("batch_sum", context, black_box(&args));
            runtime.block_on(call).expect("it runs")
        });
    });
    group.finish();
}

criterion_group!(benches, arguments, batch_sum);
criterion_main!(benches);
