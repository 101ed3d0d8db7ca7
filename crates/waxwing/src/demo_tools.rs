//! The tools that `[tools] demo = true` switches on: one that answers at once, one that runs as a job,
//! one that asks.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use waxwing_tools::{CallContext, JobContext, RegistryBuilder, Tool, ToolError};

/// How often `long_task` reports its progress.
const REPORTS: u64 = 10;

#[derive(Deserialize, JsonSchema)]
struct BatchSum {
    /// The numbers to add.
    #[schemars(length(min = 1))]
    numbers: Vec<f64>,
}

#[derive(Serialize, JsonSchema)]
struct Sum {
    /// How many numbers there were.
    count: usize,
    /// Their sum.
    total: f64,
}

#[derive(Deserialize, JsonSchema)]
struct LongTask {
    /// How long to work, in seconds.
    #[schemars(range(max = 20), extend("exclusiveMinimum" = 0))]
    seconds: f64,
    /// Anything: it is given back at the end.
    payload: Option<Map<String, Value>>,
}

#[derive(Serialize, JsonSchema)]
struct TaskDone {
    /// How long the work took, in seconds, as asked for.
    seconds: f64,
    /// What was given, if anything was.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Map<String, Value>>,
}

#[derive(Deserialize, JsonSchema)]
struct Transfer {
    /// Who is to get it.
    #[schemars(length(min = 1, max = 100))]
    to: String,
    /// How much.
    #[schemars(extend("exclusiveMinimum" = 0))]
    amount: f64,
}

#[derive(Serialize, JsonSchema)]
struct Receipt {
    /// Who was to get it.
    to: String,
    /// How much.
    amount: f64,
    /// Whether it was confirmed. Nothing is ever sent.
    confirmed: bool,
}

/// Adds the demo tools.
pub(crate) fn add_to(registry: RegistryBuilder) -> RegistryBuilder {
    registry
        .tool(Tool::sync("batch_sum", "Adds numbers.", |args: BatchSum| async move {
            batch_sum(&args.numbers)
        }))
        .tool(Tool::job("long_task", "Works for a while and reports how far it is.", long_task))
        .tool(Tool::job("transfer", "Asks before it pretends to send money.", transfer))
}

fn batch_sum(numbers: &[f64]) -> Result<Sum, ToolError> {
    let total: f64 = numbers.iter().sum();
    if total.is_finite() {
        Ok(Sum { count: numbers.len(), total })
    } else {
        Err(ToolError::new("The sum is too large for a number; send smaller numbers."))
    }
}

async fn long_task(context: CallContext, args: LongTask) -> Result<TaskDone, ToolError> {
    let part = Duration::from_secs_f64(args.seconds / REPORTS as f64);
    for done in 1..=REPORTS {
        tokio::time::sleep(part).await;
        context.progress(done, Some(REPORTS), None);
    }
    Ok(TaskDone { seconds: args.seconds, payload: args.payload })
}

async fn transfer(job: JobContext, args: Transfer) -> Result<Receipt, ToolError> {
    let Transfer { to, amount } = args;
    let confirmed = job.ask("sure", &format!("Send {amount} to {to}?"))?;
    Ok(Receipt { to, amount, confirmed })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;
    use waxwing_core::CanonicalJson;
    use waxwing_tools::{CallFailure, Registry};

    use super::*;

    async fn call(tool: &str, args: Value) -> (Result<Value, CallFailure>, Vec<u64>) {
        let registry = add_to(Registry::builder()).build(&"demo".parse().unwrap()).unwrap();
        let reports = Arc::<Mutex<Vec<u64>>>::default();
        let heard = Arc::clone(&reports);
        let context = CallContext::new("me".parse().unwrap())
            .with_progress(move |progress| heard.lock().unwrap().push(progress.done));
        let args = CanonicalJson::from_serialize(&args).unwrap();
        let output = registry.call(tool, context, &args).await;
        let reports = reports.lock().unwrap().clone();
        (output.map(|output| output.decode().unwrap()), reports)
    }

    #[tokio::test]
    async fn batch_sum_adds() {
        let (sum, _) = call("batch_sum", json!({"numbers": [1.5, 2, -0.5]})).await;
        assert_eq!(sum.unwrap(), json!({"count": 3, "total": 3}));
        for wrong in [json!({}), json!({"numbers": []}), json!({"numbers": ["1"]})] {
            let (refused, _) = call("batch_sum", wrong).await;
            assert!(matches!(refused, Err(CallFailure::InvalidArgs { .. })));
        }
        let (failed, _) = call("batch_sum", json!({"numbers": [1e308, 1e308]})).await;
        assert!(matches!(failed, Err(CallFailure::Failed { .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn long_task_reports_ten_times() {
        let before = tokio::time::Instant::now();
        let (done, reports) = call("long_task", json!({"seconds": 20, "payload": {"n": 1}})).await;
        assert_eq!(done.unwrap(), json!({"seconds": 20, "payload": {"n": 1}}));
        assert_eq!(reports, (1..=10).collect::<Vec<_>>());
        assert_eq!(before.elapsed().as_secs(), 20);
        let (done, _) = call("long_task", json!({"seconds": 0.001})).await;
        assert_eq!(done.unwrap(), json!({"seconds": 0.001}));
        for seconds in [json!(0), json!(-1), json!(20.5), json!("1")] {
            let (refused, _) = call("long_task", json!({"seconds": seconds})).await;
            assert!(matches!(refused, Err(CallFailure::InvalidArgs { .. })));
        }
    }
}
