//! One call of a program: starts it, waits for its output, and lets it go when the call is gone.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use tokio::process::{ChildStdin, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use waxwing_core::CanonicalJson;
use waxwing_tools::{CallContext, ToolError, ToolLimits};

use crate::ending;
use crate::group::Group;
use crate::output::Output;
use crate::pipe::Pipe;
use crate::programs::Programs;
use crate::session::Session;
use crate::stderr::Journal;
use crate::tool::RetryRule;

/// A program that was found and may be run.
pub(crate) struct Program {
    pub(crate) tool: Arc<str>,
    pub(crate) path: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) folder: PathBuf,
    pub(crate) variables: Vec<(OsString, OsString)>,
    pub(crate) limits: ToolLimits,
    pub(crate) stderr_lines: u64,
    pub(crate) stderr_tail_bytes: usize,
    pub(crate) retry: RetryRule,
    /// One for each program that may be there at once, those that are being stopped included.
    pub(crate) places: Arc<Semaphore>,
    pub(crate) programs: Programs,
}

impl Program {
    /// Runs the program once. Dropping the future stops it with all its children.
    pub(crate) async fn call(
        self: Arc<Self>,
        context: CallContext,
        args: CanonicalJson<'static>,
    ) -> Result<CanonicalJson<'static>, ToolError> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|closed| {
            ToolError::transient(format!("{} takes no calls.", self.tool)).with_source(closed)
        })?;
        let (session, stdin) =
            self.start(&context, place).map_err(|error| self.not_started(error))?;
        // Dropping this end stops the program as well.
        let (stop, stopped) = watch::channel(false);
        let (tell, mut told) = oneshot::channel();
        tokio::spawn(self.run(session, stdin, args, stopped, tell));
        tokio::select! {
            biased;
            result = &mut told => return heard(result),
            () = context.cancellation().cancelled() => {}
        }
        stop.send_replace(true);
        heard(told.await)
    }

    /// The whole life of one session.
    async fn run(
        self: Arc<Self>,
        mut session: Session,
        stdin: ChildStdin,
        args: CanonicalJson<'static>,
        stopped: watch::Receiver<bool>,
        tell: oneshot::Sender<Result<CanonicalJson<'static>, ToolError>>,
    ) {
        let ended = session.converse(stdin, &args, stopped).await;
        session.journal.end_line();
        let result = ended.and_then(|status| {
            ending::judge(&self.tool, status, &session.journal, &self.retry)?;
            session.output.read()
        });
        // The call may be gone.
        let _ = tell.send(result);
        session.bury().await;
    }

    fn start(
        &self,
        context: &CallContext,
        place: OwnedSemaphorePermit,
    ) -> io::Result<(Session, ChildStdin)> {
        let mut command = Command::new(&self.path);
        command
            .args(&self.args)
            .current_dir(&self.folder)
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env("WAXWING_TOOL", &*self.tool)
            .env("WAXWING_CLIENT_ID", context.client_id().as_str())
            .env("WAXWING_ATTEMPT", context.attempt().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        if let Some(job) = context.job_id() {
            command.env("WAXWING_JOB_ID", job.as_str());
        }
        let mut leader = command.spawn()?;
        let pipes = (leader.stdin.take(), leader.stdout.take(), leader.stderr.take());
        let (tool, grace) = (Arc::clone(&self.tool), self.limits.cancel_grace);
        let group = Group::led_by(leader, tool, grace, &self.programs, place)?;
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(io::Error::other("a pipe is missing"));
        };
        let journal = Journal::new(
            Arc::clone(&self.tool),
            context.clone(),
            self.stderr_lines,
            self.stderr_tail_bytes,
        );
        let (stdout, stderr) = (Pipe::new(stdout), Pipe::new(stderr));
        let output = Output::within(self.limits.output_bytes);
        Ok((Session { group, stdout, stderr, output, journal }, stdin))
    }

    fn not_started(&self, error: io::Error) -> ToolError {
        tracing::error!(tool = %self.tool, %error, "a program could not be started");
        let message = format!("{} could not be started. Its operator's log says why.", self.tool);
        let failure = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => ToolError::new(message),
            // For want of processes, files or memory, most likely.
            _ => ToolError::transient(message),
        };
        failure.with_source(error)
    }
}

fn heard(
    result: Result<Result<CanonicalJson<'static>, ToolError>, oneshot::error::RecvError>,
) -> Result<CanonicalJson<'static>, ToolError> {
    result.unwrap_or_else(|gone| {
        Err(ToolError::transient("The server is stopping.").with_source(gone))
    })
}
