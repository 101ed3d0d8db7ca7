//! Jobs that ask: `input_required` and `answer_job` (wire.md §6).
//!
//! No tool can ask yet, so a worker of the test's own does, on the store that the server shares.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use waxwing_core::message::Outcome;
use waxwing_core::{CanonicalJson, ErrorCode, JobId, ToolName};
use waxwing_jobs::{
    Engine, EngineConfig, InputKey, InputRequest, InputRequests, JobContext, JobFailure, NewJob,
    RunOutcome, Runner,
};

use crate::harness::{House, memory};
use crate::wire::{details, error, output};

/// Asks for a colour and a size, and ends with what it was told.
struct Asker;

#[async_trait]
impl Runner for Asker {
    fn kinds(&self) -> Vec<ToolName<'static>> {
        vec!["ask".parse().unwrap()]
    }

    async fn run(&self, job: JobContext) -> Result<RunOutcome, JobFailure> {
        if job.answers.is_empty() {
            let request = |schema: Value| InputRequest {
                message: "Which one?".to_owned(),
                schema: canonical(&schema),
            };
            let requests = [
                (InputKey::new("colour").unwrap(), request(json!({"enum": ["red", "blue"]}))),
                (InputKey::new("size").unwrap(), request(json!({"type": "integer", "minimum": 1}))),
            ];
            let requests = InputRequests::new(requests.into()).unwrap();
            return Ok(RunOutcome::Park { requests, checkpoint: None });
        }
        let told: serde_json::Map<String, Value> = job
            .answers
            .iter()
            .map(|(key, answer)| (key.as_str().to_owned(), answer.decode().unwrap()))
            .collect();
        Ok(RunOutcome::Complete(canonical(&Value::Object(told))))
    }
}

fn canonical(value: &Value) -> CanonicalJson<'static> {
    CanonicalJson::from_serialize(value).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_asks_and_goes_on_with_the_answers() {
    let store = memory();
    let house = House::over(Arc::clone(&store), |builder| builder).await;
    let mut config = EngineConfig::default();
    config.idle_poll = Duration::from_millis(20);
    let worker = Engine::launch(store, Arc::new(Asker), config);
    let id: JobId<'static> = "asking".parse().unwrap();
    let owner = "agent-7".parse().unwrap();
    let job = NewJob::new(id.clone(), owner, "ask".parse().unwrap(), canonical(&json!({})));
    worker.start(job).await.unwrap();

    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let Outcome::InputRequired { requests, .. } = agent.settle(&mut wire, &id).await else {
        panic!("the job asks");
    };
    let requests: Value = requests.decode().unwrap();
    assert_eq!(requests["colour"]["message"], "Which one?");
    assert_eq!(requests["size"]["schema"], json!({"type": "integer", "minimum": 1}));

    // A wrong answer is told like any wrong argument, with its place, and nothing is taken.
    let answer = |answers: Value| json!({"job_id": "asking", "answers": answers});
    let wrong = answer(json!({"colour": "green", "size": 0}));
    let (status, outcome) = agent.call(&mut wire, "answer_job", wrong).await;
    let told = error(outcome);
    assert_eq!((status, told.code), (422, ErrorCode::InvalidArgs));
    let violations = details(&told)["violations"].clone();
    assert_eq!(violations[0]["path"], "/answers/colour");
    assert_eq!(violations[1]["path"], "/answers/size");

    // Answers may come one by one; the first stands, and keys nobody asked for are left alone.
    let some = answer(json!({"colour": "red", "shape": [1]}));
    let (_, outcome) = agent.call(&mut wire, "answer_job", some).await;
    let Outcome::InputRequired { requests, .. } = outcome else { panic!("{outcome:?}") };
    assert!(!requests.as_str().contains("colour"));
    let rest = answer(json!({"colour": "blue", "size": 3}));
    let (_, outcome) = agent.call(&mut wire, "answer_job", rest.clone()).await;
    assert!(matches!(outcome, Outcome::Running { .. } | Outcome::Done { .. }), "{outcome:?}");
    let done = agent.settle(&mut wire, &id).await;
    assert_eq!(output(&done), json!({"colour": "red", "size": 3}));
    assert_eq!(agent.call(&mut wire, "answer_job", rest).await.1, done, "too late is no error");

    let foreign = house.caller("agent-8");
    let args = answer(json!({"size": 1}));
    let (_, outcome) = foreign.call(&mut wire, "answer_job", args).await;
    assert_eq!(error(outcome).code, ErrorCode::UnknownJob);
}
