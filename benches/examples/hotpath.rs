//! Runs one case of the hot path a fixed number of times, for counting its instructions:
//! `valgrind --tool=callgrind hotpath CASE TIMES`; `hotpath --list` names the cases.
//!
//! The difference between two numbers of rounds is the cost of the case alone.

#![expect(clippy::expect_used, clippy::panic, reason = "a bench that cannot go on must stop")]
#![expect(clippy::print_stdout, reason = "it lists its cases")]

use std::hint::black_box;

use waxwing_benches::payload::{self, Payload};
use waxwing_benches::{NOW_MS, key, message, request, ring, server_id};
use waxwing_core::{Limits, Scratch, canonical};
use waxwing_crypto::{sign_request, verify_request};

fn main() {
    let mut args = std::env::args().skip(1);
    let case = args.next().expect("--list, or CASE TIMES");
    if case == "--list" {
        // The large ones do the same more often, and take minutes to count.
        for Payload { name, .. } in payload::all().into_iter().take(2) {
            for kind in ["verify", "sign", "canonicalize"] {
                println!("{kind}/{name}");
            }
        }
        return;
    }
    let rounds = args.next().and_then(|times| times.parse().ok()).expect("TIMES");
    let (kind, name) = case.split_once('/').expect("KIND/PAYLOAD");
    let payload = payload::all().into_iter().find(|p| p.name == name).expect("a payload's name");
    run(kind, &payload, rounds);
}

fn run(kind: &str, payload: &Payload, rounds: u32) {
    let (limits, mut scratch) = (Limits::default(), Scratch::new());
    let message = message(&payload.args);
    match kind {
        "verify" => {
            let (ring, server_id) = (ring(), server_id());
            for _ in 0..rounds {
                verify_request(
                    black_box(&message),
                    &limits,
                    &server_id,
                    &ring,
                    NOW_MS,
                    &mut scratch,
                )
                .expect("it verifies");
            }
        }
        "sign" => {
            let (key, request, mut out) = (key(), request(&payload.args), Vec::new());
            for _ in 0..rounds {
                out.clear();
                sign_request(&key, black_box(&request), &mut scratch, &mut out).expect("it signs");
            }
        }
        "canonicalize" => {
            let message = payload::not_canonical(&message);
            for _ in 0..rounds {
                black_box(canonical::canonicalize(black_box(&message), &limits).expect("JSON"));
            }
        }
        _ => panic!("no such kind"),
    }
}
