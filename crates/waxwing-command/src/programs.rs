//! Which programs run now, so that a server can wait for their end before its own.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, RawPid, Signal, kill_process_group};
use tokio::sync::watch;

/// The programs of a server's command tools. Clones stand for the same ones.
#[derive(Clone, Debug, Default)]
pub struct Programs(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    groups: Mutex<BTreeSet<RawPid>>,
    running: watch::Sender<usize>,
}

impl Programs {
    /// None that run yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many run, those that are being stopped included.
    #[must_use]
    pub fn running(&self) -> usize {
        *self.0.running.borrow()
    }

    /// Returns when none runs. A program whose call has ended is stopped already, so that this
    /// takes a second longer than the longest grace of a tool at most, once no calls come.
    pub async fn ended(&self) {
        // An error is a sender that is gone, and it is held here.
        let _ = self.0.running.subscribe().wait_for(|running| *running == 0).await;
    }

    /// Kills all of them at once, for a server that has no time left.
    pub fn kill(&self) {
        for group in self.groups().iter().copied().filter_map(Pid::from_raw) {
            // One that is gone meanwhile needs no signal.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Counts the group among those that run, until what is returned is dropped.
    pub(crate) fn enter(&self, group: Pid) -> Member {
        self.groups().insert(group.as_raw_nonzero().get());
        self.0.running.send_modify(|running| *running += 1);
        Member { programs: self.clone(), group }
    }

    fn groups(&self) -> MutexGuard<'_, BTreeSet<RawPid>> {
        self.0.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among the programs that run.
#[derive(Debug)]
pub(crate) struct Member {
    programs: Programs,
    group: Pid,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.programs.groups().remove(&self.group.as_raw_nonzero().get());
        self.programs.0.running.send_modify(|running| *running = running.saturating_sub(1));
    }
}
