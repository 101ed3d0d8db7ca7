//! HTTP/1.1 over pooled connections: one signed message there, one bounded body back (wire.md §9).
//!
//! The only place that knows of sockets. TLS is another connector here and a scheme in `endpoint`.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::endpoint::Endpoint;
use crate::error::{ClientError, ReplyFault, TransportError};

/// An idle connection is dropped before most servers and balancers would drop it.
const IDLE: Duration = Duration::from_secs(15);
/// Bytes an answer's head may have.
const MAX_HEAD: usize = 64 << 10;
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const AGENT: HeaderValue = HeaderValue::from_static(concat!("waxwing/", env!("CARGO_PKG_VERSION")));

/// Connections to one server.
#[derive(Clone)]
pub(crate) struct Transport {
    pool: Pool<HttpConnector, Full<Bytes>>,
    endpoint: Endpoint,
    max_body: usize,
}

/// What came back, believed in nothing.
#[derive(Debug)]
pub(crate) struct RawReply {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

impl Transport {
    pub(crate) fn new(endpoint: Endpoint, max_body: usize, connect_timeout: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(connect_timeout));
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http1_max_buf_size(MAX_HEAD)
            .build(connector);
        Self { pool, endpoint, max_body }
    }

    /// Sends one message and reads the answer to it. A message that never left is sent once more on a
    /// new connection; one that may have left is not.
    pub(crate) async fn post(&self, message: Vec<u8>) -> Result<RawReply, ClientError> {
        let mut request = Request::new(Full::new(Bytes::from(message)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.endpoint.uri().clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(ACCEPT, JSON);
        headers.insert(USER_AGENT, AGENT);

        let response = self.pool.request(request).await.map_err(|error| {
            self.unreachable(if error.is_connect() {
                TransportError::Connect(error.into())
            } else {
                TransportError::Exchange(error.into())
            })
        })?;
        let status = response.status();
        if status.is_redirection() {
            return Err(ReplyFault::Redirect { status: status.as_u16() }.into());
        }
        let body = self.read(response).await?;
        Ok(RawReply { status: status.as_u16(), body })
    }

    async fn read(&self, response: Response<Incoming>) -> Result<Bytes, ClientError> {
        let limit = self.max_body;
        let body = response.into_body();
        if body.size_hint().lower() > limit as u64 {
            return Err(ReplyFault::TooLarge { limit }.into());
        }
        match Limited::new(body, limit).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => {
                Err(ReplyFault::TooLarge { limit }.into())
            }
            Err(error) => Err(self.unreachable(TransportError::Body(error))),
        }
    }

    fn unreachable(&self, source: TransportError) -> ClientError {
        ClientError::Unreachable { url: self.endpoint.to_string(), source }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
