//! The payloads, each from a fixed seed.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

/// A tool's arguments, as a typed value.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Args {
    /// Numbers to add.
    Numbers {
        /// The numbers.
        numbers: Vec<f64>,
    },
    /// A text to read.
    Text {
        /// The text.
        text: String,
    },
}

/// A named payload.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Payload {
    /// The name in the tables.
    pub name: &'static str,
    /// The arguments.
    pub args: Args,
}

/// All payloads of the tables, in their order.
#[must_use]
pub fn all() -> Vec<Payload> {
    vec![
        Payload { name: "300B", args: Args::Numbers { numbers: vec![1.5, 2.0, 0.25] } },
        Payload { name: "4KB-decimals", args: decimals(4 << 10) },
        Payload { name: "64KB-decimals", args: decimals(64 << 10) },
        Payload { name: "64KB-text", args: text(64 << 10) },
        Payload { name: "64KB-floats", args: floats(64 << 10) },
    ]
}

/// Amounts between 0 and 10,000 with two decimals, about `bytes` long.
#[must_use]
pub fn decimals(bytes: usize) -> Args {
    let mut random = Random(1);
    let mut length = 0;
    let numbers = std::iter::from_fn(|| {
        let number = (random.next() % 1_000_000) as f64 / 100.0;
        length += number.to_string().len() + 1;
        (length < bytes).then_some(number)
    });
    Args::Numbers { numbers: numbers.collect() }
}

/// Doubles between 0 and 1 with all their digits, about `bytes` long.
fn floats(bytes: usize) -> Args {
    let mut random = Random(2);
    let mut length = 0;
    let numbers = std::iter::from_fn(|| {
        let number = (random.next() >> 11) as f64 / (1_u64 << 53) as f64;
        length += number.to_string().len() + 1;
        (length < bytes).then_some(number)
    });
    Args::Numbers { numbers: numbers.collect() }
}

/// Prose with line breaks, quotation marks and now and then a letter outside ASCII.
fn text(bytes: usize) -> Args {
    const WORDS: [&str; 24] = [
        "the",
        "agent",
        "reads",
        "a",
        "report",
        "and",
        "calls",
        "tool",
        "that",
        "adds",
        "numbers",
        "together,",
        "then",
        "waits",
        "for",
        "its",
        "answer",
        "before",
        "caf\u{e9}",
        "\"quoted\"",
        "again.\n",
        "every",
        "server",
        "signs",
    ];
    let mut random = Random(3);
    let mut text = String::new();
    while text.len() < bytes {
        text.push_str(WORDS[(random.next() % WORDS.len() as u64) as usize]);
        text.push(' ');
    }
    Args::Text { text }
}

/// The same message spelled otherwise: blanks, line breaks, an escape that is not needed, and the members of
/// each object from the last to the first.
#[must_use]
pub fn not_canonical(message: &[u8]) -> Vec<u8> {
    let value: Value = serde_json::from_slice(message).expect("JSON");
    let text = serde_json::to_string_pretty(&Backwards(&value)).expect("JSON");
    text.replace("/", "\\/").into_bytes()
}

struct Backwards<'v>(&'v Value);

impl Serialize for Backwards<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(members) => serializer
                .collect_map(members.iter().rev().map(|(name, value)| (name, Self(value)))),
            Value::Array(items) => serializer.collect_seq(items.iter().map(Backwards)),
            other => other.serialize(serializer),
        }
    }
}

/// Xorshift64 (Marsaglia, 2003).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        if self.0 < 1000 {
            self.0 = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        }
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
