//! Starts jobs: nonce, idempotency key and job in one durable commit (wire.md §5, jobs.md).

use std::time::Duration;

use sha2::{Digest as _, Sha256};
use waxwing_core::message::Outcome;
use waxwing_core::{IdempotencyKey, JobId};
use waxwing_crypto::Admitted;
use waxwing_jobs::{Bound, Idempotency, NewJob, NonceRecord, Snapshot, Started, millis};

use crate::fault::CallFault;
use crate::guard::JobNonces;
use crate::service::Service;

/// When a first poll of a job makes sense, in milliseconds.
const FIRST_POLL_MS: u64 = 100;

/// The job that a call stands for: a new one, or that of the first call with its idempotency key.
#[derive(Debug)]
pub(crate) struct Ordered {
    pub(crate) id: JobId<'static>,
    /// The job as it stands, when it is not new.
    pub(crate) earlier: Option<Box<Snapshot>>,
}

/// What an order asks of the engine beside the call itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) ttl: Duration,
    pub(crate) max_attempts: u32,
}

/// Starts a job for a call of a `job` tool. `accepted` means that the job is durable.
pub(crate) async fn accept(
    service: &Service,
    call: &Admitted<'_, '_>,
    key: Option<&IdempotencyKey<'_>>,
) -> Result<Outcome<'static>, CallFault> {
    // A key that stood for a job that is gone would be of no use to a retry.
    let ttl = match key {
        Some(_) => service.jobs.ttl.max(service.jobs.idempotency_ttl),
        None => service.jobs.ttl,
    };
    let terms = Terms { ttl, max_attempts: service.jobs.max_attempts };
    let Ordered { id, earlier } = order(service, call, key, terms).await?;
    let (poll_after_ms, ttl_ms) = match earlier {
        None => (FIRST_POLL_MS, millis(terms.ttl)),
        Some(earlier) => (earlier.poll_after_ms(), earlier.ttl_ms),
    };
    Ok(Outcome::Accepted { job_id: id, poll_after_ms, ttl_ms })
}

/// Stores the job of a call whose arguments have been checked.
pub(crate) async fn order(
    service: &Service,
    call: &Admitted<'_, '_>,
    key: Option<&IdempotencyKey<'_>>,
    terms: Terms,
) -> Result<Ordered, CallFault> {
    let id =
        JobId::new(service.fresh_job_id()).map_err(|_| CallFault::Bug("a fresh id is no id"))?;
    let owner = call.client_id.clone().into_owned();
    let kind = call.tool.clone().into_owned();
    let mut job = NewJob::new(id.clone(), owner, kind, call.args.clone().into_owned())
        .with_ttl(terms.ttl)
        .with_max_attempts(terms.max_attempts);
    if service.guard.job_nonces == JobNonces::WithTheJob {
        job = job.with_nonce(nonce(service, call));
    }
    if let Some(key) = key {
        job = job.with_idempotency(Idempotency {
            key: key.clone().into_owned(),
            digest: digest(call),
            keep: service.jobs.idempotency_ttl,
        });
    }
    match service.engine.start(job).await? {
        Started::Created => Ok(Ordered { id, earlier: None }),
        Started::Existing { id, snapshot: Some(earlier) } => {
            Ok(Ordered { id, earlier: Some(earlier) })
        }
        Started::Existing { id, snapshot: None } => Err(CallFault::Outlived { id }),
        Started::Conflict => Err(CallFault::Conflict),
        Started::Replayed => Err(CallFault::Replayed),
        Started::Full(Bound::ClientJobs) => Err(CallFault::TooManyJobs { whose: "of yours" }),
        Started::Full(Bound::AllJobs) => Err(CallFault::TooManyJobs { whose: "in all" }),
        Started::Full(Bound::Nonces) => Err(CallFault::TooManyCalls),
        Started::IdTaken => Err(CallFault::Bug("a fresh job id was taken")),
    }
}

/// The nonce, to be kept for as long as the message stays in the window.
fn nonce(service: &Service, call: &Admitted<'_, '_>) -> NonceRecord {
    let until_ms = call.ts_ms.saturating_add(service.window.span_ms());
    let keep_ms = until_ms.saturating_sub(service.environment.now_ms()).max(0);
    NonceRecord {
        server: call.server_id.clone().into_owned(),
        client: call.client_id.clone().into_owned(),
        key: call.key_id.clone().into_owned(),
        nonce: call.nonce.clone().into_owned(),
        keep: Duration::from_millis(keep_ms.unsigned_abs()),
    }
}

/// Digest of (`tool`, `args`). A zero byte parts the two: neither can hold one.
fn digest(call: &Admitted<'_, '_>) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(call.tool.as_str().as_bytes());
    hash.update([0]);
    hash.update(call.args.as_str().as_bytes());
    hash.finalize().into()
}
