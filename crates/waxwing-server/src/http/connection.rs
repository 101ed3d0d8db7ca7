//! One connection, from its first byte to its last: hyper over strict heads, then whatever hyper
//! was not shown.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::responses;
use super::strict::{Busy, StrictIo, Unread};
use crate::service::{Course, draining};
use crate::settings::HttpLimits;

/// How long the last answer of a connection may take to be sent and its peer to hang up.
const FAREWELL: Duration = Duration::from_secs(1);

/// Fields of a head.
const MOST_FIELDS: usize = 64;

/// Serves a connection until it ends, or until the answer of the call at hand once `course` says
/// so. Dropping the future drops the call.
pub(crate) async fn serve<F, Fut>(
    stream: TcpStream,
    limits: HttpLimits,
    course: watch::Receiver<Course>,
    answer: F,
) where
    F: Fn(Request<Incoming>) -> Fut,
    Fut: Future<Output = Response<Full<Bytes>>>,
{
    // Answers are written whole: waiting for more of them only delays them.
    let _ = stream.set_nodelay(true);
    let busy = Busy::default();
    let io = StrictIo::new(stream, limits, busy.clone());
    let service = service_fn(|request| {
        let (busy, answer) = (busy.enter(), answer(request));
        async move {
            let answered = answer.await;
            drop(busy);
            Ok::<_, Infallible>(answered)
        }
    });
    let mut connection = http1::Builder::new()
        .max_headers(MOST_FIELDS)
        .max_buf_size(limits.head_bytes.max(16 << 10))
        .serve_connection(TokioIo::new(io), service);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        _ = draining(&course) => {
            std::pin::Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
    let (stream, fault, unread) = connection.into_parts().io.into_inner().into_parts();
    match (fault, unread) {
        (Some(fault), _) => {
            tracing::debug!(%fault, "a head was refused");
            say_farewell(stream, &responses::to_fault(fault)).await;
        }
        (None, Unread::Maybe) => say_farewell(stream, b"").await,
        (None, Unread::None) => {}
    }
}

/// Sends a connection away with a last word.
///
/// A socket that is closed over unread bytes takes back what was sent: so the peer is told that
/// there is no more, and what it still sends is thrown away for a moment.
pub(crate) async fn say_farewell(mut stream: TcpStream, word: &[u8]) {
    let _ = timeout(FAREWELL, async {
        stream.write_all(word).await?;
        stream.shutdown().await?;
        let mut waste = [0; 4096];
        while stream.read(&mut waste).await? > 0 {}
        Ok::<_, std::io::Error>(())
    })
    .await;
}
