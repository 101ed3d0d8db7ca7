//! Steps 9 to 12 of wire.md §5: may the client, is the tool the one it knows, are the arguments
//! right, and then the work.

use waxwing_core::message::Outcome;
use waxwing_crypto::Admitted;
use waxwing_tools::{CallContext, CallFailure, Prepared, ToolMode};

use crate::authorizer::{Access, ArgsAccess};
use crate::fault::CallFault;
use crate::service::Service;
use crate::{idempotent, reserved, start};

/// Does what an admitted request asks for.
///
/// # Errors
/// [`CallFault`]: nothing was run, or what was run failed.
pub(crate) async fn dispatch(
    service: &Service,
    call: &Admitted<'_, '_>,
) -> Result<Outcome<'static>, CallFault> {
    if let Some(tool) = reserved::named(call.tool.as_str()) {
        return reserved::answer(service, tool, call).await;
    }
    authorise(service, call)?;
    check_digest(service, call)?;
    let prepared = service
        .registry
        .prepare(call.tool.as_str(), &call.args)
        .map_err(|failure| hide(service, call, failure))?;
    authorise_args(service, call, &prepared)?;
    match (prepared.mode(), &call.idempotency_key) {
        (ToolMode::Sync, None) => {
            let context = CallContext::new(call.client_id.clone().into_owned());
            let output = prepared.run(context).await?;
            service.output_bounds().judge(&output).map_err(|misfit| CallFault::Unfit {
                tool: call.tool.as_str().to_owned(),
                misfit,
            })?;
            Ok(Outcome::Ok(output))
        }
        (ToolMode::Sync, Some(key)) => idempotent::call(service, call, key).await,
        (ToolMode::Job, key) => start::accept(service, call, key.as_ref()).await,
    }
}

fn authorise(service: &Service, call: &Admitted<'_, '_>) -> Result<(), CallFault> {
    match service.authorizer.judge(&call.client_id, call.tool.as_str()) {
        Access::Allowed => Ok(()),
        Access::Denied => Err(CallFault::Forbidden { tool: call.tool.clone().into_owned() }),
    }
}

/// The tool takes these arguments; whether this client may send them is another question.
fn authorise_args(
    service: &Service,
    call: &Admitted<'_, '_>,
    prepared: &Prepared,
) -> Result<(), CallFault> {
    let tool = || call.tool.clone().into_owned();
    match service.authorizer.judge_args(&call.client_id, call.tool.as_str(), &call.args) {
        ArgsAccess::Allowed => Ok(()),
        ArgsAccess::Denied => Err(CallFault::Forbidden { tool: tool() }),
        ArgsAccess::Beyond(violations) => {
            let violations = prepared.redact(violations);
            Err(CallFault::ForbiddenArgs { tool: tool(), violations })
        }
    }
}

fn check_digest(service: &Service, call: &Admitted<'_, '_>) -> Result<(), CallFault> {
    match (&call.tool_digest, service.registry.tool(call.tool.as_str())) {
        (Some(pinned), Some(tool)) if pinned.as_str() != tool.digest.as_str() => {
            Err(CallFault::ToolChanged {
                tool: call.tool.clone().into_owned(),
                digest: Some(tool.digest.clone()),
            })
        }
        _ => Ok(()),
    }
}

/// Takes tools out of the hints that the client may not know of.
fn hide(service: &Service, call: &Admitted<'_, '_>, failure: CallFailure) -> CallFault {
    let CallFailure::UnknownTool { name, mut similar } = failure else {
        return CallFault::Tool(failure);
    };
    similar.retain(|name| reserved::named(name).is_some() || service.shows(&call.client_id, name));
    CallFault::Tool(CallFailure::UnknownTool { name, similar })
}
