//! Window and nonce: what is verified is dispatched at most once, and only in time.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;
use waxwing_core::{ErrorCode, Scratch};
use waxwing_crypto::{
    Admitted, Capacity, MemoryReplayGuard, Rejection, ReplayGuard, Verified, Window,
};

use crate::fixture::{NOW, at_once, request, signed, verify};

/// [`waxwing_crypto::admit`] with a guard that waits for nothing.
fn admit<'v, 'a>(
    verified: &'v Verified<'a>,
    guard: &dyn ReplayGuard,
    window: &Window,
    now_ms: i64,
) -> Result<Admitted<'v, 'a>, Rejection> {
    at_once(waxwing_crypto::admit(verified, guard, window, now_ms))
}

fn guard() -> MemoryReplayGuard {
    MemoryReplayGuard::new(Window::DEFAULT, Capacity::default(), NOW - 1, [3; 32])
}

#[test]
fn a_request_is_admitted_once() {
    let (bytes, _) = signed(&request(1, json!({})));
    let (guard, mut scratch) = (guard(), Scratch::new());
    let verified = verify(&bytes, &mut scratch).unwrap();
    assert!(admit(&verified, &guard, &Window::DEFAULT, NOW).is_ok());
    let again = admit(&verified, &guard, &Window::DEFAULT, NOW).unwrap_err();
    assert_eq!(again, Rejection::Replayed);
    assert_eq!(again.to_call_error().code, ErrorCode::Replayed);
}

#[test]
fn a_request_outside_the_window_is_stale_and_spends_nothing() {
    let (bytes, _) = signed(&request(1, json!({})));
    let (guard, mut scratch) = (guard(), Scratch::new());
    let verified = verify(&bytes, &mut scratch).unwrap();
    for now_ms in [NOW + 120_001, NOW - 30_001] {
        let stale = admit(&verified, &guard, &Window::DEFAULT, now_ms).unwrap_err();
        assert_eq!(stale, Rejection::Stale { server_ts_ms: now_ms });
        let details = stale.to_call_error().details.unwrap();
        assert_eq!(details.as_str(), format!("{{\"server_ts_ms\":{now_ms}}}"));
    }
    assert!(admit(&verified, &guard, &Window::DEFAULT, NOW).is_ok());
}

#[test]
fn what_was_sent_before_a_restart_is_stale() {
    let (bytes, _) = signed(&request(1, json!({})));
    let mut scratch = Scratch::new();
    let verified = verify(&bytes, &mut scratch).unwrap();
    let restarted = MemoryReplayGuard::new(Window::DEFAULT, Capacity::default(), NOW + 5, [4; 32]);
    let stale = admit(&verified, &restarted, &Window::DEFAULT, NOW + 5).unwrap_err();
    assert_eq!(stale, Rejection::Stale { server_ts_ms: NOW + 5 });
}

#[test]
fn of_many_copies_at_once_exactly_one_is_admitted() {
    let guard = guard();
    for nonce in 0..200 {
        let (bytes, _) = signed(&request(nonce, json!({})));
        let admitted = AtomicU32::new(0);
        std::thread::scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| {
                    let mut scratch = Scratch::new();
                    let verified = verify(&bytes, &mut scratch).unwrap();
                    if admit(&verified, &guard, &Window::DEFAULT, NOW).is_ok() {
                        admitted.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(admitted.into_inner(), 1);
    }
}
