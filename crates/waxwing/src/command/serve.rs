//! `waxwing serve`: a server from its configuration, until it is told to stop.

use std::sync::Arc;

use tracing_subscriber::filter::LevelFilter;
use waxwing_jobs::{Bounds, MemoryStore, Store};
use waxwing_server::{BoundServer, Server};
use waxwing_store_sqlite::SqliteStore;
use waxwing_tools::Registry;

use crate::cli::{LogLevel, ServeArgs};
use crate::config::server::{ServerConfig, StoreUrl};
use crate::config::{SecretText, keyring};
use crate::exit::{Exit, Failure};
use crate::signals::StopSignals;
use crate::{demo_tools, terminal};

pub(super) async fn run(args: ServeArgs) -> Result<(), Failure> {
    log_at(args.log);
    let mut config = ServerConfig::read(&args.config)?;
    config.listen = args.listen.unwrap_or(config.listen);
    let server = bind(config).await?;
    let mut stop = StopSignals::new()?;
    terminal::note(&format!("health on http://{}", server.admin_addr()));
    terminal::note(&format!("listening on http://{}", server.local_addr()));

    let (asked, told) = tokio::sync::oneshot::channel::<()>();
    let running = server.run(async {
        // An error is a sender that is gone: that too is a reason to stop.
        let _ = told.await;
    });
    let signals = async {
        stop.received().await;
        terminal::note("stopping: calls and jobs are given time to end; once more stops at once");
        let _ = asked.send(());
        stop.received().await;
    };
    tokio::select! {
        summary = running => {
            terminal::note(&format!(
                "stopped: {} calls cut off, {} jobs left for the next start",
                summary.connections_cut, summary.jobs_released,
            ));
            Ok(())
        }
        () = signals => Err(Failure::new(Exit::Failed, "stopped at once; jobs go on at the next start")),
    }
}

/// Everything that the configuration names, put together; the sockets are open.
async fn bind(config: ServerConfig) -> Result<BoundServer, Failure> {
    let decoy = SecretText::random()
        .map_err(|error| Failure::usage(format!("no random bytes for a key: {error}")))?;
    let ring = keyring::read(&config.keyring, &decoy)?;
    let mut registry = Registry::builder();
    if config.tools.demo {
        registry = demo_tools::add_to(registry);
    } else {
        terminal::note("no tools are switched on ([tools] in the configuration)");
    }
    let registry = registry
        .build(&config.server_id)
        .map_err(|error| Failure::usage(crate::exit::with_sources(&error)))?;
    let store: Arc<dyn Store> = match &config.store {
        StoreUrl::Memory => Arc::new(MemoryStore::new(Bounds::default())),
        StoreUrl::Sqlite(path) => Arc::new(SqliteStore::open(path, Bounds::default())?),
    };
    let mut builder = Server::builder(config.server_id.clone(), ring, registry, store)
        .listen(config.listen)
        .admin_listen(config.admin_listen)
        .limits(config.message_limits())
        .http(config.http_limits())
        .replay_capacity(config.replay_capacity())
        .window(config.clock_window())
        .jobs(config.job_policy())
        .engine(config.engine())
        .drain(config.drain())
        .origins(config.origins);
    if let Some(hosts) = config.hosts {
        builder = builder.hosts(hosts);
    }
    Ok(builder.bind().await?)
}

fn log_at(level: LogLevel) {
    let level = match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).init();
}
