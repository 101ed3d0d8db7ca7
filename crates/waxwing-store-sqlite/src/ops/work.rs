//! What workers do: claim, beat, settle.

use std::time::Duration;

use rusqlite::{Row, params};
use waxwing_core::{JobId, ToolName};
use waxwing_jobs::state::{Beaten, News, Stage};
use waxwing_jobs::{
    Answers, Beat, BeatVerdict, Claim, Claimed, FOR_EVER, Settle, SettleVerdict, Ticket, millis,
    record, settlement,
};

use super::Tx;
use crate::error::Error;
use crate::row::{HOT, HOT_COLUMNS, Hot, integer, missing, natural};

/// The most delayed jobs that one claim lets into the queue.
const MOST_PROMOTED: i64 = 1000;

/// A job that may be claimed, as it stands in its rows.
struct Candidate {
    hot: Hot,
    rank: u64,
    id: String,
    kind: String,
    input: Option<String>,
    answers: Option<String>,
    checkpoint: Option<String>,
}

impl Candidate {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let column = |n| HOT_COLUMNS + n;
        Ok(Self {
            hot: Hot::read(row)?,
            rank: natural(row, column(0))?,
            id: row.get(column(1))?,
            kind: row.get(column(2))?,
            input: row.get(column(3))?,
            answers: row.get(column(4))?,
            checkpoint: row.get(column(5))?,
        })
    }
}

impl Tx<'_> {
    pub(crate) fn claim(&self, claim: &Claim) -> Result<Vec<Claimed>, Error> {
        self.promote()?;
        let sql = format!(
            "SELECT {HOT}, rank, id, kind, input, answers, checkpoint
             FROM jobs LEFT JOIN inputs ON inputs.job = seq
             LEFT JOIN exchanges ON exchanges.job = seq
             LEFT JOIN checkpoints ON checkpoints.job = seq
             WHERE seq = ?1"
        );
        let first = self.first_in_queue(claim)?;
        let mut claimed = Vec::with_capacity(first.len());
        let mut turn = 0;
        for (_, seq) in first {
            let found = self.one(&sql, [seq], |row| Ok(Candidate::read(row)))?;
            let Some(candidate) = found else { continue };
            let job = candidate.map_err(Error::from).and_then(|candidate| {
                turn = turn.max(candidate.rank);
                self.claim_one(claim, candidate)
            });
            claimed.extend(self.or_condemn(seq, job)?.flatten());
        }
        if !claimed.is_empty() {
            self.note_lease(claim.lease)?;
        }
        if turn > 0 {
            self.take_turn(turn)?;
        }
        Ok(claimed)
    }

    /// Gives delayed jobs that are ready by now a place in the queue.
    fn promote(&self) -> Result<(), Error> {
        const DUE: &str = "SELECT seq, owner FROM jobs
            WHERE stage = 'queued' AND rank IS NULL AND ready_ms <= ?1
            ORDER BY ready_ms LIMIT ?2";
        let due = self.all(DUE, params![integer(self.now), MOST_PROMOTED], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })?;
        for (seq, owner) in due {
            let rank = self.place(&owner)?;
            const SQL: &str = "UPDATE jobs SET rank = ?2 WHERE seq = ?1";
            self.execute(SQL, params![seq, integer(rank)])?;
        }
        Ok(())
    }

    fn claim_one(&self, claim: &Claim, found: Candidate) -> Result<Option<Claimed>, Error> {
        let Some(life) = found.hot.life.claim(self.now, claim.lease) else { return Ok(None) };
        let json = |text: String, what| record::json_from_text(&text, what);
        let answers = found.answers.map(|text| record::answers_from_text(&text)).transpose()?;
        let input = found.input.ok_or_else(|| missing("the input"))?;
        let job = Claimed {
            ticket: Ticket { id: JobId::new(found.id)?, epoch: life.epoch },
            owner: found.hot.owner()?,
            kind: ToolName::new(found.kind)?,
            input: json(input, "the input")?,
            attempt: life.attempt(),
            max_attempts: life.max_attempts,
            answers: answers.unwrap_or_else(Answers::default),
            checkpoint: found.checkpoint.map(|text| json(text, "the checkpoint")).transpose()?,
            expires_in: Duration::from_millis(life.expires_ms.saturating_sub(self.now)),
            waited: found.hot.life.waited(self.now),
        };
        self.advance_by(Some(&claim.worker), &found.hot, &life)?;
        Ok(Some(job))
    }

    /// Remembers the longest lease that was given.
    fn note_lease(&self, lease: Duration) -> rusqlite::Result<()> {
        const SQL: &str = "UPDATE totals SET longest_lease_ms = ?1 WHERE longest_lease_ms < ?1";
        self.execute(SQL, [integer(millis(lease.min(FOR_EVER)))]).map(drop)
    }

    pub(crate) fn beats(&self, beats: &[Beat]) -> Result<Vec<BeatVerdict>, Error> {
        if let Some(lease) = beats.iter().map(|beat| beat.lease).max() {
            self.note_lease(lease)?;
        }
        let one = |beat: &Beat| match self.beat(beat) {
            Err(error) if error.damage().is_some() => {
                if let Some(seq) = self.seq(beat.ticket.id.as_str())? {
                    self.or_condemn(seq, Err::<(), _>(error))?;
                }
                Ok(BeatVerdict::Lost)
            }
            verdict => verdict,
        };
        beats.iter().map(one).collect()
    }

    pub(crate) fn beat(&self, beat: &Beat) -> Result<BeatVerdict, Error> {
        let Some(hot) = self.hot(beat.ticket.id.as_str())? else { return Ok(BeatVerdict::Lost) };
        let news = if beat.progress.is_some() { News::Some } else { News::None };
        let step = hot.life.beat(beat.ticket.epoch, self.now, beat.lease, news);
        let Beaten::Held(life, cancel) = step else { return Ok(BeatVerdict::Lost) };
        let Stage::Running { lease_until_ms, .. } = life.stage else {
            return Ok(BeatVerdict::Lost);
        };
        const KEEP: &str = "UPDATE jobs SET lease_until_ms = ?2 WHERE seq = ?1";
        self.execute(KEEP, params![hot.seq, integer(lease_until_ms)])?;
        if let Some(progress) = &beat.progress {
            const SQL: &str = "UPDATE jobs SET version = ?2, progress_done = ?3,
                progress_total = ?4, progress_message = ?5 WHERE seq = ?1";
            let (done, total) = (progress.done(), progress.total());
            let row = params![hot.seq, integer(life.version), done, total, progress.message()];
            self.execute(SQL, row)?;
        }
        if let Some(checkpoint) = &beat.checkpoint {
            self.keep_checkpoint(hot.seq, checkpoint.as_str())?;
        }
        Ok(BeatVerdict::Held(cancel))
    }

    pub(crate) fn settle(&self, settle: &Settle) -> Result<SettleVerdict, Error> {
        let Ticket { id, epoch } = &settle.ticket;
        let Some(hot) = self.hot(id.as_str())? else { return Ok(SettleVerdict::Stale) };
        let exchange = || self.exchange(hot.seq);
        let made =
            settlement::settle(hot.life, *epoch, self.now, settle.outcome.clone(), exchange)?;
        let Some(made) = made else { return Ok(SettleVerdict::Stale) };
        self.apply(&hot, &made)?;
        Ok(SettleVerdict::Done)
    }
}
