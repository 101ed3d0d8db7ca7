//! For store authors: the parts of a job that have no column of their own, as JSON text and back.

mod stored;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use waxwing_core::{CanonicalJson, ErrorCode, Limits};

use crate::input::{Answers, InputKey, InputRequest, InputRequests};
use crate::job::{Attempt, Cause, Failure};
use crate::settlement;
use crate::store::StoreError;
pub use stored::{StoredJob, StoredLine};

/// A text that a store kept and that does not read back.
fn damaged(what: &str) -> StoreError {
    StoreError::Corrupt(format!("{what} of a job"))
}

/// Reads back a value that was stored in canonical form.
///
/// # Errors
/// [`StoreError::Corrupt`] naming `what` when it is not JSON.
pub fn json_from_text(text: &str, what: &str) -> Result<CanonicalJson<'static>, StoreError> {
    let limits = Limits::DEFAULT.with_max_message(usize::MAX).with_max_depth(Limits::DEEPEST);
    match CanonicalJson::read(text.as_bytes(), &limits) {
        Ok(json) => Ok(json.into_owned()),
        Err(_) => Err(damaged(what)),
    }
}

fn value(json: &CanonicalJson<'_>) -> Result<Value, StoreError> {
    json.decode().map_err(|_| damaged("a value"))
}

fn canonical(value: &Value) -> Result<CanonicalJson<'static>, StoreError> {
    CanonicalJson::from_serialize(value).map_err(|_| damaged("a value"))
}

fn object(text: &str, what: &str) -> Result<Map<String, Value>, StoreError> {
    serde_json::from_str(text).map_err(|_| damaged(what))
}

/// The text of requests: `{KEY: {message, schema}}`.
///
/// # Errors
/// [`StoreError::Corrupt`] when a schema does not decode, which the type excludes.
pub fn requests_to_text(requests: &InputRequests) -> Result<String, StoreError> {
    let mut all = Map::new();
    for (key, request) in requests.iter() {
        let schema = value(&request.schema)?;
        all.insert(key.to_string(), json!({"message": request.message, "schema": schema}));
    }
    Ok(Value::Object(all).to_string())
}

/// Reads requests back.
///
/// # Errors
/// [`StoreError::Corrupt`] when the text is not what [`requests_to_text`] writes.
pub fn requests_from_text(text: &str) -> Result<InputRequests, StoreError> {
    const WHAT: &str = "the requests";
    let mut all = BTreeMap::new();
    for (key, request) in object(text, WHAT)? {
        let key = InputKey::new(key).map_err(|_| damaged(WHAT))?;
        let message = request.get("message").and_then(Value::as_str);
        let (Some(message), Some(schema)) = (message, request.get("schema")) else {
            return Err(damaged(WHAT));
        };
        all.insert(key, InputRequest { message: message.to_owned(), schema: canonical(schema)? });
    }
    InputRequests::new(all).map_err(|_| damaged(WHAT))
}

/// The text of answers: `{KEY: value}`.
///
/// # Errors
/// [`StoreError::Corrupt`] when an answer does not decode, which the type excludes.
pub fn answers_to_text(answers: &Answers) -> Result<String, StoreError> {
    let entries = answers.iter().map(|(key, answer)| Ok((key.to_string(), value(answer)?)));
    Ok(Value::Object(entries.collect::<Result<_, StoreError>>()?).to_string())
}

/// Reads answers back.
///
/// # Errors
/// [`StoreError::Corrupt`] when the text is not what [`answers_to_text`] writes.
pub fn answers_from_text(text: &str) -> Result<Answers, StoreError> {
    const WHAT: &str = "the answers";
    let mut all = BTreeMap::new();
    for (key, answer) in object(text, WHAT)? {
        all.insert(InputKey::new(key).map_err(|_| damaged(WHAT))?, canonical(&answer)?);
    }
    Ok(Answers::new(all))
}

const fn cause_name(cause: Cause) -> &'static str {
    match cause {
        Cause::Tool => "tool",
        Cause::Panic => "panic",
        Cause::LeaseLost => "lease_lost",
        Cause::Corrupt => "corrupt",
        Cause::Unknown => "unknown",
    }
}

/// The text of failed attempts: `[{number, ended_ms, cause, message, code?, details?}]`.
///
/// # Errors
/// [`StoreError::Corrupt`] when details do not decode, which the type excludes.
pub fn attempts_to_text(attempts: &[Attempt]) -> Result<String, StoreError> {
    let one = |attempt: &Attempt| {
        let failure = &attempt.failure;
        let mut entry = json!({
            "number": attempt.number,
            "ended_ms": attempt.ended_ms,
            "cause": cause_name(failure.cause),
            "message": failure.message,
        });
        if let Some(code) = failure.code {
            entry["code"] = code.as_str().into();
        }
        if let Some(details) = &failure.details {
            entry["details"] = value(details)?;
        }
        Ok(entry)
    };
    let entries = attempts.iter().map(one).collect::<Result<_, StoreError>>()?;
    Ok(Value::Array(entries).to_string())
}

/// Reads failed attempts back.
///
/// # Errors
/// [`StoreError::Corrupt`] when the text is not what [`attempts_to_text`] writes.
pub fn attempts_from_text(text: &str) -> Result<Vec<Attempt>, StoreError> {
    const WHAT: &str = "the attempts";
    let entries: Vec<Value> = serde_json::from_str(text).map_err(|_| damaged(WHAT))?;
    entries.iter().map(|entry| attempt(entry).unwrap_or_else(|| Err(damaged(WHAT)))).collect()
}

/// The attempts of a job that turned out damaged: those that read back, and as the last one that the
/// job failed for it.
///
/// # Errors
/// Those of [`attempts_to_text`].
pub fn condemned_attempts(
    earlier: Option<&str>,
    number: u32,
    ended_ms: u64,
) -> Result<String, StoreError> {
    let mut attempts = earlier.and_then(|text| attempts_from_text(text).ok()).unwrap_or_default();
    let failure = Failure::new(Cause::Corrupt, "what was stored of the job does not read back");
    settlement::list_attempt(&mut attempts, Attempt { number, ended_ms, failure });
    attempts_to_text(&attempts)
}

fn attempt(entry: &Value) -> Option<Result<Attempt, StoreError>> {
    let cause = entry.get("cause")?.as_str()?;
    let known = [Cause::Tool, Cause::Panic, Cause::LeaseLost, Cause::Corrupt]
        .into_iter()
        .find(|known| cause_name(*known) == cause);
    let mut failure =
        Failure::new(known.unwrap_or(Cause::Unknown), entry.get("message")?.as_str()?);
    // Neither a cause nor a code of a newer version makes the job unreadable.
    failure.code = entry.get("code").and_then(Value::as_str).and_then(ErrorCode::parse);
    failure.details = match entry.get("details").map(canonical).transpose() {
        Ok(details) => details,
        Err(error) => return Some(Err(error)),
    };
    let number = u32::try_from(entry.get("number")?.as_u64()?).ok()?;
    Some(Ok(Attempt { number, ended_ms: entry.get("ended_ms")?.as_u64()?, failure }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_read_back_as_they_were() {
        let details = CanonicalJson::from_serialize(&json!({"n": [1, 2.5]})).unwrap();
        let plain = Failure::new(Cause::LeaseLost, "gone");
        let full = Failure::new(Cause::Tool, "\u{1f600} \"quoted\"")
            .with_code(ErrorCode::InvalidOutput)
            .with_details(details);
        let attempts = [
            Attempt { number: 1, ended_ms: 0, failure: plain },
            Attempt { number: 2, ended_ms: 1_790_000_000_000, failure: full },
        ];
        let text = attempts_to_text(&attempts).unwrap();
        assert_eq!(attempts_from_text(&text).unwrap(), attempts);
        assert_eq!(attempts_from_text("[]").unwrap(), []);
    }

    #[test]
    fn words_of_a_newer_version_damage_nothing() {
        let text = r#"[{"number":1,"ended_ms":7,"cause":"evicted","code":"evicted","message":"m"},
            {"number":2,"ended_ms":8,"cause":"tool","message":"n","since":"later"}]"#;
        let [newer, plain] = attempts_from_text(text).unwrap().try_into().unwrap();
        assert_eq!((newer.number, newer.ended_ms), (1, 7));
        assert_eq!(newer.failure, Failure::new(Cause::Unknown, "m"));
        assert_eq!(plain.failure, Failure::new(Cause::Tool, "n"));
        let again = attempts_to_text(std::slice::from_ref(&newer)).unwrap();
        assert_eq!(attempts_from_text(&again).unwrap(), [newer]);
        for broken in
            [r#"[{"number":1,"ended_ms":7,"cause":3,"message":"m"}]"#, "[{\"cause\":\"x\"}]"]
        {
            assert!(attempts_from_text(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn requests_and_answers_read_back_as_they_were() {
        let schema = CanonicalJson::from_serialize(&json!({"type": "string"})).unwrap();
        let request = InputRequest { message: "which?".into(), schema: schema.clone() };
        let key = InputKey::new("a.b").unwrap();
        let requests = InputRequests::new([(key.clone(), request)].into()).unwrap();
        let text = requests_to_text(&requests).unwrap();
        assert_eq!(requests_from_text(&text).unwrap(), requests);
        let answers = Answers::new([(key, schema)].into());
        assert_eq!(answers_from_text(&answers_to_text(&answers).unwrap()).unwrap(), answers);
    }

    #[test]
    fn damage_is_named_and_its_content_is_not_repeated() {
        for text in ["", "{", "[1]", "[{}]", "{\"a b\":1}", "{\"k\":1}", "null"] {
            for error in [
                attempts_from_text(text).err(),
                requests_from_text(text).err(),
                answers_from_text(text).err(),
            ] {
                let Some(error) = error else { continue };
                let said = error.to_string();
                assert!(said.starts_with("the job store holds damaged data: the "), "{said}");
            }
        }
        assert!(requests_from_text("{}").is_err(), "a parking asks for something");
        assert!(json_from_text("{", "the input").is_err());
    }
}
