//! Reads a request's body: at most so long, at least so fast.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::time::{Instant, timeout_at};

use crate::settings::HttpLimits;

/// Bytes made room for before they come.
const EXPECTED: usize = 16 << 10;

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyFault {
    TooLarge,
    TooSlow,
    /// It ended early, or its chunks are none.
    Broken,
}

/// Reads the body whole.
pub(super) async fn read(
    mut body: Incoming,
    most: usize,
    limits: &HttpLimits,
) -> Result<Vec<u8>, BodyFault> {
    let announced = body.size_hint().lower();
    if announced > most as u64 {
        return Err(BodyFault::TooLarge);
    }
    let mut bytes = Vec::with_capacity(EXPECTED.min(announced as usize));
    let began = Instant::now();
    loop {
        let due = began + limits.body_grace + time_for(bytes.len(), limits.body_rate);
        let frame = match timeout_at(due, body.frame()).await {
            Err(_) => return Err(BodyFault::TooSlow),
            Ok(None) => return Ok(bytes),
            Ok(Some(Err(_))) => return Err(BodyFault::Broken),
            Ok(Some(Ok(frame))) => frame,
        };
        // Trailers say nothing that is asked for.
        if let Some(data) = frame.data_ref() {
            if data.len() > most - bytes.len() {
                return Err(BodyFault::TooLarge);
            }
            bytes.extend_from_slice(data);
        }
    }
}

fn time_for(bytes: usize, rate: u32) -> Duration {
    Duration::from_millis(bytes as u64 * 1000 / u64::from(rate.max(1)))
}
