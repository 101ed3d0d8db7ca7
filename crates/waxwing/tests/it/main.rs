//! The built program, as its users run it: files, exit codes, what is on stdout and what on stderr,
//! servers in processes of their own that are stopped, killed and started again.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic is a test's failure message")]

mod calls;
mod configuration;
mod crash;
mod demo;
mod exits;
mod jobs;
mod keys;
mod other_languages;
mod serving;
mod support;
