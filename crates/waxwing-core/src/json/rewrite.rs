//! The strict reader: any spelling that wire.md §1 accepts, written canonically as it is read.
//!
//! It builds no tree. It recurses once for each open container, and refuses to open one more than
//! the limit before it looks inside.

use super::block::Block;
use super::error::Reason;
use super::members::Members;
use super::number::{LONGEST_CANONICAL, Spelling, Token, canonical_end};
use super::string;

/// Why reading stopped, and where.
type Stop = (usize, Reason);

/// Reads one value, writes its canonical form behind what `out` holds and gives the offset behind
/// the value. On an error `out` holds a part that the caller must drop.
pub(super) fn value(
    bytes: &[u8],
    at: usize,
    max_depth: usize,
    members: &mut Members,
    out: &mut Vec<u8>,
) -> Result<usize, Stop> {
    members.clear();
    Rewrite { bytes, max_depth, members, out }.value(at, 0)
}

/// The offset of the first byte from `at` that is not white space (RFC 8259 §2).
#[inline]
pub(super) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        // What is indented comes with many.
        let spaces = Block::load_padded(bytes, at).spaces().trailing_ones();
        at += spaces as usize;
    }
    at
}

struct Rewrite<'a> {
    bytes: &'a [u8],
    max_depth: usize,
    members: &'a mut Members,
    out: &'a mut Vec<u8>,
}

impl Rewrite<'_> {
    #[inline]
    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// `reason`, unless the input ends at `at`.
    fn stop<T>(&self, at: usize, reason: Reason) -> Result<T, Stop> {
        Err(if at < self.bytes.len() { (at, reason) } else { (at, Reason::UnexpectedEnd) })
    }

    fn value(&mut self, at: usize, depth: usize) -> Result<usize, Stop> {
        match self.byte(at) {
            Some(b'"') => string::rewrite(self.bytes, at + 1, self.out),
            Some(b'{') => self.object(at, depth + 1),
            Some(b'[') => self.array(at, depth + 1),
            Some(b't') => self.word(at, b"true"),
            Some(b'f') => self.word(at, b"false"),
            Some(b'n') => self.word(at, b"null"),
            Some(b'-' | b'0'..=b'9') => self.number(at),
            _ => self.stop(at, Reason::ExpectedValue),
        }
    }

    fn word(&mut self, at: usize, word: &[u8]) -> Result<usize, Stop> {
        let end = at + word.len();
        match self.bytes.get(at..) {
            Some(rest) if rest.starts_with(word) => {
                self.out.extend_from_slice(word);
                Ok(end)
            }
            Some(rest) if word.starts_with(rest) => Err((self.bytes.len(), Reason::UnexpectedEnd)),
            _ => Err((at, Reason::ExpectedValue)),
        }
    }

    fn number(&mut self, at: usize) -> Result<usize, Stop> {
        if let Some(end) = canonical_end(self.bytes, at)
            && !matches!(self.byte(end), Some(b'0'..=b'9' | b'.' | b'e' | b'E'))
        {
            self.copy_number(at, end);
            return Ok(end);
        }
        let token = Token::read(self.bytes, at)?;
        let value = token.value(self.bytes).map_err(|reason| (at, reason))?;
        self.out.extend_from_slice(Spelling::new().of(value));
        Ok(token.end)
    }

    /// Copies a canonical number. A copy of fixed length is two moves; one of any length is a call.
    #[inline]
    fn copy_number(&mut self, at: usize, end: usize) {
        let length = self.out.len() + (end - at);
        match self.bytes.get(at..).and_then(|rest| rest.first_chunk::<LONGEST_CANONICAL>()) {
            Some(enough) => {
                self.out.extend_from_slice(enough);
                self.out.truncate(length);
            }
            None => self.out.extend_from_slice(self.bytes.get(at..end).unwrap_or_default()),
        }
    }

    fn object(&mut self, at: usize, depth: usize) -> Result<usize, Stop> {
        if depth > self.max_depth {
            return Err((at, Reason::TooDeep(self.max_depth)));
        }
        let mut open = self.members.open(self.out);
        let mut at = skip_space(self.bytes, at + 1);
        if self.byte(at) == Some(b'}') {
            self.out.push(b'}');
            return Ok(at + 1);
        }
        loop {
            if self.byte(at) != Some(b'"') {
                return self.stop(at, Reason::ExpectedName);
            }
            self.members.begin(&open, at, self.out);
            at = string::rewrite(self.bytes, at + 1, self.out)?;
            self.members.named(&mut open, self.out);
            at = skip_space(self.bytes, at);
            if self.byte(at) != Some(b':') {
                return self.stop(at, Reason::ExpectedColon);
            }
            at = self.value(skip_space(self.bytes, at + 1), depth)?;
            self.members.end(self.out);
            at = skip_space(self.bytes, at);
            match self.byte(at) {
                Some(b',') => at = skip_space(self.bytes, at + 1),
                Some(b'}') => break,
                _ => return self.stop(at, Reason::ExpectedCommaOrBrace),
            }
        }
        match self.members.close(&open, self.out) {
            Ok(()) => Ok(at + 1),
            Err(duplicate) => Err((duplicate.origin, Reason::DuplicateName)),
        }
    }

    fn array(&mut self, at: usize, depth: usize) -> Result<usize, Stop> {
        if depth > self.max_depth {
            return Err((at, Reason::TooDeep(self.max_depth)));
        }
        self.out.push(b'[');
        let mut at = skip_space(self.bytes, at + 1);
        if self.byte(at) == Some(b']') {
            self.out.push(b']');
            return Ok(at + 1);
        }
        loop {
            at = skip_space(self.bytes, self.value(at, depth)?);
            match self.byte(at) {
                Some(b',') => {
                    self.out.push(b',');
                    at = skip_space(self.bytes, at + 1);
                }
                Some(b']') => {
                    self.out.push(b']');
                    return Ok(at + 1);
                }
                _ => return self.stop(at, Reason::ExpectedCommaOrBracket),
            }
        }
    }
}
