//! `poll_job {job_id, wait_ms?}`: a job's status; with `wait_ms`, as soon as it changes.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use waxwing_core::message::Outcome;
use waxwing_crypto::Admitted;

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
    let wait = match args.wait_ms {
        None | Some(0) => return show(engine.get(owner, &id).await?),
        Some(wait_ms) => Duration::from_millis(wait_ms.min(LONGEST_WAIT_MS).into()),
    };
    // A stop does not wait for whoever waits: the answer now is as true as a later one.
    tokio::select! {
        snapshot = engine.wait(owner, &id, None, wait) => show(snapshot?),
        () = service.draining() => show(engine.get(owner, &id).await?),
    }
}
