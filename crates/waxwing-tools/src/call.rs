//! One call from checked arguments to checked output, within the tool's limits.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::coop::unconstrained;
use tokio::time::Instant;
use waxwing_core::{CanonicalJson, ToolDigest};

use crate::context::{CallContext, CancelSource};
use crate::definition::{ToolDefinition, ToolMode};
use crate::failure::{CallFailure, OutputFault, ToolError};
use crate::job::JobContext;
use crate::question::JobEnd;
use crate::registry::Registered;
use crate::schema::{Violation, Violations};
use crate::text;
use crate::work::{Running, Work, WorkError};

/// What an overloaded tool tells its callers to wait.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A call whose arguments are checked and decoded. Dropping it runs nothing.
pub struct Prepared {
    tool: Arc<Registered>,
    work: Box<dyn Work>,
}

impl Prepared {
    pub(crate) fn new(
        tool: Arc<Registered>,
        args: &CanonicalJson<'_>,
    ) -> Result<Self, CallFailure> {
        match check_and_decode(&tool, args) {
            Ok(work) => Ok(Self { tool, work }),
            Err(failure) => Err(failure),
        }
    }

    /// The tool's definition.
    #[must_use]
    pub fn definition(&self) -> &ToolDefinition {
        &self.tool.listed.definition
    }

    /// The same violations, found in this call's arguments by another schema than the tool's, without
    /// the values that the tool's schema marks `writeOnly`.
    #[must_use]
    pub fn redact(&self, violations: Violations) -> Violations {
        self.tool.input.redact(violations)
    }

    /// The digest of the tool's definition.
    #[must_use]
    pub fn digest(&self) -> &ToolDigest<'static> {
        self.tool.digest()
    }

    /// Whether the call is answered at once or as a job.
    #[must_use]
    pub fn mode(&self) -> ToolMode {
        self.tool.listed.definition.mode
    }

    /// Runs the call and checks its output. A tool that asks fails: it is to be run as a job, by
    /// [`Self::run_job`].
    ///
    /// Dropping the future stops the call. Work that the tool moved to other tasks or threads is
    /// told through [`CallContext::cancellation`], which fires when the call ends in any way.
    ///
    /// # Errors
    /// `Overloaded`, `TimedOut`, `Cancelled`, `Failed`, `InvalidOutput` or `Panicked`.
    pub async fn run(self, ctx: CallContext) -> Result<CanonicalJson<'static>, CallFailure> {
        let tool = Arc::clone(&self.tool);
        match self.run_job(JobContext::new(ctx)).await? {
            JobEnd::Done(output) => Ok(output),
            JobEnd::Asks(_) => {
                let source = ToolError::new("The tool asks for input, which only a job can get.");
                Err(CallFailure::Failed { tool: tool.name(), source })
            }
        }
    }

    /// As [`Self::run`], for a job: it may also end with questions.
    ///
    /// # Errors
    /// Those of [`Self::run`].
    pub async fn run_job(self, ctx: JobContext) -> Result<JobEnd, CallFailure> {
        let Self { tool, work } = self;
        let began = Instant::now();
        let ctx = match tool.limits.time.and_then(|time| began.checked_add(time)) {
            Some(end) => ctx.map_call(|call| call.with_deadline(end)),
            None => ctx,
        };
        let deadline = ctx.deadline();
        let overloaded = || CallFailure::Overloaded { tool: tool.name(), retry_after: RETRY_AFTER };
        let stopped = || CallFailure::Cancelled { tool: tool.name() };

        let cancellation = ctx.cancellation().clone();
        let _permit = tokio::select! {
            biased;
            () = cancellation.cancelled() => return Err(stopped()),
            entered = tool.gate.enter() => entered.map_err(|_| overloaded())?,
            // Nothing has run yet, so a queue that is too slow is overload, not a timeout.
            () = until(deadline) => return Err(overloaded()),
        };

        let ended = EndGuard(CancelSource::new());
        let grace =
            if tool.code.hears_cancellation() { tool.limits.cancel_grace } else { Duration::ZERO };
        let ctx = ctx.map_call(|call| call.with_cancellation(ended.0.token()));
        let mut guarded = Guarded::new(work, ctx.clone());
        let outcome = tokio::select! {
            biased;
            outcome = &mut guarded => outcome,
            () = cancellation.cancelled() => {
                ended.0.cancel();
                match tokio::time::timeout(grace, &mut guarded).await {
                    // A tool that still finished has an output worth keeping; one that gave up
                    // because it was told to was cancelled, whatever it says.
                    Ok(Ok(Ok(output))) => Ok(Ok(output)),
                    Ok(Err(panic)) => Err(panic),
                    Ok(Ok(Err(_))) | Err(_) => return Err(stopped()),
                }
            }
            () = until(deadline) => {
                let limit = deadline.map_or(Duration::ZERO, |end| end - began);
                return Err(CallFailure::TimedOut { tool: tool.name(), limit });
            }
        };
        if let Ok(Err(WorkError::Failed(error))) = &outcome
            && error.is_question()
        {
            let questions = ctx.open_questions();
            // None of this job's: the error is a stray one, of another job.
            if !questions.is_empty() {
                return Ok(JobEnd::Asks(questions));
            }
        }
        settle(&tool, outcome).map(JobEnd::Done)
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("tool", &self.tool.name()).finish_non_exhaustive()
    }
}

/// Waits for `deadline`, for ever when there is none. Outside the budget of its task: a tool whose I/O is
/// always ready uses that up at each turn, and the timer would never be asked.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => unconstrained(tokio::time::sleep_until(deadline)).await,
        None => std::future::pending().await,
    }
}

fn check_and_decode(
    tool: &Registered,
    args: &CanonicalJson<'_>,
) -> Result<Box<dyn Work>, CallFailure> {
    let refuse = |violations| CallFailure::InvalidArgs { tool: tool.name(), violations };
    let limit = tool.limits.args_bytes;
    if args.as_str().len() > limit {
        let violation = Violation::oversized(args.as_str().len(), limit);
        return Err(refuse(Violations::from(violation)));
    }
    tool.input.check(args).map_err(refuse)?;
    let decoded = catch_unwind(AssertUnwindSafe(|| {
        tool.code.decode(args).map_err(|error| (error, tool.code.locate(args)))
    }));
    match decoded {
        Ok(Ok(work)) => Ok(work),
        Ok(Err((error, fault))) => {
            let (path, reason) = match fault {
                Some(fault) => (fault.path, fault.reason),
                None => (String::new(), error.to_string()),
            };
            Err(refuse(Violations::from(tool.input.undecodable(args, path, &reason))))
        }
        Err(panic) => Err(panicked(tool, panic.as_ref())),
    }
}

fn settle(
    tool: &Registered,
    outcome: Result<Result<CanonicalJson<'static>, WorkError>, Panic>,
) -> Result<CanonicalJson<'static>, CallFailure> {
    let invalid = |fault| CallFailure::InvalidOutput { tool: tool.name(), fault };
    let output = match outcome {
        Ok(Ok(output)) => output,
        Ok(Err(WorkError::Failed(source))) => {
            return Err(match source.into_blame() {
                Ok(fault) => invalid(fault),
                Err(source) => CallFailure::Failed { tool: tool.name(), source },
            });
        }
        Ok(Err(WorkError::Unwritable(error))) => {
            return Err(invalid(OutputFault::Unwritable(error)));
        }
        Err(Panic(payload)) => return Err(panicked(tool, payload.as_ref())),
    };
    let (bytes, limit) = (output.as_str().len(), tool.limits.output_bytes);
    if bytes > limit {
        return Err(invalid(OutputFault::TooLarge { bytes, limit }));
    }
    match tool.output.check(&output) {
        Ok(()) => Ok(output),
        Err(violations) => Err(invalid(OutputFault::Schema(violations))),
    }
}

fn panicked(tool: &Registered, payload: &(dyn std::any::Any + Send)) -> CallFailure {
    let said = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text.as_str(),
        (None, None) => "(no text)",
    };
    CallFailure::Panicked { tool: tool.name(), message: text::cut(said, 500) }
}

/// Fires the tool's own cancellation when the call ends, by whatever way.
struct EndGuard(CancelSource);

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

struct Panic(Box<dyn std::any::Any + Send>);

/// A call whose panics, in starting, running or dropping it, stay its own.
struct Guarded(Option<Running>, Option<Panic>);

impl Guarded {
    fn new(work: Box<dyn Work>, ctx: JobContext) -> Self {
        match catch_unwind(AssertUnwindSafe(|| work.start(ctx))) {
            Ok(running) => Self(Some(running), None),
            Err(payload) => Self(None, Some(Panic(payload))),
        }
    }

    fn drop_work(&mut self) -> Option<Panic> {
        let running = self.0.take()?;
        catch_unwind(AssertUnwindSafe(|| drop(running))).err().map(Panic)
    }
}

impl Future for Guarded {
    type Output = Result<Result<CanonicalJson<'static>, WorkError>, Panic>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(Running(running)) = &mut this.0 else {
            return match this.1.take() {
                Some(panic) => Poll::Ready(Err(panic)),
                None => Poll::Pending,
            };
        };
        let outcome = match catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(outcome)) => Ok(outcome),
            Err(payload) => Err(Panic(payload)),
        };
        match (this.drop_work(), outcome) {
            (Some(panic), Ok(_)) => Poll::Ready(Err(panic)),
            (_, outcome) => Poll::Ready(outcome),
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // A panic while a cancelled call is cleaned up has nobody left to be told.
        let _ = self.drop_work();
    }
}
