//! Words for messages: cut values, near names, alternatives, JSON Pointer tokens.

/// `text` when it has at most `longest` characters, else its beginning and an ellipsis.
pub(crate) fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some(_) => {
            let mut kept: String = text.chars().take(longest.saturating_sub(1)).collect();
            kept.push('…');
            kept
        }
    }
}

/// Characters of a string value or a member name that a message repeats.
pub(crate) const LONGEST_ECHO: usize = 40;

/// `text` in JSON quotes, cut, without control characters.
pub(crate) fn quoted(text: &str) -> String {
    let kept = cut(text, LONGEST_ECHO - 2);
    let mut quoted = String::with_capacity(kept.len() + 2);
    quoted.push('"');
    for c in kept.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if is_unprintable(c) => quoted.push('\u{fffd}'),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Controls, and the marks that reorder or hide text around them: a message must read as it is.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
            | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// `a`, `b` or `c`: bare words joined for a sentence.
pub(crate) fn alternatives<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    join(words, " or ")
}

/// `a`, `b` and `c`.
pub(crate) fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    join(words, " and ")
}

fn join<'a>(words: impl IntoIterator<Item = &'a str>, last: &str) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    match words.split_last() {
        None => String::new(),
        Some((only, [])) => (*only).to_owned(),
        Some((end, rest)) => format!("{}{last}{end}", rest.join(", ")),
    }
}

/// `text` without the characters that would disturb the line it is shown in.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if is_unprintable(c) { '\u{fffd}' } else { c }).collect()
}

/// Appends one reference token to a JSON Pointer.
pub(crate) fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    for c in token.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

/// The known names nearest to `name`, nearest first, at most three: those that a slip of a third
/// of the letters or a matter of case, `-` and `_` could have turned into it.
#[must_use]
pub fn similar<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    const LONGEST: usize = 64;
    let wanted = folded(name);
    if wanted.is_empty() || wanted.len() > LONGEST {
        return Vec::new();
    }
    let mut near: Vec<(usize, &str)> = known
        .into_iter()
        .filter(|candidate| *candidate != name)
        .filter_map(|candidate| {
            let letters = folded(candidate);
            if letters.len() > LONGEST {
                return None;
            }
            let shorter = wanted.len().min(letters.len());
            let part = shorter >= 3 && (starts(&letters, &wanted) || starts(&wanted, &letters));
            let slips = distance(&wanted, &letters);
            let allowed = (wanted.len().max(letters.len()) / 3).max(1);
            // A single letter is a slip away from every other one: that is no likeness.
            (part || (slips <= allowed && slips < shorter)).then_some((slips, candidate))
        })
        .collect();
    near.sort_unstable();
    near.truncate(3);
    near.into_iter().map(|(_, candidate)| candidate).collect()
}

fn starts(longer: &[char], beginning: &[char]) -> bool {
    longer.starts_with(beginning)
}

fn folded(name: &str) -> Vec<char> {
    let letters = name.chars().filter(|c| !matches!(c, '_' | '-' | ' '));
    letters.flat_map(char::to_lowercase).take(65).collect()
}

/// Edit distance where a swap of neighbours counts once (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            let at = |row: &[usize], k: usize| row.get(k).copied().unwrap_or(usize::MAX - 1);
            let mut best = at(&last, j) + usize::from(x != y);
            best = best.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_counts_characters_and_marks_what_is_missing() {
        assert_eq!(cut("héllo", 5), "héllo");
        assert_eq!(cut("héllos", 5), "héll…");
        assert_eq!(cut("", 0), "");
    }

    #[test]
    fn quoted_is_short_and_cannot_disturb_a_message() {
        assert_eq!(quoted("a\"b\\\n\t\u{7}\u{202e}"), r#""a\"b\\\n\t��""#);
        assert!(quoted(&"x".repeat(1000)).chars().count() <= LONGEST_ECHO);
    }

    #[test]
    fn distance_knows_slips_and_swaps() {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        let cases = [("", "", 0), ("abc", "abc", 0), ("abc", "acb", 1), ("ab", "abc", 1)];
        for (a, b, slips) in cases {
            assert_eq!(distance(&chars(a), &chars(b)), slips, "{a} {b}");
            assert_eq!(distance(&chars(b), &chars(a)), slips, "{b} {a}");
        }
        assert_eq!(distance(&chars("kitten"), &chars("sitting")), 3);
    }

    #[test]
    fn similar_finds_slips_case_and_beginnings_only() {
        let known = ["numbers", "note", "x", "list_tools"];
        let cases: [(&str, &[&str]); 8] = [
            ("number", &["numbers"]),
            ("nubmers", &["numbers"]),
            ("Numbers", &["numbers"]),
            ("listTools", &["list_tools"]),
            ("list", &["list_tools"]),
            ("y", &[]),
            ("colour", &[]),
            ("", &[]),
        ];
        for (name, expected) in cases {
            assert_eq!(similar(name, known), expected, "{name}");
        }
        assert!(similar(&"n".repeat(5000), known).is_empty());
    }

    #[test]
    fn words_join_like_a_sentence() {
        assert_eq!(alternatives([]), "");
        assert_eq!(alternatives(["a"]), "a");
        assert_eq!(alternatives(["a", "b", "c"]), "a, b or c");
        assert_eq!(listed(["a", "b"]), "a and b");
    }

    #[test]
    fn pointer_tokens_are_escaped() {
        let mut pointer = String::new();
        push_token(&mut pointer, "a/b~c");
        push_token(&mut pointer, "0");
        assert_eq!(pointer, "/a~1b~0c/0");
    }
}
