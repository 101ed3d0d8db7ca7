//! The required 2020-12 cases of the JSON-Schema-Test-Suite through our own path. `suite.txt` has every
//! case that is out by a rule of ours, below the rule; to see what a change does to it, run with
//! `WAXWING_BLESS=1` and read the difference. `WAXWING_SCHEMA_SUITE` names the suite's folder, which
//! `cargo xtask test` fetches; unset, the test says that it skipped, and with CI set it fails.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use waxwing_core::CanonicalJson;
use waxwing_tools::{CompiledSchema, SchemaFault};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/suite.txt");

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
fn rule(fault: &SchemaFault) -> Option<String> {
    Some(match fault {
        SchemaFault::Dialect => "another dialect than 2020-12 is refused".to_owned(),
        SchemaFault::Keyword { keyword, .. } => {
            let unknown = "an unknown keyword is refused, so that no promise is left unchecked";
            match &**keyword {
                "$id" | "$anchor" | "$dynamicRef" | "$dynamicAnchor" | "$vocabulary" => {
                    format!("{keyword} is refused: a schema is one document, and names no other")
                }
                "unevaluatedItems" => {
                    format!("{keyword} is refused: few clients know it, prefixItems and items do")
                }
                "definitions" => format!("{keyword} is refused: it is $defs since 2019-09"),
                _ => unknown.to_owned(),
            }
        }
        SchemaFault::Reference { .. } => {
            "a reference is # or #/$defs/NAME: nothing is fetched, and clients can follow it"
                .to_owned()
        }
        SchemaFault::Dangling { .. } => "a reference to nothing is refused".to_owned(),
        SchemaFault::Format { .. } => "a format that nothing checks is refused".to_owned(),
        SchemaFault::Pattern { .. } => "a pattern is of the linear-time kind".to_owned(),
        SchemaFault::Unwritable(_) => "a number is one that canonical JSON has".to_owned(),
        _ => return None,
    })
}

/// The suite's folder, if there is one.
fn suite() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("WAXWING_SCHEMA_SUITE") {
        return Some(PathBuf::from(folder).join("tests/draft2020-12"));
    }
    let why = "WAXWING_SCHEMA_SUITE is not set, and cargo xtask test could not fetch the suite";
    let in_ci = std::env::var("CI").is_ok_and(|ci| !matches!(ci.as_str(), "" | "0" | "false"));
    assert!(!in_ci, "{why}, and with CI set nothing may be skipped");
    waxwing_testkit::data::skip("the JSON-Schema-Test-Suite", why);
    None
}

/// What the suite's cases come to.
#[derive(Default)]
struct Tally {
    passed: usize,
    /// Cases that are out, below the rule they are out by.
    out: BTreeMap<String, Vec<String>>,
    wrong: Vec<String>,
}

impl Tally {
    fn file(&mut self, file: &Path) {
        let name = file.file_stem().unwrap().to_string_lossy();
        let groups: Vec<Group> = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        for group in groups {
            let place = format!("{name}: {}", group.description);
            let cases: Vec<String> =
                group.tests.iter().map(|case| format!("{place}: {}", case.description)).collect();
            let schema = match CompiledSchema::written(group.schema) {
                Ok(schema) => schema,
                Err(fault) => {
                    match rule(&fault) {
                        Some(rule) => self.out.entry(rule).or_default().extend(cases),
                        None => self.wrong.push(format!("{place}: {fault}")),
                    }
                    continue;
                }
            };
            for (case, place) in group.tests.iter().zip(cases) {
                match check(&schema, case) {
                    Ok(()) => self.passed += 1,
                    Err("refused") if name == "format" => {
                        self.out.entry(FORMAT.to_owned()).or_default().push(place);
                    }
                    Err("refused") if CLOSED.contains(&place.as_str()) => {
                        self.out.entry(CLOSING.to_owned()).or_default().push(place);
                    }
                    Err(how) => self.wrong.push(format!("{place}: {how}")),
                }
            }
        }
    }

    fn report(&self) -> String {
        let count = self.out.values().map(Vec::len).sum::<usize>();
        let mut text = format!("{} cases pass, {count} are out by a rule\n", self.passed);
        for (rule, cases) in &self.out {
            write!(text, "\n{} cases: {rule}\n", cases.len()).unwrap();
            for case in cases {
                writeln!(text, "- {case}").unwrap();
            }
        }
        text
    }
}

#[test]
fn required_cases_of_2020_12_pass_or_are_out_by_rule() {
    let Some(folder) = suite() else { return };
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    let mut tally = Tally::default();
    files.iter().for_each(|file| tally.file(file));
    let report = tally.report();
    println!("{}", report.lines().next().unwrap());
    assert!(tally.wrong.is_empty(), "{} wrong:\n{}", tally.wrong.len(), tally.wrong.join("\n"));
    if std::env::var_os("WAXWING_BLESS").is_some() {
        fs::write(FILE, &report).unwrap();
    }
    let expected = fs::read_to_string(FILE).unwrap();
    for (expected, got) in expected.lines().zip(report.lines()) {
        assert_eq!(got, expected);
    }
    assert_eq!(report.len(), expected.len());
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
