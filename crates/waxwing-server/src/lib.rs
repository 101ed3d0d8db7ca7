//! The HTTP front door of Waxwing: hyper, admission, dispatch, drain (wire.md §5, §6, §9).
//!
//! ```text
//! socket -> http (strict heads, bounded body) -> call (verify, admit) -> dispatch (authorise, run)
//!        <- http                              <- call (sign)          <- outcome
//! ```
//!
//! [`Server::builder`] takes who the server is, the keys it knows, its tools and where its jobs
//! live; everything else has a default. [`BoundServer::run`] serves until told to stop.

mod authorizer;
mod builder;
mod call;
mod dispatch;
mod environment;
mod fault;
mod http;
mod idempotent;
mod outcome;
mod reserved;
mod run;
mod runner;
mod service;
mod settings;
mod start;

pub use authorizer::{Access, AllowAll, Authorizer};
pub use builder::{BindError, Server, ServerBuilder};
pub use environment::{Environment, SystemEnvironment};
pub use run::{BoundServer, Summary};
pub use settings::{HttpLimits, JobPolicy};
