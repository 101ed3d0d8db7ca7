//! Hostile argument documents, each with everything that is said about it. `hostile.txt` holds
//! blocks: a line `> TOOL ARGUMENTS`, then a line for each violation. To see what a change does to
//! them, run with `WAXWING_BLESS=1` and read the difference.

use std::fmt::Write as _;

use serde_json::json;
use waxwing_core::{CanonicalJson, Limits};
use waxwing_tools::{CallFailure, CompiledSchema, Registry};

use crate::tools::{canonical, registry};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/hostile.txt");

fn render(registry: &Registry, tool: &str, args: &str) -> String {
    let violations = match registry.prepare(tool, &canonical(args)) {
        Err(CallFailure::InvalidArgs { violations, .. }) => violations,
        other => panic!("{tool} {args}: {other:?}"),
    };
    let mut text = String::new();
    for violation in violations.as_slice() {
        writeln!(text, "{} {violation}", violation.keyword).unwrap();
    }
    assert!(!violations.has_more());
    text
}

#[test]
fn a_hundred_hostile_documents_are_answered_in_full() {
    let registry = registry();
    let file = std::fs::read_to_string(FILE).unwrap();
    let mut rendered = String::new();
    let mut count = 0;
    for line in file.lines().filter(|line| line.starts_with("> ")) {
        let (tool, args) = line[2..].split_once(' ').unwrap();
        writeln!(rendered, "{line}").unwrap();
        rendered.push_str(&render(&registry, tool, args));
        count += 1;
    }
    assert!(count >= 100, "only {count}");
    if std::env::var_os("WAXWING_BLESS").is_some() {
        std::fs::write(FILE, &rendered).unwrap();
    }
    for (expected, got) in file.split("> ").zip(rendered.split("> ")) {
        assert_eq!(got, expected);
    }
    assert_eq!(rendered.len(), file.len());
}

#[test]
fn a_flood_of_violations_is_cut_and_says_so() {
    let registry = registry();
    let many = format!("{{\"numbers\":[{}null]}}", "null,".repeat(100_000));
    let Err(CallFailure::InvalidArgs { violations, .. }) =
        registry.prepare("batch_sum", &canonical(&many))
    else {
        panic!("accepted")
    };
    assert_eq!(violations.as_slice().len(), 64);
    assert!(violations.has_more());
    let last = violations.as_slice().last().unwrap();
    assert_eq!(last.path, "/numbers/63", "the first ones, in order");
    let summary = violations.summary("batch_sum");
    assert!(summary.contains("more than 64 things") && summary.len() < 16_000, "{summary}");
}

#[test]
fn a_slip_is_found_before_a_flood_of_unknown_members_and_not_sought_behind_it() {
    let schema = json!({
        "type": "object", "required": ["fast_lane"], "additionalProperties": false,
        "properties": {"fast_lane": {"type": "array"}},
    });
    let schema = CompiledSchema::written_args(schema).unwrap();
    let hint = |slip: &str| {
        let flood: Vec<String> = (0..60_000).map(|i| format!("\"m{i}\":0")).collect();
        let text = format!("{{\"{slip}\":[],{}}}", flood.join(","));
        let value = CanonicalJson::read(text.as_bytes(), &Limits::default()).unwrap();
        let violations = schema.check(&value).unwrap_err();
        assert!(violations.has_more());
        let missing = violations.as_slice().iter().find(|v| v.keyword == "required");
        missing.unwrap().hint.clone()
    };
    assert_eq!(hint("fast_lanes"), "Rename \"fast_lanes\" to \"fast_lane\".");
    assert_eq!(hint("past_lane"), "Add it.");
}

#[test]
fn no_message_repeats_a_long_or_secret_value() {
    let registry = registry();
    let long = "L0ng".repeat(200);
    let cases = [
        ("book", format!(r#"{{"note":"{long}","travellers":"{long}"}}"#)),
        ("written", format!(r#"{{"mode":"{long}","level":"{long}","{long}":1}}"#)),
        ("written", r#"{"api_token":"hunter2","hidden":"hunter2"}"#.to_owned()),
        ("written", r#"{"passwort_password":"hunter2","x_secret":["hunter2"]}"#.to_owned()),
        ("book", r#"{"pay":{"kind":"card","number":"1","pin":{"a":"hunter2"}}}"#.to_owned()),
        ("book", r#"{"pay":{"kind":"hunter2long","pin":"hunter2"}}"#.replace("hunter2long", "x")),
    ];
    for (tool, args) in cases {
        let failure = registry.prepare(tool, &canonical(&args)).unwrap_err();
        let error = failure.to_call_error("r");
        let said = format!("{}{:?}", error.message, error.details);
        assert!(!said.contains("hunter2"), "{said}");
        for violation in said.lines() {
            assert!(violation.matches("L0ng").count() <= 250, "{violation}");
        }
        let CallFailure::InvalidArgs { violations, .. } = failure else { panic!() };
        for violation in violations.as_slice() {
            assert!(violation.got.len() < 100, "{violation}");
        }
    }
}
