//! Secrets that nobody drew at random: too short, a repeated pattern, or a text that stands for one.

/// A secret that is too weak to be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WeakKey {
    /// Fewer than [`HmacKey::MIN_LENGTH`](crate::HmacKey::MIN_LENGTH) bytes.
    #[error("a key needs at least {MIN_LENGTH} bytes, this one has {length}")]
    TooShort {
        /// The bytes it has.
        length: usize,
    },
    /// All bytes are equal, or a short pattern repeats.
    #[error("a key must be random; this one repeats a pattern of {period} bytes")]
    Repeats {
        /// The bytes of the pattern.
        period: usize,
    },
    /// A text with a word in it that stands for a secret to come.
    #[error("a key must be random; this one is a text that says {word:?}")]
    Placeholder {
        /// The word.
        word: &'static str,
    },
}

/// Bytes a secret must have: the output length of the hash (RFC 2104 §3).
pub(crate) const MIN_LENGTH: usize = 32;

/// The longest pattern that is looked for.
const LONGEST_PERIOD: usize = 8;

/// What examples and forms say where a secret is to go, without case and separators.
const PLACEHOLDERS: [&str; 12] = [
    "changeme",
    "changethis",
    "replaceme",
    "replacethis",
    "placeholder",
    "yoursecret",
    "yourkey",
    "mysecret",
    "secretkey",
    "supersecret",
    "password",
    "inserthere",
];

/// Refuses what cannot have been drawn at random. It is no measure of strength: that a secret passes
/// says nothing but that it is none of these.
pub(crate) fn check(secret: &[u8]) -> Result<(), WeakKey> {
    if secret.len() < MIN_LENGTH {
        return Err(WeakKey::TooShort { length: secret.len() });
    }
    if let Some(period) = (1..=LONGEST_PERIOD).find(|period| repeats(secret, *period)) {
        return Err(WeakKey::Repeats { period });
    }
    match PLACEHOLDERS.into_iter().find(|word| says(secret, word)) {
        Some(word) => Err(WeakKey::Placeholder { word }),
        None => Ok(()),
    }
}

fn repeats(secret: &[u8], period: usize) -> bool {
    secret.iter().zip(secret.iter().skip(period)).all(|(a, b)| a == b)
}

/// Whether the secret is a text with this word in it, in any case and with anything between its
/// letters that is no letter. Nothing is copied: a secret stays where it is.
fn says(secret: &[u8], word: &str) -> bool {
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    if !secret.iter().all(is_text) {
        return false;
    }
    let letters = |from: usize| {
        let rest = secret.iter().skip(from).copied();
        rest.filter(u8::is_ascii_alphabetic).map(|byte| byte.to_ascii_lowercase())
    };
    (0..secret.len()).any(|from| letters(from).take(word.len()).eq(word.bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_secrets_are_refused() {
        assert_eq!(check(&[1; 31]), Err(WeakKey::TooShort { length: 31 }));
        assert_eq!(check(&[]), Err(WeakKey::TooShort { length: 0 }));
        assert_eq!(check(&[0; 32]), Err(WeakKey::Repeats { period: 1 }));
        assert_eq!(check(&[0xff; 64]), Err(WeakKey::Repeats { period: 1 }));
        assert_eq!(check(&b"abcd".repeat(8)), Err(WeakKey::Repeats { period: 4 }));
        assert_eq!(
            check(b"12345678123456781234567812345678123"),
            Err(WeakKey::Repeats { period: 8 })
        );
    }

    #[test]
    fn placeholders_are_refused() {
        for (text, word) in [
            ("changeme-changeme-changeme-please", "changeme"),
            ("please CHANGE_ME before production", "changeme"),
            ("<replace this with a real secret>", "replacethis"),
            ("YOUR-SECRET-GOES-HERE-0000000000000", "yoursecret"),
            ("correct horse battery P.a.s.s-w.o.r.d", "password"),
        ] {
            assert_eq!(check(text.as_bytes()), Err(WeakKey::Placeholder { word }), "{text}");
        }
    }

    #[test]
    fn other_secrets_are_taken() {
        let counting: Vec<u8> = (0..32).collect();
        let mut bytes_with_a_word = b"changeme-0123456789-0123456789-0123".to_vec();
        bytes_with_a_word[20] = 0xc3;
        let taken: [&[u8]; 4] = [
            &counting,
            b"0123456789abcdef0123456789abcdef",
            b"Zk3vQ9xW1rT7yB5nM2hL8pD4sF6gJ0aC",
            &bytes_with_a_word,
        ];
        for secret in taken {
            assert_eq!(check(secret), Ok(()));
        }
    }
}
