//! Outputs that no reply has room for: told as such, and never a job that nobody can read.

use serde_json::{Value, json};
use waxwing_core::{CallError, ErrorCode, Limits};

use crate::harness::House;
use crate::wire::{Caller, Wire, details, error, output};

/// Room for outputs of 60 KiB that are six deep.
async fn narrow() -> House {
    let limits = Limits::default().with_max_message(64 << 10).with_max_depth(8);
    House::with(|builder| builder.limits(limits)).await
}

fn shape(length: usize, levels: usize) -> Value {
    json!({ "length": length, "levels": levels })
}

async fn job(
    agent: &Caller,
    wire: &mut Wire,
    tool: &str,
    args: Value,
) -> waxwing_core::message::Outcome<'static> {
    let job = agent.start(wire, tool, args).await;
    agent.settle(wire, &job).await
}

const MOST: usize = (60 << 10) - 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_output_has_the_room_that_the_envelope_leaves() {
    let house = narrow().await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    for args in [shape(MOST, 0), shape(1, 6)] {
        output(&agent.call(&mut wire, "shape", args.clone()).await.1);
        let job = agent.start(&mut wire, "shape_later", args).await;
        output(&agent.settle(&mut wire, &job).await);
        let poll = agent.sign(&agent.request("poll_job", json!({ "job_id": job }))).0;
        assert!(wire.post(&poll).await.body.len() <= 64 << 10, "a message within the limits");
    }
    // The same at the default limits, which are those that the replies are read with here.
    let house = House::open().await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    output(&job(&agent, &mut wire, "shape_later", shape(1, 62)).await);
    let told = error(job(&agent, &mut wire, "shape_later", shape(1, 63)).await);
    assert!(told.message.contains("nested deeper than 62"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_output_without_room_is_told_with_its_limit() {
    let house = narrow().await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let told = |error: &CallError, limit: &str| {
        assert!(error.message.contains(&format!("its output is {limit}")), "{error}");
        assert!(!error.message.contains("schema"), "{error}");
    };
    for (args, limit) in
        [(shape(MOST + 1, 0), "larger than 61440 bytes"), (shape(1, 7), "nested deeper than 6")]
    {
        let error_of_sync = error(agent.call(&mut wire, "shape", args.clone()).await.1);
        assert_eq!(error_of_sync.code, ErrorCode::InvalidOutput);
        told(&error_of_sync, limit);
        assert!(details(&error_of_sync)["correlation_id"].is_string());

        let mut keyed = agent.request("shape", args.clone());
        keyed.idempotency_key = Some(limit.replace(' ', "-").parse().unwrap());
        let error_of_keyed = error(agent.send(&mut wire, &keyed).await.1);
        assert_eq!(error_of_keyed.code, ErrorCode::InvalidOutput);
        told(&error_of_keyed, limit);

        let error_of_job = error(job(&agent, &mut wire, "shape_later", args).await);
        assert_eq!(error_of_job.code, ErrorCode::JobFailed);
        told(&error_of_job, limit);
        let attempts = details(&error_of_job)["attempts"].clone();
        assert_eq!(attempts.as_array().unwrap().len(), 1, "another attempt would not help");
    }
    // A tool's own limit is told in the same words.
    let of_tool = error(agent.call(&mut wire, "shape_little", shape(99, 0)).await.1);
    assert_eq!(of_tool.code, ErrorCode::InvalidOutput);
    told(&of_tool, "larger than 100 bytes");
}

/// An error is told without details that would make it unreadable.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_readable_whatever_its_details() {
    let house = narrow().await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    for args in [shape(1, 8), shape(80 << 10, 0)] {
        let told = error(job(&agent, &mut wire, "refuse_later", args).await);
        assert_eq!((told.code, told.details.as_ref()), (ErrorCode::JobFailed, None));
        assert!(told.message.contains("it would not fit"), "{told}");
    }
    let told = error(job(&agent, &mut wire, "refuse_later", shape(1, 1)).await);
    assert!(told.details.is_some());
}
