//! The little Markdown that tidy reads: sections by heading, the rows of tables, names in
//! backticks.

/// The text below the heading `name` up to the next heading of that depth or a higher one.
pub(super) fn section<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut start = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let heading = heading(line);
        match (start, heading) {
            (None, Some((depth, title))) if title == name => start = Some((depth, at + line.len())),
            (Some((depth, from)), Some((other, _))) if other <= depth => return text.get(from..at),
            _ => {}
        }
        at += line.len();
    }
    start.and_then(|(_, from)| text.get(from..))
}

fn heading(line: &str) -> Option<(usize, &str)> {
    let title = line.trim_start_matches('#');
    let depth = line.len() - title.len();
    (depth > 0 && title.starts_with(' ')).then(|| (depth, title.trim()))
}

/// The cells of every table row whose first cell starts with a name in backticks.
pub(super) fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines()
        .filter(|line| line.trim_start().starts_with("| `"))
        .map(|line| line.trim().trim_matches('|').split('|').map(str::trim).collect())
}

/// Everything between single backticks, outside fenced blocks.
pub(super) fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines()
        .filter(move |line| {
            let fence = line.trim_start().starts_with("```");
            fenced ^= fence;
            !fenced && !fence
        })
        .flat_map(|line| line.split('`').skip(1).step_by(2))
}

#[cfg(test)]
mod tests {
    use super::{code_spans, rows, section};

    const PAGE: &str = "# A\n\n## B\n\n| `x` | `y`, z |\n|---|---|\n\n### C\nc\n\n## D\n```text\n`no`\n```\n`d` e\n";

    #[test]
    fn sections_end_at_the_next_heading() {
        assert!(section(PAGE, "B").unwrap().ends_with("### C\nc\n\n"));
        assert_eq!(section(PAGE, "C").unwrap(), "c\n\n");
        assert!(section(PAGE, "D").unwrap().ends_with("e\n"));
        assert_eq!(section(PAGE, "E"), None);
    }

    #[test]
    fn rows_are_cells() {
        assert_eq!(rows(PAGE).collect::<Vec<_>>(), [vec!["`x`", "`y`, z"]]);
    }

    #[test]
    fn spans_outside_fences() {
        assert_eq!(code_spans(PAGE).collect::<Vec<_>>(), ["x", "y", "d"]);
    }
}
