//! `waxwing answer`: gives a job what it asked for, and how it stands then.

use serde_json::Value;

use super::call::object_text;
use crate::cli::AnswerArgs;
use crate::config::client::Profile;
use crate::exit::Failure;
use crate::{arguments, output};

pub(super) async fn run(args: AnswerArgs) -> Result<(), Failure> {
    let object = args.args.as_deref().map(object_text).transpose()?;
    let answers = arguments::merge(&args.pairs, object.as_deref())
        .map_err(|error| Failure::usage(error.to_string()))?;
    if answers.is_empty() {
        return Err(Failure::usage("give at least one answer, as key=value"));
    }
    let client = Profile::client(&args.profile.profile)?;
    let status = client.answer::<_, Value>(&args.job, &answers).await?;
    output::print_status(&args.job, status)
}
