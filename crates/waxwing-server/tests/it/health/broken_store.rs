//! A store whose disk is gone.

use std::time::Duration;

use async_trait::async_trait;
use waxwing_core::{ClientId, JobId};
use waxwing_jobs::{
    Admission, Answered, Answers, Beat, BeatVerdict, CancelRequest, CancelVerdict, Census, Claim,
    Claimed, Durability, Filter, NewJob, NonceRecord, Page, PurgeVerdict, RequeueVerdict, Seen,
    Settle, SettleVerdict, Sharing, Snapshot, Started, Store, StoreError, StoreInfo, Swept,
};

#[derive(Debug)]
pub(crate) struct BrokenStore(pub(crate) Durability);

fn gone<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable("the disk /dev/sdb is gone".to_owned()))
}

#[async_trait]
impl Store for BrokenStore {
    fn info(&self) -> StoreInfo {
        StoreInfo { backend: "broken", durability: self.0, detail: String::new() }
    }

    async fn admit(&self, _: Vec<NonceRecord>) -> Result<Vec<Admission>, StoreError> {
        gone()
    }

    fn sharing(&self) -> Sharing {
        Sharing::Alone
    }

    /// It can still be read.
    async fn raise_mark(&self, _: &str, at_least: i64) -> Result<Option<i64>, StoreError> {
        if at_least == i64::MIN { Ok(Some(0)) } else { gone() }
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
