//! `waxwing poll`: how a job stands.

use serde_json::Value;

use crate::cli::PollArgs;
use crate::config::client::Profile;
use crate::exit::Failure;
use crate::output;

pub(super) async fn run(args: PollArgs) -> Result<(), Failure> {
    let client = Profile::client(&args.profile.profile)?;
    let status = client.poll::<Value>(&args.job, args.wait_ms).await?;
    output::print_status(&args.job, status)
}
