//! Reads a file of a log, line by line, in bounded memory.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use waxwing_crypto::audit::{AuditFault, Verifier};

/// Longer than any line: what is longer is given in pieces, which no verifier takes for lines.
const LONGEST: u64 = 64 << 10;

/// What to make of a last line without a line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LastLine {
    /// It is as it is.
    AsItIs,
    /// Only its end was lost: a server is about to give it one.
    Ended,
}

/// Why the reading stopped.
#[derive(Debug)]
pub(crate) enum ReadFault {
    Io(io::Error),
    /// In the file itself.
    Here(AuditFault),
    /// In the file before, which turns out not to be the last.
    Before(AuditFault),
}

/// How a file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileEnd {
    pub(crate) bytes: u64,
    /// The last line had no line end.
    pub(crate) is_torn: bool,
}

/// Gives a file to the verifier.
pub(crate) fn feed(
    verifier: &mut Verifier,
    path: &Path,
    last: LastLine,
) -> Result<FileEnd, ReadFault> {
    verifier.begin_file().map_err(ReadFault::Before)?;
    let mut reader = BufReader::with_capacity(1 << 16, File::open(path).map_err(ReadFault::Io)?);
    let mut end = FileEnd { bytes: 0, is_torn: false };
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.by_ref().take(LONGEST).read_until(b'\n', &mut line);
        if read.map_err(ReadFault::Io)? == 0 {
            return Ok(end);
        }
        end.bytes += line.len() as u64;
        end.is_torn = !line.ends_with(b"\n");
        let is_last = end.is_torn && reader.fill_buf().map_err(ReadFault::Io)?.is_empty();
        if is_last && last == LastLine::Ended {
            line.push(b'\n');
        }
        verifier.line(&line).map_err(ReadFault::Here)?;
    }
}
