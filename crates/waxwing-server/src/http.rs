//! HTTP/1.1 around the calls (wire.md §9): strict heads, bounded bodies, deadlines, status codes.
//!
//! hyper speaks the protocol. What it lets through and we do not is stopped on both sides of it: the
//! heads in front, by [`strict`], the requests behind, by [`front`].

pub(crate) mod admin;
mod body;
pub(crate) mod connection;
pub(crate) mod front;
mod head;
pub(crate) mod hosts;
mod responses;
mod strict;

pub(crate) use responses::overloaded;
