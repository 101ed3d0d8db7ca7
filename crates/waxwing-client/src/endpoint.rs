//! Where calls go: a checked URL, with the one path of wire.md §9 behind it.

use std::fmt;

use hyper::Uri;
use hyper::http::uri::{PathAndQuery, Scheme};

/// The path of every call (wire.md §9).
const PATH: &str = "/v1/call";

/// A URL that calls cannot be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidUrl {
    /// It is no absolute URL.
    #[error("the url must be of the form http://HOST[:PORT]")]
    NotAbsolute,
    /// It asks for TLS.
    #[error(
        "TLS is not built in yet: use http://, over a network or tunnel that you trust to keep secrets"
    )]
    NoTls,
    /// It has another scheme.
    #[error("the url must begin with http://")]
    OtherScheme,
    /// It has a part that a call has no use for.
    #[error("the url must not have {0}")]
    SuperfluousPart(&'static str),
}

/// The address of a server's calls.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    uri: Uri,
}

impl Endpoint {
    /// Takes `http://HOST[:PORT]` and, for servers behind a proxy, a path in front of the fixed one.
    pub(crate) fn parse(url: &str) -> Result<Self, InvalidUrl> {
        if url.contains('#') {
            return Err(InvalidUrl::SuperfluousPart("a fragment"));
        }
        let mut parts = url.parse::<Uri>().map_err(|_| InvalidUrl::NotAbsolute)?.into_parts();
        match &parts.scheme {
            Some(scheme) if *scheme == Scheme::HTTP => {}
            Some(scheme) if *scheme == Scheme::HTTPS => return Err(InvalidUrl::NoTls),
            Some(_) => return Err(InvalidUrl::OtherScheme),
            None => return Err(InvalidUrl::NotAbsolute),
        }
        let authority = parts.authority.as_ref().ok_or(InvalidUrl::NotAbsolute)?;
        if authority.as_str().contains('@') {
            return Err(InvalidUrl::SuperfluousPart("a user name or password"));
        }
        if authority.host().is_empty() || has_bad_port(authority.as_str()) {
            return Err(InvalidUrl::NotAbsolute);
        }
        let prefix = parts.path_and_query.take();
        if prefix.as_ref().is_some_and(|path| path.query().is_some()) {
            return Err(InvalidUrl::SuperfluousPart("a query"));
        }
        let prefix = prefix.as_ref().map_or("", PathAndQuery::path).trim_end_matches('/');
        let path = PathAndQuery::try_from(format!("{prefix}{PATH}"));
        parts.path_and_query = Some(path.map_err(|_| InvalidUrl::NotAbsolute)?);
        let uri = Uri::from_parts(parts).map_err(|_| InvalidUrl::NotAbsolute)?;
        Ok(Self { uri })
    }

    pub(crate) const fn uri(&self) -> &Uri {
        &self.uri
    }
}

/// Whether there is a port that is none: the parser leaves its range to whoever connects.
fn has_bad_port(authority: &str) -> bool {
    let behind_host = authority.rsplit(']').next().unwrap_or(authority);
    behind_host.rsplit_once(':').is_some_and(|(_, port)| !matches!(port.parse::<u16>(), Ok(1..)))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.uri, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_calls_is_added() {
        for (url, uri) in [
            ("http://127.0.0.1:7411", "http://127.0.0.1:7411/v1/call"),
            ("http://127.0.0.1:7411/", "http://127.0.0.1:7411/v1/call"),
            ("HTTP://sums.example", "http://sums.example/v1/call"),
            ("http://[::1]:80/tools/", "http://[::1]:80/tools/v1/call"),
        ] {
            assert_eq!(Endpoint::parse(url).unwrap().to_string(), uri, "{url}");
        }
    }

    #[test]
    fn other_urls_are_refused_for_their_reason() {
        for (url, reason) in [
            ("https://sums.example", InvalidUrl::NoTls),
            ("ftp://sums.example", InvalidUrl::OtherScheme),
            ("sums.example:80", InvalidUrl::NotAbsolute),
            ("/v1/call", InvalidUrl::NotAbsolute),
            ("", InvalidUrl::NotAbsolute),
            ("http://", InvalidUrl::NotAbsolute),
            ("http://:80", InvalidUrl::NotAbsolute),
            ("http://a:0", InvalidUrl::NotAbsolute),
            ("http://a:70000", InvalidUrl::NotAbsolute),
            ("http://a b", InvalidUrl::NotAbsolute),
            ("http://me:secret@a", InvalidUrl::SuperfluousPart("a user name or password")),
            ("http://a/?x=1", InvalidUrl::SuperfluousPart("a query")),
            ("http://a/#x", InvalidUrl::SuperfluousPart("a fragment")),
        ] {
            assert_eq!(Endpoint::parse(url).unwrap_err(), reason, "{url}");
        }
    }
}
