//! Who may call what: step 9 of wire.md §5, the one place where it is decided.

use std::fmt;

use waxwing_core::ClientId;

/// Decides whether a client may use a tool. The client is the verified one, never a claim.
///
/// Asked for every tool of the registry, when it is called and when it is listed, and for names that
/// are no tool. The reserved tools (wire.md §6) are everybody's.
pub trait Authorizer: fmt::Debug + Send + Sync + 'static {
    /// Whether `client` may use the tool named `tool`.
    fn judge(&self, client: &ClientId<'_>, tool: &str) -> Access;
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

/// Lets every client whose key is in the ring use every tool: the default.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing to configure")]
pub struct AllowAll;

impl Authorizer for AllowAll {
    fn judge(&self, _: &ClientId<'_>, _: &str) -> Access {
        Access::Allowed
    }
}
