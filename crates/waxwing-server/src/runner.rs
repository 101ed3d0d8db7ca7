//! Runs the tools of a registry as jobs: the stored arguments are checked again, progress and
//! cancellation are passed on, questions park the job, and failures are told apart by whether
//! another attempt may help, and where.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use waxwing_jobs::{
    Cause, InputKey, InputRequest, InputRequests, JobContext, JobFailure, Kind, Lane, Retry,
    RunOutcome, Runner,
};
use waxwing_tools::{
    CallContext, CallFailure, CancelSource, JobEnd, ListedTool, Question, Questions, Registry,
    ToolMode,
};

use crate::environment::{Environment, fresh_id};
use crate::fault::CallFault;
use crate::outcome;
use crate::output::OutputBounds;

/// Does the work of jobs with the tools of one registry. Its kinds are the tools' names: `sync`
/// tools are among them for the calls that have an idempotency key, in a lane of their own. No more
/// attempts of a tool are taken on than its `concurrency` lets run: the others wait in the queue.
#[derive(Debug)]
pub(crate) struct ToolRunner {
    pub(crate) registry: Arc<Registry>,
    pub(crate) environment: Arc<dyn Environment>,
    pub(crate) bounds: OutputBounds,
}

#[async_trait]
impl Runner for ToolRunner {
    fn kinds(&self) -> Vec<Kind> {
        let kind = |tool: &ListedTool| {
            let name = &tool.definition.name;
            let lane = match tool.definition.mode {
                ToolMode::Sync => Lane::Calls,
                ToolMode::Job => Lane::Jobs,
            };
            let most = self.registry.limits(name.as_str()).map_or(1, |limits| limits.concurrency);
            Kind::from(name.clone()).in_lane(lane).at_most(most)
        };
        self.registry.iter().map(kind).collect()
    }

    async fn run(&self, job: JobContext) -> Result<RunOutcome, JobFailure> {
        let cancel = CancelSource::new();
        let context = job_context(&job, &cancel);
        let work = self.call(&job, context);
        tokio::pin!(work);
        let ended = tokio::select! {
            ended = &mut work => ended,
            () = job.cancellation.cancelled() => {
                cancel.cancel();
                work.await
            }
        };
        ended.map_err(|fault| self.explain(&job, &fault))
    }
}

impl ToolRunner {
    /// One attempt. A tool that is too busy, with calls that are no jobs, only delays a job: it was
    /// accepted.
    async fn call(
        &self,
        job: &JobContext,
        context: waxwing_tools::JobContext,
    ) -> Result<RunOutcome, CallFault> {
        let end = loop {
            let prepared = self.registry.prepare(job.kind.as_str(), &job.input)?;
            match prepared.run_job(context.clone()).await {
                Err(CallFailure::Overloaded { retry_after, .. }) => {
                    tokio::time::sleep(retry_after).await;
                }
                ended => break ended?,
            }
        };
        // A job that completed with what no reply can hold would be lost for good, and one that
        // asks so could never be answered.
        let tool = || job.kind.as_str().to_owned();
        match end {
            JobEnd::Done(output) => {
                let judged = self.bounds.judge(&output);
                judged.map_err(|misfit| CallFault::Unfit { tool: tool(), misfit })?;
                Ok(RunOutcome::Complete(output))
            }
            JobEnd::Asks(questions) => {
                let requests = requests(&questions)?;
                let judged = self.bounds.judge(&outcome::asked(&requests)?);
                judged.map_err(|misfit| CallFault::Unaskable { tool: tool(), misfit })?;
                Ok(RunOutcome::Park { requests, checkpoint: None })
            }
        }
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
        let mut failed = JobFailure::permanent(told.message).with_code(told.code);
        failed.retry = retry(fault);
        if let Some(details) = told.details {
            failed = failed.with_details(details);
        }
        if matches!(fault, CallFault::Tool(CallFailure::Panicked { .. })) {
            failed.failure.cause = Cause::Panic;
        }
        failed
    }
}

/// Whether another attempt may end better: outputs and tools stay as they are, a panic or a slow
/// neighbour may not come again. Arguments were checked when the job was accepted, so it was another
/// version of the tool that took them, and its server may still be there.
fn retry(fault: &CallFault) -> Retry {
    let CallFault::Tool(failure) = fault else { return Retry::Never };
    match failure {
        CallFailure::InvalidArgs { .. } => Retry::Elsewhere,
        CallFailure::Failed { source, .. } => match source.retry() {
            waxwing_tools::Retry::Later => Retry::Later,
            waxwing_tools::Retry::Never => Retry::Never,
        },
        CallFailure::TimedOut { .. }
        | CallFailure::Panicked { .. }
        | CallFailure::Cancelled { .. }
        | CallFailure::Overloaded { .. } => Retry::Later,
        _ => Retry::Never,
    }
}

/// A tool's questions as a job's requests.
fn requests(questions: &Questions) -> Result<InputRequests, CallFault> {
    let mut requests = BTreeMap::new();
    for (key, Question { message, schema }) in questions.iter() {
        let key = InputKey::new(key).map_err(|_| CallFault::Bug("a question's key is no key"))?;
        let request = InputRequest { message: message.clone(), schema: schema.clone() };
        requests.insert(key, request);
    }
    InputRequests::new(requests).map_err(|_| CallFault::Bug("a run asked for nothing"))
}

fn job_context(job: &JobContext, cancel: &CancelSource) -> waxwing_tools::JobContext {
    let saves = job.clone();
    let answers = job.answers.iter();
    waxwing_tools::JobContext::new(call_context(job, cancel))
        .with_answers(answers.map(|(key, answer)| (key.to_string(), answer.clone())))
        .with_checkpoint(job.checkpoint.clone())
        .with_saving(move |state| saves.save(state))
}

fn call_context(job: &JobContext, cancel: &CancelSource) -> CallContext {
    let reports = job.clone();
    CallContext::new(job.owner.clone())
        .with_attempt(job.attempt)
        .with_job_id(job.id.clone())
        .with_deadline(job.deadline)
        .with_cancellation(cancel.token())
        .with_progress(move |progress| {
            // Units beyond 2^53 are no longer exact, and nobody counts so far.
            let total = progress.total.map(|total| total as f64);
            reports.progress(progress.done as f64, total, progress.message.as_deref());
        })
}
