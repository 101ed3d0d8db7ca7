//! `answer_job {job_id, answers}`: gives a job what it asked for; answers its status after that.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use waxwing_core::message::Outcome;
use waxwing_core::{CanonicalJson, ClientId, JobId};
use waxwing_crypto::Admitted;
use waxwing_jobs::{Answers, InputKey, InputRequests, Phase, Snapshot};
use waxwing_tools::{CallFailure, CompiledSchema};

use super::{job_id, show};
use crate::fault::CallFault;
use crate::outcome::value;
use crate::service::Service;

pub(super) const NAME: &str = "answer_job";

#[derive(Deserialize, JsonSchema)]
pub(super) struct Args {
    /// The job, as `accepted` named it.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z0-9._:-]+$"))]
    job_id: String,
    /// Each answer under the key of its request, in the form that the request's schema asks for.
    /// Keys that are not asked for, or were answered before, are left alone.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 64))]
    answers: BTreeMap<String, Value>,
}

pub(super) async fn answer(
    service: &Service,
    call: &Admitted<'_, '_>,
) -> Result<Outcome<'static>, CallFault> {
    let args: Args = service.reserved.answer_job.decode(&call.args)?;
    let (owner, id) = (&call.client_id, job_id(args.job_id)?);
    let Snapshot { phase, .. } = job(service, owner, &id).await?;
    if let Phase::Parked { requests } = phase {
        check(&requests, &call.args)?;
        let offered = offered(args.answers)?;
        service.engine.answer(owner, &id, offered).await?.ok_or(CallFault::UnknownJob)?;
    }
    show(service.engine.get(owner, &id).await?)
}

async fn job(
    service: &Service,
    owner: &ClientId<'_>,
    id: &JobId<'_>,
) -> Result<Snapshot, CallFault> {
    service.engine.get(owner, id).await?.ok_or(CallFault::UnknownJob)
}

/// Holds the answers to the schemas of this job's requests, so that a wrong one is told like any
/// wrong argument, with its place.
fn check(requests: &InputRequests, args: &CanonicalJson<'_>) -> Result<(), CallFault> {
    let mut properties = Map::new();
    for (key, request) in requests.iter() {
        properties.insert(key.as_str().to_owned(), value(&request.schema)?);
    }
    let answers = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": true,
    });
    let schema = CompiledSchema::written_args(json!({
        "type": "object",
        "properties": { "job_id": { "type": "string" }, "answers": answers },
    }));
    let schema = schema.map_err(|_| CallFault::Bug("a job asks with a schema that is none"))?;
    schema.check(args).map_err(|violations| {
        CallFault::Tool(CallFailure::InvalidArgs { tool: NAME.to_owned(), violations })
    })
}

fn offered(answers: BTreeMap<String, Value>) -> Result<Answers, CallFault> {
    let mut offered = BTreeMap::new();
    for (key, answer) in answers {
        // What is no key was never asked for.
        if let Ok(key) = InputKey::new(key) {
            offered.insert(key, CanonicalJson::from_serialize(&answer)?);
        }
    }
    Ok(Answers::new(offered))
}
