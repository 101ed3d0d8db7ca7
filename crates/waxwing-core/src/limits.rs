//! The bounds a reader holds a message to before it believes anything in it (wire.md §1).

/// Bounds of one message; the defaults are those of wire.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    max_message: usize,
    max_depth: usize,
}

impl Limits {
    /// The greatest depth that can be configured: readers recurse once a level.
    pub const DEEPEST: usize = 128;

    /// The defaults of wire.md §1: 1 MiB and 64 open containers.
    pub const DEFAULT: Self = Self { max_message: 1 << 20, max_depth: 64 };

    /// The same limits with another message size in bytes.
    #[must_use]
    pub const fn with_max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// The same limits with another depth, brought into 1 to [`Self::DEEPEST`].
    #[must_use]
    pub const fn with_max_depth(mut self, depth: usize) -> Self {
        self.max_depth = match depth {
            0 => 1,
            1..=Self::DEEPEST => depth,
            _ => Self::DEEPEST,
        };
        self
    }

    /// Bytes a message may have.
    #[must_use]
    pub const fn max_message(&self) -> usize {
        self.max_message
    }

    /// Containers that may be open at once.
    #[must_use]
    pub const fn max_depth(&self) -> usize {
        self.max_depth
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
