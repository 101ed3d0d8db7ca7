//! One call from its bytes to the bytes of its answer, in the order of wire.md §5.
//!
//! Steps 1 to 6 are answered by an unsigned refusal, 7 and later by a signed reply. What is
//! dispatched is an [`Admitted`](waxwing_crypto::Admitted) request, which only steps 1 to 8 make.

use tokio::time::Instant;
use waxwing_core::message::{Outcome, Refusal};
use waxwing_core::{CallError, ErrorCode, Nonce, Scratch};
use waxwing_crypto::{Verified, admit, sign_reply, verify_request};

use crate::audit::CallLine;
use crate::dispatch::dispatch;
use crate::fault::CallFault;
use crate::reserved;
use crate::service::Service;

/// What goes back: a status (wire.md §8) and a message.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status or error code that it tells.
    pub(crate) word: &'static str,
    pub(crate) status: u16,
    pub(crate) message: Vec<u8>,
}

/// Answers the message in `bytes`. Dropping the future stops a `sync` call.
pub(crate) async fn answer(service: &Service, bytes: &[u8]) -> Answer {
    let mut scratch = Scratch::new();
    let Service { limits, server_id, .. } = service;
    let (ring, now_ms) = (service.rings.current(), service.environment.now_ms());
    let verified = match verify_request(bytes, limits, server_id, &ring, now_ms, &mut scratch) {
        Ok(verified) => verified,
        Err(fault) => return refuse_counted(service, fault.to_call_error()),
    };
    let began = Instant::now();
    let at_work = service.metrics.calls.enter();
    let answer = answer_verified(service, &verified, now_ms).await;
    let tool = known(service, verified.tool.as_str());
    service.metrics.calls.answered(tool, answer.word, began.elapsed());
    drop(at_work);
    answer
}

/// The name of a tool that this server has: what others call a tool is theirs to say.
fn known<'a>(service: &Service, tool: &'a str) -> Option<&'a str> {
    let has = service.registry.tool(tool).is_some() || reserved::named(tool).is_some();
    has.then_some(tool)
}

/// Steps 7 and later.
async fn answer_verified(service: &Service, verified: &Verified<'_>, now_ms: i64) -> Answer {
    let mut line = match &service.audit {
        None => None,
        Some(log) => match CallLine::open(log, &*service.environment, verified).await {
            Ok(line) => Some(line),
            Err(busy) => {
                log.count(ErrorCode::Overloaded);
                return reply(service, verified, Outcome::Error(busy.to_call_error()), None);
            }
        },
    };
    // It may have waited for its line.
    let now_ms = line.as_ref().map_or(now_ms, |_| service.environment.now_ms());
    let outcome = match admit(verified, &*service.guard.replay, &service.window, now_ms).await {
        Ok(admitted) => dispatch(service, &admitted)
            .await
            .unwrap_or_else(|fault| Outcome::Error(explain(service, verified, &fault))),
        Err(rejection) => {
            let error = rejection.to_call_error();
            line = line.and_then(|line| line.of_rejection(error.code));
            Outcome::Error(error)
        }
    };
    tracing::debug!(
        client_id = %verified.client_id,
        tool = %verified.tool,
        request_id = %verified.request_id,
        status = outcome.status(),
        code = error_code(&outcome).map(ErrorCode::as_str),
        "call answered"
    );
    let answer = reply(service, verified, outcome, line.as_mut());
    match line {
        None => answer,
        Some(line) => match line.write().await {
            Ok(()) => answer,
            Err(withheld) => {
                reply(service, verified, Outcome::Error(withheld.to_call_error()), None)
            }
        },
    }
}

/// The refusal that says `error`, counted in the metrics and the audit log.
pub(crate) fn refuse_counted(service: &Service, error: CallError) -> Answer {
    service.metrics.calls.refused(error.code.as_str());
    if let Some(log) = &service.audit {
        log.count(error.code);
    }
    refuse(error)
}

/// The refusal that says `error`.
pub(crate) fn refuse(error: CallError) -> Answer {
    let (status, word) = (error.code.http_status(), error.code.as_str());
    let message = Refusal::new(error).and_then(|refusal| refusal.to_vec().ok());
    Answer { word, status, message: message.unwrap_or_default() }
}

/// What the peer is told of a fault; the log is told more, under the same correlation id.
fn explain(service: &Service, request: &Verified<'_>, fault: &CallFault) -> CallError {
    let correlation_id = service.fresh_id();
    let error = fault.to_call_error(&correlation_id);
    if matches!(error.code, ErrorCode::Internal | ErrorCode::InvalidOutput) {
        tracing::error!(
            correlation_id,
            client_id = %request.client_id,
            tool = %request.tool,
            request_id = %request.request_id,
            fault = %fault,
            "a call failed through no fault of its caller"
        );
    } else if fault.has_hidden_source() {
        tracing::warn!(
            client_id = %request.client_id,
            tool = %request.tool,
            request_id = %request.request_id,
            fault = %fault,
            "a tool failed"
        );
    }
    error
}

fn error_code(outcome: &Outcome<'_>) -> Option<ErrorCode> {
    match outcome {
        Outcome::Error(error) => Some(error.code),
        _ => None,
    }
}

/// Signs the reply to `request` with the key that verified it, and notes in `line` what it says.
fn reply(
    service: &Service,
    request: &Verified<'_>,
    mut outcome: Outcome<'_>,
    mut line: Option<&mut CallLine<'_>>,
) -> Answer {
    // Without its details an error still says what happened; with ones too large nobody reads it.
    if let Outcome::Error(CallError { details, .. }) = &mut outcome {
        details.take_if(|details| service.output_bounds().judge(details).is_err());
    }
    if let Some(line) = &mut line {
        line.note(&outcome);
    }
    let status = outcome.http_status();
    let word = error_code(&outcome).map_or(outcome.status(), ErrorCode::as_str);
    match sign(service, request, outcome) {
        Some(message) => Answer { word, status, message },
        None => {
            tracing::error!(request_id = %request.request_id, "a reply could not be written");
            let error = CallError::new(
                ErrorCode::Internal,
                "The answer could not be written. The call may have had its effect.",
            );
            let outcome = Outcome::Error(error);
            if let Some(line) = line {
                line.note(&outcome);
            }
            let message = sign(service, request, outcome).unwrap_or_default();
            let code = ErrorCode::Internal;
            Answer { word: code.as_str(), status: code.http_status(), message }
        }
    }
}

fn sign(service: &Service, request: &Verified<'_>, outcome: Outcome<'_>) -> Option<Vec<u8>> {
    let nonce = Nonce::new(service.fresh_id()).ok()?;
    let now_ms = service.environment.now_ms();
    let mut message = Vec::with_capacity(512);
    sign_reply(request, outcome, now_ms, nonce, &mut Scratch::new(), &mut message).ok()?;
    (message.len() <= service.limits.max_message()).then_some(message)
}

#[cfg(test)]
mod tests;
