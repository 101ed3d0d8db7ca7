//! Tools that were looked at, by the digest of their definition (wire.md §7): a call of one that has
//! changed since is refused by the server, and one that nobody looked at can be refused here.

use std::collections::BTreeMap;

use waxwing_core::{ToolDigest, ToolName};

use crate::error::{ClientError, Misuse};

/// The tools of every server (wire.md §6), which have no digest.
const RESERVED: [&str; 5] =
    ["server_identity", "list_tools", "poll_job", "cancel_job", "answer_job"];

/// The definitions that a client relies on. The default has none and allows every tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins {
    digests: BTreeMap<ToolName<'static>, ToolDigest<'static>>,
    unpinned: Unpinned,
}

/// What becomes of a call of a tool without a pin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Unpinned {
    #[default]
    Allowed,
    Refused,
}

impl Pins {
    /// Pins these tools.
    #[must_use]
    pub fn new(
        digests: impl IntoIterator<Item = (ToolName<'static>, ToolDigest<'static>)>,
    ) -> Self {
        Self { digests: digests.into_iter().collect(), unpinned: Unpinned::Allowed }
    }

    /// Refuses calls of any other tool before they are sent. The reserved tools stay allowed.
    #[must_use]
    pub fn require(mut self) -> Self {
        self.unpinned = Unpinned::Refused;
        self
    }

    /// The digest that a tool is pinned to.
    #[must_use]
    pub fn digest(&self, tool: &ToolName<'_>) -> Option<&ToolDigest<'static>> {
        self.digests.get(tool.as_str())
    }

    /// The digest to send with a call of `tool`, for which the caller named `chosen` or none.
    pub(crate) fn judge(
        &self,
        tool: &ToolName<'_>,
        chosen: Option<&ToolDigest<'static>>,
    ) -> Result<Option<ToolDigest<'static>>, ClientError> {
        let digest = chosen.or_else(|| self.digest(tool)).cloned();
        let is_free = digest.is_some()
            || self.unpinned == Unpinned::Allowed
            || RESERVED.contains(&tool.as_str());
        match is_free {
            true => Ok(digest),
            false => Err(Misuse::NotPinned { tool: tool.clone().into_owned() }.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_without_a_pin_is_refused_where_pins_are_required() {
        let digest: ToolDigest<'static> = "a".repeat(64).parse().unwrap();
        let other: ToolDigest<'static> = "b".repeat(64).parse().unwrap();
        let tool = |name: &str| name.parse::<ToolName<'static>>().unwrap();
        let pins = Pins::new([(tool("known"), digest.clone())]);
        let of = |pins: &Pins, name: &str, chosen: Option<&ToolDigest<'static>>| {
            pins.judge(&tool(name), chosen).ok()
        };
        let (one, two) = (Some(Some(digest)), Some(Some(other.clone())));
        assert_eq!(of(&pins, "known", None), one);
        assert_eq!(of(&pins, "known", Some(&other)), two);
        assert_eq!(of(&pins, "new", None), Some(None));
        let strict = pins.require();
        assert_eq!(of(&strict, "known", None), one);
        assert_eq!(of(&strict, "new", None), None);
        assert_eq!(of(&strict, "new", Some(&other)), two);
        for reserved in RESERVED {
            assert_eq!(of(&strict, reserved, None), Some(None));
        }
    }
}
