//! Helpers for the tests of this workspace.

pub mod es6_numbers;
