//! What an output may measure: the reply around it has to be readable within the server's own
//! limits (wire.md §1), or nobody would ever see what the tool did.

use waxwing_core::{CanonicalJson, Limits};

/// Bytes that a reply may have beside its output: ids, signature and names at their longest, with
/// room to spare. Where messages are small, half of one.
const ENVELOPE_BYTES: usize = 4 << 10;

/// Containers around the output of a job: the message and its `result`.
const ENVELOPE_DEPTH: usize = 2;

/// How large and how deep an output, or the details of an error, may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutputBounds {
    bytes: usize,
    depth: usize,
}

/// What is wrong with an output that fits its schema. Completes "its output is".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misfit {
    /// It has too many bytes.
    #[error("larger than {limit} bytes")]
    TooLarge {
        /// Bytes that are allowed.
        limit: usize,
    },
    /// It has too many containers in one another.
    #[error("nested deeper than {limit}")]
    TooDeep {
        /// Containers that may be in one another.
        limit: usize,
    },
}

impl OutputBounds {
    /// What is left of a message within these limits.
    pub(crate) fn within(limits: &Limits) -> Self {
        Self {
            bytes: limits.max_message() - ENVELOPE_BYTES.min(limits.max_message() / 2),
            depth: limits.max_depth().saturating_sub(ENVELOPE_DEPTH),
        }
    }

    /// Measures a value.
    pub(crate) fn judge(&self, value: &CanonicalJson<'_>) -> Result<(), Misfit> {
        let text = value.as_str();
        if text.len() > self.bytes {
            return Err(Misfit::TooLarge { limit: self.bytes });
        }
        // Each container takes two bytes, so most outputs are too short to be too deep.
        if text.len() / 2 > self.depth && depth(text) > self.depth {
            return Err(Misfit::TooDeep { limit: self.depth });
        }
        Ok(())
    }
}

/// The most containers that are open at once in canonical JSON.
fn depth(text: &str) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                open += 1;
                deepest = deepest.max(open);
            }
            b'}' | b']' => open = open.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    deepest
}

/// Goes behind the closing quote.
fn skip_string(bytes: &mut std::str::Bytes<'_>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn canonical(value: &Value) -> CanonicalJson<'static> {
        CanonicalJson::from_serialize(value).unwrap()
    }

    #[test]
    fn depth_counts_containers_and_no_text() {
        for (value, deep) in [
            (json!(1), 0),
            (json!("[[{{"), 0),
            (json!(["]\"[", {"{\\": [1]}, []]), 3),
            (json!({"a": {}, "b": {"c": [[]]}}), 4),
        ] {
            assert_eq!(depth(canonical(&value).as_str()), deep, "{value}");
        }
    }

    #[test]
    fn the_bounds_are_the_limits_less_the_envelope() {
        let bounds = OutputBounds::within(&Limits::default().with_max_message(2 << 10));
        let nested = |levels| canonical(&(0..levels).fold(json!(1), |inner, _| json!([inner])));
        assert_eq!(bounds.judge(&nested(62)), Ok(()));
        assert_eq!(bounds.judge(&nested(63)), Err(Misfit::TooDeep { limit: 62 }));
        let long = |bytes: usize| canonical(&json!("x".repeat(bytes - 2)));
        assert_eq!(bounds.judge(&long(1024)), Ok(()));
        assert_eq!(bounds.judge(&long(1025)), Err(Misfit::TooLarge { limit: 1024 }));
    }
}
