//! Who takes part in the vectors: the keys, the worked example of wire.md §11, and both judges.

use std::error::Error;

use ed25519_dalek::{Signer as _, SigningKey};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use waxwing_core::message::{Answer, Outcome, Request};
use waxwing_core::{CanonicalJson, ErrorCode, Limits, Scratch, ServerId};
use waxwing_crypto::{
    Ed25519Key, Ed25519SigningKey, HmacKey, Key, KeyRecord as Record, KeyRing, KeyState,
    ReplyFault, SentRequest, Timeliness, Validity, Window, sign_reply, sign_request, verify_reply,
    verify_request,
};

use crate::vector::{Head, KeyRecord, Kind, PairRecord, Sent, Vector, WindowRecord, hex};

/// The receivers' clock, unless a vector is about time.
pub(crate) const NOW_MS: i64 = 1_790_000_000_100;
/// The time of the worked example.
pub(crate) const TS_MS: i64 = 1_790_000_000_000;
pub(crate) const SERVER_ID: &str = "sums.example";
/// The signatures of wire.md §11.
const REQUEST_SIGNATURE: &str = "39a69c7ca9a17db3c189b4c51919348bb6f11df46a905a3f09c3e9b9e0748bec";
const REPLY_SIGNATURE: &str = "8d3732c992139ec5388bbe639eb7240d5cb7cd3c3b16b52c6e1a08dbc03af7c2";

/// The secret of the server's own key, where it has one.
const SERVER_SECRET: [u8; 32] =
    *b"\x9d\x61\xb1\x9d\xef\xfd\x5a\x60\xba\x84\x4a\xf4\x92\xec\x2c\xc4\
    \x44\x49\xc5\x69\x7b\x32\x69\x19\x70\x3b\xac\x03\x1c\xae\x7f\x60";

/// A key of the vectors: whose, which, what for and when.
pub(crate) struct WorldKey {
    pub(crate) client_id: &'static str,
    pub(crate) key_id: &'static str,
    pub(crate) material: Material,
    pub(crate) state: KeyState,
    pub(crate) not_before_ms: Option<i64>,
    pub(crate) not_after_ms: Option<i64>,
}

/// The client's secret, by algorithm.
pub(crate) enum Material {
    Hmac(Vec<u8>),
    Ed25519([u8; 32]),
}

/// Who signs: an Ed25519 key is another on each side.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    Client,
    Server,
}

impl WorldKey {
    pub(crate) const fn new(
        client_id: &'static str,
        key_id: &'static str,
        material: Material,
    ) -> Self {
        let state = KeyState::Active;
        Self { client_id, key_id, material, state, not_before_ms: None, not_after_ms: None }
    }

    /// As one side holds it.
    fn key(&self, side: Side) -> Result<Key, Box<dyn Error>> {
        let server = || Ed25519SigningKey::new(&SERVER_SECRET);
        Ok(match (&self.material, side) {
            (Material::Hmac(secret), _) => HmacKey::new(secret)?.into(),
            (Material::Ed25519(secret), Side::Client) => {
                let own = Ed25519SigningKey::new(secret)?;
                Ed25519Key::of_client(own, server()?.public_key())?.into()
            }
            (Material::Ed25519(secret), Side::Server) => {
                let client = Ed25519SigningKey::new(secret)?.public_key();
                Ed25519Key::of_server(server()?, client)?.into()
            }
        })
    }

    /// The signature over any bytes, for messages that the project's own code does not sign because they
    /// are no messages.
    fn sign(&self, side: Side, bytes: &[u8]) -> Result<String, Box<dyn Error>> {
        let pair = |secret: &[u8; 32]| SigningKey::from_bytes(secret).sign(bytes).to_bytes();
        Ok(match (&self.material, side) {
            (Material::Hmac(secret), _) => mac(secret, bytes)?,
            (Material::Ed25519(secret), Side::Client) => hex(&pair(secret)),
            (Material::Ed25519(_), Side::Server) => hex(&pair(&SERVER_SECRET)),
        })
    }

    fn record(&self) -> KeyRecord {
        let public =
            |secret: &[u8; 32]| hex(SigningKey::from_bytes(secret).verifying_key().as_bytes());
        let (algorithm, secret, pair) = match &self.material {
            Material::Hmac(secret) => ("hmac-sha256", hex(secret), None),
            Material::Ed25519(secret) => {
                let pair = PairRecord {
                    public_key: public(secret),
                    server_secret: hex(&SERVER_SECRET),
                    server_public_key: public(&SERVER_SECRET),
                };
                ("ed25519", hex(secret), Some(pair))
            }
        };
        KeyRecord {
            client_id: self.client_id,
            key_id: self.key_id,
            algorithm,
            secret,
            pair,
            state: (self.state != KeyState::Active).then(|| self.state.as_str()),
            not_before_ms: self.not_before_ms,
            not_after_ms: self.not_after_ms,
        }
    }
}

pub(crate) struct World {
    ring: KeyRing,
    keys: Vec<WorldKey>,
    /// The worked example, signed with the first key.
    pub(crate) request: Value,
    pub(crate) reply: Value,
}

impl World {
    /// The one of the worked example.
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        let key = |client, id, secret| WorldKey::new(client, id, Material::Hmac(secret));
        let world = Self::of(vec![
            key("agent-7", "k1", (0..32).collect()),
            key("agent-7", "k2", (0x20..0x40).collect()),
            key("agent-8", "k1", (0x40..0x70).collect()),
        ])?;
        let signatures = (&world.request["signature"], &world.reply["signature"]);
        if signatures != (&REQUEST_SIGNATURE.into(), &REPLY_SIGNATURE.into()) {
            return Err("the messages of wire.md §11 have other signatures".into());
        }
        Ok(world)
    }

    /// The one in which these keys are known; the first signs.
    pub(crate) fn of(keys: Vec<WorldKey>) -> Result<Self, Box<dyn Error>> {
        let mut ring = KeyRing::new(HmacKey::new(b"a decoy that signs nothing at all.")?.into());
        for key in &keys {
            let record = Record::new(key.key_id.parse()?, key.key(Side::Server)?)
                .with_state(key.state)
                .with_validity(Validity::new(key.not_before_ms, key.not_after_ms)?);
            ring.insert_record(key.client_id.parse()?, record);
        }
        let mut world = Self { ring, keys, request: Value::Null, reply: Value::Null };
        world.request = serde_json::from_slice(&worked_request(&world.key(0)?)?)?;
        let result = CanonicalJson::from_serialize(&json!({"count": 5, "total": 1e21}))?;
        world.reply = world.answer(Outcome::Ok(result))?;
        Ok(world)
    }

    /// The client's side of the key of that number.
    fn key(&self, number: usize) -> Result<Key, Box<dyn Error>> {
        self.keys.get(number).ok_or("no such key")?.key(Side::Client)
    }

    /// A message with the right signature of one side of the key of that number.
    pub(crate) fn signed_as(
        &self,
        number: usize,
        side: Side,
        message: &Value,
    ) -> Result<Vec<u8>, Box<dyn Error>> {
        let key = self.keys.get(number).ok_or("no such key")?;
        let signature = key.sign(side, &canonical(&without(message, "signature"))?)?;
        canonical(&with(message, json!({ "signature": signature })))
    }

    /// A message with the right signature, by the key of that number: the server's if it says it is a reply.
    pub(crate) fn signed_by(
        &self,
        number: usize,
        message: &Value,
    ) -> Result<Vec<u8>, Box<dyn Error>> {
        self.signed_as(number, side_of(message["typ"] == "reply"), message)
    }

    pub(crate) fn signed(&self, message: &Value) -> Result<Vec<u8>, Box<dyn Error>> {
        self.signed_by(0, message)
    }

    /// The reply to the worked request with this outcome, as a server signs it.
    pub(crate) fn answer(&self, outcome: Outcome<'_>) -> Result<Value, Box<dyn Error>> {
        let bytes = canonical(&self.request)?;
        let (server_id, mut scratch) = (ServerId::new(SERVER_ID)?, Scratch::new());
        let verified =
            verify_request(&bytes, &Limits::DEFAULT, &server_id, &self.ring, NOW_MS, &mut scratch)?;
        let (nonce, mut out) = ("c1b7f0aa90e24bd2a5b7c1f3".parse()?, Vec::new());
        sign_reply(&verified, outcome, TS_MS + 42, nonce, &mut Scratch::new(), &mut out)?;
        Ok(serde_json::from_slice(&out)?)
    }

    pub(crate) fn head(&self) -> Head {
        let of_request = |name: &str| self.request[name].as_str().unwrap_or_default().to_owned();
        let Window { past_ms, future_ms } = Window::DEFAULT;
        Head {
            server_id: SERVER_ID,
            keys: self.keys.iter().map(WorldKey::record).collect(),
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
            self.sign_into(&mut vector, Side::Client, read.signed())?;
        }
        let found = match verify_request(
            bytes,
            &Limits::DEFAULT,
            &server_id,
            &self.ring,
            now_ms,
            &mut scratch,
        ) {
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
            self.sign_into(&mut vector, Side::Server, read.signed())?;
        }
        let sent = self.sent()?;
        let (key, limits, window) = (self.key(0)?, Limits::DEFAULT, Window::DEFAULT);
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

    fn sign_into(
        &self,
        vector: &mut Vector,
        side: Side,
        signed: [&str; 2],
    ) -> Result<(), Box<dyn Error>> {
        let (signed, key) = (signed.concat(), self.keys.first().ok_or("no key")?);
        vector.signature = Some(key.sign(side, signed.as_bytes())?);
        vector.signed = Some(signed);
        Ok(())
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

const fn side_of(is_reply: bool) -> Side {
    if is_reply { Side::Server } else { Side::Client }
}

/// The request of wire.md §11, signed.
fn worked_request(key: &Key) -> Result<Vec<u8>, Box<dyn Error>> {
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
    sign_request(key, &request, &mut Scratch::new(), &mut bytes)?;
    Ok(bytes)
}

pub(crate) fn mac(secret: &[u8], bytes: &[u8]) -> Result<String, Box<dyn Error>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret)?;
    mac.update(bytes);
    Ok(hex(&mac.finalize().into_bytes()))
}

pub(crate) fn canonical(value: &Value) -> Result<Vec<u8>, Box<dyn Error>> {
    Ok(waxwing_core::canonical::to_vec(value)?)
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
