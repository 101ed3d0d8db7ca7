//! Sixteen bytes at a time: which of them are digits, quotes, and so on, as one bit each.

use wide::u8x16;

/// One bit a byte, the first byte lowest; the upper 16 bits are zero.
pub(super) type Mask = u32;

/// Sixteen bytes of the input.
#[derive(Clone, Copy)]
pub(crate) struct Block(u8x16);

impl Block {
    #[inline]
    pub(crate) fn load(bytes: &[u8; 16]) -> Self {
        Self(u8x16::new(*bytes))
    }

    /// The bytes at `at`, padded with zeros behind the end of the input.
    #[inline]
    pub(super) fn load_padded(bytes: &[u8], at: usize) -> Self {
        let rest = bytes.get(at..).unwrap_or_default();
        if let Some(chunk) = rest.first_chunk() {
            return Self::load(chunk);
        }
        let mut padded = [0; 16];
        for (to, from) in padded.iter_mut().zip(rest) {
            *to = *from;
        }
        Self::load(&padded)
    }

    /// Where `byte` stands.
    #[inline]
    pub(super) fn equal(self, byte: u8) -> Mask {
        self.0.simd_eq(u8x16::splat(byte)).to_bitmask()
    }

    /// Where `0` to `9` stand.
    #[inline]
    pub(super) fn digits(self) -> Mask {
        let from_zero = self.0 - u8x16::splat(b'0');
        from_zero.min(u8x16::splat(9)).simd_eq(from_zero).to_bitmask()
    }

    /// Where white space stands (RFC 8259 §2).
    #[inline]
    pub(super) fn spaces(self) -> Mask {
        let any = |one: u8, other: u8| {
            self.0.simd_eq(u8x16::splat(one)) | self.0.simd_eq(u8x16::splat(other))
        };
        (any(b' ', b'\n') | any(b'\t', b'\r')).to_bitmask()
    }

    /// Whether all sixteen are lower-case hex digits.
    #[inline]
    pub(crate) fn all_hex(self) -> bool {
        let between = |low: u8, high: u8| {
            let from_low = self.0 - u8x16::splat(low);
            from_low.min(u8x16::splat(high - low)).simd_eq(from_low)
        };
        (between(b'0', b'9') | between(b'a', b'f')).to_bitmask() == 0xffff
    }

    /// Where a string cannot be copied on: quote, backslash, control character.
    #[inline]
    pub(super) fn breaks(self) -> Mask {
        let quote = self.0.simd_eq(u8x16::splat(b'"'));
        let backslash = self.0.simd_eq(u8x16::splat(b'\\'));
        let control = self.0.min(u8x16::splat(0x1f)).simd_eq(self.0);
        (quote | backslash | control).to_bitmask()
    }
}

#[cfg(test)]
mod tests {
    use super::Block;

    #[test]
    fn every_byte_is_classified_at_every_place() {
        for byte in 0..=255_u8 {
            for place in 0..16 {
                let mut bytes = [b'x'; 16];
                bytes[place] = byte;
                let block = Block::load(&bytes);
                let bit = |holds: bool| u32::from(holds) << place;
                assert_eq!(block.digits(), bit(byte.is_ascii_digit()), "{byte} at {place}");
                assert_eq!(block.breaks(), bit(byte < 0x20 || b"\"\\".contains(&byte)));
                assert_eq!(block.equal(b','), bit(byte == b','));
                assert_eq!(block.spaces(), bit(b" \n\t\r".contains(&byte)));
                let mut digits = *b"0123456789abcdef";
                digits[place] = byte;
                let is_hex = matches!(byte, b'0'..=b'9' | b'a'..=b'f');
                assert_eq!(Block::load(&digits).all_hex(), is_hex, "{byte} at {place}");
            }
        }
    }

    #[test]
    fn behind_the_end_there_are_zeros() {
        let block = Block::load_padded(b"ab12", 2);
        assert_eq!((block.digits(), block.equal(0)), (0b11, 0xfffc));
        assert_eq!(Block::load_padded(b"ab", 7).equal(0), 0xffff);
    }
}
