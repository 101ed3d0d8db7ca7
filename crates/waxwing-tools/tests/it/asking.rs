//! Job tools that ask, are run again with the answers, and go on from their checkpoints.

use std::sync::{Arc, Mutex};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use waxwing_core::CanonicalJson;
use waxwing_tools::{
    CallContext, CallFailure, CompiledSchema, JobContext, JobEnd, Questions, Registry, Tool,
    ToolError,
};

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

/// How it is to be sent.
#[derive(Debug, Serialize, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Speed {
    Slow,
    Fast,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Address {
    /// Street and number.
    #[schemars(length(min = 1))]
    street: String,
    floor: Option<u8>,
}

fn registry(tool: Tool) -> Registry {
    Registry::builder().tool(tool).build(&"sums.example".parse().unwrap()).unwrap()
}

fn json(value: &Value) -> CanonicalJson<'static> {
    CanonicalJson::from_serialize(value).unwrap()
}

fn call() -> CallContext {
    CallContext::new("agent-7".parse().unwrap())
}

fn given(answers: &[(&str, Value)]) -> JobContext {
    let answers = answers.iter().map(|(key, answer)| ((*key).to_owned(), json(answer)));
    JobContext::new(call()).with_answers(answers)
}

async fn run(tool: &Registry, ctx: JobContext) -> Result<JobEnd, CallFailure> {
    tool.prepare("t", &json(&json!({}))).unwrap().run_job(ctx).await
}

#[track_caller]
fn asks(end: Result<JobEnd, CallFailure>) -> Questions {
    match end {
        Ok(JobEnd::Asks(questions)) => questions,
        other => panic!("it asks: {other:?}"),
    }
}

#[track_caller]
fn output(end: Result<JobEnd, CallFailure>) -> Value {
    match end {
        Ok(JobEnd::Done(output)) => output.decode().unwrap(),
        other => panic!("it is done: {other:?}"),
    }
}

#[track_caller]
fn failure(end: Result<JobEnd, CallFailure>) -> String {
    match end {
        Err(CallFailure::Failed { source, .. }) => source.message().to_owned(),
        other => panic!("it failed: {other:?}"),
    }
}

fn delivery() -> Registry {
    registry(Tool::job("t", "Sends a parcel.", |ctx: JobContext, _: Nothing| async move {
        let (speed, address) =
            (ctx.ask::<Speed>("speed", "How fast?"), ctx.ask::<Address>("address", "Where to?"));
        let (speed, address) = (speed?, address?);
        let sure: bool = ctx.ask("sure", &format!("Send it to {}?", address.street))?;
        Ok::<_, ToolError>(json!({"speed": speed, "floor": address.floor, "sure": sure}))
    }))
}

#[tokio::test]
async fn what_is_asked_together_is_put_together_and_the_next_run_has_the_answers() {
    let tool = delivery();
    let questions = asks(run(&tool, given(&[])).await);
    let keys: Vec<_> = questions.iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["address", "speed"]);
    for (key, question) in questions.iter() {
        let schema: Value = question.schema.decode().unwrap();
        match key {
            "speed" => {
                assert_eq!(question.message, "How fast?");
                assert_eq!(schema["enum"], json!(["slow", "fast"]));
            }
            _ => {
                // The rules of arguments: closed, bounded, what may be left out is not null.
                assert_eq!(schema["additionalProperties"], false);
                assert_eq!(schema["properties"]["street"]["minLength"], 1);
                assert_eq!(schema["properties"]["floor"]["type"], "integer");
                assert_eq!(schema["properties"]["floor"]["maximum"], 255);
            }
        }
        // What is shown is what a server that reads it back checks with.
        let read_back = CompiledSchema::written(schema.clone()).unwrap();
        assert_eq!(*read_back.schema(), schema);
    }

    let two = [("speed", json!("fast")), ("address", json!({"street": "Lane 1"}))];
    let questions = asks(run(&tool, given(&two)).await);
    let (key, question) = questions.iter().next().unwrap();
    assert_eq!((key, question.message.as_str()), ("sure", "Send it to Lane 1?"));
    assert_eq!(questions.iter().len(), 1, "what is answered is not asked again");

    let [first, second] = two;
    let done = run(&tool, given(&[first, second, ("sure", json!(true))])).await;
    assert_eq!(output(done), json!({"speed": "fast", "floor": null, "sure": true}));
}

#[tokio::test]
async fn an_answer_that_no_longer_fits_fails_the_job_and_is_not_repeated() {
    let tool = delivery();
    for speed in [json!("hunter2"), json!(2)] {
        let said = failure(run(&tool, given(&[("speed", speed)])).await);
        assert!(said.contains("no longer fits") && said.contains("speed"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[tokio::test]
async fn questions_that_cannot_be_put_are_the_tools_fault() {
    #[derive(Debug, Deserialize)]
    struct Odd;
    impl JsonSchema for Odd {
        fn schema_name() -> std::borrow::Cow<'static, str> {
            "Odd".into()
        }
        fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
            schemars::json_schema!({"$ref": "https://evil.example/schema"})
        }
    }
    type Ask = fn(&JobContext) -> Result<bool, ToolError>;
    let faults: [(Ask, &str); 3] = [
        (|ctx| ctx.ask("no key", "?"), "a key is 1 to 128"),
        (|ctx| ctx.ask::<Odd>("odd", "?").map(|_| true), "breaks a rule"),
        (
            |ctx| {
                let _ = ctx.ask::<u8>("k", "a number?");
                ctx.ask("k", "a yes?")
            },
            "something else as well",
        ),
    ];
    for (ask, words) in faults {
        let tool = registry(Tool::job(
            "t",
            "Asks badly.",
            move |ctx: JobContext, _: Nothing| async move { ask(&ctx) },
        ));
        let said = failure(run(&tool, given(&[])).await);
        assert!(said.contains(words), "{said}");
    }
}

#[tokio::test]
async fn a_tool_that_can_do_without_an_answer_is_done() {
    let tool = registry(Tool::job("t", "Asks.", |ctx: JobContext, _: Nothing| async move {
        Ok::<_, ToolError>(ctx.ask::<u8>("k", "?").unwrap_or(7))
    }));
    assert_eq!(output(run(&tool, given(&[])).await), json!(7));
    assert_eq!(output(run(&tool, given(&[("k", json!(3))])).await), json!(3));
}

#[tokio::test]
async fn a_question_kept_from_another_job_parks_nothing() {
    let kept = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&kept);
    let tool = registry(Tool::job("t", "Keeps.", move |ctx: JobContext, _: Nothing| {
        let slot = Arc::clone(&slot);
        async move {
            let stray = slot.lock().unwrap().take();
            match stray {
                Some(stray) => Err(stray),
                None => {
                    *slot.lock().unwrap() = ctx.ask::<u8>("k", "?").err();
                    Ok::<_, ToolError>(1)
                }
            }
        }
    }));
    assert_eq!(output(run(&tool, given(&[])).await), json!(1));
    assert!(failure(run(&tool, given(&[])).await).contains("waits for the answer"));
}

#[tokio::test]
async fn outside_a_job_nobody_can_be_asked() {
    let tool = delivery();
    let refused = tool.call("t", call(), &json(&json!({}))).await;
    let Err(CallFailure::Failed { source, .. }) = refused else { panic!("{refused:?}") };
    assert!(source.message().contains("only a job"), "{source}");
}

#[tokio::test]
async fn a_checkpoint_is_what_the_next_run_resumes_from() {
    #[derive(Debug, Default, Serialize, Deserialize)]
    struct Done {
        rows: u32,
    }
    let tool = registry(Tool::job("t", "Copies rows.", |ctx: JobContext, _: Nothing| async move {
        let mut done: Done = ctx.resumed()?.unwrap_or_default();
        while done.rows < 5 {
            done.rows += 1;
            ctx.checkpoint(&done)?;
            if done.rows == 3 {
                return Err(ToolError::transient("the disk is away"));
            }
        }
        Ok::<_, ToolError>(done.rows)
    }));
    let saved = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&saved);
    let first = JobContext::new(call()).with_saving(move |state| sink.lock().unwrap().push(state));
    assert!(failure(run(&tool, first.clone()).await).contains("away"));
    let last = saved.lock().unwrap().pop().unwrap();
    assert_eq!(last.as_str(), r#"{"rows":3}"#);
    saved.lock().unwrap().clear();
    let second = run(&tool, first.with_checkpoint(Some(last))).await;
    assert_eq!(output(second), json!(5));
    assert_eq!(saved.lock().unwrap().len(), 2, "rows 1 to 3 were not copied again");
    let changed = JobContext::new(call()).with_checkpoint(Some(json(&json!("other"))));
    assert!(failure(run(&tool, changed).await).contains("last run left"));
}

#[tokio::test]
async fn a_checkpoint_is_bounded_and_canonical() {
    let ctx = JobContext::new(call()).with_saving(|_| panic!("nothing is to be saved"));
    assert!(ctx.checkpoint(&"x".repeat(1 << 20)).unwrap_err().message().contains("1048578 bytes"));
    ctx.checkpoint(&f64::NAN).unwrap_err();
}
