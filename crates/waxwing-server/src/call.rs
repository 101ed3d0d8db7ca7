//! One call from its bytes to the bytes of its answer, in the order of wire.md §5.
//!
//! Steps 1 to 6 are answered by an unsigned refusal, 7 and later by a signed reply. What is
//! dispatched is an [`Admitted`](waxwing_crypto::Admitted) request, which only steps 1 to 8 make.

use waxwing_core::message::{Outcome, Refusal};
use waxwing_core::{CallError, ErrorCode, Nonce, Scratch};
use waxwing_crypto::{Verified, admit, sign_reply, verify_request};

use crate::dispatch::dispatch;
use crate::fault::CallFault;
use crate::service::Service;

/// What goes back: a status (wire.md §8) and a message.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) message: Vec<u8>,
}

/// Answers the message in `bytes`. Dropping the future stops a `sync` call.
pub(crate) async fn answer(service: &Service, bytes: &[u8]) -> Answer {
    let mut scratch = Scratch::new();
    let Service { limits, server_id, ring, .. } = service;
    let verified = match verify_request(bytes, limits, server_id, ring, &mut scratch) {
        Ok(verified) => verified,
        Err(fault) => return refuse(fault.to_call_error()),
    };
    let now_ms = service.environment.now_ms();
    let outcome = match admit(&verified, &service.guard, &service.window, now_ms) {
        Ok(admitted) => dispatch(service, &admitted)
            .await
            .unwrap_or_else(|fault| Outcome::Error(explain(service, &verified, &fault))),
        Err(rejection) => Outcome::Error(rejection.to_call_error()),
    };
    tracing::debug!(
        client_id = %verified.client_id,
        tool = %verified.tool,
        request_id = %verified.request_id,
        status = outcome.status(),
        code = error_code(&outcome).map(ErrorCode::as_str),
        "call answered"
    );
    reply(service, &verified, outcome)
}

/// The refusal that says `error`.
pub(crate) fn refuse(error: CallError) -> Answer {
    let status = error.code.http_status();
    let message = Refusal::new(error).and_then(|refusal| refusal.to_vec().ok());
    Answer { status, message: message.unwrap_or_default() }
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

/// Signs the reply to `request` with the key that verified it.
fn reply(service: &Service, request: &Verified<'_>, mut outcome: Outcome<'_>) -> Answer {
    // Without its details an error still says what happened; with ones too large nobody reads it.
    if let Outcome::Error(CallError { details, .. }) = &mut outcome {
        details.take_if(|details| service.output_bounds().judge(details).is_err());
    }
    let status = outcome.http_status();
    match sign(service, request, outcome) {
        Some(message) => Answer { status, message },
        None => {
            tracing::error!(request_id = %request.request_id, "a reply could not be written");
            let error = CallError::new(
                ErrorCode::Internal,
                "The answer could not be written. The call may have had its effect.",
            );
            let message = sign(service, request, Outcome::Error(error)).unwrap_or_default();
            Answer { status: ErrorCode::Internal.http_status(), message }
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
