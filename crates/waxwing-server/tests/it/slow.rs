//! Peers that take their time: each deadline ends them, and nobody else notices.

use std::time::{Duration, Instant};

use serde_json::json;
use waxwing_server::HttpLimits;

use crate::harness::House;
use crate::wire::{output, post};

const SHORT: Duration = Duration::from_millis(150);

async fn house(tune: impl FnOnce(&mut HttpLimits)) -> House {
    let mut limits = HttpLimits::DEFAULT;
    tune(&mut limits);
    House::with(|builder| builder.http(limits)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_connection_is_closed() {
    let house = house(|limits| limits.first_byte = SHORT).await;
    house.wire().await.ends().await;
    house.good().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_is_closed_after_its_calls() {
    let house = house(|limits| limits.idle = SHORT).await;
    let mut wire = house.wire().await;
    house.good_on(&mut wire).await;
    house.good_on(&mut wire).await;
    wire.ends().await;
    house.good().await;
}

/// The deadline is for the whole head: a byte now and then does not move it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_in_drops_is_cut_off() {
    let house = house(|limits| limits.head = SHORT).await;
    let (mut wire, began) = (house.wire().await, Instant::now());
    wire.send("POST /v1/call HTTP/1.1\r\nX: ").await;
    let answer = loop {
        wire.send("x").await;
        if let Some(answer) = wire.answer_within(Duration::from_millis(10)).await {
            break answer;
        }
    };
    assert!(began.elapsed() >= SHORT);
    assert_eq!(answer.status, 408);
    wire.ends().await;
    house.good().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_below_the_rate_is_cut_off() {
    let house = house(|limits| (limits.body_grace, limits.body_rate) = (SHORT, 1_000_000)).await;
    let mut wire = house.wire().await;
    let whole = post(&[b' '; 5000]);
    wire.send(&whole[..1000]).await;
    assert_eq!(wire.answer().await.unwrap().status, 408);
    wire.ends().await;
    house.good().await;
}

/// The deadlines are the peer's: a tool may take longer than any of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_tool_is_not_a_slow_peer() {
    let house = house(|limits| {
        (limits.idle, limits.head, limits.first_byte) = (SHORT, SHORT, SHORT);
        limits.body_grace = SHORT;
    })
    .await;
    let agent = house.caller("agent-7");
    let mut wire = house.wire().await;
    let (message, sent) = agent.sign(&agent.request("hold", json!({"text": "held"})));
    wire.send(post(&message)).await;
    house.signals.entered().await;
    // Another connection is cut off twice over meanwhile.
    for _ in 0..3 {
        house.wire().await.ends().await;
    }
    house.signals.release(1);
    let answer = wire.answer().await.unwrap();
    assert_eq!(output(&agent.verify(&sent, &answer)), "held");
    // From now on it is the peer who is waited for.
    wire.ends().await;
}

/// A peer that goes away takes its call with it: no task is left behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_connection_cancels_its_call() {
    let house = House::open().await;
    let agent = house.caller("agent-7");
    for _ in 0..3 {
        let mut wire = house.wire().await;
        wire.send(post(&agent.sign(&agent.request("hold", json!({"text": "a"}))).0)).await;
        house.signals.entered().await;
        drop(wire);
        house.signals.dropped().await;
    }
    house.good().await;
}

/// A peer that reads nothing is cut off, and its reply with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_does_not_read_is_cut_off() {
    let house = house(|limits| {
        (limits.write_stall, limits.connections) = (SHORT, 1);
        limits.idle = Duration::from_secs(3600);
    })
    .await;
    let agent = house.caller("agent-7");
    let mut deaf = house.wire().await;
    // Replies enough to fill every buffer on the way, were they read by nobody.
    let asked: Vec<u8> = (0..4000)
        .flat_map(|_| post(&agent.sign(&agent.request("list_tools", json!({}))).0))
        .collect();
    let sending = tokio::spawn(async move {
        deaf.send(&asked).await;
        deaf
    });
    // The only place is free again once the deaf one is gone.
    let freed = async {
        loop {
            let mut wire = house.wire().await;
            let (message, sent) = agent.sign(&agent.request("batch_sum", json!({"numbers": [1]})));
            wire.send(post(&message)).await;
            match wire.answer().await {
                Some(answer) if answer.status == 200 => return agent.verify(&sent, &answer),
                _ => tokio::task::yield_now().await,
            }
        }
    };
    let outcome = tokio::time::timeout(crate::harness::PATIENCE, freed).await.unwrap();
    assert_eq!(output(&outcome)["total"], 1);
    drop(sending.await.unwrap());
}
