//! The pairs of calls in docs/tools.md say what the crate says.
//!
//! To see what a change does to them, run with `WAXWING_BLESS=1` and read the difference.

use waxwing_tools::Registry;

use crate::tools::{canonical, registry};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/tools.md");

/// Prepares the call written in `block`, `TOOL ARGUMENTS`; the text it is refused with, if it is.
fn refusal(registry: &Registry, block: &str) -> Option<String> {
    let (tool, args) = block.trim().split_once(' ').unwrap();
    let failure = registry.prepare(tool, &canonical(args)).err()?;
    Some(failure.to_call_error("r-1").message)
}

#[test]
fn ten_pairs_in_the_docs_are_true() {
    let registry = registry();
    let file = std::fs::read_to_string(FILE).unwrap();
    let (prose, pairs) = file.split_once("\n### ").unwrap();
    let mut rendered = prose.to_owned();
    let mut count = 0;
    for pair in pairs.split("\n### ") {
        let blocks: Vec<&str> = pair.split("```").collect();
        let [title, before, _, _, _, after, _] = blocks.as_slice() else {
            panic!("three blocks: {pair}")
        };
        let before = before.strip_prefix("json\n").unwrap();
        let after = after.strip_prefix("json\n").unwrap();
        let said = refusal(&registry, before).unwrap_or_else(|| panic!("accepted: {before}"));
        assert_eq!(refusal(&registry, after), None, "{after}");
        rendered.push_str(&format!(
            "\n### {title}```json\n{before}```\n```text\n{said}\n```\n```json\n{after}```\n"
        ));
        count += 1;
    }
    assert_eq!(count, 10);
    if std::env::var_os("WAXWING_BLESS").is_some() {
        std::fs::write(FILE, &rendered).unwrap();
    }
    for (got, expected) in rendered.split("\n### ").zip(file.split("\n### ")) {
        assert_eq!(got, expected);
    }
    assert_eq!(rendered.len(), file.len());
}
