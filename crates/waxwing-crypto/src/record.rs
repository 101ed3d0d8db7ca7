//! One key of one client: which, what for, and when (wire.md §4).

use waxwing_core::KeyId;

use crate::key::Key;

/// What a key may be used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "every use of a key must be decided for every state")]
pub enum KeyState {
    /// It signs and verifies.
    #[default]
    Active,
    /// It verifies what its holder still sends, and nothing new is signed with it.
    Retiring,
    /// It does nothing any more. The record stays, so that its name is not used again.
    Revoked,
}

impl KeyState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Active, Self::Retiring, Self::Revoked];

    /// As key files spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Revoked => "revoked",
        }
    }
}

/// From when and until when a key may be used, by the clock of whoever uses it, in milliseconds since the
/// Unix epoch. It may be used at `not_before` and no longer at `not_after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    not_before: Option<i64>,
    not_after: Option<i64>,
}

/// A time in which nothing lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not_before must be earlier than not_after")]
#[expect(clippy::exhaustive_structs, reason = "there is no more to say")]
pub struct NeverValid;

impl Validity {
    /// Without bounds.
    pub const ALWAYS: Self = Self { not_before: None, not_after: None };

    /// Within these bounds.
    ///
    /// # Errors
    /// [`NeverValid`] when no moment lies between them.
    pub fn new(not_before: Option<i64>, not_after: Option<i64>) -> Result<Self, NeverValid> {
        match (not_before, not_after) {
            (Some(from), Some(until)) if from >= until => Err(NeverValid),
            (None, Some(i64::MIN)) => Err(NeverValid),
            _ => Ok(Self { not_before, not_after }),
        }
    }

    /// The first moment at which it may be used.
    #[must_use]
    pub const fn not_before(&self) -> Option<i64> {
        self.not_before
    }

    /// The first moment at which it may not be used any more.
    #[must_use]
    pub const fn not_after(&self) -> Option<i64> {
        self.not_after
    }

    fn holds(&self, now_ms: i64) -> bool {
        self.not_before.is_none_or(|from| from <= now_ms)
            && self.not_after.is_none_or(|until| now_ms < until)
    }
}

/// A key with its name, state and time.
#[derive(Debug)]
pub struct KeyRecord {
    key_id: KeyId<'static>,
    key: Key,
    state: KeyState,
    validity: Validity,
}

impl KeyRecord {
    /// An active key without bounds in time.
    #[must_use]
    pub const fn new(key_id: KeyId<'static>, key: Key) -> Self {
        Self { key_id, key, state: KeyState::Active, validity: Validity::ALWAYS }
    }

    /// The same key in another state.
    #[must_use]
    pub const fn with_state(mut self, state: KeyState) -> Self {
        self.state = state;
        self
    }

    /// The same key within other bounds.
    #[must_use]
    pub const fn with_validity(mut self, validity: Validity) -> Self {
        self.validity = validity;
        self
    }

    /// Its name.
    #[must_use]
    pub const fn key_id(&self) -> &KeyId<'static> {
        &self.key_id
    }

    /// Its state.
    #[must_use]
    pub const fn state(&self) -> KeyState {
        self.state
    }

    /// Its time.
    #[must_use]
    pub const fn validity(&self) -> Validity {
        self.validity
    }

    pub(crate) const fn key(&self) -> &Key {
        &self.key
    }

    /// Name and key, whatever the state and the time.
    #[must_use]
    pub fn into_parts(self) -> (KeyId<'static>, Key) {
        (self.key_id, self.key)
    }

    /// The key, if what its holder sends may be believed at `now_ms`.
    #[must_use]
    pub fn to_verify(&self, now_ms: i64) -> Option<&Key> {
        let usable = self.state != KeyState::Revoked && self.validity.holds(now_ms);
        usable.then_some(&self.key)
    }

    /// The key, if something new may be signed with it at `now_ms`.
    #[must_use]
    pub fn to_sign(&self, now_ms: i64) -> Option<&Key> {
        let usable = self.state == KeyState::Active && self.validity.holds(now_ms);
        usable.then_some(&self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HmacKey;

    fn record() -> KeyRecord {
        let key = HmacKey::new(b"0123456789abcdef0123456789abcdef").unwrap();
        KeyRecord::new("k1".parse().unwrap(), key.into())
    }

    #[test]
    fn states_say_what_a_key_is_for() {
        let uses = |state| {
            let record = record().with_state(state);
            (record.to_verify(0).is_some(), record.to_sign(0).is_some())
        };
        assert_eq!(KeyState::ALL.map(uses), [(true, true), (true, false), (false, false)]);
        assert_eq!(KeyState::ALL.map(KeyState::as_str), ["active", "retiring", "revoked"]);
    }

    #[test]
    fn a_time_begins_with_its_first_moment_and_ends_before_its_last() {
        let uses = |from, until, now| {
            let validity = Validity::new(from, until).unwrap();
            record().with_validity(validity).to_verify(now).is_some()
        };
        let moments = [9, 10, 19, 20];
        assert_eq!(moments.map(|now| uses(Some(10), Some(20), now)), [false, true, true, false]);
        assert_eq!(moments.map(|now| uses(Some(10), None, now)), [false, true, true, true]);
        assert_eq!(moments.map(|now| uses(None, Some(20), now)), [true, true, true, false]);
        assert!(uses(None, None, i64::MIN) && uses(None, None, i64::MAX));
    }

    #[test]
    fn a_time_without_a_moment_is_none() {
        for (from, until) in [(Some(10), Some(10)), (Some(11), Some(10)), (None, Some(i64::MIN))] {
            assert_eq!(Validity::new(from, until), Err(NeverValid));
        }
        let one = Validity::new(Some(10), Some(11)).unwrap();
        assert_eq!((one.not_before(), one.not_after()), (Some(10), Some(11)));
    }
}
