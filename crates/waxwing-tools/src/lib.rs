//! Typed tools whose input and output are held to a JSON Schema: async functions whose schemas
//! come from their types, are published with a digest, and are what every argument and output is
//! checked against. Knows no HTTP, signs nothing, stores nothing. See docs/tools.md.

mod call;
mod context;
mod definition;
mod failure;
mod function;
mod gate;
mod job;
mod limits;
mod question;
mod registry;
mod schema;
mod text;
mod tool;
mod work;

pub use call::Prepared;
pub use context::{CallContext, CancelSource, Cancellation, Progress};
pub use definition::{Annotations, ListedTool, ToolDefinition, ToolMode, ToolPage};
pub use failure::{CallFailure, OutputFault, Retry, ToolError};
pub use function::{SyncForm, ToolArgs, ToolFunction, ToolOutput, ToolReturn, ToolStruct};
pub use job::JobContext;
pub use limits::ToolLimits;
pub use question::{JobEnd, Question, Questions};
pub use registry::{
    InvalidCursor, RESERVED_TOOLS, Refusal, RefusedTool, Registry, RegistryBuilder, RegistryError,
};
pub use schema::{CompiledSchema, SchemaFault, Violation, Violations};
pub use text::similar;
pub use tool::{Tool, WrittenSchemas};

/// Compiles the examples of docs/tools.md.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/tools.md")]
struct ToolsGuide;
