//! What a job asks for, for a person: each question, what an answer must be, and the command to answer.

use serde_json::{Map, Value};
use waxwing_core::{CanonicalJson, JobId};

/// The questions of a job that waits for input.
pub(crate) fn explain(job_id: &JobId<'_>, requests: &CanonicalJson<'_>) -> String {
    let requests: Map<String, Value> = requests.decode().unwrap_or_default();
    let mut text = format!("job {job_id} waits for answers:");
    let mut command = format!("waxwing answer {job_id}");
    for (key, request) in &requests {
        let message = request.get("message").and_then(Value::as_str).unwrap_or_default();
        let schema = request.get("schema").unwrap_or(&Value::Null);
        let message = message.replace('\n', "\n    ");
        text.push_str(&format!("\n  {key}: {message}\n    {}", form(schema)));
        command.push_str(&format!(" {key}={}", sample(schema)));
    }
    text.push_str(&format!("\nanswer with:\n  {command}"));
    text
}

/// What an answer must be, in the schema's own words where there is no shorter way.
fn form(schema: &Value) -> String {
    if let Some(options) = schema.get("enum").and_then(Value::as_array) {
        let options: Vec<_> = options.iter().map(Value::to_string).collect();
        return format!("one of {}", options.join(", "));
    }
    let description = schema.get("description").and_then(Value::as_str);
    let kind = schema.get("type").and_then(Value::as_str);
    let rules = schema.as_object().map_or(0, Map::len);
    match (kind, rules.saturating_sub(usize::from(description.is_some()))) {
        (Some(kind @ ("boolean" | "integer" | "number" | "string")), 1) => kind.to_owned(),
        _ => format!("JSON that fits {schema}"),
    }
}

/// What stands for the answer in the command.
fn sample(schema: &Value) -> String {
    let first = schema.get("enum").and_then(Value::as_array).and_then(|options| options.first());
    if let Some(first) = first {
        return first.as_str().map_or_else(|| first.to_string(), str::to_owned);
    }
    let word = match schema.get("type").and_then(Value::as_str) {
        Some("boolean") => "true",
        Some("integer" | "number") => "NUMBER",
        Some("string") => "TEXT",
        _ => "JSON",
    };
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn questions_are_told_with_the_command_that_answers_them() {
        let requests = json!({
            "colour": {"message": "Which colour?", "schema": {"enum": ["red", "blue"], "type": "string"}},
            "size": {"message": "Which\nsize?", "schema": {"type": "integer", "minimum": 1}},
            "sure": {"message": "Sure?", "schema": {"type": "boolean"}},
        });
        let requests = CanonicalJson::from_serialize(&requests).unwrap();
        assert_eq!(
            explain(&"j-1".parse().unwrap(), &requests),
            "job j-1 waits for answers:\n  colour: Which colour?\n    one of \"red\", \"blue\"\n  size: \
             Which\n    size?\n    JSON that fits {\"minimum\":1,\"type\":\"integer\"}\n  sure: Sure?\n    \
             boolean\nanswer with:\n  waxwing answer j-1 colour=red size=NUMBER sure=true"
        );
        let odd =
            CanonicalJson::from_serialize(&json!({"k": {"message": "?", "schema": true}})).unwrap();
        assert!(explain(&"j".parse().unwrap(), &odd).contains("k=JSON"));
    }
}
