//! `list_tools {cursor?}`: a page of the tools that the caller may use, in stable order.

use schemars::JsonSchema;
use serde::Deserialize;
use waxwing_core::CanonicalJson;
use waxwing_core::message::Outcome;
use waxwing_crypto::Admitted;

use crate::fault::CallFault;
use crate::service::Service;

pub(super) const NAME: &str = "list_tools";

#[derive(Deserialize, JsonSchema)]
pub(super) struct Args {
    /// The `next_cursor` of the page before; absent for the first page.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9_-]+$"))]
    cursor: Option<String>,
}

pub(super) fn answer(
    service: &Service,
    call: &Admitted<'_, '_>,
) -> Result<Outcome<'static>, CallFault> {
    let args: Args = service.reserved.list_tools.decode(&call.args)?;
    let page = service
        .registry
        .page(args.cursor.as_deref(), |tool| service.shows(&call.client_id, tool.name.as_str()))
        .map_err(|_| CallFault::Bug("a cursor passed its schema and is none"))?;
    Ok(Outcome::Ok(CanonicalJson::from_serialize(&page)?))
}
