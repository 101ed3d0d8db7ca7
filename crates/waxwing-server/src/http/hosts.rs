//! The names a server answers to: what `Host` may say (wire.md §9).
//!
//! A page of another site that had its name resolve to this machine would send its own name here,
//! so names are known or refused. Ports say nothing about that and are compared only when given.

use std::net::{IpAddr, SocketAddr};

use hyper::http::uri::Authority;

/// The names of one listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hosts(Vec<Known>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    /// A lower-case name or address, on any port or one.
    Name { host: String, port: Option<u16> },
    /// Whatever is an IP address: no name can be made to resolve to one.
    AnyAddress,
}

/// Whether a `Host` is one of the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostVerdict {
    Known,
    Unknown,
}

impl Hosts {
    /// The names given by configuration, each `name` or `name:port`; the first that is none is the
    /// error.
    pub(crate) fn configured(names: Vec<String>) -> Result<Self, String> {
        names
            .into_iter()
            .map(|name| match split(&name) {
                Some((host, port)) => Ok(Known::Name { host, port }),
                None => Err(name),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The names of a listener for which none are configured: its address and those of the local
    /// host; any address, when it listens on all of them.
    pub(crate) fn of(listener: SocketAddr) -> Self {
        let ip = listener.ip();
        let mut known: Vec<Known> = ["localhost", "127.0.0.1", "[::1]"]
            .map(|host| Known::Name { host: host.to_owned(), port: None })
            .into();
        known.push(match ip {
            ip if ip.is_unspecified() => Known::AnyAddress,
            IpAddr::V4(ip) => Known::Name { host: ip.to_string(), port: None },
            IpAddr::V6(ip) => Known::Name { host: format!("[{ip}]"), port: None },
        });
        Self(known)
    }

    /// Judges what a `Host` field says.
    pub(crate) fn judge(&self, field: &[u8]) -> HostVerdict {
        let Some((host, port)) = std::str::from_utf8(field).ok().and_then(split) else {
            return HostVerdict::Unknown;
        };
        let matches = |known: &Known| match known {
            Known::Name { host: name, port: None } => *name == host,
            Known::Name { host: name, port: Some(on) } => *name == host && port == Some(*on),
            Known::AnyAddress => is_address(&host),
        };
        if self.0.iter().any(matches) { HostVerdict::Known } else { HostVerdict::Unknown }
    }
}

/// Host in lower case, and port.
fn split(text: &str) -> Option<(String, Option<u16>)> {
    let authority: Authority = text.parse().ok()?;
    let host = authority.host();
    let rest = text.strip_prefix(host)?;
    let port = match rest.strip_prefix(':') {
        None if rest.is_empty() => None,
        None => return None,
        Some(_) => Some(authority.port_u16()?),
    };
    (!host.is_empty()).then(|| (host.to_ascii_lowercase(), port))
}

fn is_address(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(hosts: &Hosts, field: &str) -> bool {
        hosts.judge(field.as_bytes()) == HostVerdict::Known
    }

    #[test]
    fn a_listener_answers_to_its_address_and_the_local_host() {
        let hosts = Hosts::of("127.0.0.1:8080".parse().unwrap());
        for field in ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080"] {
            assert!(known(&hosts, field), "{field}");
        }
        for field in
            ["", "evil.example", "127.0.0.1.evil.example", "a@localhost", "localhost:x", "10.0.0.1"]
        {
            assert!(!known(&hosts, field), "{field}");
        }
        let everywhere = Hosts::of("0.0.0.0:80".parse().unwrap());
        for field in ["10.0.0.1", "[fe80::1]:80", "localhost"] {
            assert!(known(&everywhere, field), "{field}");
        }
        assert!(!known(&everywhere, "evil.example"));
    }

    #[test]
    fn configured_names_replace_the_defaults() {
        let names = vec!["Api.Example".to_owned(), "b.example:8443".to_owned()];
        let hosts = Hosts::configured(names).unwrap();
        assert!(known(&hosts, "api.example:444"));
        assert!(known(&hosts, "b.example:8443"));
        assert!(!known(&hosts, "b.example"));
        assert!(!known(&hosts, "localhost"));
        for wrong in ["", "a b", "http://a", "a/b", "a:", "u@a"] {
            assert_eq!(Hosts::configured(vec![wrong.to_owned()]), Err(wrong.to_owned()));
        }
    }
}
