//! What the server counts and measures, in Prometheus's words, and the text of a scrape.
//!
//! A label's value is a registered tool's name or a word of this program, never a peer's.

mod calls;
mod jobs;

use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::Mutex;
use tokio::time::Instant;
use waxwing_jobs::{Census, Store, StoreError};

pub(crate) use calls::CallMetrics;
pub(crate) use jobs::{JobMetrics, Observing};

/// The media type of a scrape: OpenMetrics, which every Prometheus reads.
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How long a census of the store answers scrapes: scraping costs the store at most one a second.
const FRESH: Duration = Duration::from_secs(1);

/// Everything that is measured.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) calls: CallMetrics,
    pub(crate) jobs: JobMetrics,
    taken: Mutex<Option<Instant>>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("waxwing");
        let calls = CallMetrics::register(&mut registry);
        let jobs = JobMetrics::register(&mut registry);
        Self { registry, calls, jobs, taken: Mutex::default() }
    }

    /// The text of a scrape. The store is asked how many jobs there are, and given `patience`; when
    /// it does not answer, the text says so, and what it said last stands.
    pub(crate) async fn scrape(&self, store: &dyn Store, patience: Duration) -> String {
        self.take_census(store, patience).await;
        let mut text = String::new();
        // A `String` takes whatever it is given.
        let _ = encode(&mut text, &self.registry);
        text
    }

    async fn take_census(&self, store: &dyn Store, patience: Duration) {
        let mut taken = self.taken.lock().await;
        if taken.is_some_and(|taken| taken.elapsed() < FRESH) {
            return;
        }
        let census: Result<Census, StoreError> = tokio::time::timeout(patience, store.census())
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable("no answer in time".to_owned())));
        match census {
            Ok(census) => self.jobs.show(&census),
            Err(error) => {
                tracing::warn!(%error, "jobs could not be counted");
                self.jobs.show_silence();
            }
        }
        *taken = Some(Instant::now());
    }
}

/// Seconds from half a millisecond to a bit over two minutes.
fn short_times() -> Histogram {
    Histogram::new(exponential_buckets(0.0005, 4.0, 10))
}

/// Seconds from a millisecond to a bit over three days.
fn long_times() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 4.0, 15))
}

const SECONDS: Unit = Unit::Seconds;
