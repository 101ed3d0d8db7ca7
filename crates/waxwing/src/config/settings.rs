//! The numbers of `waxwing.toml`: `[limits]`, `[window]`, `[replay]` and `[jobs]`, within bounds that no
//! part of a server would make sense beyond.

use std::time::Duration;

use serde::Deserialize;
use waxwing_core::Limits;
use waxwing_crypto::{Capacity, Window};
use waxwing_jobs::{Bounds, EngineConfig};
use waxwing_server::{HttpLimits, JobPolicy, ReplayPolicy};

use super::fields::Fields;

const HOUR_MS: u64 = 3_600_000;
const YEAR_MS: u64 = 366 * 24 * HOUR_MS;

/// How a server works; what the file leaves out has its default.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The bounds of messages.
    pub(crate) message: Limits,
    /// The bounds of connections.
    pub(crate) http: HttpLimits,
    /// How many nonces are remembered in memory.
    pub(crate) nonces: Capacity,
    /// How much the store takes.
    pub(crate) bounds: Bounds,
    /// How far a message's time may lie from the server's clock.
    pub(crate) window: Window,
    /// Where nonces are kept.
    pub(crate) replay: ReplayPolicy,
    /// How jobs are kept.
    pub(crate) jobs: JobPolicy,
    /// How jobs are run.
    pub(crate) engine: EngineConfig,
    /// How long a stop lets calls and jobs go on.
    pub(crate) drain: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            message: Limits::DEFAULT,
            http: HttpLimits::DEFAULT,
            nonces: Capacity::default(),
            bounds: Bounds::default(),
            window: Window::DEFAULT,
            replay: ReplayPolicy::Auto,
            jobs: JobPolicy::DEFAULT,
            engine: EngineConfig::default(),
            drain: Duration::from_secs(30),
        }
    }
}

/// Where nonces are kept, as the file spells it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum GuardKind {
    Auto,
    Memory,
    Store,
}

impl Settings {
    /// Reads the tables.
    pub(super) fn read(file: &mut Fields<'_>) -> Self {
        let mut settings = Self::default();
        file.table("limits", |table| settings.read_limits(table));
        file.table("window", |table| {
            set(&mut settings.window.past_ms, table.within("past_ms", 1_000, HOUR_MS));
            set(&mut settings.window.future_ms, table.within("future_ms", 0, HOUR_MS));
        });
        let guard = file.table("replay", |table| table.take("guard")).flatten();
        settings.replay = match guard {
            None | Some(GuardKind::Auto) => ReplayPolicy::Auto,
            Some(GuardKind::Memory) => ReplayPolicy::Memory,
            Some(GuardKind::Store) => ReplayPolicy::Store,
        };
        file.table("jobs", |table| settings.read_jobs(table));
        settings
    }

    fn read_limits(&mut self, table: &mut Fields<'_>) {
        if let Some(bytes) = table.within("max_message", 1 << 10, 1 << 30) {
            self.message = self.message.with_max_message(bytes);
        }
        if let Some(levels) = table.within("max_depth", 4, Limits::DEEPEST as u64) {
            self.message = self.message.with_max_depth(levels);
        }
        set(&mut self.http.connections, table.within("connections", 1, 1 << 20));
        // One bound for people, whichever of the two keeps the nonces.
        if let Some(count) = table.within("nonces", 1, 1 << 30) {
            self.nonces.total = count;
            self.bounds.nonces = count as u64;
        }
        if let Some(count) = table.within("nonces_per_key", 1, 1 << 30) {
            self.nonces.per_key = count;
            self.bounds.nonces_per_key = count as u64;
        }
    }

    fn read_jobs(&mut self, table: &mut Fields<'_>) {
        let Self { engine, jobs, bounds, drain, .. } = self;
        set(&mut engine.concurrency, table.within("concurrency", 1, 1 << 16));
        set(&mut engine.lease, table.millis("lease_ms", 100, HOUR_MS));
        set(&mut engine.sweep_every, table.millis("sweep_ms", 10, HOUR_MS));
        set(&mut jobs.ttl, table.millis("ttl_ms", 1_000, YEAR_MS));
        set(&mut jobs.idempotency_ttl, table.millis("idempotency_ttl_ms", 1_000, YEAR_MS));
        set(&mut jobs.sync_wait, table.millis("sync_wait_ms", 1, HOUR_MS));
        set(&mut jobs.max_attempts, table.within("max_attempts", 1, 1_000_000));
        set(&mut bounds.unfinished, table.within("unfinished", 1, 1 << 30));
        set(&mut bounds.unfinished_per_client, table.within("unfinished_per_client", 1, 1 << 30));
        set(drain, table.millis("drain_ms", 0, HOUR_MS));
    }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::read_text;
    use super::*;

    #[test]
    fn what_is_left_out_has_the_defaults() {
        let (settings, faults) = read_text("[jobs]\n", Settings::read);
        assert_eq!(faults, [""; 0]);
        assert_eq!(format!("{settings:?}"), format!("{:?}", Settings::default()));
    }

    #[test]
    fn what_is_set_is_used() {
        let (it, faults) = read_text(
            "[limits]\nmax_message = 2048\nmax_depth = 8\nconnections = 3\nnonces = 9\nnonces_per_key = 4\n\
             [window]\npast_ms = 5000\nfuture_ms = 0\n[replay]\nguard = \"store\"\n\
             [jobs]\nconcurrency = 2\nlease_ms = 500\nsweep_ms = 50\nttl_ms = 9000\nmax_attempts = 7\n\
             drain_ms = 0\nunfinished = 20\nunfinished_per_client = 10\nidempotency_ttl_ms = 3000\n\
             sync_wait_ms = 40\n",
            Settings::read,
        );
        assert_eq!(faults, [""; 0]);
        assert_eq!((it.message.max_message(), it.message.max_depth()), (2048, 8));
        assert_eq!((it.http.connections, it.nonces), (3, Capacity { total: 9, per_key: 4 }));
        let bounds =
            Bounds { unfinished: 20, unfinished_per_client: 10, nonces: 9, nonces_per_key: 4 };
        assert_eq!(it.bounds, bounds);
        assert_eq!(it.window, Window { past_ms: 5000, future_ms: 0 });
        assert_eq!((it.replay, it.drain), (ReplayPolicy::Store, Duration::ZERO));
        assert_eq!((it.engine.concurrency, it.jobs.max_attempts), (2, 7));
        assert_eq!((it.engine.lease.as_millis(), it.engine.sweep_every.as_millis()), (500, 50));
        assert_eq!((it.jobs.ttl.as_secs(), it.jobs.idempotency_ttl.as_secs()), (9, 3));
        assert_eq!(it.jobs.sync_wait, Duration::from_millis(40));
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once() {
        let (_, faults) = read_text(
            "[limits]\nmax_mesage = 1\nmax_depth = 1000\n[window]\npast = 1\npast_ms = \"x\"\n\
             [replay]\nguard = \"disk\"\n[jobs]\nlease_ms = 5\nunfinished = 0\n",
            Settings::read,
        );
        for (fault, start, part) in [
            (0, "limits.max_depth must be 4 to 128, and is 1000", ""),
            (1, "limits.max_mesage is no key here", "max_message"),
            (2, "window.past_ms must be a whole number, 1000 to 3600000", ""),
            (3, "window.past is no key here", "past_ms"),
            (4, "replay.guard is wrong", "`auto`, `memory`, `store`"),
            (5, "jobs.lease_ms must be 100", ""),
            (6, "jobs.unfinished must be 1 to", "and is 0"),
        ] {
            assert!(faults[fault].starts_with(start), "{faults:#?}");
            assert!(faults[fault].contains(part), "{faults:#?}");
        }
        assert_eq!(faults.len(), 7, "{faults:#?}");
    }
}
