//! Real programs, in Python and in shell: what they answer, how they fail, and that nothing of
//! them is left.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic is a test's failure message")]

mod configured;
mod endings;
mod leftovers;
mod talk;
mod workshop;
