//! The one JSON document on stdout: canonical and on one line, or indented for a person at a terminal.

use std::io::{self, IsTerminal as _, Write as _, stdout};

use serde::Serialize;
use serde_json::Value;
use waxwing_client::JobStatus;
use waxwing_core::{CanonicalJson, JobId};

use crate::exit::{Exit, Failure};

/// Prints a result.
pub(crate) fn print<T: Serialize + ?Sized>(result: &T) -> Result<(), Failure> {
    let json = CanonicalJson::from_serialize(result)
        .map_err(|error| Failure::new(Exit::Failed, format!("the result is no JSON: {error}")))?;
    print_json(&json)
}

/// Prints a result that is canonical already.
pub(crate) fn print_json(json: &CanonicalJson<'_>) -> Result<(), Failure> {
    let text = if stdout().is_terminal() { indented(json) } else { json.as_str().to_owned() };
    let mut out = stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::usage(format!("stdout cannot be written: {error}"))),
        Ok(()) => Ok(()),
    }
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
