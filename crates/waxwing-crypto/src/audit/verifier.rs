//! Reads a log line by line and stops at the first line that is not as it was written, or not where.

use std::fmt;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::chain::Tip;
use super::event::AuditEvent;
use super::key::{AuditDigest, AuditKey};
use super::line::{Line, Misread};
use crate::hex;

/// The most bytes that a crash may have left: more than any writer adds at once.
const MOST_TORN: u64 = 8 << 20;

/// Judges a log, one or more files in the order in which they were written.
#[derive(Debug)]
pub struct Verifier {
    key: Option<AuditKey>,
    anchor: Option<Tip>,
    tip: Option<Tip>,
    /// The present file's own number, and its lines so far.
    file: Option<u64>,
    line: u64,
    stage: Stage,
    torn: Option<Torn>,
    summary: AuditSummary,
}

/// Where in a file the next line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Head,
    Body,
    Closed,
}

/// Bytes that are no line, and may be what a crash left.
#[derive(Debug)]
struct Torn {
    first_line: u64,
    bytes: u64,
    hash: Sha256,
}

/// What is left at the end of a file behind its last line: what a crash leaves of the next ones.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it is what a `mended` line says")]
pub struct Leftover {
    /// How many bytes.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: AuditDigest,
}

/// What a log holds that was found whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuditSummary {
    /// Lines.
    pub lines: u64,
    /// Lines that tell of calls.
    pub calls: u64,
    /// The number of the first line: 1, unless earlier files are missing.
    pub first_seq: u64,
    /// The last line.
    pub tip: Option<Tip>,
    /// The last line says that the server stopped in good order, so nothing can be missing behind it.
    pub stopped: bool,
    /// How often a crash had left bytes that a later start marked.
    pub mended: u64,
    /// Bytes at the end that are no whole line: the server crashed, or is writing just now.
    pub torn_bytes: u64,
}

/// The first line that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {kind}")]
#[non_exhaustive]
pub struct AuditFault {
    /// Its number in its file, from 1.
    pub line: u64,
    /// What is wrong.
    pub kind: FaultKind,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// It is not a line as they are written.
    Unreadable,
    /// Its MAC is not that of its bytes.
    Changed,
    /// Its number is not the next one.
    OutOfOrder {
        /// The number that is due.
        due: u64,
        /// The number that is there.
        found: u64,
    },
    /// It has the right number, and names another line than the one before it.
    Unlinked,
    /// It is one that only begins a file, or does not begin the file that it begins.
    Misplaced,
    /// The log has another line than the anchor, or ends before it.
    Anchor {
        /// The anchor's number.
        seq: u64,
    },
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => f.write_str("changed: it is not a line of an audit log"),
            Self::Changed => f.write_str("changed: it is not what was written under this key"),
            Self::OutOfOrder { due, found } if found > due => {
                let missing = found - due;
                write!(f, "dropped or reordered: it is number {found} where {due} is due, so {missing} before it are missing")
            }
            Self::OutOfOrder { due, found } => {
                write!(f, "repeated or reordered: it is number {found} where {due} is due")
            }
            Self::Unlinked => f.write_str("changed: this line or the one before it, which it does not name"),
            Self::Misplaced => f.write_str("dropped or reordered: a file has one head, which is its first line, and nothing behind its foot"),
            Self::Anchor { seq } => {
                write!(f, "cut off or rewritten: line number {seq} is not the one that the anchor names")
            }
        }
    }
}

impl Verifier {
    /// With the key, every line is held to its MAC. Without it, whoever wrote the whole rest of the
    /// log anew, or changed nothing but its last line, is not found out.
    #[must_use]
    pub fn new(key: Option<AuditKey>) -> Self {
        Self {
            key,
            anchor: None,
            tip: None,
            file: None,
            line: 0,
            stage: Stage::Head,
            torn: None,
            summary: AuditSummary::default(),
        }
    }

    /// Demands that this line is in the log: it shows that the end was not cut off before it.
    #[must_use]
    pub fn with_anchor(mut self, anchor: Tip) -> Self {
        self.anchor = Some(anchor);
        self
    }

    /// The next line is the first of a file.
    ///
    /// # Errors
    /// [`AuditFault`], of the file that ends here: it ends in what is no line, and yet it is not the
    /// last one.
    pub fn begin_file(&mut self) -> Result<(), AuditFault> {
        self.unreadable()?;
        (self.file, self.line, self.stage) = (None, 0, Stage::Head);
        Ok(())
    }

    /// Takes one line with its line end; without one it is the last of its file.
    ///
    /// # Errors
    /// [`AuditFault`]; nothing behind it is worth reading.
    pub fn line(&mut self, raw: &[u8]) -> Result<(), AuditFault> {
        self.line += 1;
        let whole = raw.strip_suffix(b"\n");
        let read = Line::read(whole.unwrap_or(raw), self.key.as_ref());
        let line = match read {
            Ok(line) if whole.is_some() => line,
            Err(Misread::WrongMac) => {
                self.unreadable()?;
                return self.fault(FaultKind::Changed);
            }
            Ok(_) | Err(Misread::NoLine) => return self.set_aside(raw),
        };
        // What could not be read comes first, unless this line marks it.
        if !matches!(&*line.event, AuditEvent::Mended { .. }) {
            self.unreadable()?;
        }
        self.place(&line).or_else(|fault| self.unreadable().and(Err(fault)))?;
        match (self.torn.take(), &*line.event) {
            (None, AuditEvent::Mended { .. }) => return self.fault(FaultKind::Misplaced),
            (None, _) => {}
            (Some(torn), AuditEvent::Mended { bytes, sha256 })
                if torn.bytes == *bytes && torn.sha256() == *sha256 =>
            {
                self.summary.mended += 1;
            }
            (Some(torn), _) => {
                return Err(AuditFault { line: torn.first_line, kind: FaultKind::Unreadable });
            }
        }
        self.take(&line, whole.unwrap_or(raw))
    }

    /// Whether a line may stand where it stands.
    fn place(&mut self, line: &Line<'_>) -> Result<(), AuditFault> {
        // A line that is missing says more than one that is elsewhere, so the number comes first.
        if let Some(Tip { seq, .. }) = &self.tip {
            let due = seq + 1;
            if line.seq != due {
                return self.fault(FaultKind::OutOfOrder { due, found: line.seq });
            }
        }
        let before = match &self.tip {
            Some(tip) => Some(tip.sha256.clone()),
            None if line.seq <= 1 => Some(AuditDigest::zero()),
            None => None,
        };
        if before.is_some_and(|before| before != line.prev) {
            return self.fault(FaultKind::Unlinked);
        }
        let is_head = matches!(&*line.event, AuditEvent::Head { .. });
        if self.stage == Stage::Closed || is_head != (self.stage == Stage::Head) {
            return self.fault(FaultKind::Misplaced);
        }
        Ok(())
    }

    fn take(&mut self, line: &Line<'_>, text: &[u8]) -> Result<(), AuditFault> {
        let tip = Tip { seq: line.seq, sha256: AuditDigest::sha256(text) };
        if let Some(anchor) = &self.anchor
            && anchor.seq == tip.seq
        {
            if *anchor != tip {
                let seq = anchor.seq;
                return self.fault(FaultKind::Anchor { seq });
            }
            self.anchor = None;
        }
        if self.tip.is_none() {
            self.summary.first_seq = tip.seq;
        }
        self.tip = Some(tip);
        if let AuditEvent::Head { file, .. } = &*line.event {
            self.file = Some(*file);
        }
        self.stage = match &*line.event {
            AuditEvent::Foot => Stage::Closed,
            _ => Stage::Body,
        };
        self.summary.lines += 1;
        self.summary.calls += u64::from(matches!(&*line.event, AuditEvent::Call(_)));
        self.summary.stopped = matches!(&*line.event, AuditEvent::Stop);
        Ok(())
    }

    /// Keeps what is no line until the next line says whether it is known of.
    fn set_aside(&mut self, raw: &[u8]) -> Result<(), AuditFault> {
        let first_line = self.line;
        let torn =
            self.torn.get_or_insert_with(|| Torn { first_line, bytes: 0, hash: Sha256::new() });
        torn.bytes += raw.len() as u64;
        torn.hash.update(raw);
        match torn.bytes > MOST_TORN {
            true => Err(AuditFault { line: torn.first_line, kind: FaultKind::Unreadable }),
            false => Ok(()),
        }
    }

    /// What has been set aside is a fault after all.
    fn unreadable(&self) -> Result<(), AuditFault> {
        match &self.torn {
            Some(Torn { first_line: line, .. }) => {
                Err(AuditFault { line: *line, kind: FaultKind::Unreadable })
            }
            None => Ok(()),
        }
    }

    fn fault(&self, kind: FaultKind) -> Result<(), AuditFault> {
        Err(AuditFault { line: self.line, kind })
    }

    /// The last line so far.
    #[must_use]
    pub const fn tip(&self) -> Option<&Tip> {
        self.tip.as_ref()
    }

    /// The number that the present file gives itself; `None` before its first line.
    #[must_use]
    pub const fn file(&self) -> Option<u64> {
        self.file
    }

    /// Whether the present file has its foot: it was full, and the next one follows.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.stage == Stage::Closed
    }

    /// What has been read behind the last line and is none.
    #[must_use]
    pub fn leftover(&self) -> Option<Leftover> {
        let torn = self.torn.as_ref()?;
        Some(Leftover { bytes: torn.bytes, sha256: torn.sha256() })
    }

    /// The end of the last file.
    ///
    /// # Errors
    /// [`AuditFault`] when the anchor was not met. A last line that is not whole is no fault: a crash
    /// leaves one, and nobody was answered on its strength.
    pub fn finish(self) -> Result<AuditSummary, AuditFault> {
        if let Some(Tip { seq, .. }) = self.anchor {
            return Err(AuditFault { line: self.line, kind: FaultKind::Anchor { seq } });
        }
        let torn_bytes = self.torn.map_or(0, |torn| torn.bytes);
        let stopped = self.summary.stopped && torn_bytes == 0;
        Ok(AuditSummary { tip: self.tip, torn_bytes, stopped, ..self.summary })
    }
}

impl Torn {
    fn sha256(&self) -> AuditDigest {
        AuditDigest::of_hex(hex::encode(&self.hash.clone().finalize()))
    }
}
