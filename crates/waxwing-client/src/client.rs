//! One call: sign, send, verify, and once more if the server says with its signature that the clock is
//! off.

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use waxwing_core::message::{CanonicalWrite, Outcome, Request};
use waxwing_core::{
    CanonicalJson, ClientId, ErrorCode, KeyId, Scratch, ServerId, ToolName, WriteError,
};
use waxwing_crypto::{Key, KeyChain, SentRequest, sign_request};

use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::error::{ClientError, Misuse};
use crate::options::CallOptions;
use crate::pins::Pins;
use crate::transport::Transport;
use crate::verify::{Verifier, server_time};

/// The shortest pause before a call that still runs is sent again.
const LEAST_PAUSE: Duration = Duration::from_millis(50);

/// Calls the tools of one server as one client. Clones share connections and what was learned of the
/// server's clock; calls may run at the same time. They need a tokio runtime with IO and time.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) client_id: ClientId<'static>,
    pub(crate) server_id: ServerId<'static>,
    pub(crate) keys: KeyChain,
    pub(crate) verifier: Verifier,
    pub(crate) pins: Pins,
    pub(crate) timeout: Duration,
    pub(crate) clock: Clock,
    pub(crate) entropy: Entropy,
    pub(crate) transport: Transport,
}

impl Client {
    pub(crate) const fn of(inner: Arc<Inner>) -> Self {
        Self { inner }
    }

    /// Calls a tool that answers at once, and decodes its output.
    ///
    /// # Errors
    /// [`ClientError`]; after `Unreachable` or `Timeout` it is unknown whether the tool ran.
    pub async fn call<Args, Output>(&self, tool: &str, args: &Args) -> Result<Output, ClientError>
    where
        Args: CanonicalWrite + ?Sized,
        Output: DeserializeOwned,
    {
        self.call_with(tool, args, &CallOptions::new()).await
    }

    /// As [`Self::call`], with settings of its own.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn call_with<Args, Output>(
        &self,
        tool: &str,
        args: &Args,
        options: &CallOptions,
    ) -> Result<Output, ClientError>
    where
        Args: CanonicalWrite + ?Sized,
        Output: DeserializeOwned,
    {
        match self.call_raw(tool, args, options).await? {
            Outcome::Ok(output) => decode(&output),
            Outcome::Error(error) => Err(ClientError::Failed(error)),
            other => Err(ClientError::OtherStatus(Box::new(other))),
        }
    }

    /// Calls any tool and gives the verified outcome as it is, a signed error included. A call with an
    /// idempotency key that still runs when the server answers is sent again, for as long as it may
    /// take in all, so that a `timeout` is what the tool came to (wire.md §5).
    ///
    /// # Errors
    /// [`ClientError`], though never `Failed`, `OtherStatus` or `Decode`.
    pub async fn call_raw<Args: CanonicalWrite + ?Sized>(
        &self,
        tool: &str,
        args: &Args,
        options: &CallOptions,
    ) -> Result<Outcome<'static>, ClientError> {
        let tool = ToolName::new(tool).map_err(Misuse::ToolName)?;
        let after = options.timeout.unwrap_or(self.inner.timeout);
        let mut still_running = false;
        let outcome = async {
            loop {
                let outcome = self.exchange_timely(&tool, args, options).await?;
                let Some(pause) = pause_of_running(&outcome, options) else { return Ok(outcome) };
                still_running = true;
                tokio::time::sleep(pause).await;
            }
        };
        match tokio::time::timeout(after, outcome).await {
            Ok(outcome) => outcome,
            Err(_) if still_running => Err(ClientError::StillRunning { after }),
            Err(_) => Err(ClientError::Timeout { after }),
        }
    }

    /// The server's clock less this machine's in milliseconds, as far as signed replies have told; 0
    /// until one did.
    #[must_use]
    pub fn clock_offset_ms(&self) -> i64 {
        self.inner.clock.offset_ms()
    }

    /// How long a call may take in all.
    pub(crate) fn timeout(&self) -> Duration {
        self.inner.timeout
    }

    /// Whom it calls.
    #[must_use]
    pub fn server_id(&self) -> &ServerId<'static> {
        &self.inner.server_id
    }

    pub(crate) fn entropy(&self) -> &Entropy {
        &self.inner.entropy
    }

    /// One exchange, and another one if the first said that the clock is off.
    async fn exchange_timely<Args: CanonicalWrite + ?Sized>(
        &self,
        tool: &ToolName<'_>,
        args: &Args,
        options: &CallOptions,
    ) -> Result<Outcome<'static>, ClientError> {
        let outcome = self.exchange(tool, args, options).await?;
        match server_time(&outcome) {
            Some(server_ts_ms) => {
                self.inner.clock.learn(server_ts_ms);
                self.exchange(tool, args, options).await
            }
            None => Ok(outcome),
        }
    }

    async fn exchange<Args: CanonicalWrite + ?Sized>(
        &self,
        tool: &ToolName<'_>,
        args: &Args,
        options: &CallOptions,
    ) -> Result<Outcome<'static>, ClientError> {
        let Inner { transport, verifier, clock, .. } = &*self.inner;
        let (key_id, key) = self.inner.keys.signer(clock.now_ms()).ok_or(Misuse::NoKey)?;
        let (message, sent) = self.sign((key_id, key), tool, args, options)?;
        let raw = transport.post(message).await?;
        verifier.outcome(key, &raw, &sent, clock.now_ms())
    }

    /// A signed message that was never sent before, and what its reply must repeat.
    fn sign<Args: CanonicalWrite + ?Sized>(
        &self,
        (key_id, key): (&KeyId<'_>, &Key),
        tool: &ToolName<'_>,
        args: &Args,
        options: &CallOptions,
    ) -> Result<(Vec<u8>, SentRequest), ClientError> {
        let inner = &*self.inner;
        let tool_digest = inner.pins.judge(tool, options.tool_digest.as_ref())?;
        let (request_id, nonce) = inner.entropy.ids()?;
        let request = Request {
            request_id,
            ts_ms: inner.clock.now_ms(),
            client_id: inner.client_id.borrowed(),
            server_id: inner.server_id.borrowed(),
            key_id: key_id.borrowed(),
            nonce,
            tool: tool.borrowed(),
            args: ByReference(args),
            idempotency_key: options.idempotency_key.clone(),
            tool_digest,
            traceparent: options.traceparent.clone(),
        };
        let mut message = Vec::with_capacity(512);
        let signature = sign_request(key, &request, &mut Scratch::new(), &mut message)
            .map_err(Misuse::Arguments)?;
        let limit = inner.verifier.limits.max_message();
        if message.len() > limit {
            return Err(Misuse::TooLarge { bytes: message.len(), limit }.into());
        }
        let sent = SentRequest::new(&request, signature);
        Ok((message, sent))
    }
}

/// How long to wait before a call is sent again that has an idempotency key and, the server says, still
/// runs: a `timeout` with a pause, where that of a tool has none (wire.md §5).
fn pause_of_running(outcome: &Outcome<'_>, options: &CallOptions) -> Option<Duration> {
    options.idempotency_key.as_ref()?;
    match outcome {
        Outcome::Error(error) if error.code == ErrorCode::Timeout => {
            error.retry_after_ms.map(|ms| Duration::from_millis(ms).max(LEAST_PAUSE))
        }
        _ => None,
    }
}

/// Arguments that stay the caller's.
struct ByReference<'a, T: ?Sized>(&'a T);

impl<T: CanonicalWrite + ?Sized> CanonicalWrite for ByReference<'_, T> {
    fn write_canonical(&self, scratch: &mut Scratch, out: &mut Vec<u8>) -> Result<(), WriteError> {
        self.0.write_canonical(scratch, out)
    }
}

pub(crate) fn decode<T: DeserializeOwned>(output: &CanonicalJson<'_>) -> Result<T, ClientError> {
    output.decode().map_err(ClientError::Decode)
}
