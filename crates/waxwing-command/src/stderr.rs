//! What a program writes to stderr, line by line: progress goes to the caller, the rest to the
//! log up to a bound, and its end is kept for the failure. Memory stays bounded whatever comes.

use std::sync::Arc;

use serde::Deserialize;
use waxwing_core::{CanonicalJson, Limits};
use waxwing_tools::CallContext;

/// Bytes of a line; the rest of a longer one is dropped.
const LONGEST_LINE: usize = 4 << 10;
/// Characters of the last line that a failure's message repeats.
const LONGEST_SAID: usize = 200;

/// Lines so far.
#[derive(Debug)]
pub(crate) struct Journal {
    tool: Arc<str>,
    context: CallContext,
    line: Vec<u8>,
    logged: u64,
    most_logged: u64,
    left_out: u64,
    tail: Vec<u8>,
    most_tail: usize,
}

impl Journal {
    /// Nothing yet. `lines` go to the log at most, and `tail` bytes are kept for a failure.
    pub(crate) fn new(tool: Arc<str>, context: CallContext, lines: u64, tail: usize) -> Self {
        Self {
            tool,
            context,
            line: Vec::new(),
            logged: 0,
            most_logged: lines,
            left_out: 0,
            tail: Vec::new(),
            most_tail: tail,
        }
    }

    /// Takes more of it.
    pub(crate) fn take(&mut self, chunk: &[u8]) {
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            let (part, is_whole) = match part.strip_suffix(b"\n") {
                Some(part) => (part, true),
                None => (part, false),
            };
            let room = LONGEST_LINE - self.line.len();
            self.line.extend_from_slice(part.get(..room).unwrap_or(part));
            if is_whole {
                self.end_line();
            }
        }
    }

    /// Nothing more will come.
    pub(crate) fn end(&mut self) {
        self.end_line();
        if self.left_out > 0 {
            tracing::info!(tool = %self.tool, lines = self.left_out, "more stderr was left out");
        }
    }

    /// Takes what there is of a line as a whole one.
    pub(crate) fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let text = line.trim_ascii_end();
        if text.is_empty() {
            return;
        }
        if let Some(progress) = Progress::read(text) {
            self.context.progress(progress.done, progress.total, progress.message.as_deref());
            return;
        }
        self.tail.extend_from_slice(text);
        self.tail.push(b'\n');
        if self.tail.len() > 2 * self.most_tail {
            self.tail.drain(..self.tail.len() - self.most_tail);
        }
        if self.logged == self.most_logged {
            self.left_out += 1;
            return;
        }
        self.logged += 1;
        let job = self.context.job_id().map(tracing::field::display);
        tracing::info!(tool = %self.tool, job, line = escaped(text), "stderr");
    }

    /// The end of what was said, as text without control characters but line ends and tabs.
    pub(crate) fn tail(&self) -> String {
        let surplus = self.tail.len().saturating_sub(self.most_tail);
        let tail = self.tail.get(surplus..).unwrap_or_default();
        // The cut may have gone through a character.
        let first = tail.iter().position(|byte| byte & 0xc0 != 0x80).unwrap_or(0);
        let tail = tail.get(first..).unwrap_or_default();
        let text = String::from_utf8_lossy(tail.trim_ascii_end());
        let shown = |c: char| match c {
            '\n' | '\t' => c,
            c if c.is_control() => '\u{fffd}',
            c => c,
        };
        // A replacement takes up to three bytes where one byte was.
        let text: String = text.chars().map(shown).collect();
        let surplus = text.len().saturating_sub(self.most_tail);
        let start = (surplus..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.get(start..).unwrap_or_default().to_owned()
    }

    /// The last line, cut: most programs say there what is wrong.
    pub(crate) fn last_line(&self) -> Option<String> {
        let tail = self.tail();
        let line = tail.lines().next_back()?.trim();
        Some(match line.char_indices().nth(LONGEST_SAID) {
            Some((end, _)) => format!("{}…", line.get(..end)?),
            None => line.to_owned(),
        })
    }
}

/// A line as one line of a log.
fn escaped(line: &[u8]) -> String {
    let mut text = String::with_capacity(line.len());
    for c in String::from_utf8_lossy(line).chars() {
        if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
    }
    text
}

/// A line that is progress and no more: `{"progress": {"done": 1, "total": 3, "message": "…"}}`.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Progress {
    done: u64,
    total: Option<u64>,
    message: Option<String>,
}

impl Progress {
    fn read(line: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Line {
            progress: Progress,
        }

        if !line.starts_with(b"{") {
            return None;
        }
        let json = CanonicalJson::read(line, &Limits::DEFAULT).ok()?;
        let Line { progress } = json.decode().ok()?;
        Some(progress)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use waxwing_core::ClientId;

    use super::*;

    fn journal(tail: usize) -> (Journal, Arc<Mutex<Vec<Progress>>>) {
        let reports = Arc::<Mutex<Vec<_>>>::default();
        let sink = Arc::clone(&reports);
        let context = CallContext::new(ClientId::new("c").unwrap()).with_progress(move |report| {
            let waxwing_tools::Progress { done, total, message, .. } = report;
            sink.lock().unwrap().push(Progress { done, total, message });
        });
        (Journal::new("t".into(), context, 3, tail), reports)
    }

    #[test]
    fn progress_is_told_apart_from_words() {
        let (mut journal, reports) = journal(2048);
        for chunk in [
            "{\"progress\": {\"done\": 1",
            ", \"total\": 3, \"message\": \"one\"}}\r\nhello\n",
            "{\"progress\":{\"done\":2.0}}\n{\"progress\":{\"done\":0.5}}\n",
            "{\"progress\":{\"done\":3},\"x\":1}\n{\"progress\":{\"done\":-1}}\n{\n\n",
            "{\"progress\":{\"done\":3}}",
        ] {
            journal.take(chunk.as_bytes());
        }
        journal.end();
        let expected = [(1, Some(3), Some("one".to_owned())), (2, None, None), (3, None, None)]
            .map(|(done, total, message)| Progress { done, total, message });
        assert_eq!(*reports.lock().unwrap(), expected);
        assert_eq!(journal.tail().lines().count(), 5, "{}", journal.tail());
        assert_eq!((journal.logged, journal.left_out), (3, 2));
    }

    #[test]
    fn a_flood_stays_within_its_bounds() {
        let (mut journal, _) = journal(100);
        for _ in 0..10_000 {
            journal.take(&[b'x'; 8192]);
        }
        assert_eq!(journal.line.len(), LONGEST_LINE);
        for number in 0..10_000 {
            journal.take(format!("line {number} \u{fc}\n").as_bytes());
        }
        journal.end();
        assert!(journal.tail.capacity() < 16 << 10 && journal.line.capacity() < 16 << 10);
        let tail = journal.tail();
        assert!(tail.len() <= 100 && tail.ends_with("line 9999 \u{fc}"), "{tail}");
        assert_eq!(journal.last_line().unwrap(), "line 9999 \u{fc}");
    }

    #[test]
    fn the_tail_is_text_whatever_was_written() {
        for most in 0..12 {
            let (mut journal, _) = journal(most);
            journal.take("a\u{1f426}\u{1b}[2Jb\u{20ac}\n".as_bytes());
            journal.take(b"\xff\xfe\x80\x80\n");
            journal.end();
            let tail = journal.tail();
            assert!(tail.len() <= most, "{most}: {tail:?}");
            assert!(!tail.contains('\u{1b}'));
        }
        assert_eq!(escaped(b"a\x1b[2J\tb\xffc"), "a\\u{1b}[2J\\tb\u{fffd}c");
    }

    #[test]
    fn the_message_repeats_no_more_than_a_line() {
        let (mut journal, _) = journal(2048);
        assert_eq!(journal.last_line(), None);
        journal.take(format!("first\n{}\n", "\u{e4}".repeat(300)).as_bytes());
        assert_eq!(journal.last_line().unwrap().chars().count(), LONGEST_SAID + 1);
    }
}
