//! How a connection is made: to the first of the named hosts that takes writes, beginning with the
//! one that did so last. Each of their addresses has the same time: a silent one is passed by.

use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio_postgres::config::Host;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Client, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;
use waxwing_jobs::StoreError;

use crate::config::{Endpoint, PostgresConfig, Setup};
use crate::error::Error;
use crate::link::{Abort, Link};

type Messages = Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// Makes connections.
#[derive(Clone)]
pub(crate) struct Connector {
    config: PostgresConfig,
    tls: MakeRustlsConnect,
    /// Which of the hosts took writes last.
    primary: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Connector").field(&self.config).finish()
    }
}

impl Connector {
    /// Reads the certificates of authorities that the address names.
    pub(crate) fn new(config: &PostgresConfig) -> Result<Self, StoreError> {
        let (config, tls) = (config.clone(), config.trust.connector()?);
        Ok(Self { config, tls, primary: Arc::default() })
    }

    pub(crate) async fn link(&self, setup: Setup) -> Result<Link, Error> {
        let (client, messages) = self.line(setup, || {}).await?;
        Ok(Link::new(client, messages))
    }

    /// A connection on which somebody may listen; `hear` is called for each notification.
    pub(crate) async fn line(
        &self,
        setup: Setup,
        hear: impl Fn() + Send + 'static,
    ) -> Result<(Client, Abort), Error> {
        let (client, mut messages) = self.connect(setup).await?;
        let task = tokio::spawn(async move {
            // Its end is told to whoever asks over it.
            while let Some(Ok(message)) = poll_fn(|cx| messages.poll_message(cx)).await {
                if let AsyncMessage::Notification(_) = message {
                    hear();
                }
            }
        });
        Ok((client, Abort(task)))
    }

    async fn connect(&self, setup: Setup) -> Result<(Client, Messages), Error> {
        let driver = self.config.driver(setup).map_err(Error::Refused)?;
        let limit = self.config.time_to_connect;
        let mut failed = None;
        let hosts = self.config.endpoints.iter().enumerate();
        let first = self.primary.load(Ordering::Relaxed);
        for (nth, endpoint) in hosts.clone().skip(first).chain(hosts.take(first)) {
            let places = match within(limit, places(endpoint, &driver)).await {
                Ok(places) => places,
                Err(error) => {
                    failed = Some(weightier(failed, error));
                    continue;
                }
            };
            for place in places {
                match within(limit, place.connect(self.tls.clone())).await {
                    Ok(connected) => {
                        self.primary.store(nth, Ordering::Relaxed);
                        return Ok(connected);
                    }
                    Err(error) => failed = Some(weightier(failed, error)),
                }
            }
        }
        Err(failed.unwrap_or_else(|| Error::Lost("the hosts have no address".to_owned())))
    }
}

/// A host that could not be reached may be the one that would take writes; else the last refusal
/// says most.
fn weightier(earlier: Option<Error>, error: Error) -> Error {
    earlier.filter(|earlier| matches!(earlier, Error::Lost(_))).unwrap_or(error)
}

/// The driver's settings for each address of a host.
async fn places(
    endpoint: &Endpoint,
    driver: &tokio_postgres::Config,
) -> Result<Vec<tokio_postgres::Config>, Error> {
    let mut place = driver.clone();
    place.port(endpoint.port);
    let name = match &endpoint.host {
        Host::Tcp(name) => name,
        #[cfg(unix)]
        Host::Unix(path) => {
            place.host_path(path);
            return Ok(vec![place]);
        }
    };
    place.host(name);
    let numbers: Vec<IpAddr> = match endpoint.address {
        Some(number) => vec![number],
        None => {
            let found = tokio::net::lookup_host((name.as_str(), endpoint.port)).await;
            let found = found.map_err(|error| Error::Lost(format!("the host {name}: {error}")))?;
            found.map(|address| address.ip()).collect()
        }
    };
    let at = |number| place.clone().hostaddr(number).clone();
    Ok(numbers.into_iter().map(at).collect())
}

/// What is not done by then is lost.
pub(crate) async fn within<T, E: Into<Error>>(
    limit: Duration,
    doing: impl Future<Output = Result<T, E>>,
) -> Result<T, Error> {
    match tokio::time::timeout(limit, doing).await {
        Ok(done) => done.map_err(Into::into),
        Err(_) => Err(Error::Lost("the database does not answer".to_owned())),
    }
}
