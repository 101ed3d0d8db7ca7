//! `waxwing call`: one call of one tool; its output, or the job that it became.

use std::io::Read as _;
use std::path::Path;

use serde_json::{Value, json};
use waxwing_client::{CallOptions, ClientError};
use waxwing_core::message::Outcome;
use waxwing_core::{CallError, ErrorCode, Limits, ToolDigest, ToolName};

use crate::cli::CallArgs;
use crate::config::client::Profile;
use crate::exit::Failure;
use crate::progress::ProgressView;
use crate::{arguments, output, terminal};

pub(super) async fn run(args: CallArgs) -> Result<(), Failure> {
    let object = args.args.as_deref().map(object_text).transpose()?;
    let arguments = arguments::merge(&args.pairs, object.as_deref())
        .map_err(|error| Failure::usage(error.to_string()))?;
    let profile = Profile::read(&args.profile.profile)?;
    let pinned = profile.pins.get(args.tool.as_str()).cloned();
    let client = profile.into_client(&args.profile.profile)?;
    let mut options = CallOptions::new();
    if let Some(key) = args.idempotency_key {
        options = options.idempotency_key(key);
    }
    match client.call_raw(args.tool.as_str(), &arguments, &options).await? {
        Outcome::Ok(result) => output::print_json(&result),
        Outcome::Accepted { job_id, poll_after_ms, ttl_ms } => {
            terminal::note(&format!("accepted as job {job_id}"));
            if !args.wait {
                return output::print(&json!({
                    "job_id": job_id, "poll_after_ms": poll_after_ms, "ttl_ms": ttl_ms,
                }));
            }
            let view = ProgressView::new();
            let result: Value = client.wait(&job_id, |progress| view.show(progress)).await?;
            drop(view);
            output::print(&result)
        }
        Outcome::Error(error) if error.code == ErrorCode::ToolChanged => {
            Err(changed(&args.tool, pinned.as_ref(), error))
        }
        Outcome::Error(error) => Err(ClientError::Failed(error).into()),
        other => Err(ClientError::OtherStatus(Box::new(other)).into()),
    }
}

/// What to do about a tool that is not as it was pinned.
fn changed(tool: &ToolName<'_>, pinned: Option<&ToolDigest<'_>>, error: CallError) -> Failure {
    let mut failure = Failure::from(ClientError::Failed(error));
    if let Some(pinned) = pinned {
        failure.text.push_str(&format!(
            "\npinned: {pinned}\nlook at its new definition (`waxwing list`), then pin it: waxwing pin {tool}"
        ));
    }
    failure
}

/// What `--args` stands for: itself, a file, or stdin; not more of it than a message can hold.
pub(super) fn object_text(given: &str) -> Result<String, Failure> {
    let most = Limits::DEFAULT.max_message() as u64;
    let (name, source): (&str, Box<dyn std::io::Read>) = match given.strip_prefix('@') {
        None if given == "-" => ("stdin", Box::new(std::io::stdin())),
        None => return Ok(given.to_owned()),
        Some(path) => {
            let file = std::fs::File::open(Path::new(path))
                .map_err(|error| Failure::usage(format!("{path} cannot be read: {error}")))?;
            (path, Box::new(file))
        }
    };
    let mut text = String::new();
    source
        .take(most + 1)
        .read_to_string(&mut text)
        .map_err(|error| Failure::usage(format!("{name} cannot be read: {error}")))?;
    if text.len() as u64 > most {
        return Err(Failure::usage(format!("{name} is over the limit of {most} bytes")));
    }
    Ok(text)
}
