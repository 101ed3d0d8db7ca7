//! `waxwing list`: the tools that this client may call. A person gets a table, a program the whole
//! definitions.

use serde_json::json;
use waxwing_client::ToolListing;

use crate::cli::ListArgs;
use crate::config::client::Profile;
use crate::exit::Failure;
use crate::output;
use crate::table::Table;

/// Digits of a digest that tell two definitions apart.
const DIGEST_DIGITS: usize = 12;

pub(super) async fn run(args: ListArgs) -> Result<(), Failure> {
    let client = Profile::client(&args.profile.profile)?;
    let tools = client.list_tools().await?;
    output::show(args.json, &json!({ "tools": tools }), || table(&tools))
}

fn table(tools: &[ToolListing]) -> Table {
    let mut table = Table::new(&["TOOL", "MODE", "DIGEST", "DESCRIPTION"]);
    for tool in tools {
        let digest: String = tool.digest.as_str().chars().take(DIGEST_DIGITS).collect();
        let first_line = tool.description.lines().next().unwrap_or_default();
        table.row([tool.name.as_str(), &tool.mode, &digest, first_line]);
    }
    table
}
