//! One run of a program, from its first byte to the last of its processes. It is a task of its
//! own, so that the end comes in every case, also when the call is gone: pipes stay open and are
//! read until then, since a program that puts things in order may say so.

use std::io;
use std::pin::pin;
use std::process::ExitStatus;

use tokio::io::AsyncWriteExt as _;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::watch;
use waxwing_core::CanonicalJson;
use waxwing_tools::ToolError;

use crate::group::{Group, Stage};
use crate::output::Output;
use crate::pipe::Pipe;
use crate::stderr::Journal;

/// Bytes of stderr that are still read when the program has ended: more than a pipe holds, and an
/// end to what a child of it may go on writing.
const LAST_WORDS: usize = 1 << 20;

/// A program that runs, the reading ends of its pipes, and what came out of them so far.
pub(crate) struct Session {
    pub(crate) group: Group,
    pub(crate) stdout: Pipe<ChildStdout>,
    pub(crate) stderr: Pipe<ChildStderr>,
    pub(crate) output: Output,
    pub(crate) journal: Journal,
}

impl Session {
    /// Gives the program its arguments and hears it out, all at once so that neither side can
    /// block the other, until it has ended. It is asked to end once `stopped` says so or its
    /// sender is gone.
    ///
    /// # Errors
    /// What the output is to blame for, or that the end is unknown.
    pub(crate) async fn converse(
        &mut self,
        stdin: ChildStdin,
        args: &CanonicalJson<'_>,
        mut stopped: watch::Receiver<bool>,
    ) -> Result<ExitStatus, ToolError> {
        let mut feeding = pin!(feed(stdin, args.as_str()));
        let (mut is_fed, mut is_told) = (false, false);
        let ended = loop {
            let stage = self.group.stage();
            tokio::select! {
                ended = self.group.leader_ended() => break ended,
                chunk = self.stdout.next() => self.output.take(chunk)?,
                chunk = self.stderr.next() => self.journal.take(chunk),
                () = &mut feeding, if !is_fed => is_fed = true,
                _ = stopped.wait_for(|stop| *stop), if !is_told => {
                    // It may still come to a result within its grace.
                    self.group.stop();
                    is_told = true;
                }
                () = stage.is_over() => if self.group.press() == Stage::Gone {
                    break Err(io::Error::other("a killed program is still there"));
                }
            }
        };
        self.hear_the_rest()?;
        ended.map_err(|error| {
            ToolError::transient("How the program ended is unknown.").with_source(error)
        })
    }

    /// Takes what is in the pipes at the program's end. What children of it write from now on is
    /// not awaited.
    fn hear_the_rest(&mut self) -> Result<(), ToolError> {
        let mut heard = 0;
        while heard < LAST_WORDS {
            let chunk = self.stderr.ready();
            if chunk.is_empty() {
                break;
            }
            heard += chunk.len();
            self.journal.take(chunk);
        }
        loop {
            let chunk = self.stdout.ready();
            if chunk.is_empty() {
                return Ok(());
            }
            self.output.take(chunk)?;
        }
    }

    /// Ends whatever is left of the group. What it writes to stderr still goes to the log.
    pub(crate) async fn bury(mut self) {
        let mut is_first_look = true;
        loop {
            let stage = self.group.stage();
            tokio::select! {
                biased;
                () = self.group.emptied() => break,
                // Most programs leave nothing, and that was to be seen at the first look.
                () = std::future::ready(()), if is_first_look => {
                    is_first_look = false;
                    self.group.stop();
                }
                () = stage.is_over() => if self.group.press() == Stage::Gone {
                    break;
                },
                _ = self.stdout.next() => {}
                chunk = self.stderr.next() => self.journal.take(chunk),
            }
        }
        self.journal.end();
    }
}

/// Writes the arguments as one line and closes stdin. A program need not read them.
async fn feed(mut stdin: ChildStdin, args: &str) {
    if stdin.write_all(args.as_bytes()).await.is_ok() {
        // It has closed its stdin in between, and may.
        let _ = stdin.write_all(b"\n").await;
    }
}
