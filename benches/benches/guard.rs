//! The replay guard with a million nonces in it: one admission, by one thread and by two at once, with
//! the share of each in growing tables and turning generations; a replay; and the longest pause.

#![expect(clippy::expect_used, reason = "a bench that cannot go on must stop")]

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use waxwing_core::{ClientId, KeyId, Nonce};
use waxwing_crypto::{Admission, Capacity, MemoryReplayGuard, NonceRecord, Window};

/// Nonces in a generation. The guard holds one to two of them: a million on average.
const GENERATION: u64 = 666_667;

/// One thread's messages. A nonce comes again when it has long been forgotten.
struct Feed {
    client_id: ClientId<'static>,
    key_id: KeyId<'static>,
    nonces: Vec<Nonce<'static>>,
    sent: u64,
}

/// The time after `sent` messages of all threads: each [`GENERATION`] of them takes a window.
fn time(sent: u64) -> i64 {
    (i128::from(sent) * i128::from(Window::DEFAULT.span_ms()) / i128::from(GENERATION)) as i64
}

impl Feed {
    fn new(thread: u64, threads: u64) -> Self {
        let nonce = |n: u64| Nonce::new(format!("{thread:02x}{n:022x}")).expect("a nonce");
        Self {
            client_id: "agent-7".parse().expect("an id"),
            key_id: "k1".parse().expect("an id"),
            nonces: (0..4 * GENERATION / threads).map(nonce).collect(),
            sent: 0,
        }
    }

    fn record(&self, n: u64, ts_ms: i64) -> NonceRecord<'_> {
        let nonce = &self.nonces[(n % self.nonces.len() as u64) as usize];
        NonceRecord { client_id: &self.client_id, key_id: &self.key_id, nonce, ts_ms }
    }

    /// Threads share one clock, which `sent` counts: one that lags by a window would be refused.
    fn admit(&mut self, guard: &MemoryReplayGuard, sent: &AtomicU64, count: u64) {
        for _ in 0..count {
            let now_ms = time(sent.fetch_add(1, Ordering::Relaxed));
            let record = self.record(self.sent, now_ms);
            assert_eq!(black_box(guard.admit_now(&record, now_ms)), Admission::Fresh);
            self.sent += 1;
        }
    }
}

fn guard() -> MemoryReplayGuard {
    let capacity = Capacity { total: 2_000_000, per_key: 2_000_000 };
    // Messages of the bench are dated from 0 on.
    MemoryReplayGuard::new(Window::DEFAULT, capacity, 0, [7; 32])
}

fn admission(c: &mut Criterion) {
    let mut group = c.benchmark_group("guard");
    for (name, threads) in [("admission", 1), ("admission, 2 threads", 2)] {
        let (guard, sent) = (guard(), AtomicU64::new(0));
        let mut feeds: Vec<Feed> = (0..threads).map(|n| Feed::new(n, threads)).collect();
        let mut feed = |count: u64| {
            let began = Instant::now();
            std::thread::scope(|scope| {
                let (mine, others) = feeds.split_first_mut().expect("one");
                for other in others {
                    scope.spawn(|| other.admit(&guard, &sent, count.div_ceil(threads)));
                }
                mine.admit(&guard, &sent, count.div_ceil(threads));
            });
            began.elapsed()
        };
        feed(2 * GENERATION);
        group.bench_function(name, |b| b.iter_custom(&mut feed));
    }

    let (guard, mut feed) = (guard(), Feed::new(0, 1));
    feed.admit(&guard, &AtomicU64::new(0), 1_000_000);
    let mut n = 0;
    group.bench_function("replay", |b| {
        b.iter(|| {
            n = (n + 7_919) % 1_000_000;
            let record = feed.record(n, time(n));
            assert_ne!(guard.admit_now(&record, Window::DEFAULT.span_ms()), Admission::Fresh);
        });
    });
    group.finish();
}

/// The tenth longest of a million admissions while an empty guard fills up: tables grow all the time.
fn pause(c: &mut Criterion) {
    let feed = Feed::new(0, 1);
    c.bench_function("guard/longest of 100,000 while it fills", |b| {
        b.iter_custom(|count| {
            let mut sum = Duration::ZERO;
            for _ in 0..count {
                let guard = guard();
                let mut took: Vec<Duration> = (0..1_000_000)
                    .map(|n| {
                        let record = feed.record(n, time(n));
                        let began = Instant::now();
                        let _ = black_box(guard.admit_now(&record, 0));
                        began.elapsed()
                    })
                    .collect();
                took.sort_unstable();
                sum += took[took.len() - 10];
            }
            sum
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = admission, pause
}
criterion_main!(benches);
