//! Scenarios: the worked example of wire.md §11, tampering, replies to the wrong request, admission.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "tests race threads and ask how long they may run")]

mod admission;
mod fixture;
mod reply;
mod tamper;
mod worked_example;
