//! From the bytes that came back to what became of the call: closed when in doubt (wire.md §5).

use serde::Deserialize;
use waxwing_core::message::Outcome;
use waxwing_core::{ErrorCode, Limits, Scratch};
use waxwing_crypto::{Key, ReplyFault as Fault, SentRequest, Window, verify_reply};

use crate::error::{ClientError, ReplyFault};
use crate::transport::RawReply;

/// By what replies are judged.
#[derive(Debug)]
pub(crate) struct Verifier {
    pub(crate) limits: Limits,
    pub(crate) window: Window,
}

impl Verifier {
    /// What became of the call that `sent` names and `key` signed.
    pub(crate) fn outcome(
        &self,
        key: &Key,
        raw: &RawReply,
        sent: &SentRequest,
        now_ms: i64,
    ) -> Result<Outcome<'static>, ClientError> {
        match self.verify(key, raw, sent, now_ms) {
            Err(Fault::OutsideWindow { distance_ms }) => self
                .stale_from_afar(key, raw, sent, now_ms.saturating_add(distance_ms))
                .ok_or(Fault::OutsideWindow { distance_ms }),
            verdict => verdict,
        }
        .map_err(|fault| match fault {
            Fault::Refused(refusal) => ClientError::Refused(refusal.error),
            fault => ReplyFault::Unverified { status: raw.status, fault }.into(),
        })
    }

    fn verify(
        &self,
        key: &Key,
        raw: &RawReply,
        sent: &SentRequest,
        now_ms: i64,
    ) -> Result<Outcome<'static>, Fault> {
        let mut scratch = Scratch::new();
        verify_reply(&raw.body, &self.limits, key, sent, now_ms, &self.window, &mut scratch)
            .map(|reply| reply.into_outcome().into_owned())
    }

    /// A `stale` from a server whose clock is far from ours is itself outside our window. It is taken
    /// at the server's own time: everything else about it is verified, and it names a signature that
    /// nobody could have known before the request was sent, so it cannot be an old one.
    fn stale_from_afar(
        &self,
        key: &Key,
        raw: &RawReply,
        sent: &SentRequest,
        server_now_ms: i64,
    ) -> Option<Outcome<'static>> {
        let outcome = self.verify(key, raw, sent, server_now_ms).ok()?;
        server_time(&outcome).is_some().then_some(outcome)
    }
}

/// The server's clock, when a verified outcome says `stale` and gives it.
pub(crate) fn server_time(outcome: &Outcome<'_>) -> Option<i64> {
    #[derive(Deserialize)]
    struct Details {
        server_ts_ms: i64,
    }

    match outcome {
        Outcome::Error(error) if error.code == ErrorCode::Stale => {
            let details: Details = error.details.as_ref()?.decode().ok()?;
            Some(details.server_ts_ms)
        }
        _ => None,
    }
}
