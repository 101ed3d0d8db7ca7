//! What every call of one running server shares.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;
use waxwing_core::{ClientId, Limits, ServerId};
use waxwing_crypto::Window;
use waxwing_jobs::Engine;
use waxwing_tools::Registry;

use crate::audit::AuditLog;
use crate::authorizer::{Access, Authorizer};
use crate::environment::{Environment, fresh_id, fresh_job_id};
use crate::guard::Guard;
use crate::key_rings::KeyRings;
use crate::metrics::Metrics;
use crate::output::OutputBounds;
use crate::reserved::Reserved;
use crate::settings::JobPolicy;
use crate::waits::Waits;

/// A running server, without its sockets.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) server_id: ServerId<'static>,
    pub(crate) limits: Limits,
    pub(crate) window: Window,
    pub(crate) rings: KeyRings,
    pub(crate) guard: Guard,
    pub(crate) authorizer: Box<dyn Authorizer>,
    pub(crate) audit: Option<Arc<AuditLog>>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) reserved: Reserved,
    pub(crate) engine: Engine,
    pub(crate) jobs: JobPolicy,
    pub(crate) environment: Arc<dyn Environment>,
    pub(crate) course: watch::Receiver<Course>,
    pub(crate) metrics: Metrics,
    pub(crate) waits: Waits,
}

/// Whether the server is on its way to a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    Serving,
    Draining {
        /// When calls that are still at work have to be answered, before their connections are cut.
        answer_by: Instant,
    },
}

impl Course {
    /// When calls have to be answered, on the way to a stop.
    pub(crate) const fn answer_by(self) -> Option<Instant> {
        match self {
            Self::Serving => None,
            Self::Draining { answer_by } => Some(answer_by),
        }
    }
}

impl Service {
    /// A fresh id.
    pub(crate) fn fresh_job_id(&self) -> String {
        fresh_job_id(&*self.environment)
    }

    pub(crate) fn fresh_id(&self) -> String {
        fresh_id(&*self.environment)
    }

    /// What an output may measure.
    pub(crate) fn output_bounds(&self) -> OutputBounds {
        OutputBounds::within(&self.limits)
    }

    /// Whether `client` may see the tool named `tool`.
    pub(crate) fn shows(&self, client: &ClientId<'_>, tool: &str) -> bool {
        self.authorizer.judge(client, tool) == Access::Allowed
    }

    /// Returns once the server is on its way to a stop: when calls have to be answered.
    pub(crate) async fn draining(&self) -> Instant {
        draining(&self.course).await
    }
}

/// Returns once the server is on its way to a stop, or gone: when calls have to be answered.
pub(crate) async fn draining(course: &watch::Receiver<Course>) -> Instant {
    let mut course = course.clone();
    let stop = course.wait_for(|course| course.answer_by().is_some()).await;
    // An error says that the server is gone, which is a stop as well.
    stop.ok().and_then(|course| course.answer_by()).unwrap_or_else(Instant::now)
}
