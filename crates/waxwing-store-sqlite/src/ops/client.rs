//! What a client does to its job, and an operator to anybody's: answer, cancel, requeue, purge.

use rusqlite::params;
use waxwing_core::{ClientId, JobId};
use waxwing_jobs::state::Stage;
use waxwing_jobs::{
    Answered, Answers, CancelRequest, CancelVerdict, Exchange, PurgeVerdict, RequeueVerdict,
    settlement,
};

use super::Tx;
use crate::error::Error;
use crate::row::integer;

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
        let (verdict, next) = settlement::cancel(hot.life, self.now);
        if let Some(life) = next {
            self.advance(&hot, &life)?;
            const SQL: &str = "UPDATE jobs SET cancel_asked = 1, cancel_reason = ?2 WHERE seq = ?1";
            self.execute(SQL, params![hot.seq, request.reason()])?;
        }
        Ok(verdict)
    }

    pub(crate) fn requeue(&self, id: &JobId<'_>) -> Result<RequeueVerdict, Error> {
        let unknown = RequeueVerdict::Unknown;
        let Some(hot) = self.hot(id.as_str())? else { return Ok(unknown) };
        let room = || self.room(&hot.owner);
        let (verdict, next) = settlement::requeue(hot.life, self.now, room)?;
        if let Some(life) = next {
            self.advance(&hot, &life)?;
            const SQL: &str = "UPDATE jobs SET cancel_asked = 0, cancel_reason = NULL,
                expires_ms = ?2, room_until_ms = ?2 WHERE seq = ?1";
            self.execute(SQL, params![hot.seq, integer(life.expires_ms)])?;
        }
        Ok(verdict)
    }

    pub(crate) fn purge(&self, id: &JobId<'_>) -> Result<PurgeVerdict, Error> {
        let Some(hot) = self.hot(id.as_str())? else { return Ok(PurgeVerdict::Unknown) };
        let verdict = settlement::purge(hot.life, self.now);
        if verdict == PurgeVerdict::Done {
            self.delete(&hot)?;
        }
        Ok(verdict)
    }
}
