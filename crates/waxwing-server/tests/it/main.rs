//! Scenarios over real HTTP: every test starts servers on loopback and talks to them as a peer
//! would, signed or not.

mod codes;
mod crowd;
mod drain;
mod harness;
mod heads;
mod health;
mod http;
mod idempotency;
mod jobs;
mod order;
mod parked;
mod reserved;
mod restart;
mod slow;
mod tools;
mod wire;
