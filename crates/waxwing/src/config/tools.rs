//! `[[tool]]` in `waxwing.toml`: tools that are programs. Everything that is wrong with one is
//! told at once, under its name (docs/command-tools.md).

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value as Json;
use toml::Value as Toml;
use waxwing_command::{CommandTool, RetryRule, Variables};
use waxwing_core::{CanonicalJson, Limits};
use waxwing_tools::{Annotations, Retry, ToolMode, WrittenSchemas};

use super::fields::Fields;

/// Bytes that a schema's file may have; the registry allows a schema less.
const LARGEST_SCHEMA: usize = 1 << 20;

const HOUR_MS: u64 = 3_600_000;

/// Reads the tables: a tool each, unless something is missing or wrong that it cannot be without.
/// Schemas' files are relative to `folder`.
pub(super) fn read(file: &mut Fields<'_>, folder: &Path) -> Vec<Option<CommandTool>> {
    file.tables("tool", |_, table| {
        if let Some(name) = table.text("name") {
            let name = format!("tool {name:?}");
            table.call_it(name);
        }
        tool(table, folder)
    })
}

fn tool(keys: &mut Fields<'_>, folder: &Path) -> Option<CommandTool> {
    let name = keys.required::<String>("name");
    let description = keys.required::<String>("description");
    let command = keys.required::<Vec<String>>("command");
    let mode = keys.take::<ToolMode>("mode").unwrap_or(ToolMode::Sync);
    let input = schema(keys, "input_schema", "input_schema_file", folder);
    let output = schema(keys, "output_schema", "output_schema_file", folder);
    let title = keys.take::<String>("title");
    let annotations = keys.take::<Annotations>("annotations");
    let working_directory = keys.take::<PathBuf>("working_directory");
    let bounds = Bounds {
        timeout_ms: keys.within("timeout_ms", 1, 366 * 24 * HOUR_MS),
        concurrency: keys.within("concurrency", 1, 1 << 16),
        queue: keys.within("queue", 0, 1 << 20),
        max_args_bytes: keys.within("max_args_bytes", 2, 1 << 30),
        max_output_bytes: keys.within("max_output_bytes", 2, 1 << 30),
        grace_ms: keys.within("grace_ms", 0, HOUR_MS),
        stderr_lines: keys.within("stderr_lines", 0, 1 << 20),
        stderr_tail_bytes: keys.within("stderr_tail_bytes", 0, 16 << 10),
    };
    let variables = keys.table("environment", variables);
    let retry = keys.table("retry", retry);
    let schemas = WrittenSchemas { input: input?, output: output? };
    let mut tool = CommandTool::new(name?, description?, mode, schemas, command?);
    tool.title = title;
    tool.annotations = annotations.unwrap_or_default();
    tool.working_directory = working_directory.unwrap_or_default();
    bounds.apply(&mut tool);
    tool.variables = variables.unwrap_or_default();
    tool.retry = retry.unwrap_or_default();
    Some(tool)
}

fn variables(table: &mut Fields<'_>) -> Variables {
    let mut variables = Variables::default();
    variables.pass = table.take("pass").unwrap_or_default();
    variables.set = table.texts("set");
    variables
}

fn retry(table: &mut Fields<'_>) -> RetryRule {
    let mut rule = RetryRule::default();
    if let Some(codes) = table.take("exit_codes") {
        rule.exit_codes = codes;
    }
    if let Some(is_transient) = table.take::<bool>("signal") {
        rule.signal = if is_transient { Retry::Later } else { Retry::Never };
    }
    rule
}

/// The numbers of a table.
struct Bounds {
    timeout_ms: Option<u64>,
    concurrency: Option<usize>,
    queue: Option<usize>,
    max_args_bytes: Option<usize>,
    max_output_bytes: Option<usize>,
    grace_ms: Option<u64>,
    stderr_lines: Option<u64>,
    stderr_tail_bytes: Option<usize>,
}

impl Bounds {
    fn apply(self, tool: &mut CommandTool) {
        let limits = &mut tool.limits;
        limits.time = self.timeout_ms.map(Duration::from_millis).or(limits.time);
        limits.concurrency = self.concurrency.unwrap_or(limits.concurrency);
        limits.queue = self.queue.unwrap_or(limits.queue);
        limits.args_bytes = self.max_args_bytes.unwrap_or(limits.args_bytes);
        limits.output_bytes = self.max_output_bytes.unwrap_or(limits.output_bytes);
        limits.cancel_grace = self.grace_ms.map_or(limits.cancel_grace, Duration::from_millis);
        tool.stderr_lines = self.stderr_lines.unwrap_or(tool.stderr_lines);
        tool.stderr_tail_bytes = self.stderr_tail_bytes.unwrap_or(tool.stderr_tail_bytes);
    }
}

/// A schema, in its place or in a file.
fn schema(
    keys: &mut Fields<'_>,
    key: &'static str,
    file_key: &'static str,
    folder: &Path,
) -> Option<Json> {
    let (here, file) = (keys.take::<Toml>(key), keys.take::<PathBuf>(file_key));
    match (here, file) {
        (Some(_), Some(_)) => {
            keys.fault(key, format_args!("and {file_key} are both there: one must go"));
            None
        }
        (Some(value), None) => {
            json(value).map_err(|what| keys.fault(key, format_args!("holds {what}"))).ok()
        }
        (None, Some(file)) => read_schema(&folder.join(file))
            .map_err(|what| {
                keys.fault(file_key, format_args!("names a file that is no schema: {what}"));
            })
            .ok(),
        (None, None) => {
            keys.fault(key, format_args!("is missing (or {file_key} = \"x.json\")"));
            None
        }
    }
}

fn read_schema(path: &Path) -> Result<Json, String> {
    let bytes = std::fs::read(path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let limits = Limits::DEFAULT.with_max_message(LARGEST_SCHEMA);
    let json = CanonicalJson::read(&bytes, &limits)
        .map_err(|error| format!("{}: {error}", path.display()))?;
    json.decode().map_err(|error| format!("{}: {error}", path.display()))
}

/// The JSON that a value of TOML stands for; what JSON does not have is named.
fn json(value: Toml) -> Result<Json, &'static str> {
    Ok(match value {
        Toml::String(text) => text.into(),
        Toml::Integer(number) => number.into(),
        Toml::Float(number) if number.is_finite() => number.into(),
        Toml::Float(_) => return Err("a number that is not finite, which JSON has not"),
        Toml::Boolean(is) => is.into(),
        Toml::Datetime(_) => return Err("a date or time, which JSON has not: write it in quotes"),
        Toml::Array(items) => Json::Array(items.into_iter().map(json).collect::<Result<_, _>>()?),
        Toml::Table(table) => {
            let members = table.into_iter().map(|(name, value)| Ok((name, json(value)?)));
            Json::Object(members.collect::<Result<_, &str>>()?)
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fields::read_text;
    use super::*;

    fn parse(text: &str, folder: &Path) -> (Vec<CommandTool>, Vec<String>) {
        let (tools, faults) = read_text(text, |file| read(file, folder));
        (tools.into_iter().flatten().collect(), faults)
    }

    const FIVE_LINES: &str = "[[tool]]\nname = \"n\"\ndescription = \"d\"\ncommand = [\"c\", \"a\"]\n\
                              input_schema = { type = \"object\" }\noutput_schema = true\n";

    #[test]
    fn five_lines_are_enough() {
        let (tools, faults) = parse(FIVE_LINES, Path::new("/"));
        assert_eq!(faults, Vec::<String>::new());
        let [tool] = &tools[..] else { panic!("{tools:?}") };
        let schemas = WrittenSchemas { input: json!({"type": "object"}), output: json!(true) };
        let same = CommandTool::new("n", "d", ToolMode::Sync, schemas, tool.command.clone());
        assert_eq!(format!("{tool:?}"), format!("{same:?}"));
        assert_eq!(tool.command, ["c", "a"]);
    }

    #[test]
    fn every_key_is_used() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("in.json"), "{\"type\": \"object\"}\n").unwrap();
        std::fs::write(folder.path().join("out.json"), "{\"maximum\": 1.5}").unwrap();
        let text = "[[tool]]\nname = \"n\"\ntitle = \"t\"\ndescription = \"d\"\nmode = \"job\"\n\
                    command = [\"c\"]\ninput_schema_file = \"in.json\"\n\
                    output_schema_file = \"out.json\"\ntimeout_ms = 5\nconcurrency = 2\nqueue = 0\n\
                    max_args_bytes = 3\nmax_output_bytes = 4\ngrace_ms = 6\nstderr_lines = 7\n\
                    stderr_tail_bytes = 8\nworking_directory = \"w\"\n\
                    annotations = { read_only = true }\n\
                    environment = { pass = [\"A\"], set = { B = \"b\" } }\n\
                    retry = { exit_codes = [1, 2], signal = false }\n";
        let (tools, faults) = parse(text, folder.path());
        assert_eq!(faults, Vec::<String>::new());
        let [tool] = &tools[..] else { panic!("{tools:?}") };
        let limits = &tool.limits;
        assert_eq!((limits.time, limits.concurrency), (Some(Duration::from_millis(5)), 2));
        assert_eq!((limits.queue, limits.args_bytes, limits.output_bytes), (0, 3, 4));
        assert_eq!(limits.cancel_grace, Duration::from_millis(6));
        assert_eq!((tool.stderr_lines, tool.stderr_tail_bytes), (7, 8));
        assert_eq!((tool.title.as_deref(), tool.mode), (Some("t"), ToolMode::Job));
        assert_eq!(tool.working_directory, Path::new("w"));
        assert_eq!(tool.annotations.read_only, Some(true));
        assert_eq!(tool.variables.pass, ["A"]);
        assert_eq!(tool.variables.set, [("B".to_owned(), "b".to_owned())].into());
        assert_eq!((&tool.retry.exit_codes[..], tool.retry.signal), (&[1, 2][..], Retry::Never));
        assert_eq!(tool.schemas.input, json!({"type": "object"}));
        assert_eq!(tool.schemas.output, json!({"maximum": 1.5}));
        // The documentation names each of them.
        let guide = include_str!("../../../../docs/command-tools.md");
        for key in text.lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key) {
            assert!(guide.contains(&format!("| `{key}` |")), "{key} is not in the guide");
        }
    }

    #[test]
    fn everything_wrong_is_told_at_once_and_no_value_of_a_variable() {
        let text = "[[tool]]\nname = \"n\"\ncommand = \"c\"\ntimeout = 5\ntimeout_ms = 0\n\
                    mode = \"async\"\ninput_schema = { a = inf }\ninput_schema_file = \"x\"\n\
                    output_schema_file = \"none.json\"\nqueue = -1\nretry = { exit_codes = [256], x = 1 }\n\
                    environment = 5\n\
                    [[tool]]\ninput_schema = { a = 2026-01-01 }\noutput_schema = { a = inf }\n";
        let (tools, faults) = parse(text, Path::new("/nowhere"));
        assert!(tools.is_empty());
        for (start, part) in [
            ("tool \"n\": description is missing", ""),
            ("tool \"n\": command is wrong", "sequence"),
            ("tool \"n\": timeout is no key here", "timeout_ms"),
            ("tool \"n\": timeout_ms must be 1 to", "and is 0"),
            ("tool \"n\": mode is wrong", "async"),
            ("tool \"n\": input_schema and input_schema_file are both there", ""),
            ("tool \"n\": output_schema_file names a file", "/nowhere/none.json cannot be read"),
            ("tool \"n\": queue must be 0 to", "and is -1"),
            ("tool \"n\": environment must be a table", ""),
            ("[[tool]] number 2: name is missing", ""),
            ("[[tool]] number 2: command is missing", ""),
            ("[[tool]] number 2: input_schema holds a date", ""),
            ("[[tool]] number 2: output_schema holds a number that is not finite", ""),
        ] {
            let has = |fault: &&String| fault.starts_with(start) && fault.contains(part);
            assert!(faults.iter().any(|fault| has(&fault)), "{start}: {faults:#?}");
        }
        let more = "environment = { set = { A = 4711, B = \"canary\" }, pass = \"x\", all = true }\n\
                    retry = { exit_codes = [256], signals = true }\n";
        let (tools, faults) = parse(&format!("{FIVE_LINES}{more}"), Path::new("/"));
        assert_eq!(tools.len(), 1, "what can be checked further is");
        for start in [
            "tool \"n\": environment.set must have a string for \"A\"",
            "tool \"n\": environment.pass is wrong",
            "tool \"n\": environment.all is no key here; the keys are pass, set",
            "tool \"n\": retry.exit_codes is wrong",
            "tool \"n\": retry.signals is no key here",
        ] {
            assert!(faults.iter().any(|fault| fault.starts_with(start)), "{start}: {faults:#?}");
        }
        assert!(!faults.iter().any(|fault| fault.contains("4711") || fault.contains("canary")));
    }
}
