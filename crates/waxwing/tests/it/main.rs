//! The built program, as its users run it: files, exit codes, what is on stdout and what on stderr,
//! servers in processes of their own that are stopped, killed and started again.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic is a test's failure message")]

mod asking;
mod audit;
mod authorisation;
mod calls;
mod canary;
mod command_tools;
mod command_tools_jobs;
mod configuration;
mod crash;
mod crash_postgres;
mod crash_replicas;
mod demo;
mod exits;
mod jobs;
mod keys;
mod operator;
mod other_languages;
mod pins;
mod promises;
mod pty;
mod replicas;
mod rotation;
mod serving;
mod stores;
mod support;
