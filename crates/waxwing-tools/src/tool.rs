//! A tool on its way into a registry: a function, what it is called, and what it may use up.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use waxwing_core::CanonicalJson;

use crate::context::CallContext;
use crate::definition::{Annotations, ToolMode};
use crate::failure::ToolError;
use crate::function::{SyncForm, ToolArgs, ToolFunction, ToolOutput, ToolReturn, ToolStruct};
use crate::limits::ToolLimits;
use crate::schema::SchemaDraft;
use crate::work::{Code, StructCode, TypedCode, UntypedCode};

/// A tool that is not registered yet. Nothing is checked before
/// [`RegistryBuilder::build`](crate::RegistryBuilder::build), which then reports everything.
///
/// ```
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
/// use waxwing_tools::{CallContext, Tool, ToolError};
///
/// #[derive(Deserialize, JsonSchema)]
/// struct BatchSum {
///     /// The numbers to add.
///     #[schemars(length(min = 1))]
///     numbers: Vec<f64>,
/// }
///
/// #[derive(Serialize, JsonSchema)]
/// struct Sum {
///     count: u32,
///     total: f64,
/// }
///
/// let tool = Tool::sync("batch_sum", "Adds numbers.", |args: BatchSum| async move {
///     let total = args.numbers.iter().sum();
///     Ok::<_, ToolError>(Sum { count: args.numbers.len() as u32, total })
/// });
/// ```
///
/// What is missing is named at compile time. Arguments that cannot be decoded, or have no schema:
///
/// ```compile_fail,E0277
/// # use waxwing_tools::{Tool, ToolError};
/// #[derive(schemars::JsonSchema)]
/// struct Args {}
/// Tool::sync("t", "d", |_: Args| async move { Ok::<_, ToolError>(1) });
/// ```
/// ```compile_fail,E0277
/// # use waxwing_tools::{Tool, ToolError};
/// #[derive(serde::Deserialize)]
/// struct Args {}
/// Tool::sync("t", "d", |_: Args| async move { Ok::<_, ToolError>(1) });
/// ```
///
/// An output that cannot be encoded, and one that is no `Result<_, ToolError>`:
///
/// ```compile_fail,E0277
/// # use waxwing_tools::{Tool, ToolError};
/// # #[derive(serde::Deserialize, schemars::JsonSchema)]
/// # struct Args {}
/// struct Output;
/// Tool::sync("t", "d", |_: Args| async move { Ok::<_, ToolError>(Output) });
/// ```
/// ```compile_fail,E0277
/// # use waxwing_tools::Tool;
/// # #[derive(serde::Deserialize, schemars::JsonSchema)]
/// # struct Args {}
/// Tool::sync("t", "d", |_: Args| async move { 1 });
/// ```
///
/// A function that is not async, and one whose first argument is not the context:
///
/// ```compile_fail,E0277
/// # use waxwing_tools::Tool;
/// # #[derive(serde::Deserialize, schemars::JsonSchema)]
/// # struct Args {}
/// Tool::sync("t", "d", |_: Args| 1);
/// ```
/// ```compile_fail,E0277
/// # use waxwing_tools::{Tool, ToolError};
/// # #[derive(serde::Deserialize, schemars::JsonSchema)]
/// # struct Args {}
/// Tool::sync("t", "d", |_: u8, _: Args| async move { Ok::<_, ToolError>(1) });
/// ```
pub struct Tool {
    pub(crate) name: String,
    pub(crate) title: Option<String>,
    pub(crate) description: String,
    pub(crate) mode: ToolMode,
    pub(crate) annotations: Annotations,
    pub(crate) limits: ToolLimits,
    pub(crate) input: SchemaDraft,
    pub(crate) output: SchemaDraft,
    pub(crate) code: Arc<dyn Code>,
}

impl Tool {
    /// A tool whose reply carries its output.
    pub fn sync<Form, F>(
        name: impl Into<String>,
        description: impl Into<String>,
        function: F,
    ) -> Self
    where
        F: ToolFunction<Form>,
        F::Args: ToolArgs,
        F::Return: ToolReturn<Output: ToolOutput>,
        Form: SyncForm + 'static,
    {
        Self::typed(name, description, ToolMode::Sync, function)
    }

    /// A tool that runs as a durable job: it may run more than once, see
    /// [`CallContext::attempt`]. One that takes a [`JobContext`](crate::JobContext) can ask its
    /// caller for more, and go on where an earlier run stopped.
    pub fn job<Form, F>(
        name: impl Into<String>,
        description: impl Into<String>,
        function: F,
    ) -> Self
    where
        F: ToolFunction<Form>,
        F::Args: ToolArgs,
        F::Return: ToolReturn<Output: ToolOutput>,
        Form: 'static,
    {
        Self::typed(name, description, ToolMode::Job, function)
    }

    fn typed<Form, F>(
        name: impl Into<String>,
        description: impl Into<String>,
        mode: ToolMode,
        function: F,
    ) -> Self
    where
        F: ToolFunction<Form>,
        F::Args: ToolArgs,
        F::Return: ToolReturn<Output: ToolOutput>,
        Form: 'static,
    {
        let input = SchemaDraft::of_args::<F::Args>();
        let output = SchemaDraft::of_output::<<F::Return as ToolReturn>::Output>();
        let code = Arc::new(TypedCode::new(function));
        Self::new(name.into(), description.into(), mode, input, output, code)
    }

    /// A tool that is a struct with state of its own.
    pub fn from_struct<T: ToolStruct>(tool: T) -> Self {
        let input = SchemaDraft::of_args::<T::Args>();
        let output = SchemaDraft::of_output::<T::Output>();
        let code = Arc::new(StructCode::new(tool));
        Self::new(T::NAME.to_owned(), T::DESCRIPTION.to_owned(), T::MODE, input, output, code)
    }

    /// A tool whose schemas are written by hand and whose function takes and gives JSON: for
    /// tools that are described by configuration. The JSON is checked against the schemas in
    /// both directions like any other tool's.
    pub fn untyped<F, Running>(
        name: impl Into<String>,
        description: impl Into<String>,
        mode: ToolMode,
        schemas: WrittenSchemas,
        function: F,
    ) -> Self
    where
        F: Fn(CallContext, CanonicalJson<'static>) -> Running + Send + Sync + 'static,
        Running: Future<Output = Result<CanonicalJson<'static>, ToolError>> + Send + 'static,
    {
        let input = SchemaDraft::written(schemas.input);
        let output = SchemaDraft::written(schemas.output);
        let code = Arc::new(UntypedCode::new(function));
        Self::new(name.into(), description.into(), mode, input, output, code)
    }

    fn new(
        name: String,
        description: String,
        mode: ToolMode,
        input: SchemaDraft,
        output: SchemaDraft,
        code: Arc<dyn Code>,
    ) -> Self {
        let limits = match mode {
            ToolMode::Sync => ToolLimits::SYNC,
            ToolMode::Job => ToolLimits::JOB,
        };
        let annotations = Annotations::default();
        Self { name, title: None, description, mode, annotations, limits, input, output, code }
    }

    /// The same tool with a name for people.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// The same tool within other limits: `tool.limits(|limits| limits.concurrency = 2)`.
    #[must_use]
    pub fn limits(mut self, change: impl FnOnce(&mut ToolLimits)) -> Self {
        change(&mut self.limits);
        self
    }

    /// The same tool with other hints: `tool.annotations(|hints| hints.read_only = Some(true))`.
    #[must_use]
    pub fn annotations(mut self, change: impl FnOnce(&mut Annotations)) -> Self {
        change(&mut self.annotations);
        self
    }
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool").field("name", &self.name).field("mode", &self.mode).finish()
    }
}

/// The two schemas of a tool whose schemas are written by hand.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a tool has exactly two schemas")]
pub struct WrittenSchemas {
    /// What the arguments must be: an object at its root.
    pub input: Value,
    /// What the output must be.
    pub output: Value,
}
