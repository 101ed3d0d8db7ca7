//! Signed calls and verified replies: the client side of `waxwing/1`.
//!
//! Nothing is ever returned from a reply that has not been verified: its signature, the request it
//! answers, its three ids and its time are checked before anything else in it is looked at (wire.md §5).
//! What goes wrong is a [`ClientError`], by blame.
//!
//! ```no_run
//! use serde::{Deserialize, Serialize};
//! use waxwing_client::{Client, ClientError};
//! use waxwing_crypto::HmacKey;
//!
//! #[derive(Serialize)]
//! struct BatchSum {
//!     numbers: Vec<f64>,
//! }
//!
//! #[derive(Deserialize)]
//! struct Sum {
//!     count: u64,
//!     total: f64,
//! }
//!
//! # async fn example(secret: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
//! let key = HmacKey::new(secret)?.into();
//! let client = Client::builder("http://127.0.0.1:7411", "agent".parse()?, "sums.example".parse()?, "k1".parse()?, key)
//!     .build()?;
//! let sum: Sum = client.call("batch_sum", &BatchSum { numbers: vec![1.5, 2.0] }).await?;
//! assert_eq!((sum.count, sum.total), (2, 3.5));
//!
//! let job = client.start("long_task", &serde_json::json!({"seconds": 2})).await?;
//! let output: serde_json::Value = client.wait(&job.job_id, |progress| println!("{progress:?}")).await?;
//! # Ok(())
//! # }
//! ```

mod builder;
mod catalogue;
mod client;
mod clock;
mod endpoint;
mod entropy;
mod error;
mod job;
mod options;
mod pins;
mod transport;
mod verify;
mod wait;

pub use builder::ClientBuilder;
pub use catalogue::{ServerIdentity, ToolListing};
pub use client::Client;
pub use endpoint::InvalidUrl;
pub use error::{ClientError, Misuse, ReplyFault, TransportError};
pub use job::{JobStatus, StartedJob};
pub use options::{CallOptions, WaitOptions};
pub use pins::Pins;
