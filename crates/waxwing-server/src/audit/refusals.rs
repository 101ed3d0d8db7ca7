//! Counts what is not worth a line each: whoever has no key must not be able to fill a disk.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use waxwing_core::ErrorCode;
use waxwing_crypto::audit::AuditEvent;

/// How many refusals there were since they were last written down, by code.
#[derive(Debug, Default)]
pub(super) struct Refusals([AtomicU64; ErrorCode::ALL.len()]);

impl Refusals {
    pub(super) fn count(&self, code: ErrorCode) {
        for (counted, count) in ErrorCode::ALL.iter().zip(&self.0) {
            if *counted == code {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// The event that says them all, and none are left; nothing when there were none.
    pub(super) fn take(&self) -> Option<AuditEvent> {
        let counts: BTreeMap<String, u64> = ErrorCode::ALL
            .iter()
            .zip(&self.0)
            .map(|(code, count)| (code.as_str().to_owned(), count.swap(0, Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
            .collect();
        (!counts.is_empty()).then_some(AuditEvent::Refusals { counts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_is_told_once() {
        let refusals = Refusals::default();
        assert_eq!(refusals.take(), None);
        for code in [ErrorCode::Malformed, ErrorCode::Internal, ErrorCode::Malformed] {
            refusals.count(code);
        }
        let counts = BTreeMap::from([("malformed".to_owned(), 2), ("internal".to_owned(), 1)]);
        assert_eq!(refusals.take(), Some(AuditEvent::Refusals { counts }));
        assert_eq!(refusals.take(), None);
    }
}
