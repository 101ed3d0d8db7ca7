//! One vector, and one file of them, as they stand in docs/vectors.

use serde::Serialize;
use waxwing_core::{ErrorCode, Limits, canonical};

/// A file of vectors.
#[derive(Serialize)]
pub(crate) struct File {
    pub(crate) about: &'static str,
    #[serde(flatten)]
    pub(crate) head: Option<Head>,
    pub(crate) vectors: Vec<Vector>,
}

impl File {
    pub(crate) fn to_text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

/// What messages are judged with.
#[derive(Serialize)]
pub(crate) struct Head {
    pub(crate) server_id: &'static str,
    /// The first one signs, unless a vector is about another.
    pub(crate) keys: Vec<KeyRecord>,
    pub(crate) window: WindowRecord,
    /// The request that replies must answer.
    pub(crate) sent: Sent,
}

#[derive(Serialize)]
pub(crate) struct KeyRecord {
    pub(crate) client_id: &'static str,
    pub(crate) key_id: &'static str,
    pub(crate) algorithm: &'static str,
    /// The client's, in hex digits.
    pub(crate) secret: String,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) pair: Option<PairRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) not_before_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) not_after_ms: Option<i64>,
}

/// What more there is of an Ed25519 key, in hex digits.
#[derive(Serialize)]
pub(crate) struct PairRecord {
    pub(crate) public_key: String,
    pub(crate) server_secret: String,
    pub(crate) server_public_key: String,
}

#[derive(Serialize)]
pub(crate) struct WindowRecord {
    pub(crate) past_ms: u32,
    pub(crate) future_ms: u32,
}

#[derive(Serialize)]
pub(crate) struct Sent {
    pub(crate) request_id: String,
    pub(crate) client_id: String,
    pub(crate) server_id: String,
    pub(crate) key_id: String,
    pub(crate) signature: String,
}

/// Who receives a message.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A server.
    Request,
    /// The client that sent [`Head::sent`].
    Reply,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Accepted,
    Refused,
}

/// One input and all that is to become of it.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) struct Vector {
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<Kind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) now_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_message: Option<usize>,
    /// The bytes, when they are UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) input: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) input_hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) canonical: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signed: Option<String>,
    /// What the first key gives for `signed`, whatever the message carries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signature: Option<String>,
    pub(crate) verdict: Verdict,
    /// Which of a client's checks fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) check: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Whether checkers are to flip bits of the input as well.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) flip: bool,
}

impl Vector {
    /// An accepted one; the rest is filled in by whoever judges it.
    pub(crate) fn new(name: &str, bytes: &[u8], limits: &Limits) -> Self {
        let text = std::str::from_utf8(bytes).ok().map(str::to_owned);
        Self {
            name: name.to_owned(),
            kind: None,
            now_ms: None,
            max_message: None,
            input_hex: text.is_none().then(|| hex(bytes)),
            input: text,
            canonical: canonical::canonicalize(bytes, limits).ok().map(|text| text.into_owned()),
            signed: None,
            signature: None,
            verdict: Verdict::Accepted,
            check: None,
            code: None,
            reason: None,
            flip: false,
        }
    }

    pub(crate) fn refuse(&mut self, code: Option<ErrorCode>, reason: String) {
        self.verdict = Verdict::Refused;
        self.code = code.map(ErrorCode::as_str);
        self.reason = Some(reason);
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
