//! Which jobs are meant, and the store they are in.

use std::sync::Arc;

use waxwing_jobs::state::StageName;
use waxwing_jobs::{Filter, Listed, Page, Store};

use crate::cli::{FilterArgs, StoreArgs};
use crate::config::server::ConfigFile;
use crate::exit::Failure;
use crate::store;

/// Jobs that are read at a time.
const PAGE: usize = 500;

/// Jobs that a filter found.
pub(super) struct Found {
    pub(super) jobs: Vec<Listed>,
    /// Whether there are more than were asked for.
    pub(super) more: bool,
}

/// The store that the configuration names.
pub(super) async fn open(args: &StoreArgs) -> Result<Arc<dyn Store>, Failure> {
    let config = ConfigFile::server(&args.config)?;
    store::attach(&config.store, config.settings.bounds).await
}

/// The oldest jobs that the filter lets through, in `stages` unless it names others.
pub(super) async fn jobs(
    store: &dyn Store,
    args: &FilterArgs,
    stages: &[StageName],
    limit: Option<usize>,
) -> Result<Found, Failure> {
    let asked: Vec<StageName> = args.state.iter().map(|state| (*state).into()).collect();
    let mut filter = Filter {
        stages: if asked.is_empty() { stages.to_vec() } else { asked },
        kind: args.tool.clone(),
        owner: args.client.clone(),
        older_than: args.older_than.map(|age| age.0),
        ..Filter::default()
    };
    let mut jobs = Vec::new();
    loop {
        filter.limit = limit.map_or(PAGE, |limit| (limit - jobs.len()).min(PAGE));
        let Page { jobs: found, next } = store.list(filter.clone()).await?;
        jobs.extend(found);
        let enough = limit.is_some_and(|limit| jobs.len() >= limit);
        if next.is_none() || enough {
            return Ok(Found { jobs, more: next.is_some() });
        }
        filter.after = next;
    }
}
