//! Scenarios: the worked example of wire.md §11, tampering, replies to the wrong request, admission.

mod admission;
mod fixture;
mod reply;
mod tamper;
mod worked_example;
