//! Answers as HTTP: messages with their status, short texts where the wire has no message, and the
//! few bytes that go out without hyper.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use waxwing_core::{CallError, ErrorCode};

use super::head::HeadFault;
use crate::call::{Answer, refuse};

/// What a peer is told to wait when the server is full, in milliseconds.
const RETRY_AFTER_MS: u64 = 1_000;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Whether the connection serves another request after this answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Stay,
    Close,
}

/// A message of the wire under its status.
pub(super) fn message(answer: Answer, then: Then) -> Response<Full<Bytes>> {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response(status, JSON, answer.message.into(), then)
}

/// A short text, where the wire has no message.
pub(super) fn text(status: StatusCode, text: &'static str, then: Then) -> Response<Full<Bytes>> {
    response(status, TEXT, Bytes::from_static(text.as_bytes()), then)
}

/// A text that a program reads.
pub(super) fn document(
    content_type: &'static str,
    text: String,
    then: Then,
) -> Response<Full<Bytes>> {
    response(StatusCode::OK, HeaderValue::from_static(content_type), text.into(), then)
}

/// The same answer with a header more.
pub(super) fn with_header(
    mut response: Response<Full<Bytes>>,
    name: HeaderName,
    value: HeaderValue,
) -> Response<Full<Bytes>> {
    response.headers_mut().insert(name, value);
    response
}

fn response(
    status: StatusCode,
    content_type: HeaderValue,
    body: Bytes,
    then: Then,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if then == Then::Close {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The bytes that answer a refused head.
pub(super) fn to_fault(fault: HeadFault) -> Vec<u8> {
    let (status, reason) = fault.status();
    raw(status, reason, "text/plain; charset=utf-8", format!("{fault}\n").as_bytes())
}

/// The bytes that turn a connection away when there are too many.
pub(crate) fn overloaded() -> Vec<u8> {
    let text = "There are too many connections. Nothing was read; try again later.";
    let error = CallError::new(ErrorCode::Overloaded, text).with_retry_after_ms(RETRY_AFTER_MS);
    raw(503, "Service Unavailable", "application/json", &refuse(error).message)
}

fn raw(status: u16, reason: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "HTTP/1.1 {status} {reason}\r\ncontent-type: {content_type}\r\ncache-control: no-store\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}
