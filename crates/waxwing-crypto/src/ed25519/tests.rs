//! RFC 8032 §7.1, and every way in which Ed25519 libraries differ: encodings, orders, malleability.

use super::*;

/// RFC 8032 §7.1: secret, public key, message, signature.
const RFC_8032: [[&str; 4]; 3] = [
    [
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ],
    [
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ],
    [
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ],
];

/// The eight points of small order, the field's prime and the group's order, little-endian.
const SMALL_ORDER: [&str; 8] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
];
const PRIME: &str = "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f";
const ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    let all: Vec<u8> = (0..hex.len()).step_by(2).map(digit).collect();
    all.try_into().unwrap()
}

/// The sum of two little-endian numbers.
fn sum(a: [u8; 32], b: [u8; 32]) -> [u8; 32] {
    let mut carry = 0;
    std::array::from_fn(|i| {
        let digit = u16::from(a[i]) + u16::from(b[i]) + carry;
        carry = digit >> 8;
        digit as u8
    })
}

#[test]
fn the_examples_of_the_rfc_hold() {
    for [secret, public, message, signature] in RFC_8032 {
        let message: Vec<u8> =
            (0..message.len()).step_by(2).map(|i| bytes::<1>(&message[i..i + 2])[0]).collect();
        let own = Ed25519SigningKey::new(&bytes(secret)).unwrap();
        assert_eq!(own.public_key().as_bytes(), &bytes(public));
        assert_eq!(own.sign(&message), *signature.as_bytes());
        let key = Ed25519PublicKey::new(&bytes(public)).unwrap();
        assert_eq!(key, own.public_key());
        assert!(key.verify(&message, &bytes(signature)).is_ok());
        assert!(key.verify(b"another", &bytes(signature)).is_err());
    }
}

#[test]
fn public_keys_of_small_order_are_refused() {
    for point in SMALL_ORDER {
        assert_eq!(
            Ed25519PublicKey::new(&bytes(point)),
            Err(InvalidPublicKey::SmallOrder),
            "{point}"
        );
    }
    // Some of them in their second encoding: with a y of p or p + 1, or with the sign of zero.
    let one = bytes(SMALL_ORDER[0]);
    for y in [bytes(PRIME), sum(bytes(PRIME), one), one] {
        for sign in [0, 0x80] {
            let mut encoding = y;
            encoding[31] |= sign;
            assert!(Ed25519PublicKey::new(&encoding).is_err());
        }
    }
}

#[test]
fn each_public_key_has_one_encoding() {
    // y and y + p encode one point. Where y + p fits in 255 bits, y is below 19.
    let mut seen = 0;
    for y in 0..19_u8 {
        let mut low = [0; 32];
        low[0] = y;
        let (canonical, other) = (Ed25519PublicKey::new(&low), sum(low, bytes(PRIME)));
        if canonical.is_ok() {
            assert_eq!(Ed25519PublicKey::new(&other), Err(InvalidPublicKey::NotCanonical));
            seen += 1;
        } else {
            assert!(Ed25519PublicKey::new(&other).is_err());
        }
    }
    assert!(seen > 3, "{seen}");
    let mut no_point = [0; 32];
    no_point[0] = 2;
    assert_eq!(Ed25519PublicKey::new(&no_point), Err(InvalidPublicKey::NotAPoint));
}

#[test]
fn a_signature_has_one_spelling() {
    let [secret, _, _, signature] = RFC_8032[0];
    let key = Ed25519SigningKey::new(&bytes(secret)).unwrap().public_key();
    let right: [u8; 64] = bytes(signature);
    // S + L is the same number to whoever reduces it first.
    let mut malleable = right;
    let scalar: [u8; 32] = right[32..].try_into().unwrap();
    malleable[32..].copy_from_slice(&sum(scalar, bytes(ORDER)));
    assert!(key.verify(b"", &malleable).is_err());
    for bit in 0..512 {
        let mut changed = right;
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(key.verify(b"", &changed).is_err(), "bit {bit}");
    }
    for point in SMALL_ORDER {
        let mut small = right;
        small[..32].copy_from_slice(&bytes::<32>(point));
        assert!(key.verify(b"", &small).is_err());
        small[32..].fill(0);
        assert!(key.verify(b"", &small).is_err());
    }
    assert!(key.verify(b"", &[0; 64]).is_err());
}

#[test]
fn the_two_sides_have_two_keys_and_one_fingerprint() {
    let keys = RFC_8032.map(|[secret, ..]| Ed25519SigningKey::new(&bytes(secret)).unwrap());
    let [client, server, _] = &keys;
    let here = Ed25519Key::of_client(client.clone(), server.public_key()).unwrap();
    let there = Ed25519Key::of_server(server.clone(), client.public_key()).unwrap();
    assert_eq!(here.fingerprint(), there.fingerprint());
    assert_eq!(here.fingerprint(), server.public_key().fingerprint());
    for side in [Ed25519Key::of_client, Ed25519Key::of_server] {
        let own = side(client.clone(), client.public_key()).unwrap_err();
        assert_eq!(own, InvalidPublicKey::Own);
    }
    let text = |digits: [u8; SIGNATURE_DIGITS]| {
        Signature::new(String::from_utf8(digits.to_vec()).unwrap()).unwrap()
    };
    let signature = text(here.sign([b"a", b"b"]));
    assert!(there.verify([b"ab", b""], &signature).is_ok());
    assert!(here.verify([b"ab", b""], &signature).is_err(), "nobody verifies their own");
    assert!(there.verify([b"ab", b""], &Signature::new("0".repeat(64)).unwrap()).is_err());
}

#[test]
fn a_key_shows_nothing_of_its_secret() {
    let secret: [u8; 32] = std::array::from_fn(|i| i as u8);
    let own = Ed25519SigningKey::new(&secret).unwrap();
    assert_eq!(format!("{own:?}"), "Ed25519SigningKey(secret)");
    let peer = Ed25519PublicKey::new(&bytes(RFC_8032[0][1])).unwrap();
    let key = Ed25519Key::of_client(own, peer).unwrap();
    assert_eq!(
        format!("{key:?}"),
        "Ed25519Key { own: Ed25519SigningKey(secret), peer: Ed25519PublicKey(21fe31dfa154a261), .. }"
    );
    assert_eq!(Ed25519SigningKey::new(&[7; 32]).unwrap_err(), WeakKey::Repeats { period: 1 });
}
