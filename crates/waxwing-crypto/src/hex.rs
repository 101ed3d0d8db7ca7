//! Lower-case hex, the spelling of signatures and digests on the wire.

use waxwing_core::Signature;

const DIGITS: [u8; 16] = *b"0123456789abcdef";

/// Writes `bytes` as hex; `N` is twice their number.
pub(crate) fn encode<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut text = [b'0'; N];
    let (pairs, _) = text.as_chunks_mut::<2>();
    for ([high, low], byte) in pairs.iter_mut().zip(bytes) {
        *high = digit(byte >> 4);
        *low = digit(byte & 15);
    }
    text
}

/// The first 16 digits of a digest: enough to see whether two sides mean the same key.
pub(crate) fn fingerprint(digest: &[u8]) -> String {
    encode::<16>(digest.get(..8).unwrap_or_default()).map(char::from).iter().collect()
}

fn digit(value: u8) -> u8 {
    DIGITS.get(usize::from(value)).copied().unwrap_or(b'0')
}

/// Reads the digits of a signature of exactly `N` bytes. That they are lower-case hex is the type's
/// promise, so two at a time are decoded by arithmetic alone: letters have bit 6, digits have not.
pub(crate) fn decode<const N: usize>(signature: &Signature<'_>) -> Option<[u8; N]> {
    let (pairs, rest) = signature.as_str().as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        let digits = u16::from_be_bytes(*pair);
        let values = (digits & 0x0f0f) + 9 * (digits >> 6 & 0x0101);
        *byte = (values >> 4 | values) as u8;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_reads_back_and_nothing_else_does() {
        for byte in 0..=255_u8 {
            let text: [u8; 64] = encode(&[byte; 32]);
            let signature = Signature::new(std::str::from_utf8(&text).unwrap()).unwrap();
            assert_eq!(decode(&signature), Some([byte; 32]));
            assert_eq!(decode::<64>(&signature), None);
            let text: [u8; 128] = encode(&[byte; 64]);
            let long = Signature::new(std::str::from_utf8(&text).unwrap()).unwrap();
            assert_eq!(decode(&long), Some([byte; 64]));
            assert_eq!(decode::<32>(&long), None);
        }
    }
}
