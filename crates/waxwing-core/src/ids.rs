//! The identifiers of a message: each one a string held to its alphabet and length (wire.md §2).
//!
//! A value of one of these types is proof that the rule holds, so nothing behind the reader checks
//! it again. Each borrows from the message it was read from, or owns its text (`'static`).

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::alphabet::Alphabet;

/// A string that breaks the rule of an identifier.
///
/// The text names the rule and never repeats the string, which may be long or secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} must be {rule}")]
#[non_exhaustive]
pub struct InvalidId {
    /// The member's name on the wire, such as `client_id`.
    pub name: &'static str,
    /// The rule in words, such as `1 to 64 of A-Za-z0-9_-`.
    pub rule: &'static str,
}

/// An identifier that the message reader can make of characters it has seen to be in its alphabet.
pub(crate) trait Identifier<'a>: Sized {
    /// The alphabet.
    const ALPHABET: Alphabet;
    /// The rule in words.
    const RULE: &'static str;

    /// Takes `text` when its length keeps the rule; its characters are known to.
    fn of_alphabet(text: &'a str) -> Option<Self>;
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $wire:literal, $min:literal..=$max:literal, $alphabet:expr, $rule:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name<'a>(Cow<'a, str>);

        impl<'a> $name<'a> {
            /// Takes `text` when it keeps the rule.
            ///
            /// # Errors
            /// [`InvalidId`] when the length or a character is outside the rule.
            pub fn new(text: impl Into<Cow<'a, str>>) -> Result<Self, InvalidId> {
                let text = text.into();
                if ($min..=$max).contains(&text.len()) && $alphabet.holds(&text) {
                    Ok(Self(text))
                } else {
                    Err(InvalidId { name: $wire, rule: $rule })
                }
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The same identifier with a text of its own.
            #[must_use]
            pub fn into_owned(self) -> $name<'static> {
                $name(Cow::Owned(self.0.into_owned()))
            }

            /// The same identifier, borrowing this one's text.
            #[must_use]
            pub fn borrowed(&self) -> $name<'_> {
                $name(Cow::Borrowed(&self.0))
            }
        }

        impl<'a> Identifier<'a> for $name<'a> {
            const ALPHABET: Alphabet = $alphabet;
            const RULE: &'static str = $rule;

            #[inline]
            fn of_alphabet(text: &'a str) -> Option<Self> {
                ($min..=$max).contains(&text.len()).then_some(Self(Cow::Borrowed(text)))
            }
        }

        impl fmt::Display for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl Borrow<str> for $name<'_> {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name<'_> {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name<'static> {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text.to_owned())
            }
        }

        impl Serialize for $name<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name<'static> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(deserializer)?).map_err(D::Error::custom)
            }
        }
    };
}

identifier!(
    /// Who sends a request, `client_id`.
    ClientId, "client_id", 1..=128, Alphabet::Party, "1 to 128 of A-Za-z0-9._:/@-"
);
identifier!(
    /// Whom a request is for, `server_id`: the audience.
    ServerId, "server_id", 1..=128, Alphabet::Party, "1 to 128 of A-Za-z0-9._:/@-"
);
identifier!(
    /// Which of a client's keys signs, `key_id`.
    KeyId, "key_id", 1..=128, Alphabet::Party, "1 to 128 of A-Za-z0-9._:/@-"
);
identifier!(
    /// One request, `request_id`; a fresh UUID by default.
    RequestId, "request_id", 1..=128, Alphabet::Token, "1 to 128 of A-Za-z0-9._:-"
);
identifier!(
    /// One message, `nonce`: at least 96 random bits, never used twice.
    Nonce, "nonce", 16..=64, Alphabet::Name, "16 to 64 of A-Za-z0-9_-"
);
identifier!(
    /// A tool's name, `tool`.
    ToolName, "tool", 1..=64, Alphabet::Name, "1 to 64 of A-Za-z0-9_-"
);
identifier!(
    /// What makes retries of one call one call, `idempotency_key`.
    IdempotencyKey, "idempotency_key", 1..=128, Alphabet::Token, "1 to 128 of A-Za-z0-9._:-"
);
identifier!(
    /// A job, `job_id`: unguessable, made by the server.
    JobId, "job_id", 1..=128, Alphabet::Token, "1 to 128 of A-Za-z0-9._:-"
);
identifier!(
    /// SHA-256 of a tool's definition, `tool_digest` (wire.md §7).
    ToolDigest, "tool_digest", 64..=64, Alphabet::Hex, "64 lower-case hex digits"
);
identifier!(
    /// W3C trace context, `traceparent`: carried, not interpreted.
    TraceParent, "traceparent", 55..=128, Alphabet::Trace, "a W3C traceparent: 55 to 128 of 0-9a-f-"
);

/// A signature as it stands on the wire: lower-case hex, 64 digits (HMAC-SHA256) or 128 (Ed25519).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Signature<'a>(Cow<'a, str>);

impl<'a> Signature<'a> {
    /// Takes `text` when it has the form of a signature; whether it verifies is another question.
    ///
    /// # Errors
    /// [`InvalidId`] when the length or a character is outside the rule.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Result<Self, InvalidId> {
        let text = text.into();
        if Self::has_length(&text) && Alphabet::Hex.holds(&text) {
            Ok(Self(text))
        } else {
            Err(InvalidId { name: "signature", rule: Self::RULE })
        }
    }

    const fn has_length(text: &str) -> bool {
        matches!(text.len(), 64 | 128)
    }

    /// The hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same signature with a text of its own.
    #[must_use]
    pub fn into_owned(self) -> Signature<'static> {
        Signature(Cow::Owned(self.0.into_owned()))
    }

    /// The same signature, borrowing this one's text.
    #[must_use]
    pub fn borrowed(&self) -> Signature<'_> {
        Signature(Cow::Borrowed(&self.0))
    }
}

impl<'a> Identifier<'a> for Signature<'a> {
    const ALPHABET: Alphabet = Alphabet::Hex;
    const RULE: &'static str = "64 or 128 lower-case hex digits";

    #[inline]
    fn of_alphabet(text: &'a str) -> Option<Self> {
        Self::has_length(text).then_some(Self(Cow::Borrowed(text)))
    }
}

impl fmt::Debug for Signature<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alphabets_are_those_of_the_wire() {
        let accepts = |ok: fn(String) -> bool| {
            (0..=255_u8)
                .filter(|b| b.is_ascii())
                .map(char::from)
                .filter(|c| ok(c.to_string()))
                .collect::<String>()
        };
        let alnum = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let sorted = |extra: &str| {
            let mut all: Vec<char> = format!("{alnum}{extra}").chars().collect();
            all.sort_unstable();
            all.into_iter().collect::<String>()
        };
        assert_eq!(accepts(|s| ToolName::new(s).is_ok()), sorted("_-"));
        assert_eq!(accepts(|s| RequestId::new(s).is_ok()), sorted("_.:-"));
        assert_eq!(accepts(|s| ClientId::new(s).is_ok()), sorted("_.:/@-"));
        assert_eq!(accepts(|s| Nonce::new(s.repeat(16)).is_ok()), sorted("_-"));
        assert_eq!(accepts(|s| ToolDigest::new(s.repeat(64)).is_ok()), "0123456789abcdef");
    }

    #[test]
    fn lengths_are_those_of_the_wire() {
        let lengths = |ok: fn(String) -> bool| -> Vec<usize> {
            let fits: Vec<usize> = (0..200).filter(|n| ok("a".repeat(*n))).collect();
            vec![fits[0], fits[fits.len() - 1], fits.len()]
        };
        assert_eq!(lengths(|s| ClientId::new(s).is_ok()), [1, 128, 128]);
        assert_eq!(lengths(|s| Nonce::new(s).is_ok()), [16, 64, 49]);
        assert_eq!(lengths(|s| ToolName::new(s).is_ok()), [1, 64, 64]);
        assert_eq!(lengths(|s| Signature::new(s).is_ok()), [64, 128, 2]);
    }

    #[test]
    fn nothing_outside_ascii_is_an_identifier() {
        assert!(ClientId::new("caf\u{e9}").is_err());
        assert!(TraceParent::new("\u{20ac}".repeat(20)).is_err());
    }

    #[test]
    fn the_error_never_repeats_the_text() {
        let error = ToolName::new("do it; rm -rf").unwrap_err();
        assert_eq!(error.to_string(), "tool must be 1 to 64 of A-Za-z0-9_-");
    }
}
