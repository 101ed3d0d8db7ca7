//! `waxwing serve`: a server from its configuration, until it is told to stop.

use tracing_subscriber::filter::LevelFilter;
use waxwing_command::Programs;
use waxwing_server::{AllowRules, BoundServer, KeyRings, Server};
use waxwing_tools::Registry;

use crate::assembly::{self, Assembly};
use crate::audit::{AuditError, AuditFile};
use crate::cli::{LogLevel, ServeArgs};
use crate::config::server::ServerConfig;
use crate::exit::{Exit, Failure, with_sources};
use crate::keyring_watch::KeyringWatch;
use crate::signals::{ReloadSignal, StopSignals};
use crate::{store, terminal, worker};

pub(super) async fn run(args: ServeArgs) -> Result<(), Failure> {
    log_at(args.log);
    let programs = Programs::new();
    let Parts { mut config, keys, registry, rules } = parts(&args, &programs)?;
    config.listen = args.listen.unwrap_or(config.listen);
    let server = bind(config, keys.rings(), registry, rules).await?;
    let (mut stop, reload) = (StopSignals::new()?, ReloadSignal::new()?);
    terminal::note(&format!("health on http://{}", server.admin_addr()));
    terminal::note(&format!("listening on http://{}", server.local_addr()));

    let (asked, told) = tokio::sync::oneshot::channel::<()>();
    let running = server.run(async {
        // An error is a sender that is gone: that too is a reason to stop.
        let _ = told.await;
    });
    let running = async {
        let summary = running.await;
        // Those whose calls were cut off have their grace now.
        programs.ended().await;
        summary
    };
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
            match summary.audit_lines_lost {
                0 => Ok(()),
                lost => Err(Failure::new(
                    Exit::Failed,
                    format!("the audit log's disk did not take its last {lost} lines"),
                )),
            }
        }
        never = keys.run(reload) => match never {},
        () = signals => {
            programs.kill();
            Err(Failure::new(Exit::Failed, "stopped at once; jobs go on at the next start"))
        }
    }
}

/// What a server is made of.
struct Parts {
    config: ServerConfig,
    keys: KeyringWatch,
    registry: Registry,
    rules: AllowRules,
}

/// Everything that the configuration names, if nothing is wrong with any of it.
fn parts(args: &ServeArgs, programs: &Programs) -> Result<Parts, Failure> {
    let Assembly { config, keys, registry, rules, errors, warnings } =
        assembly::assemble(&args.config, programs);
    let (Some(config), Some(keys), Some(registry), Some(rules), []) =
        (config, keys, registry, rules, &errors[..])
    else {
        return Err(Failure::usage(errors.join("\n")));
    };
    if registry.iter().next().is_none() {
        terminal::note("no tools are switched on ([tools] and [[tool]] in the configuration)");
    }
    for warning in &warnings {
        terminal::note(&format!("warning: {warning}"));
    }
    Ok(Parts { config, keys, registry, rules })
}

/// The server; its store and its sockets are open.
async fn bind(
    config: ServerConfig,
    rings: KeyRings,
    registry: Registry,
    rules: AllowRules,
) -> Result<BoundServer, Failure> {
    let ServerConfig { settings, .. } = config;
    let (worker, jitter_seed) = worker::identity()?;
    let mut engine = settings.engine;
    (engine.worker, engine.jitter_seed) = (worker, jitter_seed);
    let store = store::open(&config.store, settings.bounds, settings.replay).await?;
    let server_id = config.server_id.clone();
    let audit = config.audit.as_ref().map(|audit| -> Result<_, AuditError> {
        let (file, key) = AuditFile::open(&audit.file, &audit.key, audit.rotate_bytes, server_id)?;
        Ok((file, key, audit.options))
    });
    let audit = audit.transpose().map_err(|error| Failure::usage(with_sources(&error)))?;
    let mut builder = Server::builder(config.server_id, rings, registry, store)
        .listen(config.listen)
        .admin_listen(config.admin_listen)
        .authorizer(rules)
        .limits(settings.message)
        .http(settings.http)
        .replay_capacity(settings.nonces)
        .replay_policy(settings.replay)
        .window(settings.window)
        .jobs(settings.jobs)
        .engine(engine)
        .drain(settings.drain)
        .origins(config.origins);
    if let Some((file, key, options)) = audit {
        builder = builder.audit(file, key, options);
    }
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
