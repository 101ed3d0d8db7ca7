//! One command tool in a folder of its own, whose processes can be found by a mark in their
//! environment.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use waxwing_command::{CommandFaults, CommandTool, Programs, Surroundings};
use waxwing_core::{CanonicalJson, ClientId, Limits, ServerId};
use waxwing_tools::{CallContext, CallFailure, Registry, ToolMode, WrittenSchemas};

/// How long anything may take that should take a moment: for machines with much else to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Workshop {
    pub(crate) registry: Registry,
    pub(crate) programs: Programs,
    pub(crate) folder: TempDir,
    mark: String,
}

pub(crate) fn any_schemas() -> WrittenSchemas {
    WrittenSchemas { input: json!({"type": "object"}), output: json!(true) }
}

pub(crate) fn surroundings(folder: PathBuf) -> Surroundings {
    let mut variables: std::collections::BTreeMap<_, _> = std::env::vars_os().collect();
    variables.insert("PASSED".into(), "on".into());
    Surroundings { folder, variables }
}

/// A tool with any arguments and any output.
pub(crate) fn tool(command: &[&str]) -> CommandTool {
    let command = command.iter().map(|item| (*item).to_owned()).collect();
    CommandTool::new("t", "A program.", ToolMode::Sync, any_schemas(), command)
}

impl Workshop {
    pub(crate) fn shell(script: &str) -> Self {
        Self::new(tool(&["sh", "-c", script]))
    }

    pub(crate) fn python(script: &str) -> Self {
        Self::new(tool(&["python3", "-c", script]))
    }

    pub(crate) fn new(tool: CommandTool) -> Self {
        Self::build(tool).unwrap()
    }

    fn build(mut tool: CommandTool) -> Result<Self, CommandFaults> {
        static MARKS: AtomicU32 = AtomicU32::new(0);
        let mark = format!("{}-{}", std::process::id(), MARKS.fetch_add(1, Ordering::Relaxed));
        tool.variables.set.insert("MARK".to_owned(), mark.clone());
        let folder = tempfile::tempdir().unwrap();
        let programs = Programs::new();
        let tool = tool.into_tool(&surroundings(folder.path().to_owned()), &programs)?;
        let server = ServerId::new("s").unwrap();
        let registry = Registry::builder().tool(tool).build(&server).unwrap();
        Ok(Self { registry, programs, folder, mark })
    }

    pub(crate) async fn call(&self, args: &str) -> Result<String, CallFailure> {
        self.call_with(context(), args).await
    }

    pub(crate) async fn call_with(
        &self,
        context: CallContext,
        args: &str,
    ) -> Result<String, CallFailure> {
        let limits = Limits::DEFAULT.with_max_message(1 << 24);
        let args = CanonicalJson::read(args.as_bytes(), &limits).unwrap();
        let output = self.registry.call("t", context, &args).await?;
        Ok(output.as_str().to_owned())
    }

    /// Processes of the tool that live: those with its mark in their environment. One that is dead
    /// and not waited for has none.
    pub(crate) fn living(&self) -> Vec<u32> {
        let mark = format!("MARK={}", self.mark);
        let processes = std::fs::read_dir("/proc").unwrap().map_while(Result::ok);
        processes
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|id: &u32| {
                let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
                environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
            })
            .collect()
    }

    /// Nothing of the tool's programs is left, or soon will be.
    #[track_caller]
    pub(crate) fn is_clean(&self) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let ended = tokio::time::timeout(PATIENCE, self.programs.ended()).await;
            assert!(ended.is_ok(), "{place}: {} programs run on", self.programs.running());
            until(|| self.living().is_empty(), "processes are left").await;
        }
    }

    pub(crate) fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

pub(crate) fn context() -> CallContext {
    CallContext::new(ClientId::new("agent-7").unwrap())
}

/// Waits until something is so.
pub(crate) async fn until(is_so: impl Fn() -> bool, otherwise: &str) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "{otherwise}");
}
