//! Messages made from a valid one by a few edits: a fuzzer that guesses bytes alone hardly ever gets
//! past the signature.

use serde::de::IgnoredAny;

use crate::respell::respell;

/// A member: its name with its value, both as JSON texts.
type Member = (&'static str, &'static str);

const HEX: &str = "\"39a69c7ca9a17db3c189b4c51919348bb6f11df46a905a3f09c3e9b9e0748bec\"";

/// The members of a request, in canonical order.
pub const REQUEST: &[Member] = &[
    ("args", "{\"note\":\"caf\u{e9}\\n\",\"numbers\":[1.5,2,0,1e+21,0.1]}"),
    ("client_id", "\"agent-7\""),
    ("idempotency_key", "\"order:1\""),
    ("key_id", "\"k1\""),
    ("nonce", "\"0d7a1c5575c14a578f398a1a\""),
    ("request_id", "\"3f0c2a7e-1c77-4e0e-9c3e-1d2f3a4b5c6d\""),
    ("server_id", "\"sums.example\""),
    ("signature", HEX),
    ("tool", "\"batch_sum\""),
    ("tool_digest", HEX),
    ("traceparent", "\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\""),
    ("ts_ms", "1790000000000"),
    ("typ", "\"request\""),
    ("v", "\"waxwing/1\""),
];

/// The members of a reply; `result` and `status` of [`OUTCOMES`] are put among them.
pub const REPLY: &[Member] = &[
    ("client_id", "\"agent-7\""),
    ("in_reply_to", HEX),
    ("key_id", "\"k1\""),
    ("nonce", "\"c1b7f0aa90e24bd2a5b7c1f3\""),
    ("request_id", "\"3f0c2a7e\""),
    ("server_id", "\"sums.example\""),
    ("signature", HEX),
    ("ts_ms", "1790000000042"),
    ("typ", "\"reply\""),
    ("v", "\"waxwing/1\""),
];

/// The members that differ from outcome to outcome.
pub const OUTCOMES: &[&[Member]] = &[
    &[("result", "{\"count\":5,\"total\":1e+21}"), ("status", "\"ok\"")],
    &[
        ("result", "{\"job_id\":\"j1\",\"poll_after_ms\":250,\"ttl_ms\":60000}"),
        ("status", "\"accepted\""),
    ],
    &[
        (
            "result",
            "{\"job_id\":\"j1\",\"poll_after_ms\":5,\"progress\":{\"done\":3,\"message\":\"m\",\"total\":9}}",
        ),
        ("status", "\"running\""),
    ],
    &[
        (
            "result",
            "{\"job_id\":\"j1\",\"requests\":{\"k\":{\"message\":\"sure?\",\"schema\":{\"type\":\"boolean\"}}}}",
        ),
        ("status", "\"input_required\""),
    ],
    &[("result", "{\"job_id\":\"j1\",\"output\":[1,null]}"), ("status", "\"done\"")],
    &[("result", "{\"job_id\":\"j1\",\"reason\":\"enough\"}"), ("status", "\"cancelled\"")],
    &[
        (
            "error",
            "{\"code\":\"stale\",\"details\":{\"server_ts_ms\":9},\"message\":\"late\",\"retry_after_ms\":7}",
        ),
        ("status", "\"error\""),
    ],
];

/// The members of a refusal.
pub const REFUSAL: &[Member] = &[
    ("error", "{\"code\":\"overloaded\",\"message\":\"no room\",\"retry_after_ms\":1000}"),
    ("typ", "\"refusal\""),
    ("v", "\"waxwing/1\""),
];

/// Values to put where others belong.
const VALUES: &[&str] = &[
    "null",
    "true",
    "0",
    "-1",
    "9007199254740991",
    "-0.5",
    "1e+21",
    "\"\"",
    "\"a\"",
    "\"ok\"",
    "\"error\"",
    "\"done\"",
    "\"a b\"",
    "\"\\n\"",
    "\"\u{e9}\"",
    "[]",
    "{}",
    "[1,2,3,4,5,6]",
    "{\"a\":{\"b\":[]}}",
    "{\"code\":\"internal\",\"message\":\"\"}",
    "{\"job_id\":\"j\"}",
    "\"waxwing/2\"",
    "\"request\"",
    "\"reply\"",
];

/// Names that no message has, or that another has.
const NAMES: &[&str] =
    &["a", "args", "error", "result", "status", "tool_", "w", "z", "", "\\\"", "\u{e9}"];

/// A message out of `members`: the first bytes of `input` edit it, two a time, until one says that
/// enough was done; the rest spells it. A few inputs are taken as they stand.
pub fn message(members: &[Member], input: &[u8]) -> Vec<u8> {
    let mut members: Vec<(String, String)> =
        members.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    members.sort();
    let mut rest = input;
    let mut raw: Option<&[u8]> = None;
    while let [edit, choice, behind @ ..] = rest {
        rest = behind;
        let choice = usize::from(*choice);
        let at = usize::from(*edit >> 4) % members.len().max(1);
        let Some(member) = members.get_mut(at) else { break };
        match edit & 15 {
            0 => member.1 = VALUES[choice % VALUES.len()].to_owned(),
            1 => _ = members.remove(at),
            2 => {
                let copy = members[choice % members.len()].clone();
                members.insert(at, copy);
            }
            3 => {
                let name = NAMES[choice % NAMES.len()].to_owned();
                members.insert(at, (name, VALUES[at % VALUES.len()].to_owned()));
                members.sort();
            }
            4 => member.0 = NAMES[choice % NAMES.len()].to_owned(),
            5 => {
                // Cut or grow a value inside its quotes.
                let inside = member.1.trim_matches('"').to_owned();
                let shorter = inside.get(..choice % (inside.len() + 1)).unwrap_or_default();
                member.1 = format!("\"{shorter}\"");
            }
            6 => {
                let letter = char::from(choice as u8 & 0x7f);
                if !letter.is_ascii_control() && letter != '"' && letter != '\\' {
                    let inside = member.1.trim_matches('"').to_owned();
                    member.1 = format!("\"{inside}{letter}\"");
                }
            }
            7 => {
                raw = Some(rest);
                break;
            }
            _ => break,
        }
    }
    let joined: Vec<String> =
        members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    let text = format!("{{{}}}", joined.join(","));
    match raw {
        // The rest of the input stands in the place of one byte.
        Some([place, behind @ ..]) => {
            let at = usize::from(*place) * text.len() / 256;
            [&text.as_bytes()[..at], behind, &text.as_bytes()[at + 1..]].concat()
        }
        _ if serde_json::from_str::<IgnoredAny>(&text).is_ok() => respell(&text, rest).into_bytes(),
        _ => text.into_bytes(),
    }
}
