//! The bounds one tool runs within, each with its default.

use std::time::Duration;

/// Bounds of one tool. What a caller may not exceed and what a tool may not use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolLimits {
    /// How long one attempt may take, waiting for its turn included; `None` is without end.
    /// 30 s for `sync`, `None` for `job`.
    pub time: Option<Duration>,
    /// How long a tool that takes a [`crate::CallContext`] may go on after it was cancelled,
    /// before its future is dropped; 2 s. A tool that takes none is dropped at once.
    pub cancel_grace: Duration,
    /// Calls that may run at once; 64.
    pub concurrency: usize,
    /// Calls that may wait for their turn; 256. One more is refused with `overloaded`.
    pub queue: usize,
    /// Bytes of canonical arguments; 1 MiB.
    pub args_bytes: usize,
    /// Bytes of canonical output; 960 KiB, so that the reply around it stays under 1 MiB.
    pub output_bytes: usize,
}

impl ToolLimits {
    /// The defaults of a `sync` tool.
    pub const SYNC: Self = Self {
        time: Some(Duration::from_secs(30)),
        cancel_grace: Duration::from_secs(2),
        concurrency: 64,
        queue: 256,
        args_bytes: 1 << 20,
        output_bytes: 960 << 10,
    };

    /// The defaults of a `job` tool.
    pub const JOB: Self = Self { time: None, ..Self::SYNC };
}
