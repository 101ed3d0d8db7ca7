//! Runs the tools of a registry as jobs: the stored arguments are checked again, progress and
//! cancellation are passed on, and failures are told apart by whether another attempt may help.

use std::sync::Arc;

use async_trait::async_trait;
use waxwing_core::{CanonicalJson, ToolName};
use waxwing_jobs::{Cause, JobContext, JobFailure, RunOutcome, Runner};
use waxwing_tools::{CallContext, CallFailure, CancelSource, Registry, Retry};

use crate::environment::{Environment, fresh_id};
use crate::fault::CallFault;
use crate::output::OutputBounds;

/// Does the work of jobs with the tools of one registry. Its kinds are the tools' names: `sync`
/// tools are among them for the calls that have an idempotency key.
#[derive(Debug)]
pub(crate) struct ToolRunner {
    pub(crate) registry: Arc<Registry>,
    pub(crate) environment: Arc<dyn Environment>,
    pub(crate) bounds: OutputBounds,
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
        ended.map(RunOutcome::Complete).map_err(|fault| self.explain(&job, &fault))
    }
}

impl ToolRunner {
    /// One attempt. A tool that is too busy only delays a job: it was accepted.
    async fn call(
        &self,
        job: &JobContext,
        context: CallContext,
    ) -> Result<CanonicalJson<'static>, CallFault> {
        let output = loop {
            match self.registry.call(job.kind.as_str(), context.clone(), &job.input).await {
                Err(CallFailure::Overloaded { retry_after, .. }) => {
                    tokio::time::sleep(retry_after).await;
                }
                ended => break ended?,
            }
        };
        // A job that completed with what no reply can hold would be lost for good.
        self.bounds
            .judge(&output)
            .map_err(|misfit| CallFault::Unfit { tool: job.kind.as_str().to_owned(), misfit })?;
        Ok(output)
    }

    fn explain(&self, job: &JobContext, fault: &CallFault) -> JobFailure {
        let correlation_id = fresh_id(&*self.environment);
        tracing::warn!(
            correlation_id,
            job = %job.id,
            tool = %job.kind,
            attempt = job.attempt,
            fault = %fault,
            "an attempt failed"
        );
        let told = fault.to_call_error(&correlation_id);
        let mut failed = match retry(fault) {
            Retry::Later => JobFailure::retryable(told.message),
            Retry::Never => JobFailure::permanent(told.message),
        };
        failed = failed.with_code(told.code);
        if let Some(details) = told.details {
            failed = failed.with_details(details);
        }
        if matches!(fault, CallFault::Tool(CallFailure::Panicked { .. })) {
            failed.failure.cause = Cause::Panic;
        }
        failed
    }
}

/// Whether another attempt may end better: arguments, outputs and tools stay as they are, a panic
/// or a slow neighbour may not come again.
fn retry(fault: &CallFault) -> Retry {
    let CallFault::Tool(failure) = fault else { return Retry::Never };
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
