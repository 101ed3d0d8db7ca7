//! Helpers for the tests of this workspace.

pub mod data;
pub mod es6_numbers;
pub mod ledger;
#[cfg(unix)]
pub mod postgres;

/// Compiles and runs the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;
