//! The messages of wire.md §11, and messages put together member by member.

/// A member: its name, and its value as JSON.
pub(crate) type Member = (&'static str, &'static str);

const SIGNATURE: &str = "\"39a69c7ca9a17db3c189b4c51919348bb6f11df46a905a3f09c3e9b9e0748bec\"";

/// Every member that a request can have, in canonical order.
pub(crate) const REQUEST: &[Member] = &[
    ("args", "{\"note\":\"caf\u{e9} \u{20ac} \u{1f600}\\n\",\"numbers\":[1.5,2,0,1e+21,0.1]}"),
    ("client_id", "\"agent-7\""),
    ("idempotency_key", "\"order:1\""),
    ("key_id", "\"k1\""),
    ("nonce", "\"0d7a1c5575c14a578f398a1a\""),
    ("request_id", "\"3f0c2a7e-1c77-4e0e-9c3e-1d2f3a4b5c6d\""),
    ("server_id", "\"sums.example\""),
    ("signature", SIGNATURE),
    ("tool", "\"batch_sum\""),
    ("tool_digest", SIGNATURE),
    ("traceparent", "\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\""),
    ("ts_ms", "1790000000000"),
    ("typ", "\"request\""),
    ("v", "\"waxwing/1\""),
];

/// The members that a request can do without.
pub(crate) const OPTIONAL: &[&str] = &["idempotency_key", "tool_digest", "traceparent"];

/// A reply whose status is `ok`.
pub(crate) const REPLY: &[Member] = &[
    ("client_id", "\"agent-7\""),
    ("in_reply_to", SIGNATURE),
    ("key_id", "\"k1\""),
    ("nonce", "\"c1b7f0aa90e24bd2a5b7c1f3\""),
    ("request_id", "\"3f0c2a7e-1c77-4e0e-9c3e-1d2f3a4b5c6d\""),
    ("result", "{\"count\":5,\"total\":1e+21}"),
    ("server_id", "\"sums.example\""),
    ("signature", "\"8d3732c992139ec5388bbe639eb7240d5cb7cd3c3b16b52c6e1a08dbc03af7c2\""),
    ("status", "\"ok\""),
    ("ts_ms", "1790000000042"),
    ("typ", "\"reply\""),
    ("v", "\"waxwing/1\""),
];

/// A refusal.
pub(crate) const REFUSAL: &[Member] = &[
    (
        "error",
        "{\"code\":\"overloaded\",\"details\":{\"a\":[1]},\"message\":\"no room\",\"retry_after_ms\":1000}",
    ),
    ("typ", "\"refusal\""),
    ("v", "\"waxwing/1\""),
];

/// The canonical text of an object with these members.
pub(crate) fn text(members: &[Member]) -> String {
    let mut sorted = members.to_vec();
    sorted.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
    joined(&sorted)
}

/// The same with the members in the order they are given.
pub(crate) fn joined(members: &[Member]) -> String {
    let name = |name: &str| serde_json::to_string(name).unwrap();
    let members: Vec<String> =
        members.iter().map(|(named, value)| format!("{}:{value}", name(named))).collect();
    format!("{{{}}}", members.join(","))
}

/// `members` without the one called `name`.
pub(crate) fn without(members: &[Member], name: &str) -> Vec<Member> {
    members.iter().copied().filter(|member| member.0 != name).collect()
}

/// `members` with another value for the one called `name`, or with one more.
pub(crate) fn with(members: &[Member], name: &'static str, value: &'static str) -> Vec<Member> {
    [without(members, name), vec![(name, value)]].concat()
}
