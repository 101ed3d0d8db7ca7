//! Jobs that ask: `input_required` and `answer_job` (wire.md §6).
//!
//! A worker of the test's own asks here, on the store that the server shares, with schemas that no
//! typed tool has; tools that ask are in `asking`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use waxwing_core::message::Outcome;
use waxwing_core::{CanonicalJson, ErrorCode, JobId, ToolName};
use waxwing_jobs::{
    Engine, EngineConfig, InputKey, InputRequest, InputRequests, JobContext, JobFailure, Kind,
    NewJob, RunOutcome, Runner,
};

use crate::harness::{House, memory};
use crate::wire::{details, error, output};

/// Asks with these schemas, and ends with what it was told.
struct Asker(Vec<(&'static str, Value)>);

#[async_trait]
impl Runner for Asker {
    fn kinds(&self) -> Vec<Kind> {
        vec![ask().into()]
    }

    async fn run(&self, job: JobContext) -> Result<RunOutcome, JobFailure> {
        if job.answers.is_empty() {
            let request = |schema: &Value| InputRequest {
                message: "Which one?".to_owned(),
                schema: canonical(schema),
            };
            let requests =
                self.0.iter().map(|(key, schema)| (InputKey::new(*key).unwrap(), request(schema)));
            let requests = InputRequests::new(requests.collect()).unwrap();
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

fn ask() -> ToolName<'static> {
    "ask".parse().unwrap()
}

fn canonical(value: &Value) -> CanonicalJson<'static> {
    CanonicalJson::from_serialize(value).unwrap()
}

/// A server, the worker beside it, and the job that asks.
async fn asking(schemas: Vec<(&'static str, Value)>) -> (House, Engine, JobId<'static>) {
    let store = memory();
    let house = House::over(Arc::clone(&store), |builder| builder).await;
    let mut config = EngineConfig::default();
    config.idle_poll = Duration::from_millis(20);
    let worker = Engine::launch(store, Arc::new(Asker(schemas)), config);
    let id: JobId<'static> = "asking".parse().unwrap();
    let owner = "agent-7".parse().unwrap();
    let job = NewJob::new(id.clone(), owner, ask(), canonical(&json!({})));
    worker.start(job).await.unwrap();
    (house, worker, id)
}

fn answer(answers: Value) -> Value {
    json!({"job_id": "asking", "answers": answers})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_asks_and_goes_on_with_the_answers() {
    let (house, _worker, id) = asking(vec![
        ("colour", json!({"enum": ["red", "blue"]})),
        ("size", json!({"type": "integer", "minimum": 1})),
    ])
    .await;

    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let Outcome::InputRequired { requests, .. } = agent.settle(&mut wire, &id).await else {
        panic!("the job asks");
    };
    let requests: Value = requests.decode().unwrap();
    assert_eq!(requests["colour"]["message"], "Which one?");
    assert_eq!(requests["size"]["schema"], json!({"type": "integer", "minimum": 1}));

    // A wrong answer is told like any wrong argument, with its place, and nothing is taken.
    let wrong = answer(json!({"colour": "green", "size": 0}));
    let (status, outcome) = agent.call(&mut wire, "answer_job", wrong).await;
    let told = error(outcome);
    assert_eq!((status, told.code), (422, ErrorCode::InvalidArgs));
    let violations = details(&told)["violations"].clone();
    assert_eq!(violations[0]["path"], "/answers/colour");
    assert_eq!(violations[1]["path"], "/answers/size");

    assert!(!told.message.contains("green"), "an answer may be a secret: {told}");

    // A key that nobody asked for is wrong too: it would be taken if the job came to ask for it.
    let unasked = answer(json!({"colour": "red", "shape": [1]}));
    let told = error(agent.call(&mut wire, "answer_job", unasked).await.1);
    assert_eq!(told.code, ErrorCode::InvalidArgs);
    assert_eq!(details(&told)["violations"][0]["path"], "/answers/shape");

    // Answers may come one by one, and what was answered is no longer asked.
    let some = answer(json!({"colour": "red"}));
    let (_, outcome) = agent.call(&mut wire, "answer_job", some).await;
    let Outcome::InputRequired { requests, .. } = outcome else { panic!("{outcome:?}") };
    assert!(!requests.as_str().contains("colour"));
    let other = answer(json!({"colour": "blue", "size": 3}));
    let told = error(agent.call(&mut wire, "answer_job", other).await.1);
    assert_eq!(details(&told)["violations"][0]["path"], "/answers/colour");
    let rest = answer(json!({"size": 3}));
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

/// References start at the root of the request's own schema.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_with_references_is_checked() {
    let tree = json!({
        "$ref": "#/$defs/Tree",
        "$defs": {"Tree": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}},
    });
    let (house, _worker, id) = asking(vec![("tree", tree)]).await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    assert!(matches!(agent.settle(&mut wire, &id).await, Outcome::InputRequired { .. }));
    let wrong = answer(json!({"tree": [[], [1]]}));
    let told = error(agent.call(&mut wire, "answer_job", wrong).await.1);
    assert_eq!(told.code, ErrorCode::InvalidArgs);
    assert_eq!(details(&told)["violations"][0]["path"], "/answers/tree/1/0");
    agent.call(&mut wire, "answer_job", answer(json!({"tree": [[], [[]]]}))).await;
    assert_eq!(output(&agent.settle(&mut wire, &id).await), json!({"tree": [[], [[]]]}));
}

/// A schema that cannot be used is the tool's to judge by; the others still hold.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_asks_with_an_unusable_schema_can_be_answered() {
    let (house, _worker, id) =
        asking(vec![("a", json!({"type": "no such type"})), ("b", json!({"type": "integer"}))])
            .await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    assert!(matches!(agent.settle(&mut wire, &id).await, Outcome::InputRequired { .. }));
    let told =
        error(agent.call(&mut wire, "answer_job", answer(json!({"a": 1, "b": "x"}))).await.1);
    assert_eq!(details(&told)["violations"].as_array().unwrap().len(), 1);
    assert_eq!(details(&told)["violations"][0]["path"], "/answers/b");
    agent.call(&mut wire, "answer_job", answer(json!({"a": 1, "b": 2}))).await;
    assert_eq!(output(&agent.settle(&mut wire, &id).await), json!({"a": 1, "b": 2}));
}
