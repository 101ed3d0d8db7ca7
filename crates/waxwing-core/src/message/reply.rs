//! A reply: the answer to one request, bound to it by that request's signature (wire.md §3).

use super::cursor::{Cursor, Stop, name};
use super::draft::{Draft, DraftWriter};
use super::outcome::{self, Outcome};
use super::refusal::{self, Refusal};
use super::{MessageError, Unverified};
use crate::ids::{ClientId, KeyId, Nonce, RequestId, ServerId, Signature};
use crate::json::{Scratch, WriteError};
use crate::limits::Limits;

/// The answer to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the wire format closes it")]
pub struct Reply<'a> {
    /// Copied from the request.
    pub request_id: RequestId<'a>,
    /// The request's signature, which binds every byte of the request.
    pub in_reply_to: Signature<'a>,
    /// The server's clock, milliseconds since the Unix epoch.
    pub ts_ms: i64,
    /// The server's own; never used twice.
    pub nonce: Nonce<'a>,
    /// Copied from the request.
    pub client_id: ClientId<'a>,
    /// Copied from the request.
    pub server_id: ServerId<'a>,
    /// Copied from the request.
    pub key_id: KeyId<'a>,
    /// What became of the call: `status` and, with it, `result` or `error`.
    pub outcome: Outcome<'a>,
}

const TYP: &str = "reply";

/// What comes back for a request: a reply, or a refusal that nobody has signed.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a reply is the rule, and a box would allocate")]
#[expect(clippy::exhaustive_enums, reason = "the wire format closes it")]
pub enum Answer<'a> {
    /// Signed, but not verified yet.
    Reply(Unverified<'a, Reply<'a>>),
    /// Unsigned.
    Refusal(Box<Refusal>),
}

impl<'a> Answer<'a> {
    /// Reads a reply or a refusal: the JSON of wire.md §1, then the closed shapes of §3. Canonical
    /// bytes are borrowed as they are, others are written canonically into `scratch` first.
    ///
    /// # Errors
    /// [`MessageError`]: the first rule that is broken, the JSON's before the shape's.
    pub fn read(
        bytes: &'a [u8],
        limits: &Limits,
        scratch: &'a mut Scratch,
    ) -> Result<Self, MessageError> {
        super::read(bytes, limits, scratch, |cursor| {
            // Only a refusal begins with its error: a reply has its client in front.
            if cursor.rest().starts_with("{\"error\":") {
                Refusal::shape(cursor).map(Box::new).map(Self::Refusal)
            } else {
                Reply::shape(cursor).map(Self::Reply)
            }
        })
    }
}

impl<'a> Reply<'a> {
    fn shape(mut cursor: Cursor<'a>) -> Result<Unverified<'a, Self>, Stop> {
        let client_id = cursor.id(name!("client_id"))?;
        let error = match cursor.meets(name!("error")) {
            true => Some(refusal::read_error(&cursor.value()?)?),
            false => None,
        };
        let in_reply_to = cursor.id(name!("in_reply_to"))?;
        let key_id = cursor.id(name!("key_id"))?;
        let nonce = cursor.id(name!("nonce"))?;
        let request_id = cursor.id(name!("request_id"))?;
        let result = match error {
            Some(error) => Err(error),
            None => Ok(cursor.json(name!("result"))?),
        };
        let server_id = cursor.id(name!("server_id"))?;
        let (signature, before) = cursor.signature()?;
        let behind = cursor.rest();
        let outcome = outcome::read(&mut cursor, result)?;
        let ts_ms = cursor.integer(name!("ts_ms"))?;
        cursor.exactly(name!("typ"), TYP)?;
        cursor.version_and_end()?;
        let message =
            Self { request_id, in_reply_to, ts_ms, nonce, client_id, server_id, key_id, outcome };
        Ok(Unverified { message, signature, signed: [before, behind] })
    }

    /// Writes the reply behind what `out` holds, with a gap for a signature of `digits` hex digits.
    ///
    /// # Errors
    /// [`WriteError`] when a number of the outcome has no canonical form.
    pub fn draft(
        &self,
        digits: usize,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<Draft, WriteError> {
        let mut writer = DraftWriter::new(out);
        writer.id("client_id", &self.client_id);
        if let Outcome::Error(error) = &self.outcome {
            refusal::write_error(error, writer.member("error"))?;
        }
        writer.id("in_reply_to", self.in_reply_to.as_str());
        writer.id("key_id", &self.key_id);
        writer.id("nonce", &self.nonce);
        writer.id("request_id", &self.request_id);
        outcome::write_result(&self.outcome, &mut writer, scratch)?;
        writer.id("server_id", &self.server_id);
        writer.signature(digits);
        writer.id("status", self.outcome.status());
        writer.integer("ts_ms", self.ts_ms)?;
        Ok(writer.finish(TYP))
    }
}
