//! `server_identity {}`: who the server is, with which key it knows the caller, and its bounds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use waxwing_core::CanonicalJson;
use waxwing_core::message::{Outcome, VERSION};
use waxwing_crypto::{Admitted, Key};
use waxwing_jobs::{Durability, millis};

use super::poll_job;
use crate::fault::CallFault;
use crate::service::Service;

pub(super) const NAME: &str = "server_identity";

#[derive(Deserialize, JsonSchema)]
pub(super) struct Args {}

#[derive(Serialize)]
struct Identity<'a> {
    server_id: &'a str,
    server_version: &'a str,
    protocol: &'a str,
    /// Of the caller's key, so that both sides can see that they mean the same one.
    fingerprint: String,
    capabilities: Capabilities,
    limits: Limits,
}

#[derive(Serialize)]
struct Capabilities {
    jobs: Jobs,
    /// The modes of tools that take an idempotency key.
    idempotency: [&'static str; 2],
    /// What keys may sign with; which one does belongs to the key.
    algorithms: [&'static str; 2],
}

#[derive(Serialize)]
struct Jobs {
    /// What an accepted job survives: `power_cut`, or `process` for nothing.
    durability: &'static str,
}

#[derive(Serialize)]
struct Limits {
    max_message: usize,
    max_depth: usize,
    window_past_ms: u32,
    window_future_ms: u32,
    max_wait_ms: u32,
    job_ttl_ms: u64,
    idempotency_ttl_ms: u64,
}

pub(super) fn answer(
    service: &Service,
    call: &Admitted<'_, '_>,
) -> Result<Outcome<'static>, CallFault> {
    let Args {} = service.reserved.server_identity.decode(&call.args)?;
    let durability = match service.engine.store().info().durability {
        Durability::PowerCut => "power_cut",
        Durability::Process => "process",
    };
    let identity = Identity {
        server_id: service.server_id.as_str(),
        server_version: env!("CARGO_PKG_VERSION"),
        protocol: VERSION,
        fingerprint: call.key().fingerprint(),
        capabilities: Capabilities {
            jobs: Jobs { durability },
            idempotency: ["sync", "job"],
            algorithms: Key::ALGORITHMS,
        },
        limits: Limits {
            max_message: service.limits.max_message(),
            max_depth: service.limits.max_depth(),
            window_past_ms: service.window.past_ms,
            window_future_ms: service.window.future_ms,
            max_wait_ms: poll_job::LONGEST_WAIT_MS,
            job_ttl_ms: millis(service.jobs.ttl),
            idempotency_ttl_ms: millis(service.jobs.idempotency_ttl),
        },
    };
    Ok(Outcome::Ok(CanonicalJson::from_serialize(&identity)?))
}
