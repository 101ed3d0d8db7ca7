//! Serves until told to stop, then stops well: no new connections, calls and jobs get their time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use waxwing_core::{Limits, ServerId};
use waxwing_crypto::Window;
use waxwing_jobs::{Engine, EngineConfig, Store};
use waxwing_tools::Registry;

use crate::audit::{AuditLog, JobLines};
use crate::authorizer::Authorizer;
use crate::environment::Environment;
use crate::guard::Guard;
use crate::http::admin::Admin;
use crate::http::connection;
use crate::http::front::Front;
use crate::http::hosts::Hosts;
use crate::http::overloaded;
use crate::key_rings::KeyRings;
use crate::metrics::{Metrics, Observing};
use crate::output::OutputBounds;
use crate::reserved::Reserved;
use crate::runner::ToolRunner;
use crate::service::{Course, Service};
use crate::settings::{HttpLimits, JobPolicy};
use crate::waits::Waits;

/// Connections that are being turned away at once; more are closed without a word.
const TURNED_AWAY: usize = 64;

/// How long before connections are cut at the end of a stop their calls have to be answered.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long to wait before another try when a connection cannot be accepted, which is mostly for
/// want of file descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// Everything a server is, before its engine runs.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) server_id: ServerId<'static>,
    pub(crate) limits: Limits,
    pub(crate) window: Window,
    pub(crate) rings: KeyRings,
    pub(crate) guard: Guard,
    pub(crate) authorizer: Box<dyn Authorizer>,
    pub(crate) audit: Option<AuditLog>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) reserved: Reserved,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) engine: EngineConfig,
    pub(crate) jobs: JobPolicy,
    pub(crate) environment: Arc<dyn Environment>,
    pub(crate) http: HttpLimits,
    pub(crate) hosts: Hosts,
    pub(crate) admin_hosts: Hosts,
    pub(crate) origins: Vec<String>,
    pub(crate) drain: Duration,
}

/// A server that has its sockets and waits to be run.
#[derive(Debug)]
pub struct BoundServer {
    pub(crate) prepared: Prepared,
    pub(crate) listener: TcpListener,
    pub(crate) addr: SocketAddr,
    pub(crate) admin_listener: TcpListener,
    pub(crate) admin_addr: SocketAddr,
}

/// What a stop left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Connections whose call was not answered in the drain time, and was dropped.
    pub connections_cut: usize,
    /// Jobs that were still running at the end of the drain time and were given back to the store,
    /// for another process or the next start, without losing an attempt. Calls of `sync` tools with
    /// an idempotency key are among them, and have failed: they are never run twice.
    pub jobs_released: usize,
    /// Lines of the audit log that the disk did not take to the last. None of their calls was answered.
    pub audit_lines_lost: u64,
}

impl BoundServer {
    /// Where calls are taken.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where health is told.
    #[must_use]
    pub const fn admin_addr(&self) -> SocketAddr {
        self.admin_addr
    }

    /// Serves calls and runs jobs until `shutdown` is ready; then stops taking connections, lets
    /// calls and jobs go on for the drain time, and returns. Needs a tokio runtime with IO and time.
    ///
    /// Dropping the future stops everything at once, as a crash would.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Summary {
        let Self { prepared, listener, admin_listener, .. } = self;
        let (http, drain) = (prepared.http, prepared.drain);
        let (steer, course) = watch::channel(Course::Serving);
        let (front, admin) = prepared.launch(course.clone());
        let service = Arc::clone(&front.service);

        // The health listener lives until the end: it tells of the stop.
        let (_admin_steer, admin_course) = watch::channel(Course::Serving);
        let mut health = JoinSet::new();
        health.spawn(async move {
            let mut door = Door::new(http, admin_course, None);
            door.open(&admin_listener, move |request| {
                let admin = Arc::clone(&admin);
                async move { admin.answer(request).await }
            })
            .await;
        });

        let mut door = Door::new(http, course, Some(Arc::clone(&service)));
        tokio::select! {
            biased;
            () = shutdown => {}
            () = door.open(&listener, move |request| {
                let front = Arc::clone(&front);
                async move { front.answer(request).await }
            }) => {}
        }
        drop(listener);
        let answer_by = Instant::now() + drain.saturating_sub(LAST_WORDS);
        steer.send_replace(Course::Draining { answer_by });
        tracing::info!("stopping");
        let (connections_cut, drained) =
            tokio::join!(door.close(drain), service.engine.drain(drain));
        let audit_lines_lost = match &service.audit {
            Some(audit) => audit.close().await,
            None => 0,
        };
        Summary { connections_cut, jobs_released: drained.released, audit_lines_lost }
    }
}

impl Prepared {
    /// Starts the engine and puts the two fronts together.
    pub(crate) fn launch(self, course: watch::Receiver<Course>) -> (Arc<Front>, Arc<Admin>) {
        let info = self.store.info();
        tracing::info!(backend = info.backend, detail = %info.detail, "job store");
        let runner = ToolRunner {
            registry: Arc::clone(&self.registry),
            environment: Arc::clone(&self.environment),
            bounds: OutputBounds::within(&self.limits),
        };
        let metrics = Metrics::new();
        let (audit, mut engine) = (self.audit.map(Arc::new), self.engine);
        if let Some(log) = &audit {
            engine.observer = Arc::new(JobLines {
                log: Arc::clone(log),
                environment: Arc::clone(&self.environment),
                course: course.clone(),
                next: engine.observer,
            });
        }
        engine.observer =
            Arc::new(Observing { metrics: metrics.jobs.clone(), next: engine.observer });
        let service = Arc::new(Service {
            server_id: self.server_id,
            limits: self.limits,
            window: self.window,
            rings: self.rings,
            guard: self.guard,
            authorizer: self.authorizer,
            audit,
            registry: self.registry,
            reserved: self.reserved,
            engine: Engine::launch(self.store, Arc::new(runner), engine),
            metrics,
            jobs: self.jobs,
            environment: self.environment,
            course,
            waits: Waits::default(),
        });
        let front = Front {
            service: Arc::clone(&service),
            hosts: self.hosts,
            origins: self.origins,
            limits: self.http,
        };
        (Arc::new(front), Arc::new(Admin { service, hosts: self.admin_hosts }))
    }
}

/// A listener's connections: a bounded number of them, and a word for those beyond.
struct Door {
    limits: HttpLimits,
    course: watch::Receiver<Course>,
    places: Arc<Semaphore>,
    away: Arc<Semaphore>,
    connections: JoinSet<()>,
    /// Where connections are counted, if they are.
    counted: Option<Arc<Service>>,
}

impl Door {
    fn new(
        limits: HttpLimits,
        course: watch::Receiver<Course>,
        counted: Option<Arc<Service>>,
    ) -> Self {
        Self {
            limits,
            course,
            places: Arc::new(Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS))),
            away: Arc::new(Semaphore::new(TURNED_AWAY)),
            connections: JoinSet::new(),
            counted,
        }
    }

    /// Accepts connections for ever.
    async fn open<F, Fut>(&mut self, listener: &TcpListener, answer: F)
    where
        F: Fn(Request<Incoming>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(ended) = self.connections.join_next() => {
                    report(ended);
                    continue;
                }
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                    continue;
                }
            };
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                let (limits, course) = (self.limits, self.course.clone());
                let answer = answer.clone();
                let counted = self.counted.as_ref().map(|service| service.metrics.calls.connect());
                self.connections.spawn(async move {
                    connection::serve(stream, limits, course, answer).await;
                    drop((place, counted));
                });
                continue;
            }
            if let Some(service) = &self.counted {
                service.metrics.calls.turn_away();
            }
            if let Ok(place) = Arc::clone(&self.away).try_acquire_owned() {
                self.connections.spawn(async move {
                    connection::say_farewell(stream, &overloaded()).await;
                    drop(place);
                });
            }
        }
    }

    /// Lets the connections end for `time`, then cuts the rest; how many.
    async fn close(&mut self, time: Duration) -> usize {
        let ending = async {
            while let Some(ended) = self.connections.join_next().await {
                report(ended);
            }
        };
        let _ = tokio::time::timeout(time, ending).await;
        let cut = self.connections.len();
        self.connections.shutdown().await;
        cut
    }
}

/// A connection's task ends in itself; a panic in it is ours, and harms no other.
fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("a connection's task stopped with an internal fault");
    }
}
