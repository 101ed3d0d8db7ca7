//! Signs and verifies replies: each bound to its request by that request's signature (wire.md §3, §5).

use std::ops::Deref;

use waxwing_core::message::{Answer, MessageError, Outcome, Refusal, Reply, Request};
use waxwing_core::{
    ClientId, KeyId, Limits, Nonce, RequestId, Scratch, ServerId, Signature, WriteError,
};

use crate::key::Key;
use crate::request::Verified;
use crate::window::{Timeliness, Window};

/// Signs the reply to `request` with the key that verified it and writes it behind what `out` holds. A
/// reply to anything but a verified request, or under another key, cannot be made.
///
/// # Errors
/// [`WriteError`] when a number of the outcome has no canonical form.
pub fn sign_reply(
    request: &Verified<'_>,
    outcome: Outcome<'_>,
    ts_ms: i64,
    nonce: Nonce<'_>,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Result<(), WriteError> {
    let reply = Reply {
        request_id: request.request_id.borrowed(),
        in_reply_to: request.signature().borrowed(),
        ts_ms,
        nonce,
        client_id: request.client_id.borrowed(),
        server_id: request.server_id.borrowed(),
        key_id: request.key_id.borrowed(),
        outcome,
    };
    let key = request.key();
    let start = out.len();
    let drafted = reply.draft(key.signature_digits(), scratch, out);
    let draft = drafted.inspect_err(|_| out.truncate(start))?;
    let digits = key.sign(draft.signed(out));
    draft.complete(out, digits.as_bytes()).map_err(|_| WriteError::NotObject)
}

/// What a client remembers of a request it sent: all that a reply must repeat.
#[derive(Clone, Debug)]
pub struct SentRequest {
    request_id: RequestId<'static>,
    client_id: ClientId<'static>,
    server_id: ServerId<'static>,
    key_id: KeyId<'static>,
    signature: Signature<'static>,
}

impl SentRequest {
    /// Of a request and the signature that [`sign_request`](crate::sign_request) gave it.
    #[must_use]
    pub fn new<A>(request: &Request<'_, A>, signature: Signature<'static>) -> Self {
        Self {
            request_id: request.request_id.clone().into_owned(),
            client_id: request.client_id.clone().into_owned(),
            server_id: request.server_id.clone().into_owned(),
            key_id: request.key_id.clone().into_owned(),
            signature,
        }
    }
}

/// A reply whose signature, binding and time have been verified.
#[derive(Debug)]
pub struct VerifiedReply<'a> {
    reply: Reply<'a>,
}

impl<'a> VerifiedReply<'a> {
    /// What became of the call.
    #[must_use]
    pub fn into_outcome(self) -> Outcome<'a> {
        self.reply.outcome
    }
}

impl<'a> Deref for VerifiedReply<'a> {
    type Target = Reply<'a>;

    fn deref(&self) -> &Reply<'a> {
        &self.reply
    }
}

/// Why bytes are no reply to the request: which check failed. Nothing in them may be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyFault {
    /// Not the JSON of wire.md §1 or the shape of §3.
    #[error("not a reply: {0}")]
    NotAReply(MessageError),
    /// An unsigned refusal: a hint that anybody on the way could have made.
    #[error("refused, by an unsigned message: {}", .0.error)]
    Refused(Box<Refusal>),
    /// The signature is wrong.
    #[error("the reply's signature does not verify")]
    WrongSignature,
    /// A true reply to another request.
    #[error("the reply answers another request")]
    WrongRequest,
    /// One of the ids is another than the request's.
    #[error("the reply's {0} is not the request's")]
    WrongParty(&'static str),
    /// Outside the clock window.
    #[error("the reply's time is {distance_ms} ms from here, outside the window")]
    OutsideWindow {
        /// The reply's clock less ours.
        distance_ms: i64,
    },
}

/// Reads the reply to `sent` and verifies it: signature, `in_reply_to`, the ids, the clock window, in
/// this order.
///
/// # Errors
/// [`ReplyFault`], the first check that fails.
pub fn verify_reply<'a>(
    bytes: &'a [u8],
    limits: &Limits,
    key: &Key,
    sent: &SentRequest,
    now_ms: i64,
    window: &Window,
    scratch: &'a mut Scratch,
) -> Result<VerifiedReply<'a>, ReplyFault> {
    let unverified = match Answer::read(bytes, limits, scratch).map_err(ReplyFault::NotAReply)? {
        Answer::Reply(unverified) => unverified,
        Answer::Refusal(refusal) => return Err(ReplyFault::Refused(refusal)),
    };
    key.verify(unverified.signed().map(str::as_bytes), unverified.signature())
        .map_err(|_| ReplyFault::WrongSignature)?;
    let (reply, _) = unverified.into_checked();
    if reply.in_reply_to != sent.signature || reply.request_id != sent.request_id {
        return Err(ReplyFault::WrongRequest);
    }
    for (name, found, expected) in [
        ("client_id", reply.client_id.as_str(), sent.client_id.as_str()),
        ("server_id", reply.server_id.as_str(), sent.server_id.as_str()),
        ("key_id", reply.key_id.as_str(), sent.key_id.as_str()),
    ] {
        if found != expected {
            return Err(ReplyFault::WrongParty(name));
        }
    }
    if window.judge(reply.ts_ms, now_ms) != Timeliness::InWindow {
        let distance_ms = reply.ts_ms.saturating_sub(now_ms);
        return Err(ReplyFault::OutsideWindow { distance_ms });
    }
    Ok(VerifiedReply { reply })
}
