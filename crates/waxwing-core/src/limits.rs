//! The bounds a reader holds a message to before it believes anything in it (wire.md §1).

/// Bounds of one message. The defaults are those of wire.md; a larger depth is not offered, since
/// the reader recurses once a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes a message may have; 1 MiB by default.
    pub max_message: usize,
    /// Containers that may be open at once; 64, and never more than 128.
    pub max_depth: usize,
}

impl Limits {
    /// The greatest depth that can be configured: what the recursion is sized for.
    pub const DEEPEST: usize = 128;

    /// The defaults of wire.md §1.
    pub const DEFAULT: Self = Self { max_message: 1 << 20, max_depth: 64 };

    /// The same limits with another message size in bytes.
    #[must_use]
    pub const fn with_max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// The same limits with another depth, at most [`Self::DEEPEST`].
    #[must_use]
    pub const fn with_max_depth(mut self, depth: usize) -> Self {
        self.max_depth = if depth > Self::DEEPEST { Self::DEEPEST } else { depth };
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
