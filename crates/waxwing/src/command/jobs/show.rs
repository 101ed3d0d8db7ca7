//! `waxwing jobs show`: everything an operator needs of one job; what it was given and gave only when
//! that is asked for.

use std::time::Duration;

use serde_json::{Map, Value, json};
use waxwing_core::CanonicalJson;
use waxwing_jobs::{Attempt, Cause, Inspected, Phase, Snapshot, record};

use super::{line, select};
use crate::age::spoken;
use crate::cli::JobsShowArgs;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::table::Table;

pub(super) async fn run(args: JobsShowArgs) -> Result<(), Failure> {
    let store = select::open(&args.store).await?;
    let found = store.inspect(&args.job).await?.ok_or_else(|| {
        let text = format!(
            "there is no job {} in this store: it never was, or its time is over",
            args.job
        );
        Failure::new(Exit::Failed, text)
    })?;
    let document = document(&found, &args)?;
    output::show(args.store.json, &document, || table(&found, &document))
}

fn document(found: &Inspected, args: &JobsShowArgs) -> Result<Value, Failure> {
    let Snapshot { phase, progress, attempts, cancel, created_ms, ttl_ms, read_ms, .. } =
        &found.snapshot;
    let mut document = match line(&found.listed) {
        Value::Object(line) => line,
        _ => Map::new(),
    };
    let mut put = |name: &str, value: Value| document.insert(name.to_owned(), value);
    put("ttl_ms", (*ttl_ms).into());
    put("ttl_left_ms", created_ms.saturating_add(*ttl_ms).saturating_sub(*read_ms).into());
    if let Some(Due { what, at_ms, left_ms }) = Due::of(found) {
        let (at, left) = match what {
            Move::Ready => ("ready_ms", "ready_in_ms"),
            Move::LeaseEnds => ("lease_until_ms", "lease_left_ms"),
        };
        put(at, at_ms.into());
        put(left, left_ms.into());
    }
    if let Some(progress) = progress {
        let (done, total) = (progress.done(), progress.total());
        put("progress", json!({ "done": done, "total": total, "message": progress.message() }));
    }
    put("attempts", listed(attempts, args.show_output)?);
    if let Some(reason) = cancel.as_ref().map(|request| request.reason()) {
        put("cancel", json!({ "reason": reason }));
    }
    if args.show_input {
        put("input", found.input.as_ref().map_or(Ok(Value::Null), value)?);
    }
    match phase {
        Phase::Parked { requests } if args.show_input => {
            let asked =
                requests.iter().map(|(key, asked)| (key.to_string(), asked.message.clone()));
            put("waits_for", Value::Object(asked.map(|(k, m)| (k, m.into())).collect()));
        }
        Phase::Parked { requests } => {
            put("waits_for", requests.iter().map(|(key, _)| key.to_string()).collect());
        }
        Phase::Completed { output } if args.show_output => drop(put("output", value(output)?)),
        Phase::Cancelled { request } => drop(put("cancel", json!({ "reason": request.reason() }))),
        Phase::Queued | Phase::Running | Phase::Completed { .. } | Phase::Failed => {}
    }
    Ok(Value::Object(document))
}

/// When a job moves by itself, store's time, and how long it is until then.
struct Due {
    what: Move,
    at_ms: u64,
    left_ms: u64,
}

/// What happens to it then.
#[derive(Clone, Copy)]
enum Move {
    /// It may be claimed: at once, or when the delay of its retry is over.
    Ready,
    /// Its worker's lease ends, unless it shows a sign of life.
    LeaseEnds,
}

impl Due {
    fn of(found: &Inspected) -> Option<Self> {
        let (at_ms, what) = match found.snapshot.phase {
            Phase::Queued => (found.due_ms?, Move::Ready),
            Phase::Running => (found.due_ms?, Move::LeaseEnds),
            _ => return None,
        };
        Some(Self { what, at_ms, left_ms: at_ms.saturating_sub(found.snapshot.read_ms) })
    }

    fn row(&self) -> [String; 2] {
        let (name, now) = match self.what {
            Move::Ready => ("ready", "now"),
            Move::LeaseEnds => ("lease ends", "now: the next sweep moves it"),
        };
        let when = match self.left_ms {
            0 => now.to_owned(),
            left_ms => format!("in {}", spoken(Duration::from_millis(left_ms))),
        };
        [name.to_owned(), when]
    }
}

/// What became of an attempt, for a person.
const fn in_words(cause: Cause) -> &'static str {
    match cause {
        Cause::Tool => "the tool failed",
        Cause::Panic => "the tool panicked",
        Cause::LeaseLost => "its worker was lost",
        Cause::Corrupt => "what was stored does not read back",
        _ => "for a reason that a newer version knows",
    }
}

/// Details may repeat what the job was given or what it found, so they are shown as its output is.
fn listed(attempts: &[Attempt], with_details: bool) -> Result<Value, Failure> {
    let damaged = |_| Failure::new(Exit::Failed, "the job's attempts do not read back");
    let text = record::attempts_to_text(attempts)?;
    let mut listed: Value = serde_json::from_str(&text).map_err(damaged)?;
    if !with_details && let Value::Array(attempts) = &mut listed {
        for attempt in attempts.iter_mut().filter_map(Value::as_object_mut) {
            attempt.remove("details");
        }
    }
    Ok(listed)
}

fn value(json: &CanonicalJson<'_>) -> Result<Value, Failure> {
    json.decode().map_err(|error| Failure::new(Exit::Failed, format!("no JSON: {error}")))
}

fn table(found: &Inspected, document: &Value) -> Table {
    let Inspected { snapshot, listed, .. } = found;
    let left = snapshot.created_ms.saturating_add(snapshot.ttl_ms).saturating_sub(snapshot.read_ms);
    let mut table = Table::new(&["FIELD", "VALUE"]);
    table
        .row(["job", listed.id.as_str()])
        .row(["state", listed.stage.as_str()])
        .row(["tool", listed.kind.as_str()])
        .row(["client", listed.owner.as_str()])
        .row(["attempt", &listed.attempt.to_string()])
        .row(["worker", listed.worker.as_deref().unwrap_or("-")])
        .row(["age", &spoken(listed.age)])
        .row(["time left", &spoken(Duration::from_millis(left))]);
    if let Some(due) = Due::of(found) {
        table.row(due.row());
    }
    for name in ["progress", "cancel", "waits_for", "input", "output"] {
        if let Some(value) = document.get(name) {
            table.row([name, &value.to_string()]);
        }
    }
    for attempt in &snapshot.attempts {
        let ago = Duration::from_millis(snapshot.read_ms.saturating_sub(attempt.ended_ms));
        let failure = &attempt.failure;
        let code = failure.code.map(|code| format!(" ({})", code.as_str())).unwrap_or_default();
        let cause = in_words(failure.cause);
        let text = format!("{cause}{code}, {} ago: {}", spoken(ago), failure.message);
        table.row([&format!("failed attempt {}", attempt.number), &text]);
    }
    table
}
