//! Sends bytes as they are, as somebody on the way could, and signs what the client would not send.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;
use waxwing_core::message::{Outcome, Request};
use waxwing_core::{ClientId, KeyId, Limits, Nonce, RequestId, Scratch, ServerId};
use waxwing_crypto::{Key, ReplyFault, SentRequest, Window, sign_request, verify_reply};

/// Who signs, and for whom.
pub(super) struct Signer {
    pub(super) client_id: ClientId<'static>,
    pub(super) server_id: ServerId<'static>,
    pub(super) key_id: KeyId<'static>,
    pub(super) key: Key,
}

/// A signed call, and what its answer must repeat.
pub(super) struct Envelope {
    pub(super) bytes: Vec<u8>,
    sent: SentRequest,
}

impl Signer {
    /// Signs a call of this moment.
    pub(super) fn sign(&self, tool: &str, args: &Value) -> Result<Envelope, String> {
        let text = |error: waxwing_core::InvalidId| error.to_string();
        let request = Request {
            request_id: RequestId::new(Uuid::new_v4().to_string()).map_err(text)?,
            ts_ms: now_ms(),
            client_id: self.client_id.borrowed(),
            server_id: self.server_id.borrowed(),
            key_id: self.key_id.borrowed(),
            nonce: Nonce::new(Uuid::new_v4().simple().to_string()).map_err(text)?,
            tool: tool.parse().map_err(text)?,
            args,
            idempotency_key: None,
            tool_digest: None,
            traceparent: None,
        };
        let mut bytes = Vec::new();
        let signature = sign_request(&self.key, &request, &mut Scratch::new(), &mut bytes)
            .map_err(|error| error.to_string())?;
        let sent = SentRequest::new(&request, signature);
        Ok(Envelope { bytes, sent })
    }

    /// What a verified answer says.
    pub(super) fn verify(
        &self,
        envelope: &Envelope,
        answer: &[u8],
    ) -> Result<Outcome<'static>, ReplyFault> {
        let (limits, window, sent) = (Limits::DEFAULT, Window::DEFAULT, &envelope.sent);
        let mut scratch = Scratch::new();
        verify_reply(answer, &limits, &self.key, sent, now_ms(), &window, &mut scratch)
            .map(|reply| reply.into_outcome().into_owned())
    }
}

/// Posts bytes on a connection of their own; the HTTP status and the body that came back.
pub(super) async fn post(address: SocketAddr, body: &[u8]) -> Result<(u16, Vec<u8>), String> {
    let head = format!(
        "POST /v1/call HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len(),
    );
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(answer)
    };
    let answer = exchange.await.map_err(|error: std::io::Error| error.to_string())?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or("no HTTP answer")?;
    let (head, body) = answer.split_at(end + 4);
    let status = std::str::from_utf8(head).ok().and_then(|head| head.split(' ').nth(1));
    let status = status.and_then(|status| status.parse().ok()).ok_or("no HTTP status")?;
    Ok((status, body.to_vec()))
}

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}
