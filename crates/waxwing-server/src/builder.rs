//! Puts a server together: what it must be given, what it may be told, and its sockets.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use waxwing_core::{Limits, ServerId};
use waxwing_crypto::audit::AuditKey;
use waxwing_crypto::{Capacity, Window};
use waxwing_jobs::{EngineConfig, Store, StoreError};
use waxwing_tools::{Registry, SchemaFault};

use crate::audit::{AuditOptions, AuditSink, Unopened};
use crate::authorizer::{AllowAll, Authorizer};
use crate::environment::{Environment, SystemEnvironment};
use crate::guard::{Plan, ReplayPolicy};
use crate::http::hosts::Hosts;
use crate::key_rings::KeyRings;
use crate::reserved::Reserved;
use crate::run::{BoundServer, Prepared};
use crate::settings::{HttpLimits, JobPolicy};

/// A Waxwing server; see [`Server::builder`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Server;

impl Server {
    /// A server of this id, which knows these keys (a [`KeyRings`] to change them later), offers these tools and keeps its jobs there.
    /// The registry must have been built for the same id.
    #[must_use]
    pub fn builder(
        server_id: ServerId<'static>,
        rings: impl Into<KeyRings>,
        registry: impl Into<Arc<Registry>>,
        store: Arc<dyn Store>,
    ) -> ServerBuilder {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        ServerBuilder {
            server_id,
            rings: rings.into(),
            registry: registry.into(),
            store,
            limits: Limits::DEFAULT,
            window: Window::DEFAULT,
            replay: Capacity::default(),
            replay_policy: ReplayPolicy::Auto,
            http: HttpLimits::DEFAULT,
            jobs: JobPolicy::DEFAULT,
            engine: EngineConfig::default(),
            authorizer: Box::new(AllowAll),
            audit: None,
            environment: Arc::new(SystemEnvironment),
            listen: loopback,
            admin_listen: loopback,
            hosts: None,
            origins: Vec::new(),
            drain: Duration::from_secs(30),
        }
    }
}

/// A server that is not bound yet. Every setting has a default.
#[derive(Debug)]
pub struct ServerBuilder {
    server_id: ServerId<'static>,
    rings: KeyRings,
    registry: Arc<Registry>,
    store: Arc<dyn Store>,
    limits: Limits,
    window: Window,
    replay: Capacity,
    replay_policy: ReplayPolicy,
    http: HttpLimits,
    jobs: JobPolicy,
    engine: EngineConfig,
    authorizer: Box<dyn Authorizer>,
    audit: Option<Unopened>,
    environment: Arc<dyn Environment>,
    listen: SocketAddr,
    admin_listen: SocketAddr,
    hosts: Option<Vec<String>>,
    origins: Vec<String>,
    drain: Duration,
}

/// Why a server cannot start: the operator's fault, unless the variant says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A name for `Host` is none.
    #[error("{text:?} is not a host name: give `name` or `name:port`")]
    Host {
        /// What was given.
        text: String,
    },
    /// An origin is none.
    #[error("{text:?} is not an origin: give `scheme://host` or `scheme://host:port`")]
    Origin {
        /// What was given.
        text: String,
    },
    /// The outside world's: no thread for the audit log.
    #[error("the audit log has no thread to run on")]
    Audit(#[source] io::Error),
    /// The caller's fault: the registry was built for another server, so its digests are wrong.
    #[error("the registry was built for another server id")]
    ForeignRegistry,
    /// The store cannot be used, or it is another server's: jobs are told apart by client alone, so a
    /// store serves one server id.
    #[error(transparent)]
    Store(StoreError),
    /// The outside world's: the store does not tell where the last replay guard left off.
    #[error("the replay guard cannot start")]
    Guard(#[source] StoreError),
    /// A fault of this crate.
    #[error("the schemas of the reserved tools break a rule")]
    Reserved(#[source] SchemaFault),
}

impl ServerBuilder {
    /// Bounds of a message (wire.md §1).
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The clock window (wire.md §5).
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }

    /// Where nonces are kept (wire.md §5); by default as the store asks for.
    #[must_use]
    pub fn replay_policy(mut self, policy: ReplayPolicy) -> Self {
        self.replay_policy = policy;
        self
    }

    /// How many nonces are remembered at once (wire.md §5).
    #[must_use]
    pub fn replay_capacity(mut self, capacity: Capacity) -> Self {
        self.replay = capacity;
        self
    }

    /// Bounds and deadlines of connections.
    #[must_use]
    pub fn http(mut self, limits: HttpLimits) -> Self {
        self.http = limits;
        self
    }

    /// How jobs are kept.
    #[must_use]
    pub fn jobs(mut self, policy: JobPolicy) -> Self {
        self.jobs = policy;
        self
    }

    /// How jobs are run.
    #[must_use]
    pub fn engine(mut self, config: EngineConfig) -> Self {
        self.engine = config;
        self
    }

    /// Who may call what; everybody everything by default.
    #[must_use]
    pub fn authorizer(mut self, authorizer: impl Authorizer) -> Self {
        self.authorizer = Box::new(authorizer);
        self
    }

    /// Writes a line for every call with a true signature, durable before the reply leaves, and counts
    /// the refusals; none by default. `key` keys what is in the lines.
    #[must_use]
    pub fn audit(mut self, sink: impl AuditSink, key: AuditKey, options: AuditOptions) -> Self {
        self.audit = Some(Unopened { sink: Box::new(sink), key, options });
        self
    }

    /// Another clock and randomness than the system's: for tests.
    #[must_use]
    pub fn environment(mut self, environment: impl Environment) -> Self {
        self.environment = Arc::new(environment);
        self
    }

    /// Where calls are taken; a free port of the loopback address by default.
    #[must_use]
    pub fn listen(mut self, addr: SocketAddr) -> Self {
        self.listen = addr;
        self
    }

    /// Where health is told; a free port of the loopback address by default.
    #[must_use]
    pub fn admin_listen(mut self, addr: SocketAddr) -> Self {
        self.admin_listen = addr;
        self
    }

    /// The names that `Host` may say, each `name` (any port) or `name:port`, in place of the
    /// defaults: the listener's address, `localhost`, `127.0.0.1` and `[::1]`, on any port, and any
    /// IP address when the server listens on all of them. The admin listener keeps the defaults.
    #[must_use]
    pub fn hosts(mut self, hosts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.hosts = Some(hosts.into_iter().map(Into::into).collect());
        self
    }

    /// The values that an `Origin` may have, such as `https://app.example`; none by default, which
    /// shuts pages of every site out. A request without `Origin` does not come from a page.
    #[must_use]
    pub fn origins(mut self, origins: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.origins = origins.into_iter().map(Into::into).collect();
        self
    }

    /// How long a stop lets calls and jobs go on; 30 s by default.
    #[must_use]
    pub fn drain(mut self, time: Duration) -> Self {
        self.drain = time;
        self
    }

    /// Binds both listeners. From now on clients can connect; they are answered by
    /// [`BoundServer::run`]. Messages that are older than this moment are refused as `stale`, since
    /// nobody knows whether they were seen before (wire.md §5). Over a durable store that a server has
    /// used in the last half second, this waits for the rest of it.
    ///
    /// # Errors
    /// [`BindError`]: a setting is wrong, or an address is taken.
    pub async fn bind(self) -> Result<BoundServer, BindError> {
        self.check_registry()?;
        let reserved = Reserved::new().map_err(BindError::Reserved)?;
        let configured = self.hosts.map(Hosts::configured).transpose();
        let configured = configured.map_err(|text| BindError::Host { text })?;
        for text in &self.origins {
            check_origin(text)?;
        }
        self.store.bind(&self.server_id).await.map_err(BindError::Store)?;
        let (listener, addr) = listen(self.listen).await?;
        let (admin_listener, admin_addr) = listen(self.admin_listen).await?;
        let environment = self.environment;
        let plan = Plan {
            policy: self.replay_policy,
            server_id: &self.server_id,
            store: &self.store,
            window: self.window,
            capacity: self.replay,
            environment: &environment,
        };
        let guard = plan.open().await.map_err(BindError::Guard)?;
        // A connection has one call at a time, and what it dropped may still be on its way.
        let (lines, clock) = (self.http.connections.saturating_mul(2), &environment);
        let audit = self.audit.map(|audit| audit.open(lines, Arc::clone(clock))).transpose();
        let prepared = Prepared {
            server_id: self.server_id,
            limits: self.limits,
            window: self.window,
            rings: self.rings,
            guard,
            authorizer: self.authorizer,
            audit: audit.map_err(BindError::Audit)?,
            registry: self.registry,
            reserved,
            store: self.store,
            engine: self.engine,
            jobs: self.jobs,
            environment,
            http: self.http,
            hosts: configured.unwrap_or_else(|| Hosts::of(addr)),
            admin_hosts: Hosts::of(admin_addr),
            origins: self.origins,
            drain: self.drain,
        };
        Ok(BoundServer { prepared, listener, addr, admin_listener, admin_addr })
    }

    /// One tool tells: a digest holds the id of the server it is for.
    fn check_registry(&self) -> Result<(), BindError> {
        let Some(tool) = self.registry.iter().next() else { return Ok(()) };
        match tool.definition.digest(&self.server_id) {
            Ok(digest) if digest == tool.digest => Ok(()),
            _ => Err(BindError::ForeignRegistry),
        }
    }
}

async fn listen(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), BindError> {
    let cannot = |source| BindError::Listen { addr, source };
    let listener = TcpListener::bind(addr).await.map_err(cannot)?;
    let bound = listener.local_addr().map_err(cannot)?;
    Ok((listener, bound))
}

fn check_origin(text: &str) -> Result<(), BindError> {
    let host = text.split_once("://").filter(|(scheme, _)| !scheme.is_empty());
    match host.map(|(_, host)| Hosts::configured(vec![host.to_owned()])) {
        Some(Ok(_)) => Ok(()),
        _ => Err(BindError::Origin { text: text.to_owned() }),
    }
}
