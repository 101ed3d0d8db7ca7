//! Health and metrics, on their own listener (wire.md §9): `/livez` says that the process answers,
//! `/readyz` that it takes calls, `/metrics` what it does.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::header::{ALLOW, HOST, HeaderValue, ORIGIN};
use hyper::{Method, Request, Response, StatusCode};
use tokio::time::timeout;

use super::hosts::{HostVerdict, Hosts};
use super::responses::{Then, document, text, with_header};
use crate::metrics::MEDIA_TYPE;
use crate::service::{Course, Service};

/// How long the store may take to answer before the server counts as not ready.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the admin listener answers with.
#[derive(Debug)]
pub(crate) struct Admin {
    pub(crate) service: Arc<Service>,
    pub(crate) hosts: Hosts,
}

impl Admin {
    /// Answers one request.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let then = if request.body().is_end_stream() { Then::Stay } else { Then::Close };
        let host = request.headers().get(HOST).map_or(&b""[..], HeaderValue::as_bytes);
        if self.hosts.judge(host) == HostVerdict::Unknown {
            let said = "This server is not known under the name in Host.\n";
            return text(StatusCode::MISDIRECTED_REQUEST, said, then);
        }
        if request.headers().contains_key(ORIGIN) {
            return text(StatusCode::FORBIDDEN, "Health and metrics are not for pages.\n", then);
        }
        let known = matches!(request.uri().path(), "/livez" | "/readyz" | "/metrics");
        if known && !matches!(*request.method(), Method::GET | Method::HEAD) {
            let response = text(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD.\n", then);
            return with_header(response, ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        match request.uri().path() {
            "/livez" => text(StatusCode::OK, "ok\n", then),
            "/readyz" => {
                let (status, said) = self.ready().await;
                text(status, said, then)
            }
            "/metrics" => {
                let store = &**self.service.engine.store();
                let scraped = self.service.metrics.scrape(store, PATIENCE).await;
                document(MEDIA_TYPE, scraped, then)
            }
            _ => text(StatusCode::NOT_FOUND, "There are /livez, /readyz and /metrics.\n", then),
        }
    }

    async fn ready(&self) -> (StatusCode, &'static str) {
        let unready = |said| (StatusCode::SERVICE_UNAVAILABLE, said);
        if *self.service.course.borrow() != Course::Serving {
            return unready("draining\n");
        }
        if let Some(why) = self.service.guard.replay.outage(self.service.environment.now_ms()) {
            return unready(why);
        }
        match timeout(PATIENCE, self.service.engine.store().health()).await {
            Ok(Ok(())) => (StatusCode::OK, "ok\n"),
            Ok(Err(error)) => {
                tracing::warn!(%error, "not ready");
                unready("the job store does not answer\n")
            }
            Err(_) => unready("the job store does not answer\n"),
        }
    }
}
