//! The tools of one server: gathered, checked all at once, then frozen.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use waxwing_core::canonical::WriteError;
use waxwing_core::{CanonicalJson, InvalidId, ServerId, ToolDigest, ToolName};

use crate::call::Prepared;
use crate::context::CallContext;
use crate::definition::{ListedTool, ToolDefinition, ToolPage};
use crate::failure::CallFailure;
use crate::gate::Gate;
use crate::limits::ToolLimits;
use crate::schema::{CompiledSchema, SchemaFault};
use crate::text;
use crate::tool::Tool;
use crate::work::Code;

/// The names that every server answers itself (wire.md §6).
pub const RESERVED_TOOLS: [&str; 5] =
    ["server_identity", "list_tools", "poll_job", "cancel_job", "answer_job"];

/// Tools that a page of the listing holds at most.
const PAGE_TOOLS: usize = 64;
/// Bytes of canonical definitions that a page holds at most, unless one tool alone is larger.
const PAGE_BYTES: usize = 256 << 10;
/// Characters of a description: what a model can be asked to read for each tool.
const LONGEST_DESCRIPTION: usize = 4096;
/// Characters of a title.
const LONGEST_TITLE: usize = 128;

/// Tools that are not checked yet.
#[derive(Debug, Default)]
pub struct RegistryBuilder {
    tools: Vec<Tool>,
}

impl RegistryBuilder {
    /// The same registry with one tool more.
    #[must_use]
    pub fn tool(mut self, tool: Tool) -> Self {
        self.tools.push(tool);
        self
    }

    /// Checks every tool and freezes the registry for the server `server_id`.
    ///
    /// # Errors
    /// [`RegistryError`] with every tool that is refused and the reason for each.
    pub fn build(self, server_id: &ServerId<'_>) -> Result<Registry, RegistryError> {
        let mut tools: BTreeMap<Box<str>, Arc<Registered>> = BTreeMap::new();
        let mut refused = Vec::new();
        for tool in self.tools {
            let name = tool.name.clone();
            let reason = if tools.contains_key(name.as_str()) {
                Refusal::Duplicate
            } else {
                match Registered::new(tool, server_id) {
                    Ok(registered) => {
                        tools.insert(name.into_boxed_str(), Arc::new(registered));
                        continue;
                    }
                    Err(reason) => reason,
                }
            };
            refused.push(RefusedTool { tool: name, reason });
        }
        if refused.is_empty() { Ok(Registry { tools }) } else { Err(RegistryError { refused }) }
    }
}

/// The tools of a running server. Immutable: share it in an `Arc`.
pub struct Registry {
    tools: BTreeMap<Box<str>, Arc<Registered>>,
}

impl Registry {
    /// An empty registry to add tools to.
    #[must_use]
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder::default()
    }

    /// The definition and digest of the tool named `name`.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<&ListedTool> {
        self.tools.get(name).map(|tool| &tool.listed)
    }

    /// The bounds of the tool named `name`.
    #[must_use]
    pub fn limits(&self, name: &str) -> Option<&ToolLimits> {
        self.tools.get(name).map(|tool| &tool.limits)
    }

    /// Every tool, in order of name.
    pub fn iter(&self) -> impl Iterator<Item = &ListedTool> {
        self.tools.values().map(|tool| &tool.listed)
    }

    /// One page of `list_tools` (wire.md §6): the tools after `cursor` that are `visible`, in
    /// order of name, at most 64 and about 256 KiB of them.
    ///
    /// A cursor holds no state of the server: any replica with the same tools answers the next
    /// page, and one that names a tool which is gone still works.
    ///
    /// # Errors
    /// [`InvalidCursor`] when `cursor` is none of ours.
    pub fn page(
        &self,
        cursor: Option<&str>,
        visible: impl Fn(&ToolDefinition) -> bool,
    ) -> Result<ToolPage, InvalidCursor> {
        use std::ops::Bound;

        let after = match cursor {
            None => Bound::Unbounded,
            Some(name) => {
                ToolName::new(name).map_err(|_| InvalidCursor)?;
                Bound::Excluded(name)
            }
        };
        let mut page = ToolPage { tools: Vec::new(), next_cursor: None };
        let mut bytes = 0;
        let rest = self.tools.range::<str, _>((after, Bound::Unbounded)).map(|(_, tool)| tool);
        for tool in rest.filter(|tool| visible(&tool.listed.definition)) {
            bytes += tool.listed_bytes;
            let full = page.tools.len() == PAGE_TOOLS || bytes > PAGE_BYTES;
            if let (true, Some(last)) = (full, page.tools.last()) {
                page.next_cursor = Some(last.definition.name.as_str().to_owned());
                break;
            }
            page.tools.push(tool.listed.clone());
        }
        Ok(page)
    }

    /// Finds the tool, checks `args` against its input schema and decodes them. Nothing runs yet:
    /// a job is accepted on this, and its worker does it again with the stored arguments.
    ///
    /// # Errors
    /// `UnknownTool`, `InvalidArgs`, or `Panicked` when the arguments' own decoding panics.
    pub fn prepare(&self, name: &str, args: &CanonicalJson<'_>) -> Result<Prepared, CallFailure> {
        match self.tools.get(name) {
            Some(tool) => Prepared::new(Arc::clone(tool), args),
            None => Err(self.unknown(name)),
        }
    }

    /// [`Self::prepare`] and [`Prepared::run`] in one.
    ///
    /// # Errors
    /// Those of the two.
    pub async fn call(
        &self,
        name: &str,
        ctx: CallContext,
        args: &CanonicalJson<'_>,
    ) -> Result<CanonicalJson<'static>, CallFailure> {
        self.prepare(name, args)?.run(ctx).await
    }

    fn unknown(&self, name: &str) -> CallFailure {
        let known = self.tools.keys().map(|name| &**name).chain(RESERVED_TOOLS);
        let similar = text::similar(name, known).into_iter().map(str::to_owned).collect();
        CallFailure::UnknownTool { name: text::cut(name, 64), similar }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.tools.keys()).finish()
    }
}

/// A tool that has passed every rule.
pub(crate) struct Registered {
    pub(crate) listed: ListedTool,
    listed_bytes: usize,
    pub(crate) input: CompiledSchema,
    pub(crate) output: CompiledSchema,
    pub(crate) limits: ToolLimits,
    pub(crate) gate: Gate,
    pub(crate) code: Arc<dyn Code>,
}

impl Registered {
    fn new(tool: Tool, server_id: &ServerId<'_>) -> Result<Self, Refusal> {
        if RESERVED_TOOLS.contains(&tool.name.as_str()) {
            return Err(Refusal::Reserved);
        }
        let name = ToolName::new(tool.name).map_err(Refusal::Name)?;
        check_text("description", &tool.description, LONGEST_DESCRIPTION)?;
        if let Some(title) = &tool.title {
            check_text("title", title, LONGEST_TITLE)?;
        }
        check_limits(&tool.limits)?;
        let input = tool.input.compile_args().map_err(Refusal::InputSchema)?;
        let output = tool.output.compile_output().map_err(Refusal::OutputSchema)?;
        let definition = ToolDefinition {
            name,
            title: tool.title,
            description: tool.description,
            mode: tool.mode,
            input_schema: input.schema().clone(),
            output_schema: output.schema().clone(),
            annotations: tool.annotations,
        };
        let digest = definition.digest(server_id).map_err(Refusal::Unwritable)?;
        let listed = ListedTool { definition, digest };
        let bytes = CanonicalJson::from_serialize(&listed).map_err(Refusal::Unwritable)?;
        Ok(Self {
            listed_bytes: bytes.as_str().len(),
            listed,
            input,
            output,
            gate: Gate::new(tool.limits.concurrency, tool.limits.queue),
            limits: tool.limits,
            code: tool.code,
        })
    }

    pub(crate) fn name(&self) -> String {
        self.listed.definition.name.as_str().to_owned()
    }

    pub(crate) fn digest(&self) -> &ToolDigest<'static> {
        &self.listed.digest
    }
}

fn check_text(what: &'static str, text: &str, longest: usize) -> Result<(), Refusal> {
    match text.chars().count() {
        count if count > longest => Err(Refusal::Text { what, rule: "is too long", longest }),
        _ if text.trim().is_empty() => Err(Refusal::Text { what, rule: "is empty", longest }),
        _ => Ok(()),
    }
}

fn check_limits(limits: &ToolLimits) -> Result<(), Refusal> {
    if limits.concurrency == 0 {
        return Err(Refusal::Limit { limit: "concurrency" });
    }
    if limits.time.is_some_and(|time| time.is_zero()) {
        return Err(Refusal::Limit { limit: "time" });
    }
    Ok(())
}

/// A cursor that this server did not give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no cursor of ours: send next_cursor as it came, or leave it out to start anew")]
#[non_exhaustive]
pub struct InvalidCursor;

/// The tools that could not be registered: a fault of whoever wrote or configured them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub struct RegistryError {
    /// Each refused tool with its reason, in order of registration.
    pub refused: Vec<RefusedTool>,
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, RefusedTool { tool, reason }) in self.refused.iter().enumerate() {
            let gap = if i == 0 { "" } else { "\n" };
            write!(f, "{gap}tool {}: {reason}", text::quoted(tool))?;
        }
        Ok(())
    }
}

/// One tool that is refused.
#[derive(Debug)]
#[non_exhaustive]
pub struct RefusedTool {
    /// Its name as given.
    pub tool: String,
    /// Why.
    pub reason: Refusal,
}

/// Why a tool is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The name breaks its alphabet or length.
    #[error("the name cannot be used: {0}")]
    Name(InvalidId),
    /// The name belongs to every server.
    #[error("the name is reserved: every server answers it itself")]
    Reserved,
    /// Another tool has the name.
    #[error("another tool has this name already")]
    Duplicate,
    /// The description or title is empty or too long.
    #[error("the {what} {rule}: it must have 1 to {longest} characters")]
    Text {
        /// `description` or `title`.
        what: &'static str,
        /// What is wrong with it.
        rule: &'static str,
        /// Characters it may have.
        longest: usize,
    },
    /// A limit of zero would let no call through.
    #[error("the limit `{limit}` is zero, so no call could ever run")]
    Limit {
        /// The limit.
        limit: &'static str,
    },
    /// The input schema breaks a rule.
    #[error("the input schema {0}")]
    InputSchema(SchemaFault),
    /// The output schema breaks a rule.
    #[error("the output schema {0}")]
    OutputSchema(SchemaFault),
    /// The definition holds something that canonical JSON cannot.
    #[error("the definition has no canonical form: {0}")]
    Unwritable(WriteError),
}
