//! Measures of jobs: what the engine says it does, and what the store says it holds.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use async_trait::async_trait;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use waxwing_core::ToolName;
use waxwing_jobs::{AttemptEnd, Census, JobEnd, Observer, Swept};

use super::{SECONDS, long_times};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfTool {
    tool: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    tool: String,
    end: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InState {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    kind: &'static str,
}

/// Jobs, attempts and the store. Clones are the same measures.
#[derive(Clone, Debug)]
pub(crate) struct JobMetrics {
    claims: Family<OfTool, Counter>,
    attempts: Family<Ended, Counter>,
    wait: Family<OfTool, Histogram, fn() -> Histogram>,
    run: Family<OfTool, Histogram, fn() -> Histogram>,
    lapsed: Counter,
    swept: Family<OfKind, Counter>,
    depth: Family<InState, Gauge>,
    oldest: Gauge<f64, AtomicU64>,
    stored: Gauge,
    bytes: Gauge,
    up: Gauge,
}

impl JobMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            claims: Family::default(),
            attempts: Family::default(),
            wait: Family::new_with_constructor(long_times),
            run: Family::new_with_constructor(long_times),
            lapsed: Counter::default(),
            swept: Family::default(),
            depth: Family::default(),
            oldest: Gauge::default(),
            stored: Gauge::default(),
            bytes: Gauge::default(),
            up: Gauge::default(),
        };
        metrics.register_work(registry);
        metrics.register_store(registry);
        metrics
    }

    fn register_work(&self, registry: &mut Registry) {
        registry.register("job_claims", "Attempts begun here, by tool", self.claims.clone());
        registry.register(
            "job_attempts",
            "Attempts ended here: completed, failed (the job is dead), retried, parked, cancelled, \
             released, lost (the lease), expired (the lifetime)",
            self.attempts.clone(),
        );
        registry.register_with_unit(
            "job_wait",
            "Time from when a job was ready until it was claimed here",
            SECONDS,
            self.wait.clone(),
        );
        let help = "Time that attempts ran here";
        registry.register_with_unit("job_run", help, SECONDS, self.run.clone());
        registry.register(
            "job_leases_lapsed",
            "Jobs of dead workers, anybody's, that a sweep of this process moved",
            self.lapsed.clone(),
        );
        registry.register(
            "job_store_swept",
            "What sweeps of this process deleted because its time was over; unfinished: those of \
             the jobs that had not ended",
            self.swept.clone(),
        );
    }

    fn register_store(&self, registry: &mut Registry) {
        registry.register(
            "jobs",
            "Jobs in the store that are queued, running, parked or failed",
            self.depth.clone(),
        );
        registry.register_with_unit(
            "job_oldest_ready",
            "Age of the oldest job that could be claimed, since it was ready; 0 without one",
            SECONDS,
            self.oldest.clone(),
        );
        let help = "Every job in the store, ended ones included";
        registry.register("jobs_stored", help, self.stored.clone());
        let help = "Size of the store on its disk, where it can tell";
        registry.register_with_unit("job_store", help, Unit::Bytes, self.bytes.clone());
        registry.register("job_store_up", "Whether the store answers", self.up.clone());
    }

    /// Shows what the store holds.
    pub(super) fn show(&self, census: &Census) {
        let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        for (state, count) in [
            ("queued", census.queued),
            ("running", census.running),
            ("parked", census.parked),
            ("failed", census.failed),
        ] {
            self.depth.get_or_create(&InState { state }).set(whole(count));
        }
        self.oldest.set(census.oldest_ready.unwrap_or_default().as_secs_f64());
        self.stored.set(whole(census.stored));
        self.bytes.set(whole(census.bytes.unwrap_or_default()));
        self.up.set(1);
    }

    /// Shows that the store does not answer.
    pub(super) fn show_silence(&self) {
        self.up.set(0);
    }
}

/// Counts what an engine does, and passes it on.
#[derive(Debug)]
pub(crate) struct Observing {
    pub(crate) metrics: JobMetrics,
    pub(crate) next: Arc<dyn Observer>,
}

#[async_trait]
impl Observer for Observing {
    fn claimed(&self, kind: &ToolName<'_>, attempt: u32, waited: Duration) {
        let labels = OfTool { tool: kind.to_string() };
        self.metrics.claims.get_or_create(&labels).inc();
        self.metrics.wait.get_or_create(&labels).observe(waited.as_secs_f64());
        self.next.claimed(kind, attempt, waited);
    }

    fn ended(&self, kind: &ToolName<'_>, how: AttemptEnd, ran: Duration) {
        let tool = kind.to_string();
        let labels = OfTool { tool: tool.clone() };
        self.metrics.run.get_or_create(&labels).observe(ran.as_secs_f64());
        self.metrics.attempts.get_or_create(&Ended { tool, end: how.as_str() }).inc();
        self.next.ended(kind, how, ran);
    }

    async fn job_ended(&self, job: &JobEnd<'_>) {
        self.next.job_ended(job).await;
    }

    fn swept(&self, swept: &Swept) {
        let metrics = &self.metrics;
        metrics.lapsed.inc_by(swept.lapsed as u64);
        for (kind, count) in [
            ("jobs", swept.jobs),
            ("unfinished", swept.unfinished),
            ("nonces", swept.nonces),
            ("keys", swept.keys),
        ] {
            metrics.swept.get_or_create(&OfKind { kind }).inc_by(count as u64);
        }
        self.next.swept(swept);
    }
}
