//! The alphabets of identifiers (wire.md §2), as one table with a bit for each.
//!
//! Byte by byte on purpose: most identifiers are short and of steady length, so the loop's end is foreseen
//! by the branch predictor, and what follows need not wait for it as it would for a vector's mask. Only hex,
//! which is long, goes by blocks.

use crate::json::block::Block;

/// A set of ASCII characters that some identifier is made of. None holds a quote or a backslash: the end
/// of a run is the end of the string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alphabet {
    /// `A-Za-z0-9_-`
    Name = 1,
    /// `A-Za-z0-9._:-`
    Token = 2,
    /// `A-Za-z0-9._:/@-`
    Party = 4,
    /// `0-9a-f`
    Hex = 8,
    /// `0-9a-f-`
    Trace = 16,
}

impl Alphabet {
    const ALL: [Self; 5] = [Self::Name, Self::Token, Self::Party, Self::Hex, Self::Trace];

    /// How many bytes at the front of `bytes` are in the alphabet.
    #[inline(always)]
    pub(crate) fn run(self, bytes: &[u8]) -> usize {
        let bit = self as u8;
        let mut length = 0;
        // Signatures and digests are long and fill whole blocks; names are short and do not.
        while let Some(block) = bytes.get(length..).and_then(|rest| rest.first_chunk())
            && matches!(self, Self::Hex)
            && Block::load(block).all_hex()
        {
            length += block.len();
        }
        while let Some(byte) = bytes.get(length)
            && TABLE[usize::from(*byte)] & bit != 0
        {
            length += 1;
        }
        length
    }

    /// Whether all of `text` is in the alphabet.
    pub(crate) fn holds(self, text: &str) -> bool {
        self.run(text.as_bytes()) == text.len()
    }

    const fn contains(self, c: u8) -> bool {
        match self {
            Self::Name => c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-'),
            Self::Token => Self::Name.contains(c) || matches!(c, b'.' | b':'),
            Self::Party => Self::Token.contains(c) || matches!(c, b'/' | b'@'),
            Self::Hex => matches!(c, b'0'..=b'9' | b'a'..=b'f'),
            Self::Trace => Self::Hex.contains(c) || c == b'-',
        }
    }
}

static TABLE: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 * Alphabet::ALL.len() {
        let alphabet = Alphabet::ALL[i / 256];
        if alphabet.contains((i % 256) as u8) {
            table[i % 256] |= alphabet as u8;
        }
        i += 1;
    }
    table
};
