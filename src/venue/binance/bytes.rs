//! Text of requests in memory of a fixed size.

use crate::domain::decimal;

/// Text of at most `N` bytes: either whole or, if something did not fit, empty.
#[derive(Debug, Clone)]
pub struct FixedBytes<const N: usize> {
    bytes: [u8; N],
    len: usize,
    overflowed: bool,
}

impl<const N: usize> Default for FixedBytes<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> FixedBytes<N> {
    /// An empty buffer.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; N], len: 0, overflowed: false }
    }

    /// What was written; empty if it did not fit.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        if self.overflowed { &[] } else { &self.bytes[..self.len] }
    }

    /// Empties the buffer.
    #[inline]
    pub fn clear(&mut self) {
        self.len = 0;
        self.overflowed = false;
    }

    /// How much was written so far.
    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// What was written since [`len`](Self::len) was `start`.
    #[inline]
    pub(super) fn from(&self, start: usize) -> &[u8] {
        self.bytes.get(start..self.len).unwrap_or_default()
    }

    /// Appends `text` as it is.
    #[inline]
    pub(super) fn text(&mut self, text: &[u8]) {
        match self.bytes.get_mut(self.len..self.len + text.len()) {
            Some(room) => {
                room.copy_from_slice(text);
                self.len += text.len();
            }
            None => self.overflowed = true,
        }
    }

    /// Appends `value` in units of 10^-`decimals`.
    #[inline]
    pub(super) fn decimal(&mut self, value: i64, decimals: u8) {
        match decimal::write(value, decimals, &mut self.bytes[self.len..]) {
            0 => self.overflowed = true,
            written => self.len += written,
        }
    }

    /// Appends `value`; what is beyond 63 bits, which no time and no id is, becomes the largest of them.
    #[inline]
    pub(super) fn integer(&mut self, value: u64) {
        self.decimal(i64::try_from(value).unwrap_or(i64::MAX), 0);
    }

    /// Appends `text` as a part of a URL: all but unreserved characters (RFC 3986) as `%` and two digits, upper case.
    #[inline]
    pub(super) fn percent_encoded(&mut self, text: &[u8]) {
        // Looked at and copied in one: nearly no text has anything to encode.
        let mut plain = true;
        if let Some(room) = self.bytes.get_mut(self.len..self.len + text.len()) {
            for (to, from) in room.iter_mut().zip(text) {
                *to = *from;
                plain &= UNRESERVED[usize::from(*from)];
            }
            if plain {
                self.len += text.len();
                return;
            }
        }
        let mut rest = text;
        while let Some(at) = rest.iter().position(|byte| !UNRESERVED[usize::from(*byte)]) {
            let digit = |value: u8| b"0123456789ABCDEF"[usize::from(value)];
            self.text(&rest[..at]);
            self.text(&[b'%', digit(rest[at] >> 4), digit(rest[at] & 15)]);
            rest = &rest[at + 1..];
        }
        self.text(rest);
    }

    /// Appends `text` as the inside of a JSON string.
    #[inline]
    pub(super) fn json_escaped(&mut self, text: &str) {
        let mut rest = text.as_bytes();
        let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
        while let Some(at) = rest.iter().position(special) {
            let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
            self.text(&rest[..at]);
            match rest[at] {
                byte @ (b'"' | b'\\') => self.text(&[b'\\', byte]),
                byte => self.text(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]),
            }
            rest = &rest[at + 1..];
        }
        self.text(rest);
    }
}

/// What stands in a URL as it is. A table, since a signature of RSA has hundreds of characters to look at.
const UNRESERVED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0u8;
    while byte < 0x80 {
        table[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut FixedBytes<64>)) -> String {
        let mut bytes = FixedBytes::new();
        write(&mut bytes);
        String::from_utf8_lossy(bytes.as_bytes()).into_owned()
    }

    #[test]
    fn only_unreserved_characters_stand_in_a_url_as_they_are() {
        assert_eq!(written(|b| b.percent_encoded(b"aZ09-._~")), "aZ09-._~");
        assert_eq!(written(|b| b.percent_encoded(b"a+/= &[\"")), "a%2B%2F%3D%20%26%5B%22");
        assert_eq!(written(|b| b.percent_encoded("\u{ff11}".as_bytes())), "%EF%BC%91");
    }

    #[test]
    fn a_json_string_is_closed_by_nothing_inside() {
        assert_eq!(written(|b| b.json_escaped("a\"b\\c\n\u{ff11}")), "a\\\"b\\\\c\\u000a\u{ff11}");
    }

    #[test]
    fn what_does_not_fit_leaves_nothing_until_it_is_cleared() {
        let mut bytes = FixedBytes::<4>::new();
        bytes.text(b"abcd");
        assert_eq!(bytes.as_bytes(), b"abcd");
        bytes.integer(1);
        assert_eq!(bytes.as_bytes(), b"");
        bytes.clear();
        bytes.integer(u64::MAX);
        assert_eq!(bytes.as_bytes(), b"");
        bytes.clear();
        bytes.integer(42);
        assert_eq!(bytes.as_bytes(), b"42");
    }
}
