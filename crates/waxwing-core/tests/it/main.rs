//! What waxwing-core promises: strict JSON, canonical bytes and closed messages, held against published
//! data, against other implementations and against whatever a peer may send.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in tests a panic is the failure message")]

mod allocation;
mod bombs;
mod json_classes;
mod json_test_suite;
mod messages;
mod messages_fields;
mod oracle;
mod properties;
mod properties_messages;
pub mod respell;
mod rfc8785;
mod samples;
mod values;
