//! Room for attempts: how many more may run here, by lane and by kind, and what to ask the store for
//! so that whatever it gives has a place.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use waxwing_core::ToolName;

use super::EngineConfig;
use crate::runner::{Kind, Lane};

pub(super) struct Room {
    /// Attempts of a lane at once.
    lane: usize,
    /// Jobs of a claim.
    batch: usize,
    seats: Mutex<Vec<Seats>>,
}

/// The places of one kind.
struct Seats {
    kind: Kind,
    taken: usize,
    /// Not to be asked for before: other processes do better at it.
    left_until: Option<Instant>,
}

/// What to ask the store for. However the jobs fall on the kinds, there is a place for each.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) kinds: Vec<ToolName<'static>>,
    pub(super) max: usize,
    pub(super) reach: Reach,
}

/// Whether an offer is made to every kind that has a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    All,
    Some,
}

/// Whether a place that is given back may be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missed {
    /// There was none of its like.
    Maybe,
    /// There were others.
    No,
}

impl Room {
    pub(super) fn new(config: &EngineConfig, kinds: Vec<Kind>) -> Self {
        let seats = kinds.into_iter().map(|kind| Seats { kind, taken: 0, left_until: None });
        Self {
            lane: config.concurrency.max(1),
            batch: config.batch.max(1),
            seats: Mutex::new(seats.collect()),
        }
    }

    fn seats(&self) -> MutexGuard<'_, Vec<Seats>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn free(&self, seats: &[Seats], lane: Lane) -> usize {
        let taken = seats.iter().filter(|seats| seats.kind.lane == lane).map(|seats| seats.taken);
        self.lane.saturating_sub(taken.sum())
    }

    /// An offer to the kinds with more than `above` places, or to all when there are none such; `None`
    /// when no kind has a place.
    ///
    /// A claim has one limit for all its kinds, so the kind with the fewest places sets it. Whoever
    /// claims leaves the narrow ones out by turns, so that they do not hold up the wide ones.
    pub(super) fn offer(&self, above: usize) -> Option<Offer> {
        let seats = self.seats();
        let lanes = Lane::ALL.map(|lane| (lane, self.free(&seats, lane).min(self.batch)));
        let now = Instant::now();
        let places = |seats: &Seats| {
            let lane = lanes.iter().find(|(lane, _)| *lane == seats.kind.lane);
            let free = seats.kind.most.saturating_sub(seats.taken);
            match seats.left_until {
                Some(until) if until > now => 0,
                _ => lane.map_or(0, |(_, free_in_lane)| free.min(*free_in_lane)),
            }
        };
        let all: Vec<(&Seats, usize)> = seats
            .iter()
            .map(|seats| (seats, places(seats)))
            .filter(|(_, free)| *free > 0)
            .collect();
        let wide: Vec<_> = all.iter().filter(|(_, free)| *free > above).copied().collect();
        let (named, reach) = match wide.len() {
            0 => (all, Reach::All),
            wide_ones if wide_ones == all.len() => (all, Reach::All),
            _ => (wide, Reach::Some),
        };
        let max = named.iter().map(|(_, free)| *free).min()?;
        let kinds = named.into_iter().map(|(seats, _)| seats.kind.name.clone()).collect();
        Some(Offer { kinds, max, reach })
    }

    fn change(&self, kind: &ToolName<'_>, change: impl FnOnce(&mut Seats)) {
        let mut seats = self.seats();
        let found = seats.iter_mut().find(|seats| seats.kind.name.as_str() == kind.as_str());
        if let Some(seats) = found {
            change(seats);
        }
    }

    /// Takes a place.
    pub(super) fn enter(&self, kind: &ToolName<'_>) {
        self.change(kind, |seats| seats.taken += 1);
    }

    /// Gives a place back.
    pub(super) fn leave(&self, kind: &ToolName<'_>) -> Missed {
        let mut missed = Missed::No;
        let full: Vec<Lane> = {
            let seats = self.seats();
            Lane::ALL.into_iter().filter(|lane| self.free(&seats, *lane) == 0).collect()
        };
        self.change(kind, |seats| {
            if seats.taken >= seats.kind.most || full.contains(&seats.kind.lane) {
                missed = Missed::Maybe;
            }
            seats.taken = seats.taken.saturating_sub(1);
        });
        missed
    }

    /// Leaves jobs of this kind to other processes for so long.
    pub(super) fn leave_to_others(&self, kind: &ToolName<'_>, until: Instant) {
        self.change(kind, |seats| seats.left_until = Some(until));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn kind(name: &'static str) -> Kind {
        Kind::from(ToolName::new(name).unwrap())
    }

    fn room(concurrency: usize, batch: usize, kinds: Vec<Kind>) -> Room {
        Room::new(&EngineConfig { concurrency, batch, ..EngineConfig::default() }, kinds)
    }

    fn offer(room: &Room, above: usize) -> Option<(Vec<String>, usize, Reach)> {
        let Offer { kinds, max, reach } = room.offer(above)?;
        Some((kinds.iter().map(ToString::to_string).collect(), max, reach))
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn an_offer_has_a_place_for_whatever_comes_and_narrow_kinds_are_left_out_by_turns() {
        let narrow = kind("narrow").at_most(1);
        let room = room(10, 8, vec![narrow, kind("job"), kind("call").in_lane(Lane::Calls)]);
        let all = names(&["narrow", "job", "call"]);
        assert_eq!(offer(&room, 0), Some((all.clone(), 1, Reach::All)));
        let wide = names(&["job", "call"]);
        assert_eq!(offer(&room, 1), Some((wide.clone(), 8, Reach::Some)));
        assert_eq!(offer(&room, 8), Some((all, 1, Reach::All)), "a batch has an end");
        let [narrow, job, call] =
            ["narrow", "job", "call"].map(|name| ToolName::new(name).unwrap());
        room.enter(&narrow);
        assert_eq!(offer(&room, 0), Some((wide, 8, Reach::All)));
        (0..9).for_each(|_| room.enter(&job));
        assert_eq!(offer(&room, 0), Some((names(&["call"]), 8, Reach::All)), "a lane of its own");
        (0..9).for_each(|_| room.enter(&call));
        assert_eq!(offer(&room, 0), Some((names(&["call"]), 1, Reach::All)));
        room.enter(&call);
        assert_eq!(offer(&room, 0), None);
        assert_eq!(room.leave(&narrow), Missed::Maybe, "its lane was full");
        assert_eq!(room.leave(&job), Missed::No);
        room.enter(&narrow);
        assert_eq!(room.leave(&narrow), Missed::Maybe, "itself was full");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_to_others_is_left_to_them_for_a_while() {
        let room = room(2, 2, vec![kind("job"), kind("other")]);
        let until = Instant::now() + Duration::from_secs(30);
        room.leave_to_others(&ToolName::new("job").unwrap(), until);
        assert_eq!(offer(&room, 0), Some((names(&["other"]), 2, Reach::All)));
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(offer(&room, 0), Some((names(&["job", "other"]), 2, Reach::All)));
    }
}
