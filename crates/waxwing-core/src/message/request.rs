//! A request: one call of one tool, complete in itself (wire.md §2).

use super::cursor::{Cursor, Stop, name};
use super::draft::{CanonicalWrite, Draft, DraftWriter};
use super::{MessageError, Unverified};
use crate::canonical::CanonicalJson;
use crate::ids::{
    ClientId, IdempotencyKey, KeyId, Nonce, RequestId, ServerId, ToolDigest, ToolName, TraceParent,
};
use crate::json::{Scratch, WriteError};
use crate::limits::Limits;

/// One call of one tool. Read from the wire, `args` is a canonical JSON object; to be sent, it is any
/// value that serializes as an object.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the wire format closes it")]
pub struct Request<'a, A = CanonicalJson<'a>> {
    /// One request.
    pub request_id: RequestId<'a>,
    /// The sender's clock, milliseconds since the Unix epoch.
    pub ts_ms: i64,
    /// Who sends.
    pub client_id: ClientId<'a>,
    /// The audience.
    pub server_id: ServerId<'a>,
    /// Which key of the client signs.
    pub key_id: KeyId<'a>,
    /// Never used twice.
    pub nonce: Nonce<'a>,
    /// The tool to call.
    pub tool: ToolName<'a>,
    /// Its arguments, an object.
    pub args: A,
    /// What makes retries one call.
    pub idempotency_key: Option<IdempotencyKey<'a>>,
    /// The definition that the caller has seen.
    pub tool_digest: Option<ToolDigest<'a>>,
    /// W3C trace context.
    pub traceparent: Option<TraceParent<'a>>,
}

const TYP: &str = "request";

impl<'a> Request<'a> {
    /// Reads a request: the JSON of wire.md §1, then the closed shape of §2.
    ///
    /// Canonical bytes are borrowed as they are, without a copy or an allocation; any other spelling
    /// is written canonically into `scratch` first.
    ///
    /// # Errors
    /// [`MessageError`]: the first rule that is broken, the JSON's before the shape's.
    #[inline]
    pub fn read(
        bytes: &'a [u8],
        limits: &Limits,
        scratch: &'a mut Scratch,
    ) -> Result<Unverified<'a, Self>, MessageError> {
        super::read(bytes, limits, scratch, Self::shape)
    }

    #[inline(always)]
    fn shape(mut cursor: Cursor<'a>) -> Result<Unverified<'a, Self>, Stop> {
        let args = cursor.object(name!("args"))?;
        let client_id = cursor.id(name!("client_id"))?;
        let idempotency_key = cursor.optional_id(name!("idempotency_key"))?;
        let key_id = cursor.id(name!("key_id"))?;
        let nonce = cursor.id(name!("nonce"))?;
        let request_id = cursor.id(name!("request_id"))?;
        let server_id = cursor.id(name!("server_id"))?;
        let (signature, before) = cursor.signature()?;
        let behind = cursor.rest();
        let tool = cursor.id(name!("tool"))?;
        let tool_digest = cursor.optional_id(name!("tool_digest"))?;
        let traceparent = cursor.optional_id(name!("traceparent"))?;
        let ts_ms = cursor.integer(name!("ts_ms"))?;
        cursor.exactly(name!("typ"), TYP)?;
        cursor.version_and_end()?;
        let message = Self {
            request_id,
            ts_ms,
            client_id,
            server_id,
            key_id,
            nonce,
            tool,
            args,
            idempotency_key,
            tool_digest,
            traceparent,
        };
        Ok(Unverified { message, signature, signed: [before, behind] })
    }
}

impl<A: CanonicalWrite> Request<'_, A> {
    /// Writes the request behind what `out` holds, with a gap for a signature of `digits` hex digits.
    ///
    /// # Errors
    /// [`WriteError`] when the arguments have no canonical form or are no object; what `out` held
    /// before is then still its beginning.
    pub fn draft(
        &self,
        digits: usize,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<Draft, WriteError> {
        let mut writer = DraftWriter::new(out);
        let to = writer.member("args");
        let args = to.len();
        self.args.write_canonical(scratch, to)?;
        if to.get(args) != Some(&b'{') {
            return Err(WriteError::NotObject);
        }
        writer.id("client_id", &self.client_id);
        writer.optional_id("idempotency_key", self.idempotency_key.as_ref());
        writer.id("key_id", &self.key_id);
        writer.id("nonce", &self.nonce);
        writer.id("request_id", &self.request_id);
        writer.id("server_id", &self.server_id);
        writer.signature(digits);
        writer.id("tool", &self.tool);
        writer.optional_id("tool_digest", self.tool_digest.as_ref());
        writer.optional_id("traceparent", self.traceparent.as_ref());
        writer.integer("ts_ms", self.ts_ms)?;
        Ok(writer.finish(TYP))
    }
}
