//! Who takes part in the vectors: the keys, the worked example of wire.md §11, and both judges.

use std::error::Error;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use waxwing_core::message::{Answer, Outcome, Request};
use waxwing_core::{CanonicalJson, ErrorCode, Limits, Scratch, ServerId, Signature};
use waxwing_crypto::{
    HmacKey, Key, KeyRing, ReplyFault, SentRequest, Timeliness, Window, sign_reply, sign_request,
    verify_reply, verify_request,
};

use crate::vector::{Head, KeyRecord, Kind, Sent, Vector, WindowRecord, hex};

/// The receivers' clock, unless a vector is about time.
pub(crate) const NOW_MS: i64 = 1_790_000_000_100;
/// The time of the worked example.
pub(crate) const TS_MS: i64 = 1_790_000_000_000;
pub(crate) const SERVER_ID: &str = "sums.example";
/// The signatures of wire.md §11.
const REQUEST_SIGNATURE: &str = "39a69c7ca9a17db3c189b4c51919348bb6f11df46a905a3f09c3e9b9e0748bec";
const REPLY_SIGNATURE: &str = "8d3732c992139ec5388bbe639eb7240d5cb7cd3c3b16b52c6e1a08dbc03af7c2";

/// The keys there are: client, key id, and the bytes of the secret.
fn keys() -> [(&'static str, &'static str, Vec<u8>); 3] {
    [
        ("agent-7", "k1", (0..32).collect()),
        ("agent-7", "k2", (0x20..0x40).collect()),
        ("agent-8", "k1", (0x40..0x70).collect()),
    ]
}

pub(crate) struct World {
    ring: KeyRing,
    /// The worked example, signed.
    pub(crate) request: Value,
    pub(crate) reply: Value,
}

impl World {
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        let mut ring = KeyRing::new(HmacKey::new(b"a decoy that signs nothing at all.")?.into());
        for (client_id, key_id, secret) in keys() {
            ring.insert(client_id.parse()?, key_id.parse()?, HmacKey::new(&secret)?.into());
        }
        let bytes = worked_request()?;
        let request: Value = serde_json::from_slice(&bytes)?;
        let mut world = Self { ring, request, reply: Value::Null };
        let result = CanonicalJson::from_serialize(&json!({"count": 5, "total": 1e21}))?;
        world.reply = world.answer(Outcome::Ok(result))?;
        if world.reply["signature"] != REPLY_SIGNATURE {
            return Err("the reply of wire.md §11 has another signature".into());
        }
        Ok(world)
    }

    /// The reply to the worked request with this outcome, as a server signs it.
    pub(crate) fn answer(&self, outcome: Outcome<'_>) -> Result<Value, Box<dyn Error>> {
        let bytes = canonical(&self.request)?;
        let (server_id, mut scratch) = (ServerId::new(SERVER_ID)?, Scratch::new());
        let verified =
            verify_request(&bytes, &Limits::DEFAULT, &server_id, &self.ring, &mut scratch)?;
        let (nonce, mut out) = ("c1b7f0aa90e24bd2a5b7c1f3".parse()?, Vec::new());
        sign_reply(&verified, outcome, TS_MS + 42, nonce, &mut Scratch::new(), &mut out)?;
        Ok(serde_json::from_slice(&out)?)
    }

    pub(crate) fn head(&self) -> Head {
        let of_request = |name: &str| self.request[name].as_str().unwrap_or_default().to_owned();
        let record = |(client_id, key_id, secret): (_, _, Vec<u8>)| KeyRecord {
            client_id,
            key_id,
            algorithm: "hmac-sha256",
            secret: hex(&secret),
        };
        let Window { past_ms, future_ms } = Window::DEFAULT;
        Head {
            server_id: SERVER_ID,
            keys: keys().map(record).into(),
            window: WindowRecord { past_ms, future_ms },
            sent: Sent {
                request_id: of_request("request_id"),
                client_id: of_request("client_id"),
                server_id: of_request("server_id"),
                key_id: of_request("key_id"),
                signature: of_request("signature"),
            },
        }
    }

    /// What a server makes of these bytes up to the clock window; an error unless that is `expected`.
    pub(crate) fn request_vector(
        &self,
        name: &str,
        bytes: &[u8],
        now_ms: i64,
        expected: Option<ErrorCode>,
    ) -> Result<Vector, Box<dyn Error>> {
        let mut vector = Vector::new(name, bytes, &Limits::DEFAULT);
        (vector.kind, vector.now_ms) = (Some(Kind::Request), Some(now_ms));
        let (server_id, mut scratch) = (ServerId::new(SERVER_ID)?, Scratch::new());
        if let Ok(read) = Request::read(bytes, &Limits::DEFAULT, &mut scratch) {
            sign_into(&mut vector, read.signed())?;
        }
        let found =
            match verify_request(bytes, &Limits::DEFAULT, &server_id, &self.ring, &mut scratch) {
                Ok(verified) => match Window::DEFAULT.judge(verified.ts_ms, now_ms) {
                    Timeliness::InWindow => None,
                    Timeliness::TooOld | Timeliness::TooNew => {
                        Some((ErrorCode::Stale, "outside the clock window".to_owned()))
                    }
                },
                Err(fault) => Some((fault.to_call_error().code, fault.to_string())),
            };
        let code = found.as_ref().map(|(code, _)| *code);
        if code != expected {
            return Err(format!("{name}: {found:?} and not {expected:?}").into());
        }
        if let Some((code, reason)) = found {
            vector.refuse(Some(code), reason);
        }
        Ok(vector)
    }

    /// What the client that sent the worked request makes of these bytes; an error unless that is
    /// `expected`, the name of a check.
    pub(crate) fn reply_vector(
        &self,
        name: &str,
        bytes: &[u8],
        now_ms: i64,
        expected: Option<&'static str>,
    ) -> Result<Vector, Box<dyn Error>> {
        let mut vector = Vector::new(name, bytes, &Limits::DEFAULT);
        (vector.kind, vector.now_ms) = (Some(Kind::Reply), Some(now_ms));
        let mut scratch = Scratch::new();
        if let Ok(Answer::Reply(read)) = Answer::read(bytes, &Limits::DEFAULT, &mut scratch) {
            sign_into(&mut vector, read.signed())?;
        }
        let sent = self.sent()?;
        let (key, limits, window) = (key()?, Limits::DEFAULT, Window::DEFAULT);
        let judged = verify_reply(bytes, &limits, &key, &sent, now_ms, &window, &mut scratch);
        vector.check = judged.as_ref().err().map(check_of).transpose()?;
        if vector.check != expected {
            return Err(format!("{name}: {judged:?} and not {expected:?}").into());
        }
        if let Err(fault) = judged {
            let code = match &fault {
                ReplyFault::Refused(refusal) => Some(refusal.error.code),
                _ => None,
            };
            vector.refuse(code, fault.to_string());
        }
        Ok(vector)
    }

    fn sent(&self) -> Result<SentRequest, Box<dyn Error>> {
        let (bytes, mut scratch) = (canonical(&self.request)?, Scratch::new());
        let read = Request::read(&bytes, &Limits::DEFAULT, &mut scratch)?;
        Ok(SentRequest::new(read.claim(), read.signature().clone().into_owned()))
    }
}

fn check_of(fault: &ReplyFault) -> Result<&'static str, String> {
    Ok(match fault {
        ReplyFault::NotAReply(_) => "not_a_reply",
        ReplyFault::Refused(_) => "unsigned_refusal",
        ReplyFault::WrongSignature => "wrong_signature",
        ReplyFault::WrongRequest => "wrong_request",
        ReplyFault::WrongParty(_) => "wrong_party",
        ReplyFault::OutsideWindow { .. } => "outside_window",
        other => return Err(format!("a check without a name: {other}")),
    })
}

fn sign_into(vector: &mut Vector, signed: [&str; 2]) -> Result<(), Box<dyn Error>> {
    let signed = signed.concat();
    vector.signature = Some(mac(&keys()[0].2, signed.as_bytes())?);
    vector.signed = Some(signed);
    Ok(())
}

fn key() -> Result<Key, Box<dyn Error>> {
    Ok(HmacKey::new(&keys()[0].2)?.into())
}

/// The request of wire.md §11, signed.
fn worked_request() -> Result<Vec<u8>, Box<dyn Error>> {
    let request = Request {
        request_id: "3f0c2a7e-1c77-4e0e-9c3e-1d2f3a4b5c6d".parse()?,
        ts_ms: TS_MS,
        client_id: "agent-7".parse()?,
        server_id: SERVER_ID.parse()?,
        key_id: "k1".parse()?,
        nonce: "0d7a1c5575c14a578f398a1a".parse()?,
        tool: "batch_sum".parse()?,
        args: json!({"note": "café € 😀\n", "numbers": [1.5, 2, 0, 1e21, 0.1]}),
        idempotency_key: None,
        tool_digest: None,
        traceparent: None,
    };
    let mut bytes = Vec::new();
    let signature = sign_request(&key()?, &request, &mut Scratch::new(), &mut bytes)?;
    if signature != Signature::new(REQUEST_SIGNATURE)? {
        return Err("the request of wire.md §11 has another signature".into());
    }
    Ok(bytes)
}

/// HMAC-SHA256, for messages that the project's own code does not sign because they are no messages.
fn mac(secret: &[u8], bytes: &[u8]) -> Result<String, Box<dyn Error>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret)?;
    mac.update(bytes);
    Ok(hex(&mac.finalize().into_bytes()))
}

pub(crate) fn canonical(value: &Value) -> Result<Vec<u8>, Box<dyn Error>> {
    Ok(waxwing_core::canonical::to_vec(value)?)
}

/// A message with the right signature, by the key of that number.
pub(crate) fn signed_by(number: usize, message: &Value) -> Result<Vec<u8>, Box<dyn Error>> {
    let (_, _, secret) = keys().into_iter().nth(number).ok_or("no such key")?;
    let signature = mac(&secret, &canonical(&without(message, "signature"))?)?;
    canonical(&with(message, json!({ "signature": signature })))
}

pub(crate) fn signed(message: &Value) -> Result<Vec<u8>, Box<dyn Error>> {
    signed_by(0, message)
}

/// The object with members added or replaced.
pub(crate) fn with(message: &Value, changes: Value) -> Value {
    let mut message = message.clone();
    if let (Some(object), Value::Object(changes)) = (message.as_object_mut(), changes) {
        object.extend(changes);
    }
    message
}

pub(crate) fn without(message: &Value, name: &str) -> Value {
    let mut message = message.clone();
    if let Some(object) = message.as_object_mut() {
        object.remove(name);
    }
    message
}
