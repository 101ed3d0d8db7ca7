//! What is started: small jobs of a few clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use waxwing_core::{CanonicalJson, ClientId, JobId, ToolName};
use waxwing_jobs::{JobContext, JobFailure, Kind, NewJob, RunOutcome, Runner};

/// Callers at once.
pub(crate) const CALLERS: u64 = 64;

/// Clients that the jobs belong to.
const CLIENTS: u64 = 8;

pub(crate) fn owner(n: u64) -> ClientId<'static> {
    ClientId::new(format!("client-{}", n % CLIENTS)).expect("a client")
}

/// Numbers in no order, each once.
pub(crate) const fn scattered(n: u64) -> u64 {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Ids without an order that an index could profit from.
pub(crate) fn id(n: u64) -> JobId<'static> {
    JobId::new(format!("{:016x}{n:016x}", scattered(n))).expect("an id")
}

pub(crate) fn kind() -> ToolName<'static> {
    ToolName::new("work").expect("a tool")
}

pub(crate) fn json(value: impl serde::Serialize) -> CanonicalJson<'static> {
    CanonicalJson::from_serialize(&value).expect("JSON")
}

pub(crate) fn order(n: u64) -> NewJob {
    named(id(n), n)
}

fn named(id: JobId<'static>, n: u64) -> NewJob {
    NewJob::new(id, owner(n), kind(), json(serde_json::json!({"n": n, "text": "x".repeat(200)})))
}

/// What ids a run's jobs have.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ids {
    /// In no order: the harder for an index.
    Scattered,
    /// In the order of their starts, as the server makes them.
    Timed,
}

impl Ids {
    pub(crate) fn order(self, n: u64) -> NewJob {
        match self {
            Self::Scattered => order(n),
            Self::Timed => {
                named(JobId::new(format!("{n:016x}{:016x}", scattered(n))).expect("an id"), n)
            }
        }
    }
}

/// Has [`CALLERS`] callers do `step` for 0 to `count`, each one after the other.
pub(crate) async fn by_callers<F, Fut>(count: u64, step: F)
where
    F: Fn(u64) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let next = Arc::new(AtomicU64::new(0));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let (next, step) = (Arc::clone(&next), step.clone());
        callers.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= count {
                    break;
                }
                step(n).await;
            }
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended.expect("a caller");
    }
}

/// Does nothing and is done.
pub(crate) struct Idle;

#[async_trait]
impl Runner for Idle {
    fn kinds(&self) -> Vec<Kind> {
        vec![kind().into()]
    }

    async fn run(&self, _: JobContext) -> Result<RunOutcome, JobFailure> {
        Ok(RunOutcome::Complete(json("done")))
    }
}
