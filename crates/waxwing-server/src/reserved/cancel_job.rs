//! `cancel_job {job_id, reason?}`: asks to stop a job; answers its status after that.

use schemars::JsonSchema;
use serde::Deserialize;
use waxwing_core::message::Outcome;
use waxwing_crypto::Admitted;
use waxwing_jobs::{CancelRequest, CancelVerdict};

use super::{job_id, show};
use crate::fault::CallFault;
use crate::service::Service;

pub(super) const NAME: &str = "cancel_job";

#[derive(Deserialize, JsonSchema)]
pub(super) struct Args {
    /// The job, as `accepted` named it.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z0-9._:-]+$"))]
    job_id: String,
    /// Why, for whoever looks at the job later.
    #[schemars(length(max = 256))]
    reason: Option<String>,
}

pub(super) async fn answer(
    service: &Service,
    call: &Admitted<'_, '_>,
) -> Result<Outcome<'static>, CallFault> {
    let args: Args = service.reserved.cancel_job.decode(&call.args)?;
    let (engine, owner, id) = (&service.engine, &call.client_id, job_id(args.job_id)?);
    let cancelled = engine.cancel(owner, &id, CancelRequest::new(args.reason)).await;
    match cancelled.map_err(CallFault::Unchanged)? {
        CancelVerdict::Unknown => Err(CallFault::UnknownJob),
        CancelVerdict::Settled | CancelVerdict::Requested | CancelVerdict::AlreadyTerminal => {
            show(engine.get(owner, &id).await.map_err(CallFault::Unshown)?)
        }
    }
}
