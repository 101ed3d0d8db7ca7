//! The hosts that an address names: a primary and its standbys.

use std::net::IpAddr;

use tokio_postgres::config::Host;
use waxwing_jobs::StoreError;

use super::wrong;

/// One host of several, by name and perhaps by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) host: Host,
    pub(crate) address: Option<IpAddr>,
    pub(crate) port: u16,
}

impl Endpoint {
    pub(super) fn name(&self) -> String {
        match &self.host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        }
    }

    /// Whether nothing that is sent to it leaves this machine.
    pub(super) fn is_near(&self) -> bool {
        match &self.host {
            Host::Tcp(name) => {
                let ip = self.address.or_else(|| name.parse().ok());
                ip.map_or(name == "localhost", |ip| ip.is_loopback())
            }
            #[cfg(unix)]
            Host::Unix(_) => true,
        }
    }
}

/// An address without its hosts: whoever has one to connect to adds it.
pub(super) fn without_hosts(base: &str) -> String {
    let (scheme, rest) = base.split_once("://").unwrap_or_default();
    let (credentials, hosts) = match rest.split_once('@') {
        Some((credentials, hosts)) => (format!("{credentials}@"), hosts),
        None => (String::new(), rest),
    };
    let database = hosts.find('/').and_then(|slash| hosts.get(slash..)).unwrap_or_default();
    format!("{scheme}://{credentials}{database}")
}

/// The hosts of an address, as its driver reads them.
pub(super) fn endpoints(driver: &tokio_postgres::Config) -> Result<Vec<Endpoint>, StoreError> {
    let (hosts, numbers) = (driver.get_hosts(), driver.get_hostaddrs());
    let count = hosts.len().max(numbers.len());
    if count == 0 {
        return Err(wrong("it names no host"));
    }
    let ports = driver.get_ports();
    let each = |given: usize| given == 0 || given == count;
    if !each(hosts.len()) || !each(numbers.len()) || !(each(ports.len()) || ports.len() == 1) {
        return Err(wrong("host, hostaddr and port must each be named once for each host"));
    }
    (0..count)
        .map(|n| {
            let address = numbers.get(n).copied();
            let host = hosts.get(n).cloned().or_else(|| Some(Host::Tcp(address?.to_string())));
            let port = ports.get(n).or(ports.first()).copied();
            let host = host.ok_or_else(|| wrong("it names no host"))?;
            Ok(Endpoint { host, address, port: port.unwrap_or(5432) })
        })
        .collect()
}
