//! What can be a tool: an async function of its arguments, with or without the call's context.

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use crate::context::CallContext;
use crate::definition::ToolMode;
use crate::failure::ToolError;
use crate::job::JobContext;

/// Arguments of a tool: a struct that derives `serde::Deserialize` and `schemars::JsonSchema`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the arguments of a tool",
    label = "not the arguments of a tool",
    note = "derive both: `#[derive(serde::Deserialize, schemars::JsonSchema)]`"
)]
pub trait ToolArgs: DeserializeOwned + JsonSchema + Send + 'static {}

impl<T: DeserializeOwned + JsonSchema + Send + 'static> ToolArgs for T {}

/// Output of a tool: a type that derives `serde::Serialize` and `schemars::JsonSchema`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the output of a tool",
    label = "not the output of a tool",
    note = "derive both: `#[derive(serde::Serialize, schemars::JsonSchema)]`"
)]
pub trait ToolOutput: Serialize + JsonSchema + Send + 'static {}

impl<T: Serialize + JsonSchema + Send + 'static> ToolOutput for T {}

/// What a tool's function returns: `Result<Output, ToolError>`.
#[diagnostic::on_unimplemented(
    message = "a tool returns `Result<Output, ToolError>`, not `{Self}`",
    label = "not the result of a tool",
    note = "end the function with `Ok(output)`; in an async block, `Ok::<_, ToolError>(output)` \
            names the error type"
)]
pub trait ToolReturn: Send + 'static {
    /// The output on success.
    type Output;

    /// The result itself.
    ///
    /// # Errors
    /// The tool's own failure.
    fn into_result(self) -> Result<Self::Output, ToolError>;
}

impl<O: Send + 'static> ToolReturn for Result<O, ToolError> {
    type Output = O;

    fn into_result(self) -> Self {
        self
    }
}

/// A function that can be a tool. Implemented for `Fn(Args) -> Future`,
/// `Fn(CallContext, Args) -> Future` and, for jobs alone, `Fn(JobContext, Args) -> Future`; `Form`
/// tells them apart and is always inferred.
#[diagnostic::on_unimplemented(
    message = "this is not a tool function",
    label = "not a tool function",
    note = "a tool function is `|args: Args| async move {{ .. }}` or \
            `|ctx: CallContext, args: Args| async move {{ .. }}` (for a job, `ctx: JobContext` \
            as well), with the types written out, and its future is `Send`"
)]
pub trait ToolFunction<Form>: Send + Sync + 'static {
    /// The arguments.
    type Args;
    /// What the future gives.
    type Return;
    /// The running call.
    type Running: Future<Output = Self::Return> + Send + 'static;

    /// Whether the function takes the call's context and so can stop by itself when cancelled.
    const TAKES_CONTEXT: bool;

    /// Starts one call.
    fn start(&self, ctx: JobContext, args: Self::Args) -> Self::Running;
}

impl<F, A, Running> ToolFunction<(A,)> for F
where
    F: Fn(A) -> Running + Send + Sync + 'static,
    Running: Future + Send + 'static,
{
    type Args = A;
    type Return = Running::Output;
    type Running = Running;

    const TAKES_CONTEXT: bool = false;

    fn start(&self, _: JobContext, args: A) -> Running {
        self(args)
    }
}

impl<F, A, Running> ToolFunction<(CallContext, A)> for F
where
    F: Fn(CallContext, A) -> Running + Send + Sync + 'static,
    Running: Future + Send + 'static,
{
    type Args = A;
    type Return = Running::Output;
    type Running = Running;

    const TAKES_CONTEXT: bool = true;

    fn start(&self, ctx: JobContext, args: A) -> Running {
        self(ctx.into_call(), args)
    }
}

impl<F, A, Running> ToolFunction<(JobContext, A)> for F
where
    F: Fn(JobContext, A) -> Running + Send + Sync + 'static,
    Running: Future + Send + 'static,
{
    type Args = A;
    type Return = Running::Output;
    type Running = Running;

    const TAKES_CONTEXT: bool = true;

    fn start(&self, ctx: JobContext, args: A) -> Running {
        self(ctx, args)
    }
}

/// The forms of a function that can serve a `sync` tool: all but the one that takes a
/// [`JobContext`], since only a job can wait for answers.
#[diagnostic::on_unimplemented(
    message = "a `sync` tool cannot take a `JobContext`",
    label = "asks for what only a job has",
    note = "register it with `Tool::job`, or take a `CallContext`"
)]
pub trait SyncForm {}

impl<A> SyncForm for (A,) {}

impl<A> SyncForm for (CallContext, A) {}

/// A tool with state of its own: a struct instead of a closure.
///
/// ```
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
/// use waxwing_tools::{CallContext, Tool, ToolError, ToolMode, ToolStruct};
///
/// struct Greeter {
///     greeting: String,
/// }
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Greet {
///     /// Who to greet.
///     name: String,
/// }
///
/// #[derive(Serialize, JsonSchema)]
/// struct Greeted {
///     text: String,
/// }
///
/// impl ToolStruct for Greeter {
///     const NAME: &str = "greet";
///     const DESCRIPTION: &str = "Greets somebody.";
///     const MODE: ToolMode = ToolMode::Sync;
///     type Args = Greet;
///     type Output = Greeted;
///
///     async fn run(&self, _: CallContext, args: Greet) -> Result<Greeted, ToolError> {
///         Ok(Greeted { text: format!("{}, {}!", self.greeting, args.name) })
///     }
/// }
///
/// let tool = Tool::from_struct(Greeter { greeting: "Hello".to_owned() });
/// ```
pub trait ToolStruct: Send + Sync + 'static {
    /// The name a request calls it by.
    const NAME: &'static str;
    /// What it does and when to use it.
    const DESCRIPTION: &'static str;
    /// Whether it answers at once or as a job.
    const MODE: ToolMode;
    /// The arguments.
    type Args: ToolArgs;
    /// The output.
    type Output: ToolOutput;

    /// Serves one call.
    fn run(
        &self,
        ctx: CallContext,
        args: Self::Args,
    ) -> impl Future<Output = Result<Self::Output, ToolError>> + Send;
}
