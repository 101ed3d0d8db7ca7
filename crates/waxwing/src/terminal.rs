//! Words for a person, on stderr. What a peer said cannot steer the terminal.

use std::io::{IsTerminal as _, Write as _, stderr};

use crate::exit::Failure;
use crate::table::Paint;

/// Says why a command did not succeed.
pub(crate) fn report(failure: &Failure) {
    let (on, off) = if is_coloured() { ("\u{1b}[1;31m", "\u{1b}[0m") } else { ("", "") };
    write(&format!("{on}error:{off} {}", printable(&failure.text)));
}

/// Says something in passing.
pub(crate) fn note(text: &str) {
    write(&printable(text));
}

/// Begins something new: an empty line, and this in bold where that is welcome.
pub(crate) fn heading(text: &str) {
    let (on, off) = if is_coloured() { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
    write(&format!("\n{on}{}{off}", printable(text)));
}

/// Writes a line as it is.
fn write(line: &str) {
    // A terminal that is gone cannot be told so.
    let _ = writeln!(stderr().lock(), "{line}");
}

/// Whether stderr is a terminal that colours are welcome on.
fn is_coloured() -> bool {
    stderr().is_terminal() && paint() == Paint::Styled
}

/// Whether a terminal may be coloured: nobody asked for it to be plain (no-color.org).
pub(crate) fn paint() -> Paint {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if is_set("NO_COLOR") || is_dumb { Paint::Plain } else { Paint::Styled }
}

/// The text without control characters other than line ends and tabs.
pub(crate) fn printable(text: &str) -> String {
    let shown = |c: char| if c.is_control() && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\r\u{9b}c\n\td"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}c\n\td");
    }
}
