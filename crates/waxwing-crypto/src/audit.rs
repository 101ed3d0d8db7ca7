//! The audit log: lines of canonical JSON, each of which names the one before it by its hash and
//! carries a MAC. Pure: from events to lines, and from lines to the first that is not as it was written.
//!
//! A line holds digests of arguments and results, never themselves. The digests are keyed, so that
//! whoever has the log alone cannot try out arguments that are easily guessed (docs/security.md).
//!
//! ```
//! use waxwing_crypto::audit::{AuditEvent, AuditKey, Chain, Verifier};
//!
//! let key = AuditKey::new(b"any 32 random bytes, kept apart.")?;
//! let (mut chain, mut log) = (Chain::new(key.clone()), Vec::new());
//! let server_id = "sums.example".parse()?;
//! chain.append(1_790_000_000_000, &AuditEvent::Head { file: 1, server_id }, &mut log)?;
//! chain.append(1_790_000_000_001, &AuditEvent::Stop, &mut log)?;
//!
//! let mut verifier = Verifier::new(Some(key));
//! verifier.begin_file()?;
//! for line in log.split_inclusive(|byte| *byte == b'\n') {
//!     verifier.line(line)?;
//! }
//! assert_eq!(verifier.finish()?.lines, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod chain;
mod event;
mod key;
mod line;
mod verifier;

pub use chain::{Chain, Tip};
pub use event::{AuditEvent, CallEvent, JobEvent, Verdict};
pub use key::{AuditDigest, AuditKey, InvalidDigest};
pub use verifier::{AuditFault, AuditSummary, FaultKind, Leftover, Verifier};
