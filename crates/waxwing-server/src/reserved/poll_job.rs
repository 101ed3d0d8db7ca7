//! `poll_job {job_id, wait_ms?}`: a job's status; with `wait_ms`, as soon as it changes, and at
//! once when it has ended or asks for input.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use waxwing_core::message::Outcome;
use waxwing_crypto::Admitted;
use waxwing_jobs::Phase;

use super::{job_id, show};
use crate::fault::CallFault;
use crate::service::Service;

pub(super) const NAME: &str = "poll_job";

/// The longest a poll may wait.
pub(super) const LONGEST_WAIT_MS: u32 = 30_000;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Args {
    /// The job, as `accepted` named it.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z0-9._:-]+$"))]
    job_id: String,
    /// How long to wait for a change, in milliseconds; absent is not at all.
    #[schemars(range(min = 0, max = 30_000))]
    wait_ms: Option<u32>,
}

pub(super) async fn answer(
    service: &Service,
    call: &Admitted<'_, '_>,
) -> Result<Outcome<'static>, CallFault> {
    let args: Args = service.reserved.poll_job.decode(&call.args)?;
    let (engine, owner, id) = (&service.engine, &call.client_id, job_id(args.job_id)?);
    let seen = engine.get(owner, &id).await.map_err(CallFault::Unread)?;
    let (wait_ms, version) = match (args.wait_ms, &seen) {
        // What is parked waits for its client: to let the client wait in turn would help nobody.
        (Some(wait_ms @ 1..), Some(job)) if !matches!(job.phase, Phase::Parked { .. }) => {
            (wait_ms.min(LONGEST_WAIT_MS), job.version)
        }
        _ => return show(seen),
    };
    let wait = Duration::from_millis(wait_ms.into());
    // A stop does not wait for whoever waits: the answer now is as true as a later one.
    tokio::select! {
        snapshot = engine.wait(owner, &id, Some(version), wait) => {
            show(snapshot.map_err(CallFault::Unread)?)
        }
        () = service.draining() => {
            show(engine.get(owner, &id).await.map_err(CallFault::Unread)?)
        }
    }
}
