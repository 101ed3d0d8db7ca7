//! What a job tool asks of its caller, and how a run of it ends: with an output, or with questions.

use std::collections::BTreeMap;

use waxwing_core::CanonicalJson;

/// Things that a job may ask for at a time.
const MOST: usize = 64;

/// How a run of a job tool ends well.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a run is done or waits, there is no third")]
pub enum JobEnd {
    /// The output, which keeps the tool's schema.
    Done(CanonicalJson<'static>),
    /// The tool needs answers, and is to be run again from its start once all are there.
    Asks(Questions),
}

/// One thing that a tool asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the wire format closes it (wire.md §3)")]
pub struct Question {
    /// What is asked, for a person or a model.
    pub message: String,
    /// JSON Schema of a fitting answer.
    pub schema: CanonicalJson<'static>,
}

/// Why a question cannot be put; a fault of the tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unaskable {
    Key,
    Count,
    Differs,
}

/// Questions by key: 1 to 64 of them. Keys are 1 to 128 of `A-Za-z0-9._:-`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Questions(BTreeMap<String, Question>);

impl Questions {
    /// The questions, in the order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Question)> {
        self.0.iter().map(|(key, question)| (key.as_str(), question))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts one more. The same question again is the same question.
    pub(crate) fn put(&mut self, key: &str, question: Question) -> Result<(), Unaskable> {
        check(key)?;
        match self.0.get(key) {
            Some(earlier) if *earlier == question => Ok(()),
            Some(_) => Err(Unaskable::Differs),
            None if self.0.len() == MOST => Err(Unaskable::Count),
            None => {
                self.0.insert(key.to_owned(), question);
                Ok(())
            }
        }
    }
}

fn check(key: &str) -> Result<(), Unaskable> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    if (1..=128).contains(&key.len()) && key.bytes().all(fits) {
        Ok(())
    } else {
        Err(Unaskable::Key)
    }
}

impl Unaskable {
    /// Completes "the tool cannot ask for KEY:".
    pub(crate) const fn why(self) -> &'static str {
        match self {
            Self::Key => "a key is 1 to 128 of A-Za-z0-9._:-",
            Self::Count => "it asks for 64 things already",
            Self::Differs => "it asks under this key for something else as well",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(message: &str) -> Question {
        let schema = CanonicalJson::from_serialize(&true).unwrap();
        Question { message: message.to_owned(), schema }
    }

    #[test]
    fn questions_have_good_keys_and_one_meaning_and_are_few() {
        let mut questions = Questions::default();
        assert_eq!(questions.put("a b", question("?")), Err(Unaskable::Key));
        assert_eq!(questions.put("", question("?")), Err(Unaskable::Key));
        assert_eq!(questions.put(&"k".repeat(129), question("?")), Err(Unaskable::Key));
        assert!(questions.is_empty());
        for n in 0..64 {
            questions.put(&format!("k.{n}"), question("?")).unwrap();
        }
        questions.put("k.0", question("?")).unwrap();
        assert_eq!(questions.put("k.0", question("!")), Err(Unaskable::Differs));
        assert_eq!(questions.put("one-more", question("?")), Err(Unaskable::Count));
        assert_eq!(questions.iter().len(), 64);
    }
}
