//! The guard in memory, told what time it is.

use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_ne, proptest};

use super::*;
use crate::window::Window;

const SPAN: i64 = 150_000;
const DAY: i64 = 86_400_000;

fn guard(capacity: Capacity, now_ms: i64) -> MemoryReplayGuard {
    MemoryReplayGuard::new(Window::DEFAULT, capacity, now_ms, [7; 32])
}

fn admit(guard: &MemoryReplayGuard, client: &str, n: u32, ts_ms: i64, now_ms: i64) -> Admission {
    let client_id = ClientId::new(client).unwrap();
    let key_id = KeyId::new("k1").unwrap();
    let nonce = Nonce::new(format!("nonce-{n:016}")).unwrap();
    let record = NonceRecord { client_id: &client_id, key_id: &key_id, nonce: &nonce, ts_ms };
    guard.admit_now(&record, now_ms)
}

#[test]
fn a_nonce_is_fresh_once_for_each_client() {
    let guard = guard(Capacity::default(), 0);
    assert!(guard.is_empty());
    assert_eq!(admit(&guard, "a", 1, 5, 5), Admission::Fresh);
    assert_eq!(admit(&guard, "a", 1, 5, 5), Admission::Replayed);
    assert_eq!(admit(&guard, "b", 1, 5, 5), Admission::Fresh);
    assert_eq!(guard.len(), 2);
}

#[test]
fn a_full_guard_refuses_and_forgets_nothing() {
    let guard = guard(Capacity { total: 4, per_key: 2 }, 0);
    for (client, n, verdict) in [
        ("a", 1, Admission::Fresh),
        ("a", 2, Admission::Fresh),
        ("a", 3, Admission::Full),
        ("b", 1, Admission::Fresh),
        ("b", 2, Admission::Fresh),
        ("c", 1, Admission::Full),
        ("a", 1, Admission::Replayed),
    ] {
        assert_eq!(admit(&guard, client, n, 0, 0), verdict, "{client} {n}");
    }
    // Two turns later there is room again.
    assert_eq!(admit(&guard, "c", 1, SPAN, SPAN), Admission::Full);
    assert_eq!(admit(&guard, "c", 1, 2 * SPAN, 2 * SPAN), Admission::Fresh);
    assert_eq!(guard.len(), 1);
}

#[test]
fn what_was_sent_before_the_guard_began_is_refused() {
    let guard = guard(Capacity::default(), 1_000);
    assert!(guard.has_forgotten(999) && !guard.has_forgotten(1_000));
    assert_eq!(admit(&guard, "a", 1, 999, 1_000), Admission::Forgotten);
    assert_eq!(admit(&guard, "a", 1, 1_000, 1_000), Admission::Fresh);
}

#[test]
fn a_clock_that_jumps_far_and_back_replays_nothing() {
    let guard = guard(Capacity::default(), 0);
    assert_eq!(admit(&guard, "a", 1, 10, 10), Admission::Fresh);
    for jump in [DAY, 2 * DAY, 4 * DAY] {
        assert_eq!(admit(&guard, "a", jump as u32, jump, jump), Admission::Fresh);
    }
    assert_eq!(admit(&guard, "a", 1, 10, 20), Admission::Forgotten);
    assert!(guard.has_forgotten(10) && !guard.has_forgotten(DAY / 2));
}

/// A clock that was wrong for a while does not close the guard until that time comes, and does not
/// open it then.
#[test]
fn a_jump_that_was_mended_costs_no_good_call() {
    for jump in [1_000, 60_000, 3_600_000, DAY, 2 * DAY, -1_000, -60_000, -3_600_000, -2 * DAY] {
        let (guard, base, mut n) = (guard(Capacity::default(), 0), 10 * DAY, 0);
        let mut sent = Vec::new();
        let mut call = |now: i64| {
            n += 1;
            sent.push((n, now));
            admit(&guard, "a", n, now, now)
        };
        assert_eq!(call(base), Admission::Fresh, "{jump}");
        for second in 0..400 {
            call(base + jump + second * 1_000);
        }
        for second in 600..1_600 {
            assert_eq!(call(base + second * 1_000), Admission::Fresh, "{jump}, {second}");
        }
        for (n, ts) in sent {
            assert_ne!(admit(&guard, "a", n, ts, ts), Admission::Fresh, "{jump}, {ts}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// However the clock moves, a message that was fresh once never is again.
    #[test]
    fn nothing_is_fresh_twice(
        steps in proptest::collection::vec(
            (any::<u8>(), -200_000_i64..300_000, 0_u8..20, -30_000_i64..120_000),
            1..120,
        ),
    ) {
        let guard = guard(Capacity { total: 60, per_key: 60 }, 0);
        let mut now = 0;
        let mut sent: Vec<(u32, i64)> = Vec::new();
        for (i, (pick, drift, leap, age)) in steps.into_iter().enumerate() {
            // Most steps are small, some are days.
            now += match leap {
                0 => drift * 600,
                1..8 => drift,
                _ => drift / 100,
            };
            let n = i as u32;
            if admit(&guard, "a", n, now - age, now) == Admission::Fresh {
                sent.push((n, now - age));
            }
            prop_assert!(guard.len() <= 60);
            if let Some((n, ts)) = sent.get(usize::from(pick) % sent.len().max(1)) {
                prop_assert_ne!(admit(&guard, "a", *n, *ts, now), Admission::Fresh);
            }
        }
        for (n, ts) in sent {
            prop_assert!(admit(&guard, "a", n, ts, ts) != Admission::Fresh);
        }
    }
}
