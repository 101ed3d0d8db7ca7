//! `waxwing watch`: waits for a job, shows how far it is, prints its output.

use serde_json::Value;

use crate::cli::WatchArgs;
use crate::config::client::Profile;
use crate::exit::Failure;
use crate::output;
use crate::progress::ProgressView;

pub(super) async fn run(args: WatchArgs) -> Result<(), Failure> {
    let client = Profile::client(&args.profile.profile)?;
    let view = ProgressView::new();
    let result: Value = client.wait(&args.job, |progress| view.show(progress)).await?;
    drop(view);
    output::print(&result)
}
