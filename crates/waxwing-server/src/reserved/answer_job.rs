//! `answer_job {job_id, answers}`: gives a job what it asked for; answers its status after that.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use waxwing_core::message::Outcome;
use waxwing_core::{CanonicalJson, JobId};
use waxwing_crypto::Admitted;
use waxwing_jobs::{Answers, InputRequest, InputRequests, Phase, Snapshot};
use waxwing_tools::{CompiledSchema, Violation};

use super::{job_id, show};
use crate::fault::CallFault;
use crate::outcome::value;
use crate::service::Service;

pub(super) const NAME: &str = "answer_job";

/// Violations that are told of one set of answers.
const MOST_TOLD: usize = 64;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Args {
    /// The job, as `accepted` named it.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z0-9._:-]+$"))]
    job_id: String,
    /// Each answer under the key of its request, in the form that the request's schema asks for.
    /// Only keys that the job waits for, and not all of them at once: what is missing stays asked.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 64))]
    answers: BTreeMap<String, Value>,
}

pub(super) async fn answer(
    service: &Service,
    call: &Admitted<'_, '_>,
) -> Result<Outcome<'static>, CallFault> {
    let args: Args = service.reserved.answer_job.decode(&call.args)?;
    let (engine, owner, id) = (&service.engine, &call.client_id, job_id(args.job_id)?);
    let seen = engine.get(owner, &id).await.map_err(CallFault::Unread)?;
    let Some(Snapshot { phase: Phase::Parked { requests }, .. }) = seen else {
        // Nothing is asked: to answer is no error, and changes nothing.
        return show(seen);
    };
    // Only what was held to these requests is offered: the job may ask anew meanwhile.
    let checked = checked(&id, &requests, args.answers, &call.args)?;
    let answered = engine.answer(owner, &id, checked).await.map_err(CallFault::Unchanged)?;
    answered.ok_or(CallFault::UnknownJob)?;
    show(engine.get(owner, &id).await.map_err(CallFault::Unshown)?)
}

/// Holds each answer to the schema of its request; all are good, or none is taken.
fn checked(
    id: &JobId<'_>,
    requests: &InputRequests,
    mut answers: BTreeMap<String, Value>,
    args: &CanonicalJson<'_>,
) -> Result<Answers, CallFault> {
    let mut violations = unasked(requests, args)?;
    let mut checked = BTreeMap::new();
    for (key, request) in requests.iter() {
        let Some(answer) = answers.remove(key.as_str()) else { continue };
        let canonical = CanonicalJson::from_serialize(&answer)?;
        match schema(id, key.as_str(), request)?.map(|schema| schema.check(&canonical)) {
            Some(Err(broken)) => violations
                .extend(broken.as_slice().iter().map(|one| within(key.as_str(), &answer, one))),
            Some(Ok(())) | None => drop(checked.insert(key.clone(), canonical)),
        }
    }
    violations.truncate(MOST_TOLD);
    if violations.is_empty() {
        Ok(Answers::new(checked))
    } else {
        Err(CallFault::InvalidAnswers(violations))
    }
}

/// The violations of keys that the job does not wait for.
fn unasked(
    requests: &InputRequests,
    args: &CanonicalJson<'_>,
) -> Result<Vec<Violation>, CallFault> {
    let asked: Map<String, Value> =
        requests.iter().map(|(key, _)| (key.as_str().to_owned(), Value::Bool(true))).collect();
    let answers = json!({ "type": "object", "properties": asked, "additionalProperties": false });
    let schema = CompiledSchema::written_args(json!({
        "type": "object",
        "properties": { "job_id": { "type": "string" }, "answers": answers },
    }));
    let schema =
        schema.map_err(|_| CallFault::Bug("the keys of a job's requests are no schema"))?;
    Ok(schema.check(args).err().map_or_else(Vec::new, |broken| broken.as_slice().to_vec()))
}

/// The compiled schema of a request, each by itself, since its references start at its own root.
/// `None` when it is unusable: the tool asked so, and the tool has to judge the answer, which is
/// better than a job that nobody can ever answer.
fn schema(
    id: &JobId<'_>,
    key: &str,
    request: &InputRequest,
) -> Result<Option<CompiledSchema>, CallFault> {
    match CompiledSchema::written(value(&request.schema)?) {
        Ok(schema) => Ok(Some(schema)),
        Err(fault) => {
            tracing::error!(job = %id, key, %fault, "a job asks with a schema that cannot be used");
            Ok(None)
        }
    }
}

/// A violation of one answer as one of the arguments. Its value is not repeated: by itself the
/// schema does not know under which name, perhaps a secret's, the answer stands.
fn within(key: &str, answer: &Value, violation: &Violation) -> Violation {
    let mut placed = violation.clone();
    if let Some(value) = answer.pointer(&violation.path) {
        placed.got = kind(value).to_owned();
    }
    placed.path = format!("/answers/{key}{}", violation.path);
    placed
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
