//! Time, turns and cancelling: a call stays within its bounds and gives back what it held.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use waxwing_core::ErrorCode;
use waxwing_tools::{CallContext, CallFailure, CancelSource, Registry, Tool, ToolError};

use crate::tools::{Done, Nothing, call, canonical, context, one};

#[tokio::test(start_paused = true)]
async fn a_tool_that_outruns_its_time_is_stopped_and_told() {
    let told = Arc::new(Notify::new());
    let listener = Arc::clone(&told);
    let tool = Tool::sync("slow", "Sleeps.", move |ctx: CallContext, _: Nothing| {
        let listener = Arc::clone(&listener);
        async move {
            let cancellation = ctx.cancellation().clone();
            tokio::spawn(async move {
                cancellation.cancelled().await;
                listener.notify_one();
            });
            std::future::pending::<()>().await;
            Ok::<_, ToolError>(Done {})
        }
    });
    let registry = one(tool);
    let began = Instant::now();
    let failure = call(&registry, "slow", "{}").await.unwrap_err();
    assert_eq!(began.elapsed().as_secs(), 30);
    let CallFailure::TimedOut { limit, .. } = &failure else { panic!("{failure:?}") };
    assert_eq!(limit.as_secs(), 30);
    let error = failure.to_call_error("r");
    assert_eq!(error.code, ErrorCode::Timeout);
    assert!(error.message.contains("30000 ms"), "{}", error.message);
    told.notified().await;

    // A caller's own deadline can only be earlier.
    let ctx = context().with_deadline(Instant::now() + Duration::from_secs(5));
    let began = Instant::now();
    registry.call("slow", ctx, &canonical("{}")).await.unwrap_err();
    assert_eq!(began.elapsed().as_secs(), 5);
}

/// A tool whose input never runs dry uses up its task's budget at each turn, and timers count against the
/// same budget.
#[tokio::test(start_paused = true)]
async fn a_tool_that_is_never_idle_is_stopped_in_time() {
    let begun = Arc::new(Notify::new());
    let told = Arc::clone(&begun);
    let tool = Tool::sync("busy", "Reads what is always there.", move |_: Nothing| {
        let told = Arc::clone(&told);
        async move {
            let (sender, mut receiver) = mpsc::unbounded_channel();
            told.notify_one();
            for _ in 0..1_000_000 {
                sender.send(()).unwrap();
                receiver.recv().await;
            }
            Ok::<_, ToolError>(Done {})
        }
    });
    let running = spawn(&one(tool));
    begun.notified().await;
    tokio::time::advance(Duration::from_secs(31)).await;
    let ended = running.await.unwrap();
    assert!(matches!(ended, Err(CallFailure::TimedOut { .. })), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_job_has_no_time_limit_of_its_own() {
    let tool = Tool::job("day", "Sleeps a day.", |_: Nothing| async move {
        tokio::time::sleep(Duration::from_secs(86_400)).await;
        Ok::<_, ToolError>(Done {})
    });
    assert_eq!(call(&one(tool), "day", "{}").await.unwrap(), "{}");
}

/// A tool that says when it runs and goes on when it is let.
fn held(
    concurrency: usize,
    queue: usize,
) -> (Arc<Registry>, mpsc::UnboundedReceiver<()>, Arc<Notify>) {
    let (sender, running) = mpsc::unbounded_channel();
    let go = Arc::new(Notify::new());
    let gate = Arc::clone(&go);
    let tool = Tool::sync("held", "Waits.", move |_: Nothing| {
        let (sender, gate) = (sender.clone(), Arc::clone(&gate));
        async move {
            sender.send(()).unwrap();
            gate.notified().await;
            Ok::<_, ToolError>(Done {})
        }
    });
    let tool = tool.limits(|limits| {
        limits.concurrency = concurrency;
        limits.queue = queue;
    });
    (one(tool), running, go)
}

fn spawn(registry: &Arc<Registry>) -> tokio::task::JoinHandle<Result<String, CallFailure>> {
    let registry = Arc::clone(registry);
    tokio::spawn(async move {
        let tool = registry.iter().next().unwrap().definition.name.clone();
        call(&registry, tool.as_str(), "{}").await
    })
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_queue_are_refused_and_the_rest_run_in_turn() {
    let (registry, mut running, go) = held(1, 1);
    let first = spawn(&registry);
    running.recv().await.unwrap();
    let second = spawn(&registry);
    tokio::task::yield_now().await;
    let failure = call(&registry, "held", "{}").await.unwrap_err();
    let error = failure.to_call_error("r");
    assert_eq!(error.code, ErrorCode::Overloaded);
    assert_eq!(error.retry_after_ms, Some(1000));
    assert!(running.try_recv().is_err(), "only one runs");
    go.notify_one();
    first.await.unwrap().unwrap();
    running.recv().await.unwrap();
    go.notify_one();
    second.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_too_slow_is_overload_since_nothing_ran() {
    let (registry, mut running, _go) = held(1, 8);
    let first = spawn(&registry);
    running.recv().await.unwrap();
    let second = spawn(&registry);
    assert!(matches!(first.await.unwrap().unwrap_err(), CallFailure::TimedOut { .. }));
    // Both had 30 s from the same instant: the second never ran, or ran for no time at all.
    let failure = second.await.unwrap().unwrap_err();
    let never_ran = running.try_recv().is_err();
    assert_eq!(matches!(failure, CallFailure::Overloaded { .. }), never_ran, "{failure:?}");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_frees_its_place() {
    let (registry, mut running, go) = held(1, 1);
    let first = spawn(&registry);
    running.recv().await.unwrap();
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let second = spawn(&registry);
    running.recv().await.unwrap();
    go.notify_one();
    second.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn cancelling_drops_a_tool_that_cannot_hear_and_waits_for_one_that_can() {
    let deaf = one(Tool::job("t", "Sleeps.", |_: Nothing| async move {
        std::future::pending::<()>().await;
        Ok::<_, ToolError>(1)
    }));
    let tidy = one(Tool::job("t", "Tidies up.", |ctx: CallContext, _: Nothing| async move {
        ctx.cancellation().cancelled().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok::<_, ToolError>(2)
    }));
    let giving_up = one(Tool::job("t", "Gives up.", |ctx: CallContext, _: Nothing| async move {
        ctx.cancellation().cancelled().await;
        Err::<u8, _>(ToolError::new("told to stop"))
    }));
    let stubborn = one(Tool::job("t", "Goes on.", |_: CallContext, _: Nothing| async move {
        std::future::pending::<()>().await;
        Ok::<_, ToolError>(3)
    }));
    let cases = [(deaf, 0, None), (tidy, 1, Some("2")), (giving_up, 0, None), (stubborn, 2, None)];
    for (registry, seconds, output) in cases {
        let source = CancelSource::new();
        let ctx = context().with_cancellation(source.token());
        let began = Instant::now();
        let args = canonical("{}");
        let call = registry.call("t", ctx, &args);
        let cancel = async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            source.cancel();
        };
        let (outcome, ()) = tokio::join!(call, cancel);
        assert_eq!(began.elapsed().as_secs(), 10 + seconds);
        match (outcome, output) {
            (Ok(got), Some(expected)) => assert_eq!(got.as_str(), expected),
            (Err(CallFailure::Cancelled { .. }), None) => {}
            (outcome, _) => panic!("{outcome:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_cancelled_before_its_turn_never_runs() {
    let (registry, mut running, _go) = held(1, 8);
    let _first = spawn(&registry);
    running.recv().await.unwrap();
    let source = CancelSource::new();
    source.cancel();
    let ctx = context().with_cancellation(source.token());
    let failure = registry.call("held", ctx, &canonical("{}")).await.unwrap_err();
    assert!(matches!(failure, CallFailure::Cancelled { .. }), "{failure:?}");
    assert!(running.try_recv().is_err());
    assert_eq!(failure.to_call_error("r").code, ErrorCode::ToolFailed);
}
