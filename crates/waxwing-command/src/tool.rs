//! A tool that is a program, as it is configured, and the [`Tool`] that it becomes.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Semaphore;
use waxwing_tools::{
    Annotations, CallContext, Retry, Tool, ToolError, ToolLimits, ToolMode, WrittenSchemas,
};

use crate::call::Program;
use crate::fault::{CommandFault, CommandFaults};
use crate::programs::Programs;
use crate::surroundings::Surroundings;
use crate::variables::Variables;

/// A tool whose work is done by a program, started anew for each call. What the program is told
/// and has to tell stands in docs/command-tools.md.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CommandTool {
    /// The name a request calls it by.
    pub name: String,
    /// A name for people.
    pub title: Option<String>,
    /// What it does and when to use it.
    pub description: String,
    /// Whether it answers at once or as a job.
    pub mode: ToolMode,
    /// Hints for a caller.
    pub annotations: Annotations,
    /// What its arguments and its output must be.
    pub schemas: WrittenSchemas,
    /// The program and its own arguments, the same for every call. A program with a `/` in it is a
    /// path, relative ones start from the surroundings' folder; any other is looked for on `PATH`.
    pub command: Vec<String>,
    /// Where it runs; relative to the surroundings' folder, which it is when empty.
    pub working_directory: PathBuf,
    /// What it finds in its environment.
    pub variables: Variables,
    /// Its bounds. `cancel_grace` is the time between SIGTERM and SIGKILL, `output_bytes` holds
    /// for stdout as it is written, and a program that is being stopped still counts in
    /// `concurrency`.
    pub limits: ToolLimits,
    /// Lines of stderr that go to the log for one call; 100.
    pub stderr_lines: u64,
    /// Bytes from the end of stderr that a failure shows to the caller; 2048. None when 0.
    pub stderr_tail_bytes: usize,
    /// Which failures of a job are worth another attempt.
    pub retry: RetryRule,
}

/// Which failures of a job's attempt are worth another one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryRule {
    /// Exit codes that stand for a failure that may go away; 75, which is `EX_TEMPFAIL`.
    pub exit_codes: Vec<u8>,
    /// When the program was ended by a signal that was not of the server's sending, such as by a
    /// crash or for want of memory; later.
    pub signal: Retry,
}

impl Default for RetryRule {
    fn default() -> Self {
        Self { exit_codes: vec![75], signal: Retry::Later }
    }
}

impl RetryRule {
    pub(crate) fn of_exit_code(&self, code: i32) -> Retry {
        match self.exit_codes.iter().any(|transient| i32::from(*transient) == code) {
            true => Retry::Later,
            false => Retry::Never,
        }
    }
}

impl CommandTool {
    /// A tool with the defaults of its mode.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        description: impl Into<String>,
        mode: ToolMode,
        schemas: WrittenSchemas,
        command: Vec<String>,
    ) -> Self {
        let limits = match mode {
            ToolMode::Sync => ToolLimits::SYNC,
            ToolMode::Job => ToolLimits::JOB,
        };
        Self {
            name: name.into(),
            title: None,
            description: description.into(),
            mode,
            annotations: Annotations::default(),
            schemas,
            command,
            working_directory: PathBuf::new(),
            variables: Variables::default(),
            limits,
            stderr_lines: 100,
            stderr_tail_bytes: 2 << 10,
            retry: RetryRule::default(),
        }
    }

    /// Looks for the program and makes the tool. Its programs are counted in `programs`.
    ///
    /// Whether name, texts and schemas are right is for the registry to say, as of any tool.
    ///
    /// # Errors
    /// [`CommandFaults`] with everything that is wrong.
    pub fn into_tool(
        self,
        surroundings: &Surroundings,
        programs: &Programs,
    ) -> Result<Tool, CommandFaults> {
        let folder = surroundings.folder.join(&self.working_directory);
        let (path, args) = self.check(surroundings, &folder)?;
        let program = Arc::new(Program {
            tool: self.name.as_str().into(),
            path,
            args,
            folder,
            variables: self.variables.choose(&surroundings.variables),
            limits: self.limits,
            stderr_lines: self.stderr_lines,
            stderr_tail_bytes: self.stderr_tail_bytes,
            retry: self.retry.clone(),
            places: Arc::new(Semaphore::new(
                self.limits.concurrency.clamp(1, Semaphore::MAX_PERMITS),
            )),
            programs: programs.clone(),
        });
        Ok(self.with(move |context, args| Arc::clone(&program).call(context, args)))
    }

    /// The tool as it is listed, without a program: to have its definition checked. Calls fail.
    #[must_use]
    pub fn definition(&self) -> Tool {
        self.clone().with(|_, _| async { Err(ToolError::new("this tool has no program")) })
    }

    fn with<F, Running>(self, function: F) -> Tool
    where
        F: Fn(CallContext, waxwing_core::CanonicalJson<'static>) -> Running + Send + Sync + 'static,
        Running: Future<Output = Result<waxwing_core::CanonicalJson<'static>, ToolError>>
            + Send
            + 'static,
    {
        let (limits, annotations) = (self.limits, self.annotations);
        let tool = Tool::untyped(self.name, self.description, self.mode, self.schemas, function)
            .limits(|own| *own = limits)
            .annotations(|own| *own = annotations);
        match self.title {
            Some(title) => tool.title(title),
            None => tool,
        }
    }

    /// The program's file and its own arguments.
    fn check(
        &self,
        surroundings: &Surroundings,
        folder: &std::path::Path,
    ) -> Result<(PathBuf, Vec<String>), CommandFaults> {
        let mut faults = Vec::new();
        let found = match self.command.first() {
            None => Err(CommandFault::NoProgram),
            Some(program) if program.is_empty() => Err(CommandFault::NoProgram),
            Some(program) => surroundings.find(program),
        };
        let with_zero = self.command.iter().enumerate().filter(|(_, item)| item.contains('\0'));
        faults.extend(with_zero.map(|(index, _)| CommandFault::ZeroByte { index }));
        if !folder.is_dir() {
            faults.push(CommandFault::NoFolder { path: folder.to_owned() });
        }
        faults.extend(self.variables.faults());
        match found {
            Ok(path) if faults.is_empty() => {
                Ok((path, self.command.iter().skip(1).cloned().collect()))
            }
            Ok(_) => Err(CommandFaults { tool: self.name.clone(), faults }),
            Err(fault) => {
                faults.insert(0, fault);
                Err(CommandFaults { tool: self.name.clone(), faults })
            }
        }
    }
}
