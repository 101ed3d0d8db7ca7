//! Every transition from every stage, against the table of jobs.md, and what holds for all of them.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const NOW: u64 = 1_000_000;
const LEASE: Duration = Duration::from_secs(30);
const AFTER: Duration = Duration::from_secs(7);

const STAGES: [Stage; 7] = [
    Stage::Queued { ready_ms: NOW },
    Stage::Running { lease_until_ms: NOW + 1, cancel: Cancel::NotAsked },
    Stage::Running { lease_until_ms: NOW + 1, cancel: Cancel::Asked },
    Stage::Parked,
    Stage::Completed,
    Stage::Failed,
    Stage::Cancelled,
];

fn life(stage: Stage) -> Life {
    Life { stage, epoch: 4, failures: 1, version: 9, ..Life::new(NOW - 5000, AFTER * 1000, 3) }
}

const ENDINGS: [Ending; 6] = [
    Ending::Complete,
    Ending::Fail,
    Ending::Cancelled,
    Ending::Retry { after: AFTER },
    Ending::Park,
    Ending::Release,
];

fn stage_of(life: Option<Life>) -> Option<StageName> {
    life.map(|life| life.stage.name())
}

#[test]
fn each_stage_allows_what_jobs_md_says_and_refuses_the_rest() {
    use StageName::{Cancelled, Completed, Failed, Parked, Queued, Running};
    let asked = Stage::Running { lease_until_ms: NOW + 1, cancel: Cancel::Asked };
    for stage in STAGES {
        let job = life(stage);
        let name = stage.name();
        let claimed = stage_of(job.claim(NOW, LEASE));
        assert_eq!(claimed, (name == Queued).then_some(Running), "{stage:?}");
        let settled = ENDINGS.map(|ending| stage_of(job.settle(4, NOW, ending)));
        let wanted = match stage {
            stage if stage == asked => {
                [Completed, Failed, Cancelled, Cancelled, Cancelled, Cancelled].map(Some)
            }
            Stage::Running { .. } => {
                [Completed, Failed, Cancelled, Queued, Parked, Queued].map(Some)
            }
            _ => [None; 6],
        };
        assert_eq!(settled, wanted, "{stage:?}");
        let answered = stage_of(job.answered(NOW, 0));
        assert_eq!(answered, (name == Parked).then_some(Queued), "{stage:?}");
        let partly = stage_of(job.answered(NOW, 2));
        assert_eq!(partly, (name == Parked).then_some(Parked), "{stage:?}");
        assert_eq!(stage_of(job.requeue(NOW)), (name == Failed).then_some(Queued), "{stage:?}");
        let lapsed = stage_of(job.lapse(NOW + 1));
        let wanted = match stage {
            stage if stage == asked => Some(Cancelled),
            Stage::Running { .. } => Some(Queued),
            _ => None,
        };
        assert_eq!(lapsed, wanted, "{stage:?}");
        assert_eq!(job.lapse(NOW), None, "the lease is not over: {stage:?}");
        let cancelled = match job.cancel(NOW) {
            CancelStep::Settled(life) => format!("settled {:?}", life.stage.name()),
            CancelStep::Requested(life) => format!("requested {:?}", life.stage.name()),
            step => format!("{step:?}"),
        };
        let wanted = match stage {
            Stage::Queued { .. } | Stage::Parked => "settled Cancelled",
            stage if stage == asked => "RequestedBefore",
            Stage::Running { .. } => "requested Running",
            _ => "AlreadyTerminal",
        };
        assert_eq!(cancelled, wanted, "{stage:?}");
    }
}

#[test]
fn a_worker_of_another_epoch_changes_nothing() {
    for stage in STAGES {
        for epoch in [0, 3, 5, u64::MAX] {
            assert_eq!(life(stage).beat(epoch, NOW, LEASE, News::Some), Beaten::Lost);
            for ending in ENDINGS {
                assert_eq!(life(stage).settle(epoch, NOW, ending), None);
            }
        }
    }
}

#[test]
fn only_failed_attempts_are_counted_and_the_last_one_fails_the_job() {
    let mut job = Life::new(NOW, AFTER * 1000, 2);
    for ending in [Ending::Release, Ending::Park, Ending::Release] {
        job = job.claim(NOW, LEASE).unwrap();
        assert_eq!(job.attempt(), 1);
        job = job.settle(job.epoch, NOW, ending).unwrap();
        job = job.answered(NOW, 0).unwrap_or(job);
    }
    for wanted in [Stage::Queued { ready_ms: NOW }, Stage::Failed] {
        job = job.claim(NOW, LEASE).unwrap();
        job = job.settle(job.epoch, NOW, Ending::Retry { after: Duration::ZERO }).unwrap();
        assert_eq!(job.stage, wanted);
    }
    let again = job.requeue(NOW + 500).unwrap();
    assert_eq!((again.failures, again.expires_ms), (0, NOW + 500 + 7_000_000));
}

#[test]
fn a_delayed_job_is_not_claimed_before_its_time() {
    let job = life(STAGES[1]).settle(4, NOW, Ending::Retry { after: AFTER }).unwrap();
    assert_eq!(job.stage, Stage::Queued { ready_ms: NOW + 7000 });
    assert_eq!(job.claim(NOW + 6999, LEASE), None);
    assert!(job.claim(NOW + 7000, LEASE).is_some());
}

#[test]
fn nothing_happens_to_an_expired_job() {
    for stage in STAGES {
        let job = life(stage);
        let end = job.expires_ms;
        assert!(!job.is_expired(end - 1) && job.is_expired(end));
        assert_eq!(job.claim(end, LEASE), None);
        assert_eq!(job.beat(4, end, LEASE, News::None), Beaten::Lost);
        assert_eq!(ENDINGS.map(|ending| job.settle(4, end, ending)), [None; 6]);
        assert_eq!(job.cancel(end), CancelStep::Unknown);
        assert_eq!(job.answered(end, 0), None);
        assert_eq!(job.lapse(end), None);
        assert_eq!(job.requeue(end), None);
    }
}

#[test]
fn names_read_back() {
    for name in StageName::ALL {
        assert_eq!(StageName::parse(name.as_str()), Some(name));
    }
    assert_eq!(StageName::parse("Queued"), None);
}

proptest! {
    #[test]
    fn whatever_happens_versions_and_epochs_only_rise_and_ends_are_final(
        steps in prop::collection::vec((0..11_u8, 0..40_000_u64), 1..60)
    ) {
        let mut now = NOW;
        let mut job = Life::new(now, Duration::from_secs(600), 3);
        for (step, time) in steps {
            now += time;
            let before = job;
            let next = match step {
                0 | 1 => job.claim(now, LEASE),
                2 => match job.beat(job.epoch, now, LEASE, News::Some) {
                    Beaten::Held(next, _) => Some(next),
                    Beaten::Lost => None,
                },
                3 => match job.cancel(now) {
                    CancelStep::Settled(next) | CancelStep::Requested(next) => Some(next),
                    _ => None,
                },
                4 => job.answered(now, 0),
                step => job.settle(job.epoch, now, ENDINGS[usize::from(step - 5)]),
            };
            job = next.unwrap_or(job);
            prop_assert!(!before.stage.is_terminal() || job == before);
            prop_assert!(job.version > before.version || job == before);
            let claimed = !matches!(before.stage, Stage::Running { .. })
                && matches!(job.stage, Stage::Running { .. });
            prop_assert_eq!(job.epoch, before.epoch + u64::from(claimed));
            prop_assert!(job.failures <= job.max_attempts);
        }
    }
}
