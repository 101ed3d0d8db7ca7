//! Scenarios: the worked example of wire.md §11, tampering, replies to the wrong request, admission.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "tests race threads and ask how long they may run")]

mod admission;
mod audit;
mod fixture;
mod keys;
mod million;
mod races;
mod replay;
mod reply;
mod tamper;
mod weight;
mod worked_example;
mod wycheproof_ed25519;

// Where the guard's source, compiled once more in `replay`, looks for them.
use replay::{sync, window};
