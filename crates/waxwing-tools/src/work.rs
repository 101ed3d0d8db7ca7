//! The one shape every kind of tool is run in: decode the arguments, then start the work.

use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use waxwing_core::CanonicalJson;
use waxwing_core::canonical::WriteError;

use crate::context::CallContext;
use crate::failure::ToolError;
use crate::function::{ToolArgs, ToolFunction, ToolOutput, ToolReturn, ToolStruct};
use crate::job::JobContext;

/// Why running code gave no output.
pub(crate) enum WorkError {
    /// The tool says so.
    Failed(ToolError),
    /// The tool's output is no canonical JSON.
    Unwritable(WriteError),
}

/// A call that is under way.
pub(crate) struct Running(
    pub(crate) Pin<Box<dyn Future<Output = Result<CanonicalJson<'static>, WorkError>> + Send>>,
);

/// Arguments that are decoded and wait to be run.
pub(crate) trait Work: Send {
    /// Starts the call.
    fn start(self: Box<Self>, ctx: JobContext) -> Running;
}

/// The function of a registered tool, whatever its types.
pub(crate) trait Code: Send + Sync {
    /// Decodes arguments that the input schema has passed.
    fn decode(&self, args: &CanonicalJson<'_>) -> Result<Box<dyn Work>, serde_json::Error>;

    /// Decodes once more, slowly, to say at which JSON Pointer it fails.
    fn locate(&self, args: &CanonicalJson<'_>) -> Option<DecodeFault>;

    /// Whether the function can hear a cancellation.
    fn hears_cancellation(&self) -> bool;
}

/// Where and why arguments that keep the schema do not decode.
pub(crate) struct DecodeFault {
    pub(crate) path: String,
    pub(crate) reason: String,
}

fn locate<T: DeserializeOwned>(args: &CanonicalJson<'_>) -> Option<DecodeFault> {
    use serde_path_to_error::Segment;

    let mut reader = serde_json::Deserializer::from_str(args.as_str());
    let error = serde_path_to_error::deserialize::<_, T>(&mut reader).err()?;
    let mut path = String::new();
    for segment in error.path() {
        match segment {
            Segment::Seq { index } => crate::text::push_token(&mut path, &index.to_string()),
            Segment::Map { key } => crate::text::push_token(&mut path, key),
            Segment::Enum { variant } => crate::text::push_token(&mut path, variant),
            Segment::Unknown => break,
        }
    }
    Some(DecodeFault { path, reason: error.into_inner().to_string() })
}

fn finish<O: ToolOutput>(
    result: Result<O, ToolError>,
) -> Result<CanonicalJson<'static>, WorkError> {
    let output = result.map_err(WorkError::Failed)?;
    CanonicalJson::from_serialize(&output).map_err(WorkError::Unwritable)
}

/// A closure with typed arguments.
pub(crate) struct TypedCode<Form, F> {
    function: Arc<F>,
    form: PhantomData<fn() -> Form>,
}

impl<Form, F> TypedCode<Form, F> {
    pub(crate) fn new(function: F) -> Self {
        Self { function: Arc::new(function), form: PhantomData }
    }
}

struct TypedWork<Form, F: ToolFunction<Form>> {
    function: Arc<F>,
    args: F::Args,
}

impl<Form, F> Work for TypedWork<Form, F>
where
    F: ToolFunction<Form>,
    F::Args: ToolArgs,
    F::Return: ToolReturn<Output: ToolOutput>,
    Form: 'static,
{
    fn start(self: Box<Self>, ctx: JobContext) -> Running {
        Running(Box::pin(async move {
            let running = self.function.start(ctx, self.args);
            finish(running.await.into_result())
        }))
    }
}

impl<Form, F> Code for TypedCode<Form, F>
where
    F: ToolFunction<Form>,
    F::Args: ToolArgs,
    F::Return: ToolReturn<Output: ToolOutput>,
    Form: 'static,
{
    fn decode(&self, args: &CanonicalJson<'_>) -> Result<Box<dyn Work>, serde_json::Error> {
        let function = Arc::clone(&self.function);
        Ok(Box::new(TypedWork { function, args: args.decode()? }))
    }

    fn locate(&self, args: &CanonicalJson<'_>) -> Option<DecodeFault> {
        locate::<F::Args>(args)
    }

    fn hears_cancellation(&self) -> bool {
        F::TAKES_CONTEXT
    }
}

/// A struct that is a tool.
pub(crate) struct StructCode<T>(Arc<T>);

impl<T> StructCode<T> {
    pub(crate) fn new(tool: T) -> Self {
        Self(Arc::new(tool))
    }
}

struct StructWork<T: ToolStruct> {
    tool: Arc<T>,
    args: T::Args,
}

impl<T: ToolStruct> Work for StructWork<T> {
    fn start(self: Box<Self>, ctx: JobContext) -> Running {
        Running(Box::pin(async move { finish(self.tool.run(ctx.into_call(), self.args).await) }))
    }
}

impl<T: ToolStruct> Code for StructCode<T> {
    fn decode(&self, args: &CanonicalJson<'_>) -> Result<Box<dyn Work>, serde_json::Error> {
        Ok(Box::new(StructWork { tool: Arc::clone(&self.0), args: args.decode()? }))
    }

    fn locate(&self, args: &CanonicalJson<'_>) -> Option<DecodeFault> {
        locate::<T::Args>(args)
    }

    fn hears_cancellation(&self) -> bool {
        true
    }
}

/// A function from JSON to JSON.
pub(crate) struct UntypedCode<F>(Arc<F>);

impl<F> UntypedCode<F> {
    pub(crate) fn new(function: F) -> Self {
        Self(Arc::new(function))
    }
}

struct UntypedWork<F> {
    function: Arc<F>,
    args: CanonicalJson<'static>,
}

impl<F, R> Work for UntypedWork<F>
where
    F: Fn(CallContext, CanonicalJson<'static>) -> R + Send + Sync + 'static,
    R: Future<Output = Result<CanonicalJson<'static>, ToolError>> + Send + 'static,
{
    fn start(self: Box<Self>, ctx: JobContext) -> Running {
        Running(Box::pin(async move {
            let running = (self.function)(ctx.into_call(), self.args);
            running.await.map_err(WorkError::Failed)
        }))
    }
}

impl<F, R> Code for UntypedCode<F>
where
    F: Fn(CallContext, CanonicalJson<'static>) -> R + Send + Sync + 'static,
    R: Future<Output = Result<CanonicalJson<'static>, ToolError>> + Send + 'static,
{
    fn decode(&self, args: &CanonicalJson<'_>) -> Result<Box<dyn Work>, serde_json::Error> {
        let function = Arc::clone(&self.0);
        Ok(Box::new(UntypedWork { function, args: args.clone().into_owned() }))
    }

    fn locate(&self, _: &CanonicalJson<'_>) -> Option<DecodeFault> {
        None
    }

    fn hears_cancellation(&self) -> bool {
        true
    }
}
