//! One pass over bytes that may be canonical already: what our own senders put on the wire.
//!
//! The pass answers only "canonical up to here" or nothing. It allocates nothing and copies nothing. What it turns down goes to [`super::rewrite`], which knows why.

use std::ops::Range;

use super::name::Name;
use super::{number, number_run, string};

/// Whether `text` is one canonical JSON value and nothing else.
pub(super) fn is_canonical(text: &str, max_depth: usize) -> bool {
    Scan::new(text, max_depth).value(0, 0) == Some(text.len())
}

/// The names and values of the canonical object `text`, each where it stands.
pub(crate) fn members(text: &str, mut each: impl FnMut(Range<usize>, Range<usize>)) {
    Scan::new(text, usize::MAX).object(1, 1, &mut each);
}

/// A reader of canonical text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scan<'a> {
    bytes: &'a [u8],
    max_depth: usize,
}

impl<'a> Scan<'a> {
    pub(crate) const fn new(text: &'a str, max_depth: usize) -> Self {
        Self { bytes: text.as_bytes(), max_depth }
    }

    #[inline]
    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// Reads the value at `at` inside `depth` open containers and gives the offset behind it.
    #[inline]
    pub(crate) fn value(&self, at: usize, depth: usize) -> Option<usize> {
        match self.byte(at)? {
            b'"' => Some(string::canonical_end(self.bytes, at + 1)?.close + 1),
            b'{' => self.object(at + 1, depth + 1, &mut |_, _| ()),
            b'[' => self.array(at + 1, depth + 1),
            b't' => self.word(at, b"true"),
            b'f' => self.word(at, b"false"),
            b'n' => self.word(at, b"null"),
            _ => number::canonical_end(self.bytes, at),
        }
    }

    fn word(&self, at: usize, word: &[u8]) -> Option<usize> {
        let end = at + word.len();
        (self.bytes.get(at..end)? == word).then_some(end)
    }

    /// Reads an object from behind its brace and tells `member` where each name and value stands.
    fn object(
        &self,
        mut at: usize,
        depth: usize,
        member: &mut impl FnMut(Range<usize>, Range<usize>),
    ) -> Option<usize> {
        if depth > self.max_depth {
            return None;
        }
        if self.byte(at)? == b'}' {
            return Some(at + 1);
        }
        let mut last: Option<Name<'_>> = None;
        loop {
            if self.byte(at)? != b'"' {
                return None;
            }
            let span = string::canonical_end(self.bytes, at + 1)?;
            let name = Name::new(self.bytes, at + 1, span.close, span.escaped);
            if last.is_some_and(|last| !last.precedes(&name)) || self.byte(span.close + 1)? != b':'
            {
                return None;
            }
            let start = span.close + 2;
            let end = self.value(start, depth)?;
            member(at + 1..span.close, start..end);
            last = Some(name);
            match self.byte(end)? {
                b',' => at = end + 1,
                b'}' => return Some(end + 1),
                _ => return None,
            }
        }
    }

    /// Reads an array from behind its bracket.
    fn array(&self, mut at: usize, depth: usize) -> Option<usize> {
        if depth > self.max_depth {
            return None;
        }
        if self.byte(at)? == b']' {
            return Some(at + 1);
        }
        let mut short_numbers = 0;
        loop {
            let end = self.value(at, depth)?;
            match self.byte(end)? {
                b',' => {
                    let short = end - at < 16 && !matches!(self.byte(at), Some(b'"' | b'{' | b'['));
                    short_numbers = if short { short_numbers + 1 } else { 0 };
                    at = end + 1;
                    if short_numbers == number_run::WORTHWHILE {
                        at = number_run::skip(self.bytes, at);
                        short_numbers = 0;
                    }
                }
                b']' => return Some(end + 1),
                _ => return None,
            }
        }
    }
}
