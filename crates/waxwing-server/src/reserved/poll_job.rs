//! `poll_job {job_id, wait_ms?}`: a job's status; with `wait_ms`, as soon as it changes, and at
//! once when it has ended or asks for input.

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
    // Who waits too often at once is told how the job stands now, which is as true as a later answer.
    let place =
        args.wait_ms.filter(|wait_ms| *wait_ms > 0).and_then(|_| service.waits.place(owner));
    let wait_ms = args.wait_ms.filter(|_| place.is_some()).unwrap_or(0).min(LONGEST_WAIT_MS);
    // A stop does not wait for whoever waits either.
    let job = tokio::select! {
        job = engine.wait(owner, &id, Duration::from_millis(wait_ms.into())) => job,
        _ = service.draining() => engine.get(owner, &id).await,
    };
    show(job.map_err(CallFault::Unread)?)
}
