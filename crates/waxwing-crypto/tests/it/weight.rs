//! What the guard weighs: bytes for a nonce, and nothing for what was never signed.

use allocation_counter::{AllocationInfo, measure};
use serde_json::json;
use waxwing_core::{ClientId, KeyId, Limits, Nonce, Scratch};
use waxwing_crypto::{Admission, Capacity, MemoryReplayGuard, NonceRecord, Window, verify_request};

use crate::fixture::{NOW, request, ring, server_id, signed};

const SPAN: i64 = Window::DEFAULT.span_ms();

/// A million, or a tenth of it.
fn million() -> u64 {
    if std::env::var_os("WAXWING_QUICK").is_some() { 100_000 } else { 1_000_000 }
}

/// What may be allocated for each nonce, in bytes.
const MOST: u64 = 48;

fn fill(guard: &MemoryReplayGuard, nonces: std::ops::Range<u64>, now_ms: i64) {
    let clients: Vec<ClientId<'_>> =
        (0..100).map(|n| format!("agent-{n}").parse().unwrap()).collect();
    let key_id: KeyId<'_> = "k1".parse().unwrap();
    for n in nonces {
        let nonce = Nonce::new(format!("nonce-{n:018}")).unwrap();
        let client_id = &clients[n as usize % clients.len()];
        let record = NonceRecord { client_id, key_id: &key_id, nonce: &nonce, ts_ms: now_ms };
        assert_eq!(guard.admit_now(&record, now_ms), Admission::Fresh);
    }
}

#[test]
fn a_nonce_weighs_48_bytes_at_the_most() {
    let all = million();
    // All at once; then fewer, shortly after tables had to grow, and some in each generation.
    for (before, after) in [(0, all), (0, 93_000), (50_000, 50_000), (33_000, 50_000)] {
        let total = (before + after) as usize + 2;
        let capacity = Capacity { total, per_key: total };
        let new = || MemoryReplayGuard::new(Window::DEFAULT, capacity, 0, [7; 32]);
        let mut guard = None;
        let filled = measure(|| {
            let new = guard.insert(new());
            fill(new, 0..before, 0);
            fill(new, before..before + after, SPAN);
        });
        let guard = guard.unwrap();
        let nonces = before + after;
        assert_eq!(guard.len() as u64, nonces);
        let most = filled.bytes_max / nonces;
        println!("{before} + {after} nonces: at most {most} bytes for each");
        assert!(most <= MOST, "{before} + {after}: {most} bytes for each");

        let emptied = measure(|| {
            fill(&guard, nonces..nonces + 1, 3 * SPAN);
            fill(&guard, nonces + 1..nonces + 2, 4 * SPAN);
        });
        assert_eq!(guard.len(), 2);
        // What it is sized for from the beginning, and no more.
        let left = filled.bytes_current + emptied.bytes_current;
        let most = 100_000 + 16 * nonces as i64;
        assert!(left < most, "{left} bytes left when all was dropped");
    }
}

#[test]
fn a_tenth_of_the_nonces_find_room_that_was_made_at_the_start() {
    let capacity = Capacity { total: million() as usize, per_key: million() as usize };
    let guard = MemoryReplayGuard::new(Window::DEFAULT, capacity, 0, [7; 32]);
    let tenth = million() / 10;
    for (nonces, now_ms) in [(0..tenth, 0), (tenth..2 * tenth, SPAN)] {
        let grown = measure(|| fill(&guard, nonces, now_ms)).bytes_current;
        // The counts of a hundred keys are not nonces.
        assert!(grown < 64_000, "{grown} bytes");
    }
}

#[test]
fn what_is_not_signed_leaves_nothing_behind() {
    let guard = MemoryReplayGuard::new(Window::DEFAULT, Capacity::default(), NOW - 1, [7; 32]);
    let flood = |first: u64| -> AllocationInfo {
        let (limits, mut scratch) = (Limits::default(), Scratch::new());
        let mut message = signed(&request(first, json!({"numbers": [1.5, 2]}))).0;
        let at = message.windows(6).position(|w| w == b"nonce-").unwrap() + 6;
        let mut one = |n: u64| {
            message[at..at + 18].copy_from_slice(format!("{n:018}").as_bytes());
            verify_request(&message, &limits, &server_id(), ring(), NOW, &mut scratch).unwrap_err();
        };
        one(first + 1);
        measure(|| (2..million() / 2).for_each(|n| one(first + n)))
    };
    std::thread::scope(|threads| {
        for half in [threads.spawn(|| flood(0)), threads.spawn(|| flood(1 << 40))] {
            let left = half.join().unwrap().bytes_current;
            assert_eq!(left, 0, "bytes left behind");
        }
    });
    assert!(guard.is_empty());
}
