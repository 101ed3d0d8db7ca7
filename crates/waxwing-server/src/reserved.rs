//! The tools that every server answers itself (wire.md §6): one file each. Their arguments are
//! checked like any tool's, so a mistake is told in the same words.

mod answer_job;
mod cancel_job;
mod list_tools;
mod poll_job;
mod server_identity;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use waxwing_core::message::Outcome;
use waxwing_core::{CanonicalJson, JobId};
use waxwing_crypto::Admitted;
use waxwing_jobs::Snapshot;
use waxwing_tools::{CallFailure, CompiledSchema, SchemaFault};

use crate::fault::CallFault;
use crate::outcome;
use crate::service::Service;

/// A reserved tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReservedTool {
    ServerIdentity,
    ListTools,
    PollJob,
    CancelJob,
    AnswerJob,
}

/// The reserved tool named so.
pub(crate) fn named(tool: &str) -> Option<ReservedTool> {
    Some(match tool {
        server_identity::NAME => ReservedTool::ServerIdentity,
        list_tools::NAME => ReservedTool::ListTools,
        poll_job::NAME => ReservedTool::PollJob,
        cancel_job::NAME => ReservedTool::CancelJob,
        answer_job::NAME => ReservedTool::AnswerJob,
        _ => return None,
    })
}

/// Answers a call of a reserved tool. All of them are idempotent, so an idempotency key changes
/// nothing.
pub(crate) async fn answer(
    service: &Service,
    tool: ReservedTool,
    call: &Admitted<'_, '_>,
) -> Result<Outcome<'static>, CallFault> {
    if call.tool_digest.is_some() {
        let tool = call.tool.clone().into_owned();
        return Err(CallFault::ToolChanged { tool, digest: None });
    }
    match tool {
        ReservedTool::ServerIdentity => server_identity::answer(service, call),
        ReservedTool::ListTools => list_tools::answer(service, call),
        ReservedTool::PollJob => poll_job::answer(service, call).await,
        ReservedTool::CancelJob => cancel_job::answer(service, call).await,
        ReservedTool::AnswerJob => answer_job::answer(service, call).await,
    }
}

/// The compiled schemas of the reserved tools' arguments.
#[derive(Debug)]
pub(crate) struct Reserved {
    server_identity: ArgsSchema,
    list_tools: ArgsSchema,
    poll_job: ArgsSchema,
    cancel_job: ArgsSchema,
    answer_job: ArgsSchema,
}

impl Reserved {
    /// Compiles them.
    ///
    /// # Errors
    /// [`SchemaFault`] when one breaks a rule, which is a fault of ours.
    pub(crate) fn new() -> Result<Self, SchemaFault> {
        Ok(Self {
            server_identity: ArgsSchema::of::<server_identity::Args>(server_identity::NAME)?,
            list_tools: ArgsSchema::of::<list_tools::Args>(list_tools::NAME)?,
            poll_job: ArgsSchema::of::<poll_job::Args>(poll_job::NAME)?,
            cancel_job: ArgsSchema::of::<cancel_job::Args>(cancel_job::NAME)?,
            answer_job: ArgsSchema::of::<answer_job::Args>(answer_job::NAME)?,
        })
    }
}

/// The schema of one reserved tool's arguments.
#[derive(Debug)]
struct ArgsSchema {
    tool: &'static str,
    schema: CompiledSchema,
}

impl ArgsSchema {
    fn of<T: DeserializeOwned + JsonSchema>(tool: &'static str) -> Result<Self, SchemaFault> {
        Ok(Self { tool, schema: CompiledSchema::of_args::<T>()? })
    }

    /// Checks arguments and decodes them.
    fn decode<T: DeserializeOwned>(&self, args: &CanonicalJson<'_>) -> Result<T, CallFault> {
        self.schema.decode(args).map_err(|violations| {
            CallFault::Tool(CallFailure::InvalidArgs { tool: self.tool.to_owned(), violations })
        })
    }
}

/// The id in arguments that have passed their schema, which holds ids to the same rule.
fn job_id(text: String) -> Result<JobId<'static>, CallFault> {
    JobId::new(text).map_err(|_| CallFault::Bug("a job id passed its schema and is none"))
}

/// The answer that shows a job. One that never was, has expired or is another client's comes from
/// the store as the same nothing, after the same look-up.
fn show(snapshot: Option<Snapshot>) -> Result<Outcome<'static>, CallFault> {
    outcome::of_job(snapshot.ok_or(CallFault::UnknownJob)?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use waxwing_tools::RESERVED_TOOLS;

    use super::*;

    #[test]
    fn every_reserved_name_is_answered_and_no_other() {
        let answered = [
            server_identity::NAME,
            list_tools::NAME,
            poll_job::NAME,
            cancel_job::NAME,
            answer_job::NAME,
        ];
        assert_eq!(BTreeSet::from(answered), BTreeSet::from(RESERVED_TOOLS));
        let named: BTreeSet<_> =
            RESERVED_TOOLS.iter().map(|name| format!("{:?}", named(name))).collect();
        assert_eq!(named.len(), RESERVED_TOOLS.len());
        assert!(!named.contains("None"));
    }
}
