//! `waxwing cancel`: asks for a job to be cancelled, and how it stands then.

use serde_json::Value;

use crate::cli::CancelArgs;
use crate::config::client::Profile;
use crate::exit::Failure;
use crate::output;

pub(super) async fn run(args: CancelArgs) -> Result<(), Failure> {
    let client = Profile::client(&args.profile.profile)?;
    let status = client.cancel::<Value>(&args.job, args.reason.as_deref()).await?;
    output::print_status(&args.job, status)
}
