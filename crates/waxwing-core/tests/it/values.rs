//! Strategies: JSON values within the rules of wire.md §1, more often than not of the awkward kind.

use proptest::collection::{btree_map, vec};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use serde_json::Value;

const SAFE: i64 = (1 << 53) - 1;

/// A finite double that has a spelling on the wire.
pub(crate) fn double() -> impl Strategy<Value = f64> {
    let decimal = (any::<i64>(), 0..17_i32)
        .prop_map(|(digits, point)| (digits % 10_000_000_000_000_000) as f64 / 10_f64.powi(point));
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        decimal,
        (-30_000..30_000_i32).prop_map(|n| f64::from(n) / 100.0),
        (-330..310_i32, 1..10_u8)
            .prop_map(|(power, digit)| { format!("{digit}e{power}").parse().unwrap_or(0.5) }),
        (0..64_u32, -2..3_i64).prop_map(|(power, off)| f64::from_bits(
            (1_u64 << power).cast_signed().wrapping_add(off).cast_unsigned()
        )),
    ]
    .prop_map(|value| match value.is_finite() && !is_unsafe(value) {
        true => value,
        false => 0.1,
    })
}

/// Whether wire.md §1 refuses the number: a bare integer that a double does not hold exactly.
pub(crate) fn is_unsafe(value: f64) -> bool {
    value.abs() > SAFE as f64 && value.abs() < 1e21
}

/// A string: of any characters, or of those that are escaped or sort badly.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-c\"\\\\/\\n\\t\u{0}\u{7}\u{1f}\u{7f}\u{80}\u{e9}\u{d7ff}\u{e000}\u{fb33}\u{ffff}\u{10000}\u{1f600}\u{10ffff}]{0,20}",
        "[a-z ]{0,70}",
    ]
}

/// Any value within the rules, at most ten containers deep.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    let short = (-99_999..99_999_i32, 0..5_i32)
        .prop_map(|(digits, point)| Value::from(f64::from(digits) / 10_f64.powi(point)));
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-SAFE..=SAFE).prop_map(Value::from),
        double().prop_map(Value::from),
        text().prop_map(Value::from),
        vec(short, 0..80).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8).prop_map(Value::from),
            btree_map(text(), inner, 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// An object within the rules.
pub(crate) fn object() -> impl Strategy<Value = Value> {
    btree_map(text(), value(), 0..5)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}
