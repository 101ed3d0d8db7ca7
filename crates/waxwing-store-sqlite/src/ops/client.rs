//! What a client does to its job, and an operator to anybody's: answer, cancel, requeue, purge.

use rusqlite::params;
use waxwing_core::{ClientId, JobId};
use waxwing_jobs::state::{CancelStep, Stage};
use waxwing_jobs::{
    Answered, Answers, CancelRequest, CancelVerdict, Exchange, PurgeVerdict, RequeueVerdict,
    settlement,
};

use super::Tx;
use crate::error::Error;
use crate::row::{Hot, integer};

impl Tx<'_> {
    pub(crate) fn answer(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        answers: &Answers,
    ) -> Result<Option<Answered>, Error> {
        let Some(hot) = self.owned(owner.as_str(), id.as_str())? else { return Ok(None) };
        let mut exchange = match hot.life.stage {
            Stage::Parked => self.exchange(hot.seq)?,
            _ => Exchange::default(),
        };
        let (answered, next) = settlement::answer(hot.life, &mut exchange, answers, self.now);
        if let Some(life) = next {
            self.keep_exchange(hot.seq, &exchange)?;
            self.advance(&hot, &life)?;
        }
        Ok(Some(answered))
    }

    pub(crate) fn cancel(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        request: &CancelRequest,
    ) -> Result<CancelVerdict, Error> {
        let unknown = CancelVerdict::Unknown;
        let Some(hot) = self.owned(owner.as_str(), id.as_str())? else { return Ok(unknown) };
        let (life, verdict) = match hot.life.cancel(self.now) {
            CancelStep::Settled(life) => (life, CancelVerdict::Settled),
            CancelStep::Requested(life) => (life, CancelVerdict::Requested),
            CancelStep::RequestedBefore => return Ok(CancelVerdict::Requested),
            CancelStep::AlreadyTerminal => return Ok(CancelVerdict::AlreadyTerminal),
            CancelStep::Unknown => return Ok(unknown),
        };
        self.advance(&hot, &life)?;
        const SQL: &str = "UPDATE jobs SET cancel_asked = 1, cancel_reason = ?2 WHERE seq = ?1";
        self.execute(SQL, params![hot.seq, request.reason()])?;
        Ok(verdict)
    }

    /// Any owner's job, unless it is expired.
    fn live(&self, id: &JobId<'_>) -> rusqlite::Result<Option<Hot>> {
        Ok(self.hot(id.as_str())?.filter(|hot| !hot.life.is_expired(self.now)))
    }

    pub(crate) fn requeue(&self, id: &JobId<'_>) -> Result<RequeueVerdict, Error> {
        let Some(hot) = self.live(id)? else { return Ok(RequeueVerdict::Unknown) };
        let Some(life) = hot.life.requeue(self.now) else { return Ok(RequeueVerdict::NotFailed) };
        if let Some(bound) = self.room(&hot.owner)? {
            return Ok(RequeueVerdict::Full(bound));
        }
        self.advance(&hot, &life)?;
        const SQL: &str = "UPDATE jobs SET cancel_asked = 0, cancel_reason = NULL, expires_ms = ?2
            WHERE seq = ?1";
        self.execute(SQL, params![hot.seq, integer(life.expires_ms)])?;
        Ok(RequeueVerdict::Done)
    }

    pub(crate) fn purge(&self, id: &JobId<'_>) -> Result<PurgeVerdict, Error> {
        let Some(hot) = self.live(id)? else { return Ok(PurgeVerdict::Unknown) };
        if !hot.life.stage.is_terminal() {
            return Ok(PurgeVerdict::NotEnded);
        }
        self.delete(&hot)?;
        Ok(PurgeVerdict::Done)
    }
}
