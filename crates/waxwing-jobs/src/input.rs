//! What a job asks of its client and what it is told: keys, requests, answers, and their exchange.

use std::collections::BTreeMap;
use std::fmt;

use waxwing_core::CanonicalJson;

/// The most requests one parking may hold.
const MOST_REQUESTS: usize = 64;

/// A key or a set of requests that breaks its rule; a fault of the tool or the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidInput {
    /// The key's length or a character is outside the rule.
    #[error("an input key must be 1 to 128 of A-Za-z0-9._:-")]
    Key,
    /// A job must ask for something, and for no more than 64 things at a time.
    #[error("a job must ask for 1 to 64 inputs at a time")]
    Count,
    /// The job has asked under this key before: keys are unique for a job's life.
    #[error("the job asked for input {0:?} before; a key may be used once")]
    KeyReused(InputKey),
}

/// Names one request for input, unique for the life of its job: 1 to 128 of `A-Za-z0-9._:-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InputKey(String);

impl InputKey {
    /// Takes `text` when it keeps the rule.
    ///
    /// # Errors
    /// [`InvalidInput::Key`] otherwise.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidInput> {
        let text = text.into();
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"._:-".contains(&b);
        if (1..=128).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text))
        } else {
            Err(InvalidInput::Key)
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InputKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for InputKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// One thing a job asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the wire format closes it (wire.md §3)")]
pub struct InputRequest {
    /// What is asked, for a person or a model.
    pub message: String,
    /// JSON Schema of a fitting answer. Whoever takes answers from a peer checks them against it.
    pub schema: CanonicalJson<'static>,
}

/// The requests a job parks on: at least one, at most 64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputRequests(BTreeMap<InputKey, InputRequest>);

impl InputRequests {
    /// Takes the requests.
    ///
    /// # Errors
    /// [`InvalidInput::Count`] for none or more than 64.
    pub fn new(requests: BTreeMap<InputKey, InputRequest>) -> Result<Self, InvalidInput> {
        if (1..=MOST_REQUESTS).contains(&requests.len()) {
            Ok(Self(requests))
        } else {
            Err(InvalidInput::Count)
        }
    }

    /// The requests, in the order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&InputKey, &InputRequest)> {
        self.0.iter()
    }
}

/// Answers by key: those offered by a client, or all that a job was given in its life.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers(BTreeMap<InputKey, CanonicalJson<'static>>);

impl Answers {
    /// Takes the answers.
    #[must_use]
    pub const fn new(answers: BTreeMap<InputKey, CanonicalJson<'static>>) -> Self {
        Self(answers)
    }

    /// The answer to the request of this key.
    #[must_use]
    pub fn answer(&self, key: &InputKey) -> Option<&CanonicalJson<'static>> {
        self.0.get(key)
    }

    /// The answers, in the order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&InputKey, &CanonicalJson<'static>)> {
        self.0.iter()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What became of offered answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "every offered key is in one list, no third exists")]
pub struct Answered {
    /// Keys whose answer was kept.
    pub taken: Vec<InputKey>,
    /// Keys that were never asked, or were answered before: the first answer stands.
    pub ignored: Vec<InputKey>,
    /// Keys the job still waits for.
    pub outstanding: Vec<InputKey>,
}

/// What a job asked last and every answer it ever got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    requests: BTreeMap<InputKey, InputRequest>,
    answers: Answers,
}

impl Exchange {
    /// Puts a stored exchange together again.
    #[must_use]
    pub fn restore(requests: Option<InputRequests>, answers: Answers) -> Self {
        Self { requests: requests.map(|r| r.0).unwrap_or_default(), answers }
    }

    /// Replaces the last requests, all of them answered by now, with new ones.
    ///
    /// # Errors
    /// [`InvalidInput::KeyReused`] when the job asked under one of these keys before.
    pub fn ask(&mut self, requests: InputRequests) -> Result<(), InvalidInput> {
        if let Some(key) = requests.0.keys().find(|key| self.answers.0.contains_key(*key)) {
            return Err(InvalidInput::KeyReused(key.clone()));
        }
        self.requests = requests.0;
        Ok(())
    }

    /// Takes those of the offered answers that are asked for and not answered yet.
    pub fn take(&mut self, offered: &Answers) -> Answered {
        let mut answered = Answered::default();
        for (key, value) in offered.iter() {
            if self.requests.contains_key(key) && !self.answers.0.contains_key(key) {
                self.answers.0.insert(key.clone(), value.clone());
                answered.taken.push(key.clone());
            } else {
                answered.ignored.push(key.clone());
            }
        }
        answered.outstanding = self.outstanding().map(|(key, _)| key.clone()).collect();
        answered
    }

    /// The requests that have no answer yet.
    pub fn outstanding(&self) -> impl Iterator<Item = (&InputKey, &InputRequest)> {
        self.requests.iter().filter(|(key, _)| !self.answers.0.contains_key(*key))
    }

    /// The outstanding requests as a parked job shows them; `None` when there are none.
    #[must_use]
    pub fn waiting_for(&self) -> Option<InputRequests> {
        let outstanding = self.outstanding().map(|(key, request)| (key.clone(), request.clone()));
        InputRequests::new(outstanding.collect()).ok()
    }

    /// The requests asked last, answered or not; `None` before the first.
    #[must_use]
    pub fn asked(&self) -> Option<InputRequests> {
        InputRequests::new(self.requests.clone()).ok()
    }

    /// Every answer the job ever got.
    #[must_use]
    pub const fn answers(&self) -> &Answers {
        &self.answers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> InputKey {
        InputKey::new(text).unwrap()
    }

    fn requests(keys: &[&str]) -> InputRequests {
        let schema = CanonicalJson::from_serialize(&true).unwrap();
        let request = InputRequest { message: "?".into(), schema };
        InputRequests::new(keys.iter().map(|k| (key(k), request.clone())).collect()).unwrap()
    }

    fn answers(pairs: &[(&str, u32)]) -> Answers {
        let value = |n: &u32| CanonicalJson::from_serialize(n).unwrap();
        Answers::new(pairs.iter().map(|(k, n)| (key(k), value(n))).collect())
    }

    #[test]
    fn keys_keep_their_rule() {
        assert!(InputKey::new("a b").is_err());
        assert!(InputKey::new("a.b:c-D_9").is_ok());
        assert!(InputKey::new("").is_err());
        assert!(InputKey::new("a".repeat(129)).is_err());
    }

    #[test]
    fn no_requests_and_too_many_requests_are_refused() {
        assert_eq!(InputRequests::new(BTreeMap::new()), Err(InvalidInput::Count));
        let many: Vec<String> = (0..65).map(|n| format!("k{n}")).collect();
        let request = requests(&["a"]).0.remove(&key("a")).unwrap();
        let many = many.iter().map(|k| (key(k), request.clone())).collect();
        assert_eq!(InputRequests::new(many), Err(InvalidInput::Count));
    }

    #[test]
    fn partial_answers_are_kept_and_the_first_answer_stands() {
        let mut exchange = Exchange::default();
        exchange.ask(requests(&["a", "b"])).unwrap();
        let first = exchange.take(&answers(&[("a", 1), ("x", 9)]));
        assert_eq!(first.taken, [key("a")]);
        assert_eq!(first.ignored, [key("x")]);
        assert_eq!(first.outstanding, [key("b")]);
        let second = exchange.take(&answers(&[("a", 2), ("b", 3)]));
        assert_eq!(second.taken, [key("b")]);
        assert_eq!(second.ignored, [key("a")]);
        assert!(second.outstanding.is_empty());
        assert_eq!(exchange.answers().answer(&key("a")).unwrap().as_str(), "1");
    }

    #[test]
    fn a_key_is_used_once_in_a_jobs_life() {
        let mut exchange = Exchange::default();
        exchange.ask(requests(&["a"])).unwrap();
        exchange.take(&answers(&[("a", 1)]));
        assert_eq!(exchange.ask(requests(&["a", "b"])), Err(InvalidInput::KeyReused(key("a"))));
        assert!(exchange.ask(requests(&["b"])).is_ok());
        assert_eq!(exchange.answers().iter().len(), 1, "earlier answers stay");
    }
}
