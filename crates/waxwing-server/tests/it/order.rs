//! The order of checks of wire.md §5: a message that breaks several is told the first.

use serde_json::json;
use waxwing_core::ErrorCode;

use crate::codes::NoSecretsForGuests;
use crate::harness::House;
use crate::wire::{Caller, error};

/// Breaks everything from one step on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_broken_step_is_told() {
    let house = House::with(|builder| builder.authorizer(NoSecretsForGuests)).await;
    let mut wire = house.wire().await;
    let guest = house.caller("guest");
    let forger = house.caller("guest").with_key_of("agent-7");

    let mut request = guest.request("secret_tool", json!({"unknown": 1}));
    request.tool_digest = Some("0".repeat(64).parse().unwrap());
    request.ts_ms -= 1_000_000;
    request.server_id = "other.example".parse().unwrap();

    let (forged, _) = forger.sign(&request);
    let shapeless = String::from_utf8(forged.clone()).unwrap().replace("\"typ\"", "\"typo\"");
    let no_json = shapeless.replace("\"args\":", "\"args\":,");
    for (message, code) in [
        (no_json.into_bytes(), ErrorCode::Malformed),
        (shapeless.into_bytes(), ErrorCode::Malformed),
        (forged, ErrorCode::WrongServer),
    ] {
        assert_eq!(wire.post(&message).await.refusal().code, code);
    }
    request.server_id = crate::harness::server_id();
    let (forged, _) = forger.sign(&request);
    assert_eq!(wire.post(&forged).await.refusal().code, ErrorCode::Unauthenticated);

    let told = async |wire: &mut _, request: &_, caller: &Caller| {
        error(caller.send(wire, request).await.1).code
    };
    assert_eq!(told(&mut wire, &request, &guest).await, ErrorCode::Stale);
    request.ts_ms += 1_000_000;
    assert_eq!(told(&mut wire, &request, &guest).await, ErrorCode::Forbidden);
    assert_eq!(told(&mut wire, &request, &guest).await, ErrorCode::Replayed);

    let agent = house.caller("agent-7");
    let mut request = agent.request("secret_tool", json!({"unknown": 1}));
    request.tool_digest = Some("0".repeat(64).parse().unwrap());
    assert_eq!(told(&mut wire, &request, &agent).await, ErrorCode::ToolChanged);
    let request = agent.request("secret_tool", json!({"unknown": 1}));
    assert_eq!(told(&mut wire, &request, &agent).await, ErrorCode::InvalidArgs);
}

/// A forged message never spends the nonce of the true one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgery_spends_nothing() {
    let house = House::open().await;
    let mut wire = house.wire().await;
    let agent = house.caller("agent-7");
    let request = agent.request("batch_sum", json!({"numbers": [1]}));
    let forger = house.caller("agent-7").with_key_of("agent-8");
    let (forged, _) = forger.sign(&request);
    assert_eq!(wire.post(&forged).await.refusal().code, ErrorCode::Unauthenticated);
    assert_eq!(agent.send(&mut wire, &request).await.0, 200);
}

/// Of one message sent many times at once, one is served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_served_once_however_it_races() {
    let house = House::open().await;
    let agent = house.caller("agent-7");
    let (message, sent) = agent.sign(&agent.request("batch_sum", json!({"numbers": [1]})));
    let racing = (0..16).map(|_| {
        let (message, addr) = (message.clone(), house.addr);
        tokio::spawn(async move { crate::wire::Wire::connect(addr).await.post(&message).await })
    });
    let mut served = 0;
    for raced in racing.collect::<Vec<_>>() {
        let answer = raced.await.unwrap();
        match agent.verify(&sent, &answer) {
            waxwing_core::message::Outcome::Ok(_) => served += 1,
            outcome => assert_eq!(error(outcome).code, ErrorCode::Replayed),
        }
    }
    assert_eq!(served, 1);
}

/// A server that has just begun believes nothing that is older than itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_from_before_the_start_are_stale() {
    let house = House::open().await;
    let mut wire = house.wire().await;
    let agent = house.caller("agent-7");
    let mut request = agent.request("batch_sum", json!({"numbers": [1]}));
    request.ts_ms -= 1;
    assert_eq!(error(agent.send(&mut wire, &request).await.1).code, ErrorCode::Stale);
}

/// What was served is never served again, however long one waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_makes_nothing_replayable() {
    let house = House::open().await;
    let mut wire = house.wire().await;
    let agent = house.caller("agent-7");
    let request = agent.request("batch_sum", json!({"numbers": [1]}));
    assert_eq!(agent.send(&mut wire, &request).await.0, 200);
    let mut told = Vec::new();
    for _ in 0..9 {
        house.clock.advance(40_000);
        house.good_on(&mut wire).await;
        told.push(error(agent.send(&mut wire, &request).await.1).code);
    }
    assert_eq!(told[..3], [ErrorCode::Replayed; 3]);
    assert_eq!(told[3..], [ErrorCode::Stale; 6]);
}
