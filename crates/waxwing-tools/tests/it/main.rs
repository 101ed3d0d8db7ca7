//! What the crate promises, from outside.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::use_self,
    reason = "helpers of tests fail by panicking too, and recursive fixtures read better by name"
)]

mod asking;
mod calls;
mod compile_errors;
mod docs;
mod hostile;
mod limits;
mod listing;
mod properties;
mod recursion;
mod refusals;
mod schemas;
mod suite;
mod tools;
