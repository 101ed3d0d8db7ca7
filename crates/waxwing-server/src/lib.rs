//! The HTTP front door of Waxwing: hyper, admission, dispatch, drain (wire.md §5, §6, §9).
//!
//! ```text
//! socket -> http (strict heads, bounded body) -> call (verify, admit) -> dispatch (authorise, run)
//!        <- http                              <- call (sign)          <- outcome
//! ```
//!
//! [`Server::builder`] takes who the server is, the keys it knows, its tools and where its jobs
//! live; everything else has a default. [`BoundServer::run`] serves until told to stop.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use waxwing_core::ServerId;
//! use waxwing_crypto::{HmacKey, KeyRing};
//! use waxwing_jobs::{Bounds, MemoryStore};
//! use waxwing_server::Server;
//! use waxwing_tools::{Registry, Tool, ToolError};
//!
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! struct Greet {
//!     /// Who is greeted.
//!     name: String,
//! }
//!
//! # async fn serve(secret: &[u8], decoy: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
//! let server_id: ServerId<'static> = "greeter.example".parse()?;
//! let mut ring = KeyRing::new(HmacKey::new(decoy)?.into());
//! ring.insert("agent-7".parse()?, "k1".parse()?, HmacKey::new(secret)?.into());
//! let greet = Tool::sync("greet", "Greets somebody.", |args: Greet| async move {
//!     Ok::<_, ToolError>(format!("Hello, {}!", args.name))
//! });
//! let registry = Registry::builder().tool(greet).build(&server_id)?;
//! let store = Arc::new(MemoryStore::new(Bounds::default()));
//! let server = Server::builder(server_id, ring, registry, store).bind().await?;
//! println!("listening on http://{}", server.local_addr());
//! server.run(std::future::pending()).await;
//! # Ok(())
//! # }
//! ```

mod audit;
mod authorizer;
mod builder;
mod call;
mod dispatch;
mod environment;
mod fault;
mod guard;
mod http;
mod idempotent;
mod key_rings;
mod metrics;
mod outcome;
mod output;
mod reserved;
mod run;
mod runner;
mod service;
mod settings;
mod start;
mod waits;

pub use audit::{AuditOptions, AuditSink, TimedEvent, WhenSlow};
pub use authorizer::{
    Access, AllowAll, AllowRule, AllowRules, ArgsAccess, Authorizer, InvalidPattern, RuleFinding,
    ToolPattern,
};
pub use builder::{BindError, Server, ServerBuilder};
pub use environment::{Environment, SystemEnvironment};
pub use guard::ReplayPolicy;
pub use key_rings::KeyRings;
pub use run::{BoundServer, Summary};
pub use settings::{HttpLimits, JobPolicy};
