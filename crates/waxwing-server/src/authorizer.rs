//! Who may call what, and with which arguments: steps 9 and 11 of wire.md §5, the one place where it
//! is decided.

mod pattern;
mod review;
mod rules;

use std::fmt;

use waxwing_core::{CanonicalJson, ClientId};
use waxwing_tools::Violations;

pub use pattern::{InvalidPattern, ToolPattern};
pub use review::RuleFinding;
pub use rules::{AllowRule, AllowRules};

/// Decides whether a client may use a tool. The client is the verified one, never a claim.
///
/// Asked for every tool of the registry, when it is called and when it is listed, and for names that
/// are no tool. The reserved tools (wire.md §6) are everybody's.
pub trait Authorizer: fmt::Debug + Send + Sync + 'static {
    /// Whether `client` may use the tool named `tool`.
    fn judge(&self, client: &ClientId<'_>, tool: &str) -> Access;

    /// Whether `client`, which may use `tool`, may use it with `args`. Asked when the arguments have
    /// passed the tool's own schema; every arguments by default.
    fn judge_args(
        &self,
        client: &ClientId<'_>,
        tool: &str,
        args: &CanonicalJson<'_>,
    ) -> ArgsAccess {
        let _ = (client, tool, args);
        ArgsAccess::Allowed
    }
}

/// The verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// The call goes on; the listing shows the tool.
    Allowed,
    /// The call ends with `forbidden`; the listing and the hints leave the tool out.
    Denied,
}

/// The verdict on the arguments of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArgsAccess {
    /// The call goes on.
    Allowed,
    /// The call ends with `forbidden`, as if the tool were denied.
    Denied,
    /// The call ends with `forbidden`, and the client is told what of its arguments goes beyond what
    /// it may send.
    Beyond(Violations),
}

/// Lets every client whose key is in the ring use every tool: the default.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing to configure")]
pub struct AllowAll;

impl Authorizer for AllowAll {
    fn judge(&self, _: &ClientId<'_>, _: &str) -> Access {
        Access::Allowed
    }
}
