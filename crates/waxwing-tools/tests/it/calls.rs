//! A call from arguments to output: what it gives, how it fails, and that a failure is its own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;
use waxwing_core::{CanonicalJson, ErrorCode};
use waxwing_tools::{
    CallContext, CallFailure, OutputFault, Registry, Retry, Tool, ToolError, ToolMode, ToolStruct,
    WrittenSchemas,
};

use crate::tools::{Done, Nothing, call, canonical, context, one, registry, server};

#[tokio::test]
async fn a_typed_tool_answers_in_canonical_form() {
    let output = call(&registry(), "batch_sum", r#"{"numbers":[1.5,2,0]}"#).await.unwrap();
    assert_eq!(output, r#"{"count":3,"total":3.5}"#);
}

#[tokio::test]
async fn a_tool_sees_its_context() {
    let tool = Tool::job("who", "Says who.", |ctx: CallContext, _: Nothing| async move {
        ctx.progress(1, Some(2), Some("half"));
        ctx.progress(2, None, None);
        let left = ctx.time_left().map(|left| left.as_secs());
        Ok::<_, ToolError>(format!("{} {} {left:?}", ctx.client_id(), ctx.attempt()))
    });
    let (sender, mut reports) = mpsc::unbounded_channel();
    let ctx = context()
        .with_attempt(3)
        .with_deadline(Instant::now() + Duration::from_secs(60) + Duration::from_millis(900))
        .with_progress(move |progress| sender.send(progress).unwrap());
    let output = one(tool).call("who", ctx, &canonical("{}")).await.unwrap();
    assert_eq!(output.as_str(), r#""agent-7 3 Some(60)""#);
    let report = reports.recv().await.unwrap();
    assert_eq!((report.done, report.total, report.message.as_deref()), (1, Some(2), Some("half")));
    let report = reports.recv().await.unwrap();
    assert_eq!((report.done, report.total, report.message), (2, None, None));
}

struct Counter(AtomicUsize);

impl ToolStruct for Counter {
    const NAME: &'static str = "count";
    const DESCRIPTION: &'static str = "Counts calls.";
    const MODE: ToolMode = ToolMode::Sync;
    type Args = Nothing;
    type Output = usize;

    async fn run(&self, _: CallContext, _: Nothing) -> Result<usize, ToolError> {
        Ok(self.0.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

#[tokio::test]
async fn a_struct_keeps_state_between_calls() {
    let registry = one(Tool::from_struct(Counter(AtomicUsize::new(0))));
    assert_eq!(call(&registry, "count", "{}").await.unwrap(), "1");
    assert_eq!(call(&registry, "count", "{}").await.unwrap(), "2");
}

#[tokio::test]
async fn a_call_is_prepared_now_and_run_later_and_again() {
    let registry = registry();
    let args = canonical(r#"{"numbers":[1]}"#);
    let prepared = registry.prepare("batch_sum", &args).unwrap();
    assert_eq!(prepared.mode(), ToolMode::Sync);
    assert_eq!(prepared.definition().name.as_str(), "batch_sum");
    assert_eq!(prepared.digest(), &registry.tool("batch_sum").unwrap().digest);
    drop(prepared);
    let stored = args.as_str().to_owned();
    for _ in 0..2 {
        let again = registry.prepare("batch_sum", &canonical(&stored)).unwrap();
        assert_eq!(again.run(context()).await.unwrap().as_str(), r#"{"count":1,"total":1}"#);
    }
}

#[tokio::test]
async fn an_unknown_tool_names_the_near_ones() {
    let failure = call(&registry(), "batchsum", "{}").await.unwrap_err();
    let error = failure.to_call_error("r-1");
    assert_eq!(error.code, ErrorCode::UnknownTool);
    assert_eq!(error.details.unwrap().as_str(), r#"{"similar":["batch_sum"]}"#);
    assert!(error.message.contains(r#"Did you mean batch_sum?"#), "{}", error.message);

    let far = call(&registry(), "zzz", "{}").await.unwrap_err().to_call_error("r-1");
    assert_eq!(far.details.unwrap().as_str(), r#"{"similar":[]}"#);
    assert!(far.message.contains("list_tools"), "{}", far.message);

    let reserved = call(&registry(), "list_tool", "{}").await.unwrap_err();
    assert!(reserved.to_call_error("r-1").message.contains("list_tools"));

    let long = call(&registry(), &"x".repeat(10_000), "{}").await.unwrap_err();
    assert!(long.to_call_error("r-1").message.len() < 300);
}

#[tokio::test]
async fn refused_arguments_travel_with_every_violation() {
    let failure = call(&registry(), "batch_sum", r#"{"number":[1,"2"]}"#).await.unwrap_err();
    let error = failure.to_call_error("r-1");
    assert_eq!(error.code, ErrorCode::InvalidArgs);
    let details: Value = error.details.unwrap().decode().unwrap();
    let violations = details["violations"].as_array().unwrap();
    assert_eq!(violations.len(), 2, "{details}");
    for violation in violations {
        let mut members: Vec<&str> =
            violation.as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        assert_eq!(members, ["expected", "got", "hint", "keyword", "path"]);
        for text in ["expected", "got", "hint"] {
            assert!(error.message.contains(violation[text].as_str().unwrap()));
        }
    }
    assert!(error.message.starts_with("The arguments of batch_sum were refused"));
}

#[tokio::test]
async fn a_failure_reaches_the_caller_and_its_source_does_not() {
    let tool = Tool::sync("fail", "Fails.", |_: Nothing| async move {
        let source = std::io::Error::other("password=hunter2");
        let error = ToolError::transient("The ledger is closed.").with_source(source);
        Err::<Done, _>(error.with_details(&json!({"opens": "09:00"})).unwrap())
    });
    let failure = call(&one(tool), "fail", "{}").await.unwrap_err();
    let error = failure.to_call_error("r-1");
    assert_eq!(error.code, ErrorCode::ToolFailed);
    assert_eq!(error.message, "The ledger is closed.");
    assert_eq!(error.details.unwrap().as_str(), r#"{"opens":"09:00"}"#);
    let CallFailure::Failed { source, .. } = &failure else { panic!("{failure:?}") };
    assert_eq!(source.retry(), Retry::Later);
    let log = std::error::Error::source(source).unwrap().to_string();
    assert_eq!(log, "password=hunter2");
}

#[tokio::test]
async fn a_broken_output_blames_the_tool_and_leaks_nothing() {
    let schemas = || WrittenSchemas {
        input: json!({"type": "object"}),
        output: json!({"type": "object", "properties": {"total": {"type": "number"}}}),
    };
    let output = |text: &'static str| {
        let tool = Tool::untyped("t", "d", ToolMode::Sync, schemas(), move |_, _| async move {
            Ok(canonical(text))
        });
        one(tool)
    };
    assert_eq!(call(&output(r#"{"total":1}"#), "t", "{}").await.unwrap(), r#"{"total":1}"#);

    let failure = call(&output(r#"{"total":"classified","x":1}"#), "t", "{}").await.unwrap_err();
    let CallFailure::InvalidOutput { fault: OutputFault::Schema(violations), .. } = &failure else {
        panic!("{failure:?}")
    };
    assert_eq!(violations.as_slice().len(), 2);
    assert!(failure.to_string().contains("/total"), "the log has the detail: {failure}");
    let error = failure.to_call_error("r-77");
    assert_eq!(error.code, ErrorCode::InvalidOutput);
    assert_eq!(error.details.unwrap().as_str(), r#"{"correlation_id":"r-77"}"#);
    assert!(error.message.contains("r-77") && !error.message.contains("classified"));
    assert!(!error.message.contains("/total"));
}

#[tokio::test]
async fn an_output_that_is_no_json_is_the_tools_fault() {
    let tool =
        Tool::sync("nan", "Gives NaN.", |_: Nothing| async move { Ok::<_, ToolError>(u64::MAX) });
    let failure = call(&one(tool), "nan", "{}").await.unwrap_err();
    let error = failure.to_call_error("r");
    assert_eq!(error.code, ErrorCode::InvalidOutput, "{failure:?}");
    assert!(error.message.contains("cannot be written as canonical JSON"), "{}", error.message);
}

#[tokio::test]
async fn a_tool_can_say_that_its_output_is_none_at_all() {
    let schemas = WrittenSchemas { input: json!({"type": "object"}), output: json!(true) };
    let tool = Tool::untyped("t", "d", ToolMode::Sync, schemas, |_, _| async move {
        Err(ToolError::unreadable_output("is not JSON", "classified"))
    });
    let failure = call(&one(tool), "t", "{}").await.unwrap_err();
    assert!(failure.to_string().ends_with("it is not JSON: classified"), "{failure}");
    let error = failure.to_call_error("r-3");
    assert_eq!(error.code, ErrorCode::InvalidOutput);
    assert!(error.message.contains("its output is not JSON and was withheld"), "{error}");
    assert_eq!(error.details.unwrap().as_str(), r#"{"correlation_id":"r-3"}"#);
    assert!(!error.message.contains("classified"));
}

#[tokio::test]
async fn sizes_are_bounded_both_ways() {
    let tight = |args_bytes, output_bytes| {
        let tool = Tool::untyped(
            "echo",
            "d",
            ToolMode::Sync,
            WrittenSchemas { input: json!({"type": "object"}), output: json!(true) },
            |_, args| async move { Ok(args) },
        );
        one(tool.limits(|limits| {
            limits.args_bytes = args_bytes;
            limits.output_bytes = output_bytes;
        }))
    };
    let args = r#"{"a":"0123456789"}"#;
    assert_eq!(call(&tight(18, 18), "echo", args).await.unwrap(), args);
    let error = call(&tight(17, 18), "echo", args).await.unwrap_err().to_call_error("r");
    assert_eq!(error.code, ErrorCode::InvalidArgs);
    assert!(error.message.contains("at most 17 bytes"), "{}", error.message);
    let failure = call(&tight(18, 17), "echo", args).await.unwrap_err();
    let CallFailure::InvalidOutput { fault: OutputFault::TooLarge { bytes, limit, .. }, .. } =
        &failure
    else {
        panic!("{failure:?}")
    };
    assert_eq!((*bytes, *limit), (18, 17));
    let said = failure.to_call_error("r").message;
    assert!(said.contains("has 18 bytes, over its limit of 17,"), "{said}");
    assert!(!said.contains("schema"), "{said}");
}

#[tokio::test]
async fn a_panic_harms_one_call_only() {
    let tool = Tool::untyped(
        "risky",
        "Panics when told to.",
        ToolMode::Sync,
        WrittenSchemas { input: json!({"type": "object"}), output: json!(true) },
        |_, args: CanonicalJson<'static>| {
            assert!(args.as_str() != r#"{"when":"called"}"#, "at once");
            async move {
                tokio::task::yield_now().await;
                assert!(args.as_str() != r#"{"when":"running"}"#, "later: {}", args.as_str());
                Ok(args)
            }
        },
    );
    let registry = one(tool.limits(|limits| limits.concurrency = 1));
    for when in [r#"{"when":"called"}"#, r#"{"when":"running"}"#] {
        let failure = call(&registry, "risky", when).await.unwrap_err();
        let CallFailure::Panicked { message, .. } = &failure else { panic!("{failure:?}") };
        assert!(message.contains("at once") || message.contains("later"), "{message}");
        let error = failure.to_call_error("r-9");
        assert_eq!(error.code, ErrorCode::Internal);
        assert!(error.message.contains("r-9") && !error.message.contains("later"));
        assert_eq!(call(&registry, "risky", "{}").await.unwrap(), "{}", "the next call is fine");
    }
}

#[tokio::test]
async fn a_panic_while_decoding_or_dropping_harms_one_call_only() {
    #[derive(schemars::JsonSchema)]
    struct Touchy {}

    impl<'de> serde::Deserialize<'de> for Touchy {
        fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            panic!("cannot decode")
        }
    }

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("cannot drop")
        }
    }

    let registry = Registry::builder()
        .tool(Tool::sync("touchy", "d", |_: Touchy| async move { Ok::<_, ToolError>(1) }))
        .tool(Tool::sync("bomb", "d", |_: Nothing| {
            let bomb = Bomb;
            async move {
                let _kept = bomb;
                Ok::<_, ToolError>(1)
            }
        }))
        .build(&server())
        .unwrap();
    for name in ["touchy", "bomb"] {
        let failure = call(&registry, name, "{}").await.unwrap_err();
        assert!(matches!(failure, CallFailure::Panicked { .. }), "{failure:?}");
    }
}

#[tokio::test]
async fn what_the_type_refuses_beyond_the_schema_is_a_violation_with_its_place() {
    #[derive(schemars::JsonSchema)]
    struct Even(#[expect(dead_code, reason = "only decoding matters")] u32);

    impl<'de> serde::Deserialize<'de> for Even {
        fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
            let number = u32::deserialize(reader)?;
            if number % 2 == 0 {
                Ok(Self(number))
            } else {
                Err(serde::de::Error::custom("send an even number"))
            }
        }
    }

    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Args {
        #[expect(dead_code, reason = "only decoding matters")]
        pairs: Vec<Even>,
    }

    let runs = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&runs);
    let registry = one(Tool::sync("even", "d", move |_: Args| {
        *counter.lock().unwrap() += 1;
        async move { Ok::<_, ToolError>(1) }
    }));
    call(&registry, "even", r#"{"pairs":[2]}"#).await.unwrap();
    let failure = call(&registry, "even", r#"{"pairs":[2,3]}"#).await.unwrap_err();
    let CallFailure::InvalidArgs { violations, .. } = &failure else { panic!("{failure:?}") };
    let [violation] = violations.as_slice() else { panic!("{violations:?}") };
    assert_eq!((violation.path.as_str(), violation.keyword.as_str()), ("/pairs/1", "decode"));
    assert_eq!(violation.got, "the number 3");
    assert!(violation.hint.contains("send an even number"), "{violation}");
    assert_eq!(*runs.lock().unwrap(), 1, "the tool saw the good call only");
}
