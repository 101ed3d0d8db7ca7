//! Numbers against ryu-js: how a double is spelled, and which texts are taken for that spelling, alone
//! and in an array long enough to be checked by the block.
#![no_main]

use libfuzzer_sys::fuzz_target;
use waxwing_core::canonical;
use waxwing_core_fuzz::LIMITS;

/// The characters of numbers, digits more often than not.
const CHARACTERS: &[u8; 32] = b"00112233445566778899012345.-e+-.";

fuzz_target!(|input: &[u8]| {
    let Some((bits, rest)) = input.split_first_chunk::<8>() else { return };
    let value = f64::from_le_bytes(*bits);
    if value.is_finite() {
        spelled(value);
    }
    // A decimal of a few digits, as most are.
    spelled((value % 1e12).trunc() / 10_f64.powi(i32::from(bits[0] % 12)));
    let text: Vec<u8> = rest.iter().map(|byte| CHARACTERS[usize::from(byte % 32)]).collect();
    agrees(std::str::from_utf8(&text).unwrap());
});

/// The value's spelling is that of ryu-js, known as canonical, and its neighbours are judged rightly.
fn spelled(value: f64) {
    let mut buffer = ryu_js::Buffer::new();
    let expected = buffer.format(value);
    if !value.is_finite() {
        return;
    }
    assert_eq!(canonical::number_to_string(value).unwrap(), expected);
    let written = canonical::to_vec(&value);
    assert_eq!(written.is_err(), is_unsafe(value));
    if let Ok(written) = written {
        assert_eq!(std::str::from_utf8(&written), Ok(expected));
        agrees(expected);
        let (shorter, last) = expected.split_at(expected.len() - 1);
        agrees(shorter);
        agrees(&format!("{expected}{last}"));
        agrees(&format!("{shorter}{}", value.to_bits() % 10));
        agrees(&format!("-{expected}"));
    }
}

/// Canonical is what is a JSON number, allowed by wire.md §1, and spelled as ryu-js spells it.
fn agrees(text: &str) {
    let expected = serde_json::from_str::<f64>(text).is_ok_and(|_| {
        let value: f64 = text.parse().unwrap();
        value.is_finite() && !is_unsafe(value) && ryu_js::Buffer::new().format(value) == text
    });
    assert_eq!(canonical::check(text.as_bytes(), &LIMITS).is_ok(), expected, "{text}");
    let array = format!("[1,-2,0.25,4,5,{text},6,{text},70,{}8]", "3.5,-1,20,".repeat(12));
    assert_eq!(canonical::check(array.as_bytes(), &LIMITS).is_ok(), expected, "{text} in an array");
}

fn is_unsafe(value: f64) -> bool {
    value.abs() > 9_007_199_254_740_991.0 && value.abs() < 1e21
}
