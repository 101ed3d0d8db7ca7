//! The required 2020-12 cases of the JSON-Schema-Test-Suite through our own path; those out by a
//! rule of ours are counted under that rule. `WAXWING_SCHEMA_SUITE` names a folder with the suite's
//! `tests/draft2020-12`. Unset, the test says that it skipped; set but missing, it fails.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use waxwing_core::CanonicalJson;
use waxwing_tools::{CompiledSchema, SchemaFault};

#[derive(serde::Deserialize)]
struct Group {
    description: String,
    schema: Value,
    tests: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    description: String,
    data: Value,
    valid: bool,
}

const FORMAT: &str = "`format` is checked here, where the suite has it as an annotation";

const CLOSING: &str = "an object with `properties` takes no other members unless it says so";

/// The cases that send a member the schema does not name and expect it to be taken.
const CLOSED: [&str; 7] = [
    "additionalProperties: additionalProperties are allowed by default: additional properties are \
     allowed",
    "anyOf: anyOf complex types: both anyOf valid (complex)",
    "dependentSchemas: dependent subschema incompatible with root: matches dependency",
    "dependentSchemas: dependent subschema incompatible with root: no dependency",
    "not: forbidden property: property absent",
    "properties: object properties validation: doesn't invalidate other properties",
    "unevaluatedProperties: property is evaluated in an uncle schema to unevaluatedProperties: no \
     extra properties",
];

/// Why a group is out by rule, or `None` when the reason is none of the rules.
fn rule(fault: &SchemaFault) -> Option<&'static str> {
    Some(match fault {
        SchemaFault::Dialect => "another dialect: 2020-12 only",
        SchemaFault::Keyword { .. } => "a keyword that is not taken, so that nothing is unchecked",
        SchemaFault::Reference { .. } => "a reference other than # and #/$defs/NAME",
        SchemaFault::Dangling { .. } => "a reference to nothing",
        SchemaFault::Format { .. } => "a format that is not checked",
        SchemaFault::Pattern { .. } => "a pattern that is not of the linear-time kind",
        SchemaFault::Unwritable(_) => "a number that canonical JSON does not have",
        _ => return None,
    })
}

#[test]
fn required_cases_of_2020_12_pass_or_are_out_by_rule() {
    let Some(folder) = std::env::var_os("WAXWING_SCHEMA_SUITE") else {
        println!("skipped: WAXWING_SCHEMA_SUITE is not set");
        return;
    };
    let folder = PathBuf::from(folder).join("tests/draft2020-12");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    let (mut passed, mut out, mut wrong) = (0, BTreeMap::new(), Vec::new());
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let groups: Vec<Group> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        for group in groups {
            let place = format!("{name}: {}", group.description);
            match CompiledSchema::written(group.schema) {
                Ok(schema) => {
                    for case in group.tests {
                        let case_place = format!("{place}: {}", case.description);
                        match check(&schema, &case) {
                            _ if name == "format" => *out.entry(FORMAT).or_insert(0) += 1,
                            Err("refused") if CLOSED.contains(&case_place.as_str()) => {
                                *out.entry(CLOSING).or_insert(0) += 1;
                            }
                            Ok(()) => passed += 1,
                            Err(how) => wrong.push(format!("{case_place}: {how}")),
                        }
                    }
                }
                Err(fault) => match rule(&fault) {
                    Some(rule) => *out.entry(rule).or_insert(0) += group.tests.len(),
                    None => wrong.push(format!("{place}: {fault}")),
                },
            }
        }
    }
    println!("{passed} cases pass; out by rule: {out:#?}");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(passed > 900, "only {passed} cases");
}

fn check(schema: &CompiledSchema, case: &Case) -> Result<(), &'static str> {
    // A value that canonical JSON cannot hold never reaches a check.
    let Ok(value) = CanonicalJson::from_serialize(&case.data) else { return Ok(()) };
    match schema.check(&value) {
        Ok(()) if case.valid => Ok(()),
        Err(_) if case.valid => Err("refused"),
        Ok(()) => Err("accepted"),
        Err(violations) if violations.as_slice().iter().any(|v| v.keyword == "schema") => {
            Err("refused without an explanation")
        }
        Err(_) => Ok(()),
    }
}
