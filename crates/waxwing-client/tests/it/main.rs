//! The client against a small real server that answers truly, falsely, late, or not at all.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a panic is a test's failure message")]

mod calls;
mod clock;
mod connections;
mod jobs;
mod peer;
mod pins;
mod verification;
