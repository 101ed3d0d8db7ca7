//! Who waits for which job, and how they are woken: at once for what this process does, and by
//! watching the store for what others do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use waxwing_core::JobId;

use super::Shared;
use crate::store::Seen;

/// How long a look at the store may last before the list of who waits is made anew.
const LOOK: Duration = Duration::from_secs(1);

/// A job that somebody waits for.
#[derive(Debug)]
struct Entry {
    places: usize,
    /// The version that was read last; nothing to compare with before the first read.
    version: Option<u64>,
    moves: watch::Sender<u64>,
}

type Entries = HashMap<JobId<'static>, Entry>;

#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    entries: Arc<Mutex<Entries>>,
    /// Told whenever somebody has joined and read.
    joined: Arc<watch::Sender<()>>,
}

fn lock(entries: &Mutex<Entries>) -> MutexGuard<'_, Entries> {
    entries.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Waiting {
    /// Joins those who wait for this job. Every move after this call is told.
    pub(super) fn join(&self, id: &JobId<'_>) -> Place {
        let id = id.clone().into_owned();
        let mut entries = lock(&self.entries);
        let entry = entries.entry(id.clone()).or_insert_with(|| Entry {
            places: 0,
            version: None,
            moves: watch::Sender::new(0),
        });
        entry.places += 1;
        Place { id, moves: entry.moves.subscribe(), waiting: self.clone() }
    }

    /// Tells those who wait for this job that it has moved.
    pub(super) fn bump(&self, id: &JobId<'_>) {
        if let Some(entry) = lock(&self.entries).get(&id.clone().into_owned()) {
            entry.moves.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    fn seen(&self) -> Vec<Seen> {
        let entries = lock(&self.entries);
        let read = entries.iter().filter_map(|(id, entry)| Some((id, entry.version?)));
        read.map(|(id, version)| Seen { id: id.clone(), version }).collect()
    }
}

/// One who waits; leaving is dropping.
#[derive(Debug)]
pub(super) struct Place {
    id: JobId<'static>,
    moves: watch::Receiver<u64>,
    waiting: Waiting,
}

impl Place {
    /// Says which version was read.
    pub(super) fn seen(&self, version: u64) {
        if let Some(entry) = lock(&self.waiting.entries).get_mut(&self.id) {
            entry.version = entry.version.max(Some(version));
        }
        self.waiting.joined.send_replace(());
    }

    /// Returns once the job may have moved since the last call, or since joining.
    pub(super) async fn moved(&mut self) {
        if self.moves.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut entries = lock(&self.waiting.entries);
        if let Some(entry) = entries.get_mut(&self.id) {
            entry.places -= 1;
            if entry.places == 0 {
                entries.remove(&self.id);
            }
        }
    }
}

/// Watches the store for as long as somebody waits.
pub(super) async fn watch(shared: Arc<Shared>) {
    let mut joined = shared.waiting.joined.subscribe();
    loop {
        // Whoever joins is not in the list of a look that is under way, and cuts a long one short. While
        // many join, looks are short, and each has its time.
        let look = if joined.has_changed().unwrap_or(false) { Duration::ZERO } else { LOOK };
        joined.mark_unchanged();
        let seen = shared.waiting.seen();
        if seen.is_empty() {
            // The sender is this task's own, so waiting cannot fail.
            let _ = joined.changed().await;
            continue;
        }
        tokio::select! {
            moved = shared.store.changed(&seen, look) => match moved {
                Ok(moved) => moved.iter().for_each(|id| shared.waiting.bump(id)),
                Err(error) => {
                    tracing::warn!(%error, "changes of other processes are not seen");
                    tokio::time::sleep(LOOK).await;
                }
            },
            _ = joined.changed(), if !look.is_zero() => joined.mark_changed(),
        }
        // At most one look in this time, however many come and go.
        tokio::time::sleep(shared.config.watch_every).await;
    }
}
