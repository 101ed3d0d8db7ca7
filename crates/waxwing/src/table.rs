//! Tables for a person at a terminal: aligned columns, the last of which flows within the width. What
//! a peer said cannot steer the terminal.

use std::fmt::Write as _;

use console::measure_text_width;

use crate::terminal::printable;

/// Between two columns.
const GAP: usize = 2;
/// A last column narrower than this is not flowed: the terminal breaks its lines as it likes.
const LEAST_FLOWED: usize = 24;

/// A table with a head.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// How a table is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Canvas {
    /// Columns of the terminal; `None` when they are not known.
    pub(crate) width: Option<usize>,
    pub(crate) paint: Paint,
}

/// Whether colours and bold type are welcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    Plain,
    Styled,
}

impl Table {
    /// A table with these columns and no rows.
    pub(crate) fn new(head: &[&str]) -> Self {
        Self { head: head.iter().map(|&text| cell(text)).collect(), rows: Vec::new() }
    }

    /// Adds a row: one cell for each column.
    pub(crate) fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) -> &mut Self {
        let mut cells: Vec<String> = cells.into_iter().map(|text| cell(text.as_ref())).collect();
        cells.resize(self.head.len(), String::new());
        self.rows.push(cells);
        self
    }

    /// The lines, each with its line end.
    pub(crate) fn render(&self, canvas: Canvas) -> String {
        let widths: Vec<usize> = (0..self.head.len()).map(|column| self.width_of(column)).collect();
        let fixed: usize = widths.iter().rev().skip(1).map(|width| width + GAP).sum();
        let flow = canvas.width.map(|width| width.saturating_sub(fixed));
        let flow = flow.filter(|&width| width >= LEAST_FLOWED);
        let mut text = String::new();
        for (line, cells) in std::iter::once(&self.head).chain(&self.rows).enumerate() {
            let (on, off) = match canvas.paint {
                Paint::Styled if line == 0 => ("\u{1b}[1m", "\u{1b}[0m"),
                _ => ("", ""),
            };
            for shown in lines_of(cells, &widths, fixed, flow) {
                // A `String` takes whatever it is given.
                let _ = writeln!(text, "{on}{}{off}", shown.trim_end());
            }
        }
        text
    }

    fn width_of(&self, column: usize) -> usize {
        let cells = std::iter::once(&self.head).chain(&self.rows);
        let widths =
            cells.filter_map(|cells| cells.get(column)).map(|cell| measure_text_width(cell));
        widths.max().unwrap_or(0)
    }
}

/// The lines of one row; from the second on they hold the rest of the last cell.
fn lines_of(cells: &[String], widths: &[usize], fixed: usize, flow: Option<usize>) -> Vec<String> {
    let Some((last, others)) = cells.split_last() else { return Vec::new() };
    let mut first = String::new();
    for (cell, width) in others.iter().zip(widths) {
        first.push_str(cell);
        first.push_str(&" ".repeat((width + GAP).saturating_sub(measure_text_width(cell))));
    }
    let mut parts = match flow {
        Some(width) => flowed(last, width),
        None => vec![last.clone()],
    }
    .into_iter();
    first.push_str(&parts.next().unwrap_or_default());
    let indent = " ".repeat(fixed);
    std::iter::once(first).chain(parts.map(|part| format!("{indent}{part}"))).collect()
}

/// `text` in lines of at most `width` columns, broken between words; a word that is wider stays whole.
pub(crate) fn flowed(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if measure_text_width(line) + 1 + measure_text_width(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A cell is one line, whatever the text is.
fn cell(text: &str) -> String {
    printable(text).split(['\n', '\t']).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Canvas = Canvas { width: None, paint: Paint::Plain };

    fn table() -> Table {
        let mut table = Table::new(&["NAME", "SAYS"]);
        table.row(["a", "one two three four five six seven"]).row(["日本", "x"]);
        table
    }

    #[test]
    fn columns_are_aligned_and_nothing_trails() {
        assert_eq!(
            table().render(PLAIN),
            "NAME  SAYS\na     one two three four five six seven\n日本  x\n"
        );
    }

    #[test]
    fn the_last_column_flows_within_the_terminal() {
        let narrow = Canvas { width: Some(6 + 24), ..PLAIN };
        assert_eq!(
            table().render(narrow),
            "NAME  SAYS\na     one two three four five\n      six seven\n日本  x\n"
        );
        let too_narrow = Canvas { width: Some(10), ..PLAIN };
        assert_eq!(table().render(too_narrow), table().render(PLAIN));
    }

    #[test]
    fn only_the_head_is_bold_and_only_where_that_is_welcome() {
        let styled = table().render(Canvas { paint: Paint::Styled, ..PLAIN });
        assert!(styled.starts_with("\u{1b}[1mNAME  SAYS\u{1b}[0m\na  "), "{styled:?}");
        assert_eq!(styled.matches('\u{1b}').count(), 2);
    }

    #[test]
    fn a_cell_is_one_line_that_cannot_steer_the_terminal() {
        let mut table = Table::new(&["A", "B"]);
        table.row(["x\u{1b}[2J\ny", "1\t2\r"]).row(["only one"]);
        assert_eq!(table.render(PLAIN), "A         B\nx\u{fffd}[2J y   1 2\u{fffd}\nonly one\n");
    }

    #[test]
    fn a_word_wider_than_the_column_stays_whole() {
        assert_eq!(flowed("a incomprehensible b", 5), ["a", "incomprehensible", "b"]);
    }
}
