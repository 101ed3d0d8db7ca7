//! The path of a place in a message, found only once the message has been refused.
//!
//! Everything in front of the place was read without an error, so this walk need not be strict: it
//! keeps the containers that are open when it arrives.

/// Characters of a name that a path shows.
const SHOWN: usize = 32;

/// Steps that a path shows; the reader's depth limit is of the same size.
const MAX_STEPS: usize = 128;

/// An open container: where the name of its present member stands, or the index of its element.
enum Step {
    Member { start: usize, end: usize },
    Element(usize),
}

/// JSON Pointer (RFC 6901) of the value at `offset`.
pub(super) fn of_offset(input: &[u8], offset: usize) -> String {
    let mut steps: Vec<Step> = Vec::new();
    let mut expects_name = false;
    let mut at = 0;
    while at < offset.min(input.len()) {
        match input.get(at) {
            Some(b'"') => {
                let end = string_end(input, at + 1);
                if expects_name && end < offset {
                    if let Some(step) = steps.last_mut() {
                        *step = Step::Member { start: at + 1, end };
                    }
                    expects_name = false;
                }
                at = end;
            }
            Some(b'{') if steps.len() < MAX_STEPS => {
                steps.push(Step::Member { start: at, end: at });
                expects_name = true;
            }
            Some(b'[') if steps.len() < MAX_STEPS => steps.push(Step::Element(0)),
            Some(b'}' | b']') => {
                steps.pop();
                expects_name = false;
            }
            Some(b',') => match steps.last_mut() {
                Some(Step::Element(index)) => *index += 1,
                _ => expects_name = true,
            },
            _ => {}
        }
        at += 1;
    }
    let mut path = String::new();
    let shown = steps.len() - usize::from(expects_name && !steps.is_empty());
    for step in steps.iter().take(shown) {
        path.push('/');
        match step {
            Step::Element(index) => path.push_str(&index.to_string()),
            Step::Member { start, end } => push_name(input, *start, *end, &mut path),
        }
    }
    path
}

fn string_end(input: &[u8], mut at: usize) -> usize {
    while let Some(byte) = input.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    input.len()
}

fn push_name(input: &[u8], start: usize, end: usize, path: &mut String) {
    let name = String::from_utf8_lossy(input.get(start..end).unwrap_or_default());
    for character in name.chars().take(SHOWN) {
        match character {
            '~' => path.push_str("~0"),
            '/' => path.push_str("~1"),
            other => path.push(other),
        }
    }
    if name.chars().nth(SHOWN).is_some() {
        path.push('\u{2026}');
    }
}

#[cfg(test)]
mod tests {
    use super::of_offset;

    #[test]
    fn the_path_names_open_members_and_elements() {
        for (marked, path) in [
            ("^", ""),
            ("{\"a\":^1}", "/a"),
            ("{\"a\":[1,{\"b\":2},^x]}", "/a/2"),
            ("{\"a\":[1,{\"b\":^x", "/a/1/b"),
            ("{\"a\":1,^\"a\":2}", ""),
            ("{\"a\":{\"b\":1,^\"b\":2}}", "/a"),
            ("{\"a/b~\":^", "/a~1b~0"),
            ("[[],[^", "/1/0"),
            ("{\"a\":\"x{[,\",\"b\":^", "/b"),
        ] {
            let offset = marked.find('^').unwrap();
            assert_eq!(of_offset(marked.replace('^', "").as_bytes(), offset), path, "{marked}");
        }
        let long = format!("{{\"{}\":", "n".repeat(100));
        assert_eq!(of_offset(long.as_bytes(), long.len()).chars().count(), 34);
    }
}
