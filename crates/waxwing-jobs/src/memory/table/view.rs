//! What is only read from the table: one job, which have moved, a list, their number.

use std::time::Duration;

use waxwing_core::{ClientId, JobId};

use super::{Row, Table};
use crate::clock::millis;
use crate::job::{Phase, Snapshot};
use crate::state::Stage;
use crate::store::{Census, Filter, Inspected, Listed, Page, Seen};

impl Table {
    pub(in crate::memory) fn snapshot(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        now: u64,
    ) -> Option<Snapshot> {
        let row = self.row(owner, id, now)?;
        let phase = match row.life.stage {
            Stage::Queued { .. } => Phase::Queued,
            Stage::Running { .. } => Phase::Running,
            Stage::Parked => Phase::Parked { requests: row.exchange.waiting_for()? },
            Stage::Completed => Phase::Completed { output: row.output.clone()? },
            Stage::Failed => Phase::Failed,
            Stage::Cancelled => {
                Phase::Cancelled { request: row.cancel.clone().unwrap_or_default() }
            }
        };
        Some(Snapshot {
            id: id.clone().into_owned(),
            owner: row.owner.clone(),
            kind: row.kind.clone(),
            phase,
            progress: row.progress.clone(),
            attempts: row.attempts.clone(),
            cancel: row.cancel.clone(),
            version: row.life.version,
            created_ms: row.life.created_ms,
            ttl_ms: row.life.expires_ms.saturating_sub(row.life.created_ms),
            read_ms: now,
        })
    }

    pub(in crate::memory) fn moved(&self, seen: &[Seen], now: u64) -> Vec<JobId<'static>> {
        let stands = |seen: &&Seen| {
            self.rows
                .get(&seen.id)
                .is_some_and(|row| row.life.version == seen.version && !row.life.is_expired(now))
        };
        seen.iter().filter(|seen| !stands(seen)).map(|seen| seen.id.clone()).collect()
    }

    pub(in crate::memory) fn list(&self, filter: &Filter, now: u64) -> Page {
        let start = filter.after.map_or(0, |after| after.saturating_add(1));
        let born_by = filter.older_than.map(|age| now.saturating_sub(millis(age)));
        let fits = |row: &Row| {
            !row.life.is_expired(now)
                && (filter.stages.is_empty() || filter.stages.contains(&row.life.stage.name()))
                && filter.kind.as_ref().is_none_or(|kind| *kind == row.kind)
                && filter.owner.as_ref().is_none_or(|owner| *owner == row.owner)
                && born_by.is_none_or(|by| row.life.created_ms <= by)
        };
        let rows = self.created.range(start..).filter_map(|(_, id)| Some((id, self.rows.get(id)?)));
        let mut found = rows.filter(|(_, row)| fits(row));
        let mut page = Page::default();
        let mut last = None;
        for (id, row) in found.by_ref().take(filter.limit) {
            last = Some(row.seq);
            page.jobs.push(listed(id, row, now));
        }
        page.next = last.filter(|_| found.next().is_some());
        page
    }

    pub(in crate::memory) fn inspect(&self, id: &JobId<'_>, now: u64) -> Option<Inspected> {
        let (id, row) = self.rows.get_key_value(&id.clone().into_owned())?;
        let snapshot = self.snapshot(&row.owner, id, now)?;
        let (listed, input) = (listed(id, row, now), Some(row.input.clone()));
        let due_ms = match row.life.stage {
            Stage::Queued { ready_ms } => Some(ready_ms),
            Stage::Running { lease_until_ms, .. } => Some(lease_until_ms),
            Stage::Parked | Stage::Completed | Stage::Failed | Stage::Cancelled => None,
        };
        Some(Inspected { snapshot, listed, due_ms, input })
    }

    pub(in crate::memory) fn census(&self, now: u64) -> Census {
        let mut census = Census { stored: self.rows.len() as u64, ..Census::default() };
        let mut oldest: Option<u64> = None;
        for row in self.rows.values().filter(|row| !row.life.is_expired(now)) {
            match row.life.stage {
                Stage::Queued { ready_ms } => {
                    census.queued += 1;
                    if ready_ms <= now {
                        oldest = Some(oldest.unwrap_or(ready_ms).min(ready_ms));
                    }
                }
                Stage::Running { .. } => census.running += 1,
                Stage::Parked => census.parked += 1,
                Stage::Failed => census.failed += 1,
                Stage::Completed | Stage::Cancelled => {}
            }
        }
        census.oldest_ready = oldest.map(|ready| Duration::from_millis(now.saturating_sub(ready)));
        census
    }
}

fn listed(id: &JobId<'static>, row: &Row, now: u64) -> Listed {
    let stage = row.life.stage.name();
    Listed {
        id: id.clone(),
        owner: row.owner.clone(),
        kind: row.kind.clone(),
        stage,
        attempt: stage.attempt(row.life.failures),
        worker: row.worker.clone(),
        created_ms: row.life.created_ms,
        age: Duration::from_millis(now.saturating_sub(row.life.created_ms)),
    }
}
