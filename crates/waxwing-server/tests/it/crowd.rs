//! Many clients at once: each gets its own answers.

use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;
use waxwing_core::message::Outcome;
use waxwing_core::{ErrorCode, JobId};

use crate::harness::{CLIENTS, House, PATIENCE};
use crate::wire::{Caller, Wire, error, output};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_given_their_own_answers() {
    let house = House::open().await;
    let clients: Vec<_> = (0..48_u32)
        .map(|n| {
            let caller = house.caller(CLIENTS[n as usize % CLIENTS.len()]);
            let addr = house.addr;
            tokio::spawn(async move {
                let mut wire = Wire::connect(addr).await;
                for round in 0..10_u32 {
                    let args = json!({"numbers": [n, round]});
                    let (_, outcome) = caller.call(&mut wire, "batch_sum", args).await;
                    assert_eq!(output(&outcome), json!({"count": 2, "total": n + round}));
                }
                let text = format!("job of {n}");
                let job = caller.start(&mut wire, "say_later", json!({"text": text})).await;
                assert_eq!(output(&caller.settle(&mut wire, &job).await), text);
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
}

/// Garbage and forgeries on some connections leave the calls on the others alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_forgers_disturbs_nobody() {
    let house = House::open().await;
    let noise: Vec<_> = (0..16)
        .map(|n| {
            let (forger, addr) = (house.caller("agent-7").with_key_of("agent-8"), house.addr);
            tokio::spawn(async move {
                for round in 0..10 {
                    let mut wire = Wire::connect(addr).await;
                    if (n + round) % 2 == 0 {
                        wire.send("\0\0\0 garbage \r\n\r\n").await;
                        assert_eq!(wire.answer().await.unwrap().status, 400);
                    } else {
                        let request = forger.request("batch_sum", json!({"numbers": [1]}));
                        assert_eq!(wire.post(&forger.sign(&request).0).await.status, 401);
                    }
                }
            })
        })
        .collect();
    let mut wire = house.wire().await;
    for _ in 0..50 {
        house.good_on(&mut wire).await;
    }
    for noise in noise {
        noise.await.unwrap();
    }
}

/// A poll that waits for a job, on a connection of its own.
async fn wait(house: &House, caller: &Caller, job: &JobId<'static>) -> Outcome<'static> {
    caller.poll(&mut house.wire().await, job, 30_000).await
}

/// Waiting costs a connection, of which there are so many: who waits 64 times over is answered at once
/// from then on, and nobody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_client_waits_64_times_at_once_and_no_more() {
    let house = Arc::new(House::open().await);
    let (agent, other) = (house.caller("agent-7"), house.caller("agent-8"));
    let mut wire = house.wire().await;
    let args = json!({"text": "held"});
    let job = agent.start(&mut wire, "hold_later", args.clone()).await;
    let theirs = other.start(&mut wire, "hold_later", args).await;
    // From now on neither shows anything new until it ends.
    agent.progress(&mut wire, &job).await;
    other.progress(&mut wire, &theirs).await;

    let mut polls = JoinSet::new();
    for _ in 0..65 {
        let (house, agent, job) = (Arc::clone(&house), agent.clone(), job.clone());
        polls.spawn(async move { wait(&house, &agent, &job).await });
    }
    let at_once = tokio::time::timeout(PATIENCE, polls.join_next()).await.expect("one answers");
    let at_once = at_once.unwrap().unwrap();
    assert!(matches!(at_once, Outcome::Running { .. }), "{at_once:?}");

    let waiting = tokio::spawn({
        let (house, theirs) = (Arc::clone(&house), theirs.clone());
        async move { wait(&house, &other, &theirs).await }
    });
    // Whoever has 64 waiting polls may still do everything else.
    assert!(matches!(agent.poll(&mut wire, &job, 0).await, Outcome::Running { .. }));
    house.good_on(&mut wire).await;

    house.signals.release(2);
    for outcome in polls.join_all().await {
        assert_eq!(output(&outcome), "held", "it has waited");
    }
    assert_eq!(output(&waiting.await.unwrap()), "held", "and so has the other client's");
}

/// The same call sent again and again waits as a poll does: beyond the bound it is told that the first
/// one still runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeats_of_a_keyed_call_are_waits() {
    let house = Arc::new(House::open().await);
    let agent = house.caller("agent-7");
    let send = |n: usize| {
        let (house, agent) = (Arc::clone(&house), agent.clone());
        async move {
            let mut request = agent.request("hold", json!({"text": "held"}));
            request.idempotency_key = Some("once".parse().unwrap());
            (n, agent.send(&mut house.wire().await, &request).await.1)
        }
    };
    let mut calls = JoinSet::new();
    calls.spawn(send(0));
    house.signals.entered().await;
    for n in 1..65 {
        calls.spawn(send(n));
    }
    let at_once = tokio::time::timeout(PATIENCE, calls.join_next()).await.expect("one answers");
    let (n, at_once) = at_once.unwrap().unwrap();
    let told = error(at_once);
    assert_eq!((told.code, told.retry_after_ms.is_some()), (ErrorCode::Timeout, true));
    assert_ne!(n, 0, "the first call is not a repeat");
    house.signals.release(1);
    for (_, outcome) in calls.join_all().await {
        assert_eq!(output(&outcome), "held");
    }
}
