//! What every call of one running server shares.

use std::sync::Arc;

use tokio::sync::watch;
use waxwing_core::{ClientId, Limits, ServerId};
use waxwing_crypto::Window;
use waxwing_jobs::Engine;
use waxwing_tools::Registry;

use crate::audit::AuditLog;
use crate::authorizer::{Access, Authorizer};
use crate::environment::{Environment, fresh_id};
use crate::guard::Guard;
use crate::key_rings::KeyRings;
use crate::metrics::Metrics;
use crate::output::OutputBounds;
use crate::reserved::Reserved;
use crate::settings::JobPolicy;

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
}

/// Whether the server is on its way to a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    Serving,
    Draining,
}

impl Service {
    /// A fresh id.
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

    /// Returns once the server is on its way to a stop.
    pub(crate) async fn draining(&self) {
        draining(&self.course).await;
    }
}

/// Returns once the server is on its way to a stop, or gone.
pub(crate) async fn draining(course: &watch::Receiver<Course>) {
    // An error says that the server is gone, which is a stop as well.
    let _ = course.clone().wait_for(|course| *course == Course::Draining).await;
}
