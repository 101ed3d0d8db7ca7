//! What goes to stdout: one JSON document, canonical and on one line, or for a person at a terminal the
//! same indented, or a table. Who reads is decided here alone.

use std::io::{self, IsTerminal as _, Write as _, stdout};

use serde::Serialize;
use serde_json::Value;
use waxwing_client::JobStatus;
use waxwing_core::{CanonicalJson, JobId};

use crate::exit::{Exit, Failure};
use crate::table::{Canvas, Table};
use crate::{questions, terminal};

/// Who reads stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A person at a terminal.
    Person,
    /// A program, through a pipe or a file.
    Program,
}

impl Reader {
    /// Who reads stdout of this process.
    pub(crate) fn of_stdout() -> Self {
        if stdout().is_terminal() { Self::Person } else { Self::Program }
    }

    /// Who reads stdout, when `--json` may say that it is a program.
    pub(crate) fn told(json: bool) -> Self {
        if json { Self::Program } else { Self::of_stdout() }
    }
}

/// Prints a result: as a table to a person, as JSON to a program.
pub(crate) fn print_or_table<T: Serialize + ?Sized>(
    result: &T,
    table: impl FnOnce() -> Table,
) -> Result<(), Failure> {
    show(false, result, table)
}

/// As [`print_or_table`]; with `json` it is JSON to anybody.
pub(crate) fn show<T: Serialize + ?Sized>(
    json: bool,
    result: &T,
    table: impl FnOnce() -> Table,
) -> Result<(), Failure> {
    match Reader::told(json) {
        Reader::Person => print_text(&table().render(canvas())),
        Reader::Program => print(result),
    }
}

/// The terminal that stdout is.
pub(crate) fn canvas() -> Canvas {
    let size = console::Term::stdout().size_checked();
    Canvas { width: size.map(|(_, columns)| columns.into()), paint: terminal::paint() }
}

/// Prints text for a person, as it is: what a peer said in it must be printable already.
pub(crate) fn print_text(text: &str) -> Result<(), Failure> {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::usage(format!("stdout cannot be written: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Prints a result.
pub(crate) fn print<T: Serialize + ?Sized>(result: &T) -> Result<(), Failure> {
    let json = CanonicalJson::from_serialize(result)
        .map_err(|error| Failure::new(Exit::Failed, format!("the result is no JSON: {error}")))?;
    print_json(&json)
}

/// Prints a result that is canonical already.
pub(crate) fn print_json(json: &CanonicalJson<'_>) -> Result<(), Failure> {
    let text = match Reader::of_stdout() {
        Reader::Person => indented(json),
        Reader::Program => json.as_str().to_owned(),
    };
    print_text(&format!("{text}\n"))
}

/// Strings in canonical JSON may hold what steers a terminal (U+007F to U+009F), so they are escaped.
fn indented(json: &CanonicalJson<'_>) -> String {
    let value: Result<Value, _> = json.decode();
    let text = value.and_then(|value| serde_json::to_string_pretty(&value));
    let text = text.unwrap_or_else(|_| json.as_str().to_owned());
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{7f}'..='\u{9f}' => shown.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => shown.push(c),
        }
    }
    shown
}

/// Prints how a job stands, as the wire has it: `job_id`, `status`, and what belongs to the status. A
/// job that failed is a failure.
pub(crate) fn print_status(job_id: &JobId<'_>, status: JobStatus<Value>) -> Result<(), Failure> {
    let mut document = serde_json::Map::new();
    let mut put = |name: &str, value: Value| document.insert(name.to_owned(), value);
    put("job_id", job_id.as_str().into());
    match status {
        JobStatus::Running { poll_after_ms, progress } => {
            put("status", "running".into());
            put("poll_after_ms", poll_after_ms.into());
            if let Some(progress) = progress.and_then(|it| serde_json::to_value(it).ok()) {
                put("progress", progress);
            }
        }
        JobStatus::InputRequired { requests } => {
            if Reader::of_stdout() == Reader::Person {
                terminal::note(&questions::explain(job_id, &requests));
            }
            put("status", "input_required".into());
            put("requests", requests.decode().unwrap_or(Value::Null));
        }
        JobStatus::Done(output) => {
            put("status", "done".into());
            put("output", output);
        }
        JobStatus::Cancelled { reason } => {
            put("status", "cancelled".into());
            if let Some(reason) = reason {
                put("reason", reason.into());
            }
        }
        JobStatus::Failed(error) => return Err(waxwing_client::ClientError::Failed(error).into()),
        other => {
            let text = format!("this version cannot show that status: {other:?}");
            return Err(Failure::new(Exit::Failed, text));
        }
    }
    print(&document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indented_text_is_the_same_json_and_cannot_steer_a_terminal() {
        let value = serde_json::json!({"a": "x\u{1b}[2J\u{7f}\u{9b}", "b": [1, 1.5]});
        let text = indented(&CanonicalJson::from_serialize(&value).unwrap());
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
