//! `waxwing list`: the tools of a server, each with its schemas and digest.

use serde_json::json;

use crate::cli::ListArgs;
use crate::config::client::Profile;
use crate::exit::Failure;
use crate::output;

pub(super) async fn run(args: ListArgs) -> Result<(), Failure> {
    let client = Profile::client(&args.profile.profile)?;
    let tools = client.list_tools().await?;
    output::print(&json!({ "tools": tools }))
}
