//! Nothing is served twice: at once, after restarts, on other replicas, under other rings, whatever the
//! clock does in between; and a flood harms nobody but its sender.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;
use waxwing_core::message::Outcome;
use waxwing_core::{CallError, ErrorCode};
use waxwing_crypto::{Capacity, SentRequest};
use waxwing_jobs::{Bounds, Durability, Store};
use waxwing_server::ReplayPolicy;
use waxwing_store_sqlite::SqliteStore;

use crate::harness::{House, NOW_MS, TestClock, empty_ring, key_of, memory, ring};
use crate::unruly::UnrulyStore;
use crate::wire::{Caller, Wire, error};

const SECOND: i64 = 1_000;
const DAY: i64 = 86_400 * SECOND;

/// From a second to two days, both ways.
const JUMPS: [i64; 10] = [
    SECOND,
    60 * SECOND,
    3_600 * SECOND,
    DAY,
    2 * DAY,
    -SECOND,
    -60 * SECOND,
    -3_600 * SECOND,
    -DAY,
    -2 * DAY,
];

/// Whether everything is to be tried, or a tenth of it.
fn quick() -> bool {
    std::env::var_os("WAXWING_QUICK").is_some()
}

fn sqlite(path: &Path) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(path, Bounds::default()).unwrap())
}

/// A message as it went over the wire, to be sent again.
struct Recorded {
    agent: Caller,
    message: Vec<u8>,
    sent: SentRequest,
    ts_ms: i64,
}

impl Recorded {
    fn new(house: &House, ahead_ms: i64) -> Self {
        let agent = house.caller("agent-7");
        let mut request = agent.request("batch_sum", json!({"numbers": [1]}));
        request.ts_ms += ahead_ms;
        let (message, sent) = agent.sign(&request);
        Self { agent, message, sent, ts_ms: request.ts_ms }
    }

    async fn send(&self, wire: &mut Wire) -> u16 {
        wire.post(&self.message).await.status
    }

    /// What the server says to it, which must not be that it was served.
    async fn refused(&self, house: &House, wire: &mut Wire) -> CallError {
        let answer = wire.post(&self.message).await;
        // The sender's own clock is of no interest here.
        let agent = Caller::new(self.agent.client.as_str(), house.clock.clone());
        error(agent.verify(&self.sent, &answer))
    }
}

/// Messages dated from before the server's clock to the window's end.
async fn serve_some(house: &House) -> Vec<Recorded> {
    let mut wire = house.wire().await;
    let mut served = Vec::new();
    for ahead in [0, 100, 600, 2_000, 15_000, 30_000] {
        let recorded = Recorded::new(house, ahead);
        assert_eq!(recorded.send(&mut wire).await, 200, "{ahead}");
        served.push(recorded);
    }
    house.clock.advance(5 * SECOND);
    for behind in [0, 3_000] {
        let recorded = Recorded::new(house, -behind);
        assert_eq!(recorded.send(&mut wire).await, 200, "{behind}");
        served.push(recorded);
    }
    served
}

async fn none_is_served_again(house: &House, served: &[Recorded], what: &str) {
    assert_eq!(served_again(house, served).await, 0, "{what}");
}

/// Sends all of them again, now and at every moment at which one of them could be in the window; how
/// many are served.
async fn served_again(house: &House, served: &[Recorded]) -> usize {
    let mut again = 0;
    let (mut wire, now) = (house.wire().await, house.clock.now_ms());
    let mut moments = vec![now];
    for Recorded { ts_ms, .. } in served {
        moments.extend([ts_ms - 30_000, *ts_ms, ts_ms + 1, ts_ms + 120_000]);
    }
    moments.push(now);
    for moment in moments {
        house.clock.set(moment);
        for recorded in served {
            match recorded.send(&mut wire).await {
                200 => again += 1,
                // replayed, stale, overloaded
                status => assert!([409, 401, 503].contains(&status), "{status}"),
            }
        }
    }
    again
}

/// What the other tests look for is there to be found: a guard that keeps nothing beyond the process
/// serves what was dated ahead of its clock, and all after its clock was set back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_mark_a_restart_would_be_a_hole() {
    for (jump, holes) in [(0, 3), (-60 * SECOND, 8)] {
        let first = House::open().await;
        let served = serve_some(&first).await;
        let clock = TestClock::at(first.clock.now_ms() + jump);
        first.crash().await;
        let second = House::over_at(memory(), clock, |builder| builder).await;
        assert_eq!(served_again(&second, &served).await, holes, "{jump}");
    }
}

async fn restarts(policy: ReplayPolicy) {
    for jump in JUMPS.into_iter().chain([0, 1, 400, 40 * SECOND, -400]) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("jobs.sqlite");
        let first = House::over(sqlite(&path), |builder| builder.replay_policy(policy)).await;
        let served = serve_some(&first).await;
        let clock = TestClock::at(first.clock.now_ms() + jump);
        first.crash().await;
        let tune = |builder: waxwing_server::ServerBuilder| builder.replay_policy(policy);
        let second = House::over_at(sqlite(&path), clock, tune).await;
        none_is_served_again(&second, &served, &format!("{policy:?}, {jump} ms")).await;
        // A third life, on a clock that has been put right.
        let clock = TestClock::at(NOW_MS + 10 * SECOND);
        second.crash().await;
        let third = House::over_at(sqlite(&path), clock, tune).await;
        none_is_served_again(&third, &served, &format!("{policy:?}, {jump} ms and back")).await;
        // Once the clock is past what the earlier ones saw, everything is served again.
        third.clock.set(NOW_MS + jump.max(0) + 3 * DAY);
        third.good().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_makes_nothing_replayable() {
    restarts(ReplayPolicy::Auto).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_over_a_shared_store_makes_nothing_replayable() {
    restarts(ReplayPolicy::Store).await;
}

/// Right after a crash, with a clock that goes on, calls are served at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_costs_half_a_second_at_the_most() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.sqlite");
    let first = House::over(sqlite(&path), |builder| builder).await;
    first.good().await;
    let clock = TestClock::at(first.clock.now_ms() + 500);
    first.crash().await;
    let second = House::over_at(sqlite(&path), clock, |builder| builder).await;
    assert_eq!(Recorded::new(&second, 1).send(&mut second.wire().await).await, 200);
    let clock = TestClock::at(second.clock.now_ms() - 60 * SECOND);
    second.crash().await;

    // Set back by a minute, it says when to come again, and not that the sender's clock is wrong.
    let third = House::over_at(sqlite(&path), clock, |builder| builder).await;
    let mut wire = third.wire().await;
    let told = Recorded::new(&third, 0).refused(&third, &mut wire).await;
    assert_eq!((told.code, told.retry_after_ms), (ErrorCode::Overloaded, Some(1_000)));
    let (status, why) = third.ready().await;
    assert!(status == 503 && why.contains("clock"), "{why}");
    third.clock.advance(61 * SECOND);
    assert_eq!(third.ready().await.0, 200);
    third.good_on(&mut wire).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jump_of_the_clock_makes_nothing_replayable() {
    for policy in [ReplayPolicy::Memory, ReplayPolicy::Store, ReplayPolicy::Auto] {
        for jump in JUMPS {
            let dir = tempfile::tempdir().unwrap();
            let store = match policy {
                ReplayPolicy::Auto => sqlite(&dir.path().join("jobs.sqlite")),
                _ => memory(),
            };
            let house = House::over(store, |builder| builder.replay_policy(policy)).await;
            let mut served = serve_some(&house).await;
            let (before, mut wire) = (house.clock.now_ms(), house.wire().await);
            house.clock.advance(jump);
            for _ in 0..4 {
                // Some are served in the wrong time, if the guard lets them.
                let recorded = Recorded::new(&house, 7);
                if recorded.send(&mut wire).await == 200 {
                    served.push(recorded);
                }
                house.clock.advance(100 * SECOND);
            }
            none_is_served_again(&house, &served, &format!("{policy:?}, {jump} ms")).await;
            house.clock.set(before.max(before + jump) + 600 * SECOND);
            house.good_on(&mut wire).await;
            if policy != ReplayPolicy::Store && jump.abs() >= 3_600 * SECOND {
                // A clock that was wrong and is right again is no reason to refuse calls.
                house.clock.set(before + 600 * SECOND);
                house.good_on(&mut wire).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_ring_makes_nothing_replayable() {
    let house = House::open().await;
    let served = serve_some(&house).await;
    let mut wire = house.wire().await;
    house.rings.replace(empty_ring());
    for recorded in &served {
        assert_eq!(recorded.send(&mut wire).await, 401);
    }
    let mut rotated = ring();
    rotated.insert("agent-7".parse().unwrap(), "k2".parse().unwrap(), key_of("another"));
    house.rings.replace(rotated);
    none_is_served_again(&house, &served, "after a rotation").await;
}

/// Over the wire; the full count is sent to the same code without sockets, beside `call.rs`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_copies_at_once_one_is_served() {
    let house = House::open().await;
    let agent = house.caller("agent-7");
    let envelopes: Arc<Vec<Vec<u8>>> = Arc::new(
        (0..if quick() { 20 } else { 200 })
            .map(|n| agent.sign(&agent.request("batch_sum", json!({"numbers": [n]}))).0)
            .collect(),
    );
    let mut senders = JoinSet::new();
    for _ in 0..64 {
        let (envelopes, addr) = (Arc::clone(&envelopes), house.addr);
        senders.spawn(async move {
            let (mut wire, mut served) = (Wire::connect(addr).await, 0);
            for envelope in envelopes.iter() {
                match wire.post(envelope).await.status {
                    200 => served += 1,
                    status => assert_eq!(status, 409),
                }
            }
            served
        });
    }
    assert_eq!(senders.join_all().await.into_iter().sum::<usize>(), envelopes.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_serve_each_message_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.sqlite");
    let shared =
        |builder: waxwing_server::ServerBuilder| builder.replay_policy(ReplayPolicy::Store);
    let one = House::over(sqlite(&path), shared).await;
    let two = House::over(sqlite(&path), shared).await;
    for n in 0..20 {
        let agent = one.caller("agent-7");
        let (message, _) = agent.sign(&agent.request("batch_sum", json!({"numbers": [n]})));
        let mut copies = JoinSet::new();
        for addr in [one.addr, two.addr, one.addr, two.addr] {
            let message = message.clone();
            copies.spawn(async move { Wire::connect(addr).await.post(&message).await.status });
        }
        let mut told = copies.join_all().await;
        told.sort_unstable();
        assert_eq!(told, [200, 409, 409, 409]);
    }

    // What starts a job spends its nonce once, not once for the call and once for the job.
    let agent = one.caller("agent-7");
    let (message, sent) = agent.sign(&agent.request("say_later", json!({"text": "hi"})));
    let first = one.wire().await.post(&message).await;
    assert!(matches!(agent.verify(&sent, &first), Outcome::Accepted { .. }));
    let second = two.wire().await.post(&message).await;
    assert_eq!(error(agent.verify(&sent, &second)).code, ErrorCode::Replayed);
}

/// With a guard in memory alone, a clock that was set back to before the start makes every call stale.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_clock_was_set_back_says_that_it_is_not_ready() {
    let house = House::open().await;
    house.good().await;
    house.clock.advance(-3_600 * SECOND);
    let mut wire = house.wire().await;
    let told = Recorded::new(&house, 0).refused(&house, &mut wire).await;
    assert_eq!(told.code, ErrorCode::Stale, "{told}");
    assert_eq!(house.ready().await.0, 503);
    house.clock.advance(3_600 * SECOND + 1);
    assert_eq!(house.ready().await.0, 200);
    house.good_on(&mut wire).await;
}

/// A replica whose clock is set back behind what the store remembers takes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_lags_serves_nothing() {
    let store = memory();
    let shared =
        |builder: waxwing_server::ServerBuilder| builder.replay_policy(ReplayPolicy::Store);
    let one = House::over(Arc::clone(&store), shared).await;
    let two = House::over(store, shared).await;
    let old = serve_some(&one).await;
    one.clock.advance(600 * SECOND);
    one.good().await;
    // The other's clock stands where it stood, and everything old is in its window.
    let mut wire = two.wire().await;
    for recorded in &old {
        let told = recorded.refused(&two, &mut wire).await;
        assert_eq!(told.code, ErrorCode::Overloaded, "{told}");
    }
    // Nor does it ask for calls.
    let (status, why) = two.ready().await;
    assert!(status == 503 && why.contains("clock"), "{why}");
    assert_eq!(one.ready().await.0, 200);
    two.clock.advance(600 * SECOND);
    assert_eq!(two.ready().await.0, 200);
    two.good_on(&mut wire).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guard_that_cannot_be_reached_lets_nothing_through() {
    for (policy, durability) in [
        (ReplayPolicy::Store, Durability::Process),
        (ReplayPolicy::Store, Durability::PowerCut),
        (ReplayPolicy::Auto, Durability::PowerCut),
    ] {
        let store = UnrulyStore::broken(durability);
        let house = House::over(store, |builder| builder.replay_policy(policy)).await;
        let mut wire = house.wire().await;
        let told = Recorded::new(&house, 0).refused(&house, &mut wire).await;
        assert_eq!((told.code, told.retry_after_ms), (ErrorCode::Overloaded, Some(1_000)));
        assert!(!told.message.contains("disk"), "{told}");
    }
}

/// A client that sends three times what its key may, while others call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_harms_its_sender_alone() {
    const CAP: usize = 300;
    let capacity = Capacity { total: 4 * CAP, per_key: CAP };
    let house = House::with(|builder| builder.replay_capacity(capacity)).await;
    let before = serve_some(&house).await;
    let flood: Vec<Recorded> = (0..3 * CAP).map(|_| Recorded::from(&house, "guest")).collect();
    let flood = Arc::new(flood);
    let mut flooders = JoinSet::new();
    for part in 0..4 {
        let (flood, addr) = (Arc::clone(&flood), house.addr);
        flooders.spawn(async move {
            let (mut wire, mut told) = (Wire::connect(addr).await, Vec::new());
            for at in (part..flood.len()).step_by(4) {
                told.push((at, flood[at].send(&mut wire).await));
            }
            told
        });
    }
    let mut wire = house.wire().await;
    for _ in 0..200 {
        house.good_on(&mut wire).await;
    }
    let told: Vec<(usize, u16)> = flooders.join_all().await.into_iter().flatten().collect();
    let served: Vec<_> = told.iter().filter(|(_, status)| *status == 200).collect();
    assert_eq!(served.len(), CAP);
    assert_eq!(told.iter().filter(|(_, status)| *status == 503).count(), 2 * CAP);
    for (at, _) in served {
        assert_eq!(flood[*at].refused(&house, &mut wire).await.code, ErrorCode::Replayed);
    }
    let refused = &flood[told.iter().find(|(_, status)| *status == 503).unwrap().0];
    let told = refused.refused(&house, &mut wire).await;
    assert_eq!(told.code, ErrorCode::Overloaded);
    assert!(told.retry_after_ms.is_some_and(|ms| ms > 0));
    none_is_served_again(&house, &before, "after a flood").await;
}

impl Recorded {
    fn from(house: &House, client: &str) -> Self {
        let agent = house.caller(client);
        let request = agent.request("batch_sum", json!({"numbers": [1]}));
        let (message, sent) = agent.sign(&request);
        Self { agent, message, sent, ts_ms: request.ts_ms }
    }
}
