//! Objects written member by member, in any order, and sorted where they stand.
//!
//! Members go straight into the output. Only when one came out of order is the object put together
//! again, once, at its closing brace. Reader and serializer share this.

use super::name;

/// The members of the objects that are open, innermost last, and room to sort them in.
#[derive(Debug, Default)]
pub(super) struct Members {
    entries: Vec<Entry>,
    scratch: Vec<u8>,
}

/// Where a member stands in the output; its value ends where the next begins.
#[derive(Clone, Copy, Debug)]
struct Entry {
    name_start: usize,
    name_end: usize,
    end: usize,
    /// Where the name stood in the input, for the error.
    origin: usize,
}

/// An object that is being written.
#[derive(Debug)]
pub(super) struct Open {
    first: usize,
    body: usize,
    sorted: bool,
}

/// A name that occurs twice, and where it stood in the input the second time.
#[derive(Debug)]
pub(super) struct Duplicate {
    pub(super) origin: usize,
}

impl Members {
    /// Opens an object.
    #[inline]
    pub(super) fn open(&self, out: &mut Vec<u8>) -> Open {
        out.push(b'{');
        Open { first: self.entries.len(), body: out.len(), sorted: true }
    }

    /// Begins a member: the name is to be written next, with its quotes.
    #[inline]
    pub(super) fn begin(&mut self, open: &Open, origin: usize, out: &mut Vec<u8>) {
        if self.entries.len() > open.first {
            out.push(b',');
        }
        self.entries.push(Entry { name_start: out.len() + 1, name_end: 0, end: 0, origin });
    }

    /// Ends the name: the value is to be written next.
    #[inline]
    pub(super) fn named(&mut self, open: &mut Open, out: &mut Vec<u8>) {
        let end = out.len() - 1;
        out.push(b':');
        if let [.., last, this] = self.entries.get_mut(open.first..).unwrap_or_default() {
            this.name_end = end;
            if open.sorted {
                open.sorted = name::compare(last.name(out), this.name(out)).is_lt();
            }
        } else if let Some(this) = self.entries.last_mut() {
            this.name_end = end;
        }
    }

    /// Ends the value.
    #[inline]
    pub(super) fn end(&mut self, out: &[u8]) {
        if let Some(this) = self.entries.last_mut() {
            this.end = out.len();
        }
    }

    /// Closes the object: its members stand in canonical order afterwards.
    #[inline]
    pub(super) fn close(&mut self, open: &Open, out: &mut Vec<u8>) -> Result<(), Duplicate> {
        if !open.sorted {
            self.sort(open, out)?;
        }
        self.entries.truncate(open.first);
        out.push(b'}');
        Ok(())
    }

    /// Drops the members of objects that were left open by an error.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    fn sort(&mut self, open: &Open, out: &mut Vec<u8>) -> Result<(), Duplicate> {
        let Self { entries, scratch } = self;
        let entries = entries.get_mut(open.first..).unwrap_or_default();
        entries.sort_by(|a, b| name::compare(a.name(out), b.name(out)));
        scratch.clear();
        for (i, entry) in entries.iter().enumerate() {
            if let Some(last) = i.checked_sub(1).and_then(|last| entries.get(last)) {
                if last.name(out) == entry.name(out) {
                    return Err(Duplicate { origin: last.origin.max(entry.origin) });
                }
                scratch.push(b',');
            }
            scratch.extend_from_slice(out.get(entry.name_start - 1..entry.end).unwrap_or_default());
        }
        out.truncate(open.body);
        out.extend_from_slice(scratch);
        Ok(())
    }
}

impl Entry {
    fn name<'o>(&self, out: &'o [u8]) -> &'o [u8] {
        out.get(self.name_start..self.name_end).unwrap_or_default()
    }
}
