//! A program and its children as one process group: how it is asked to end, made to end, and when
//! nothing of it is left.

mod dead;

use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, kill_process_group, test_kill_process_group, waitpgid,
};
use tokio::process::Child;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, sleep_until};

use crate::programs::{Member, Programs};

/// How long what was killed may take to vanish, before it is left to the system.
const LAST: Duration = Duration::from_secs(1);

/// How often a group is looked at: first, and at the longest.
const LOOK: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));

/// The processes of one call. Dropped before they are gone, it kills them.
pub(crate) struct Group {
    id: Pid,
    leader: Child,
    tool: Arc<str>,
    grace: Duration,
    stage: Stage,
    #[expect(dead_code, reason = "held for as long as the group lives")]
    member: Member,
    #[expect(dead_code, reason = "held for as long as the group lives")]
    place: OwnedSemaphorePermit,
}

/// How far a group is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nobody asked it to end.
    Runs,
    /// It was sent SIGTERM, and has its grace.
    Asked { until: Instant },
    /// It was sent SIGKILL.
    Killed { until: Instant },
    /// Nothing of it is left, or nothing that could be ended.
    Gone,
}

impl Stage {
    /// Returns when it has lasted long enough; never while nobody asked for an end.
    pub(crate) async fn is_over(self) {
        match self {
            Self::Asked { until } | Self::Killed { until } => sleep_until(until).await,
            Self::Runs | Self::Gone => std::future::pending().await,
        }
    }
}

impl Group {
    /// The group that a child leads. `place` is given back when nothing is left of it; between
    /// SIGTERM and SIGKILL it has `grace`.
    pub(crate) fn led_by(
        leader: Child,
        tool: Arc<str>,
        grace: Duration,
        programs: &Programs,
        place: OwnedSemaphorePermit,
    ) -> io::Result<Self> {
        let id = leader.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let id = id.ok_or_else(|| io::Error::other("the program has no process id"))?;
        let member = programs.enter(id);
        Ok(Self { id, leader, tool, grace, stage: Stage::Runs, member, place })
    }

    /// How the program itself ended; children of it may live on. Safe to drop and call again.
    pub(crate) async fn leader_ended(&mut self) -> io::Result<ExitStatus> {
        self.leader.wait().await
    }

    /// Asks everybody to end, unless that was done.
    pub(crate) fn stop(&mut self) {
        if self.stage == Stage::Runs {
            self.signal(Signal::TERM);
            self.stage = Stage::Asked { until: Instant::now() + self.grace };
        }
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    /// Does the next harder thing.
    pub(crate) fn press(&mut self) -> Stage {
        self.stage = match self.stage {
            Stage::Runs | Stage::Asked { .. } => {
                let pid = self.id.as_raw_nonzero();
                tracing::warn!(tool = %self.tool, pid, "a program did not end on SIGTERM and is killed");
                self.signal(Signal::KILL);
                Stage::Killed { until: Instant::now() + LAST }
            }
            // What is left is stuck in the kernel.
            Stage::Killed { .. } | Stage::Gone => Stage::Gone,
        };
        self.stage
    }

    /// Returns when there is no process that lives any more. Safe to drop and call again.
    pub(crate) async fn emptied(&mut self) {
        // Without a status it was waited for elsewhere: it is gone all the same.
        let _ = self.leader.wait().await;
        let (mut look, longest) = LOOK;
        while !self.is_empty() {
            sleep(look).await;
            look = longest.min(look * 2);
        }
        self.stage = Stage::Gone;
    }

    /// Whether there is no process that lives any more. To be asked only when the leader was waited for.
    fn is_empty(&self) -> bool {
        // Orphans become children of this process where it is the first of a container.
        while let Ok(Some(_)) = waitpgid(self.id, WaitOptions::NOHANG) {}
        // The id is not given to others while a process of the group is there, and not within
        // milliseconds after.
        test_kill_process_group(self.id) == Err(Errno::SRCH) || dead::is_dead(self.id)
    }

    fn signal(&self, signal: Signal) {
        // A group that is gone meanwhile needs no signal.
        let _ = kill_process_group(self.id, signal);
    }
}

impl Drop for Group {
    /// The runtime is going down in the middle: no time is left for more than this.
    fn drop(&mut self) {
        if self.stage != Stage::Gone {
            self.signal(Signal::KILL);
        }
    }
}
