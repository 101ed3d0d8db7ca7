//! A store whose disk is gone.

use std::time::Duration;

use async_trait::async_trait;
use waxwing_core::{ClientId, JobId};
use waxwing_jobs::{
    Admission, Answered, Answers, Beat, BeatVerdict, CancelRequest, CancelVerdict, Census, Claim,
    Claimed, Durability, Filter, NewJob, NonceRecord, Page, PurgeVerdict, RequeueVerdict, Seen,
    Settle, SettleVerdict, Snapshot, Started, Store, StoreError, StoreInfo, Swept,
};

#[derive(Debug)]
pub(super) struct BrokenStore;

fn gone<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable("the disk /dev/sdb is gone".to_owned()))
}

#[async_trait]
impl Store for BrokenStore {
    fn info(&self) -> StoreInfo {
        StoreInfo { backend: "broken", durability: Durability::Process, detail: String::new() }
    }

    async fn admit(&self, _: Vec<NonceRecord>) -> Result<Vec<Admission>, StoreError> {
        gone()
    }

    async fn start(&self, _: Vec<NewJob>) -> Result<Vec<Started>, StoreError> {
        gone()
    }

    async fn get(&self, _: &ClientId<'_>, _: &JobId<'_>) -> Result<Option<Snapshot>, StoreError> {
        gone()
    }

    async fn answer(
        &self,
        _: &ClientId<'_>,
        _: &JobId<'_>,
        _: Answers,
    ) -> Result<Option<Answered>, StoreError> {
        gone()
    }

    async fn cancel(
        &self,
        _: &ClientId<'_>,
        _: &JobId<'_>,
        _: CancelRequest,
    ) -> Result<CancelVerdict, StoreError> {
        gone()
    }

    async fn claim(&self, _: Claim) -> Result<Vec<Claimed>, StoreError> {
        gone()
    }

    async fn beat(&self, _: Vec<Beat>) -> Result<Vec<BeatVerdict>, StoreError> {
        gone()
    }

    async fn settle(&self, _: Vec<Settle>) -> Result<Vec<SettleVerdict>, StoreError> {
        gone()
    }

    async fn sweep(&self, _: usize) -> Result<Swept, StoreError> {
        gone()
    }

    async fn changed(&self, _: &[Seen], _: Duration) -> Result<Vec<JobId<'static>>, StoreError> {
        gone()
    }

    async fn list(&self, _: Filter) -> Result<Page, StoreError> {
        gone()
    }

    async fn census(&self) -> Result<Census, StoreError> {
        gone()
    }

    async fn requeue(&self, _: Vec<JobId<'static>>) -> Result<Vec<RequeueVerdict>, StoreError> {
        gone()
    }

    async fn purge(&self, _: Vec<JobId<'static>>) -> Result<Vec<PurgeVerdict>, StoreError> {
        gone()
    }
}
