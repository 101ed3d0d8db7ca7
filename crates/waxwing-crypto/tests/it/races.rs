//! The guard under every interleaving that shuttle comes up with, and a guard with a gap between check
//! and insert, in which it must be found.

use std::panic::catch_unwind;

use shuttle::sync::{Arc, Mutex};
use shuttle::thread;
use waxwing_core::{ClientId, KeyId, Nonce};
use waxwing_crypto::{Admission, Capacity, NonceRecord, Window};

use crate::replay::memory::MemoryReplayGuard;

const SPAN: i64 = Window::DEFAULT.span_ms();

/// Runs the scene under many schedules: at random, and with few well-placed switches.
fn check(scene: impl Fn() + Send + Sync + Clone + 'static) {
    let schedules = if std::env::var_os("WAXWING_QUICK").is_some() { 300 } else { 3_000 };
    shuttle::check_random(scene.clone(), schedules);
    shuttle::check_pct(scene, schedules, 3);
}

fn guard(total: usize, per_key: usize) -> Arc<MemoryReplayGuard> {
    let capacity = Capacity { total, per_key };
    Arc::new(MemoryReplayGuard::new(Window::DEFAULT, capacity, 0, [7; 32]))
}

/// One message as it arrives: whose, which nonce, its own time and the server's.
#[derive(Clone, Copy)]
struct Arrival(&'static str, u32, i64, i64);

fn admit(guard: &MemoryReplayGuard, Arrival(client, n, ts_ms, now_ms): Arrival) -> Admission {
    let client_id = ClientId::new(client).unwrap();
    let key_id = KeyId::new("k1").unwrap();
    let nonce = Nonce::new(format!("nonce-{n:016}")).unwrap();
    let record = NonceRecord { client_id: &client_id, key_id: &key_id, nonce: &nonce, ts_ms };
    guard.admit_now(&record, now_ms)
}

/// What became of messages that arrive at once.
fn race(guard: &Arc<MemoryReplayGuard>, arrivals: &[Arrival]) -> Vec<Admission> {
    let threads: Vec<_> = arrivals
        .iter()
        .map(|&arrival| {
            let guard = Arc::clone(guard);
            thread::spawn(move || admit(&guard, arrival))
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

fn fresh(verdicts: &[Admission]) -> usize {
    verdicts.iter().filter(|verdict| **verdict == Admission::Fresh).count()
}

#[test]
fn one_of_three_is_fresh() {
    check(|| {
        let guard = guard(10, 10);
        assert!(guard.is_empty());
        let verdicts = race(&guard, &[Arrival("a", 1, 5, 5); 3]);
        assert_eq!(fresh(&verdicts), 1);
        assert_eq!(verdicts.iter().filter(|v| **v == Admission::Replayed).count(), 2);
        assert_eq!(guard.len(), 1);
    });
}

#[test]
fn bounds_are_met_and_never_passed() {
    let arrivals = [Arrival("a", 1, 5, 5), Arrival("a", 2, 5, 5), Arrival("b", 3, 5, 5)];
    for (total, per_key, most, of_a) in [(2, 2, 2, 2), (9, 1, 2, 1), (1, 1, 1, 1)] {
        check(move || {
            let guard = guard(total, per_key);
            let verdicts = race(&guard, &arrivals);
            assert!(fresh(&verdicts[..2]) <= of_a);
            assert_eq!(fresh(&verdicts), most);
            assert_eq!(guard.len(), most);
            for (verdict, arrival) in verdicts.into_iter().zip(arrivals) {
                let again = admit(&guard, arrival);
                assert_eq!(again == Admission::Replayed, verdict == Admission::Fresh);
            }
        });
    }
}

/// Whoever brings it, and wherever in the turn of a generation: once.
#[test]
fn a_turn_frees_nothing_that_lives() {
    check(|| {
        let guard = guard(10, 10);
        assert_eq!(admit(&guard, Arrival("a", 1, 5, 5)), Admission::Fresh);
        let verdicts = race(
            &guard,
            &[
                Arrival("a", 2, SPAN, SPAN - 1),
                Arrival("a", 2, SPAN, SPAN),
                Arrival("a", 1, 5, SPAN + 1),
                Arrival("a", 3, SPAN, 2 * SPAN),
            ],
        );
        assert_eq!(fresh(&verdicts[..2]), 1);
        assert_ne!(verdicts[2], Admission::Fresh);
        assert!(guard.len() <= 3);
        for now in [SPAN, 2 * SPAN, 3 * SPAN, 4 * SPAN, SPAN] {
            for (n, ts) in [(1, 5), (2, SPAN)] {
                assert_ne!(admit(&guard, Arrival("a", n, ts, now)), Admission::Fresh);
            }
        }
        assert!(guard.has_forgotten(5));
    });
}

/// A clock that jumps days ahead and back while calls come.
#[test]
fn jumps_free_nothing_that_lives() {
    const DAY: i64 = 86_400_000;
    check(|| {
        let guard = guard(10, 10);
        let arrivals = [
            Arrival("a", 1, DAY, DAY),
            Arrival("a", 2, 3 * DAY, 3 * DAY),
            Arrival("a", 1, DAY, DAY + 5),
            Arrival("a", 3, 2 * DAY, 2 * DAY),
        ];
        let verdicts = race(&guard, &arrivals);
        assert!(fresh(&[verdicts[0], verdicts[2]]) <= 1);
        for arrival in arrivals {
            assert_ne!(admit(&guard, arrival), Admission::Fresh);
        }
    });
}

/// Looks, lets go, and inserts: what a guard must not do.
#[derive(Debug, Default)]
struct TwoSteps(Mutex<Vec<u32>>);

impl TwoSteps {
    fn admit(&self, nonce: u32) -> Admission {
        if self.0.lock().unwrap().contains(&nonce) {
            return Admission::Replayed;
        }
        self.0.lock().unwrap().push(nonce);
        Admission::Fresh
    }
}

#[test]
fn the_checker_finds_a_gap_between_check_and_insert() {
    let found = catch_unwind(|| {
        check(|| {
            let guard = Arc::new(TwoSteps::default());
            let threads: Vec<_> = (0..3)
                .map(|_| {
                    let guard = Arc::clone(&guard);
                    thread::spawn(move || guard.admit(1))
                })
                .collect();
            let verdicts: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
            assert_eq!(fresh(&verdicts), 1);
        });
    });
    assert!(found.is_err());
}
