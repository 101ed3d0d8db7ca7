//! The front door: which requests are calls (wire.md §9), and what becomes of the others.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    ALLOW, CONTENT_ENCODING, CONTENT_TYPE, EXPECT, HOST, HeaderMap, HeaderValue, ORIGIN,
    TRANSFER_ENCODING,
};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use waxwing_core::{CallError, ErrorCode};

use super::body::{self, BodyFault};
use super::hosts::{HostVerdict, Hosts};
use super::responses::{Then, message, text, with_header};
use crate::call::{self, Answer};
use crate::service::Service;
use crate::settings::HttpLimits;

/// The path of calls.
const PATH: &str = "/v1/call";

/// What the front door lets in.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) service: Arc<Service>,
    pub(crate) hosts: Hosts,
    /// Origins as browsers spell them, in lower case.
    pub(crate) origins: Vec<String>,
    pub(crate) limits: HttpLimits,
}

/// Why a request is no call, as HTTP says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NoCall {
    Host,
    Origin,
    Path,
    Method,
    Expectation,
    MediaType,
}

impl Front {
    /// Answers one request.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        if let Err(no_call) = self.screen(&parts) {
            // What nobody reads must not be taken for the next request.
            let then = if body.is_end_stream() { Then::Stay } else { Then::Close };
            return no_call.response(then);
        }
        let then = match parts.headers.contains_key(TRANSFER_ENCODING) {
            true => Then::Close,
            false => Then::Stay,
        };
        match body::read(body, self.service.limits.max_message(), &self.limits).await {
            Ok(bytes) => message(call::answer(&self.service, &bytes).await, then),
            Err(BodyFault::TooLarge) => message(self.too_large(), Then::Close),
            Err(BodyFault::TooSlow) => {
                text(StatusCode::REQUEST_TIMEOUT, "The body took too long.\n", Then::Close)
            }
            Err(BodyFault::Broken) => {
                text(StatusCode::BAD_REQUEST, "The body is not whole.\n", Then::Close)
            }
        }
    }

    fn screen(&self, parts: &Parts) -> Result<(), NoCall> {
        let headers = &parts.headers;
        let host = headers.get(HOST).map_or(&b""[..], HeaderValue::as_bytes);
        if self.hosts.judge(host) == HostVerdict::Unknown {
            return Err(NoCall::Host);
        }
        if headers.get_all(ORIGIN).iter().any(|origin| !self.knows(origin)) {
            return Err(NoCall::Origin);
        }
        if parts.uri.path_and_query().is_none_or(|target| target.as_str() != PATH) {
            return Err(NoCall::Path);
        }
        if parts.method != Method::POST {
            return Err(NoCall::Method);
        }
        let continues =
            |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
        if !headers.get_all(EXPECT).iter().all(continues) {
            return Err(NoCall::Expectation);
        }
        if !is_json(headers) || headers.contains_key(CONTENT_ENCODING) {
            return Err(NoCall::MediaType);
        }
        Ok(())
    }

    fn knows(&self, origin: &HeaderValue) -> bool {
        let origin = origin.as_bytes();
        self.origins.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(origin))
    }

    fn too_large(&self) -> Answer {
        let most = self.service.limits.max_message();
        let error = CallError::new(
            ErrorCode::TooLarge,
            format!("A message may have at most {most} bytes. Send less at once."),
        );
        call::refuse_counted(&self.service, error)
    }
}

impl NoCall {
    /// The one map to HTTP.
    fn response(self, then: Then) -> Response<Full<Bytes>> {
        let (status, said) = match self {
            Self::Host => (
                StatusCode::MISDIRECTED_REQUEST,
                "This server is not known under the name in Host.\n",
            ),
            Self::Origin => (StatusCode::FORBIDDEN, "Calls from this Origin are not taken.\n"),
            Self::Path => (StatusCode::NOT_FOUND, "Calls go to POST /v1/call.\n"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "Calls go to POST /v1/call.\n"),
            Self::Expectation => {
                (StatusCode::EXPECTATION_FAILED, "The only expectation met is 100-continue.\n")
            }
            Self::MediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "A call is application/json in UTF-8, without content coding.\n",
            ),
        };
        let response = text(status, said, then);
        match self {
            Self::Method => with_header(response, ALLOW, HeaderValue::from_static("POST")),
            _ => response,
        }
    }
}

/// `application/json`, alone or with `charset=utf-8`; said once.
fn is_json(headers: &HeaderMap) -> bool {
    let mut said = headers.get_all(CONTENT_TYPE).iter();
    let (Some(only), None) = (said.next(), said.next()) else { return false };
    let Ok(only) = only.to_str() else { return false };
    let mut parts = only.split(';').map(str::trim);
    let is_type = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    is_type && parts.all(is_utf8_parameter)
}

fn is_utf8_parameter(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
    name.eq_ignore_ascii_case("charset") && value.eq_ignore_ascii_case("utf-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_media_type_is_json_in_utf_8() {
        let judged = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, value.parse().unwrap());
            is_json(&headers)
        };
        for good in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
        ] {
            assert!(judged(good), "{good}");
        }
        for bad in [
            "",
            "text/plain",
            "application/jsonx",
            "application/json; charset=latin1",
            "application/json; version=1",
            "application/json;",
            "text/json",
        ] {
            assert!(!judged(bad), "{bad}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
