//! Runs the tools of a registry as jobs: the stored arguments are checked again, progress and
//! cancellation are passed on, and failures are told apart by whether another attempt may help.

use std::sync::Arc;

use async_trait::async_trait;
use waxwing_core::ToolName;
use waxwing_jobs::{Cause, JobContext, JobFailure, RunOutcome, Runner};
use waxwing_tools::{CallContext, CallFailure, CancelSource, Registry, Retry};

use crate::environment::{Environment, fresh_id};

/// Does the work of jobs with the tools of one registry. Its kinds are the tools' names: `sync`
/// tools are among them for the calls that have an idempotency key.
#[derive(Debug)]
pub(crate) struct ToolRunner {
    pub(crate) registry: Arc<Registry>,
    pub(crate) environment: Arc<dyn Environment>,
}

#[async_trait]
impl Runner for ToolRunner {
    fn kinds(&self) -> Vec<ToolName<'static>> {
        self.registry.iter().map(|tool| tool.definition.name.clone()).collect()
    }

    async fn run(&self, job: JobContext) -> Result<RunOutcome, JobFailure> {
        let cancel = CancelSource::new();
        let context = call_context(&job, &cancel);
        let work = self.call(&job, context);
        tokio::pin!(work);
        let ended = tokio::select! {
            ended = &mut work => ended,
            () = job.cancellation.cancelled() => {
                cancel.cancel();
                work.await
            }
        };
        ended.map(RunOutcome::Complete).map_err(|failure| self.explain(&job, &failure))
    }
}

impl ToolRunner {
    /// One attempt. A tool that is too busy only delays a job: it was accepted.
    async fn call(
        &self,
        job: &JobContext,
        context: CallContext,
    ) -> Result<waxwing_core::CanonicalJson<'static>, CallFailure> {
        loop {
            match self.registry.call(job.kind.as_str(), context.clone(), &job.input).await {
                Err(CallFailure::Overloaded { retry_after, .. }) => {
                    tokio::time::sleep(retry_after).await;
                }
                ended => return ended,
            }
        }
    }

    fn explain(&self, job: &JobContext, failure: &CallFailure) -> JobFailure {
        let correlation_id = fresh_id(&*self.environment);
        tracing::warn!(
            correlation_id,
            job = %job.id,
            tool = %job.kind,
            attempt = job.attempt,
            failure = %failure,
            "an attempt failed"
        );
        let told = failure.to_call_error(&correlation_id);
        let mut failed = match retry(failure) {
            Retry::Later => JobFailure::retryable(told.message),
            Retry::Never => JobFailure::permanent(told.message),
        };
        failed = failed.with_code(told.code);
        if let Some(details) = told.details {
            failed = failed.with_details(details);
        }
        if matches!(failure, CallFailure::Panicked { .. }) {
            failed.failure.cause = Cause::Panic;
        }
        failed
    }
}

/// Whether another attempt may end better: arguments, outputs and tools stay as they are, a panic
/// or a slow neighbour may not come again.
fn retry(failure: &CallFailure) -> Retry {
    match failure {
        CallFailure::Failed { source, .. } => source.retry(),
        CallFailure::TimedOut { .. }
        | CallFailure::Panicked { .. }
        | CallFailure::Cancelled { .. }
        | CallFailure::Overloaded { .. } => Retry::Later,
        _ => Retry::Never,
    }
}

fn call_context(job: &JobContext, cancel: &CancelSource) -> CallContext {
    let reports = job.clone();
    CallContext::new(job.owner.clone())
        .with_attempt(job.attempt)
        .with_deadline(job.deadline)
        .with_cancellation(cancel.token())
        .with_progress(move |progress| {
            // Units beyond 2^53 are no longer exact, and nobody counts so far.
            let total = progress.total.map(|total| total as f64);
            reports.progress(progress.done as f64, total, progress.message.as_deref());
        })
}
