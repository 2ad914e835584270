//! Client order ids: the names that clients give their orders.

use crate::venue::local::rng::split_mix;
use std::fmt;

/// Characters of the longest id.
const BYTES_MAX: usize = 36;
/// Characters of an id that the venue makes.
const GENERATED_BYTES: usize = 22;

/// 1 to 36 of `[a-zA-Z0-9-_]`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId {
    bytes: [u8; BYTES_MAX],
    len: u8,
}

impl ClientId {
    /// The id with these characters; `None` where it is empty, too long, or has others.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if text.is_empty() || text.len() > BYTES_MAX || !text.bytes().all(allowed) {
            return None;
        }
        let mut bytes = [0; BYTES_MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Some(Self { bytes, len: text.len() as u8 })
    }

    /// The id that the venue gives where the client gave none: derived from what it is for, so that the same requests
    /// get the same ids.
    pub(super) fn generated(symbol: u16, purpose: u64, number: u64) -> Self {
        let mut state = u64::from(symbol) << 48 ^ purpose << 40 ^ number;
        let mut bytes = [0; BYTES_MAX];
        for byte in &mut bytes[..GENERATED_BYTES] {
            *byte = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                [(split_mix(&mut state) % 62) as usize];
        }
        Self { bytes, len: GENERATED_BYTES as u8 }
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or("")
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_to_thirty_six_of_the_venues_characters() {
        for good in ["a", "My_order-1", &"x".repeat(36)] {
            assert_eq!(ClientId::new(good).map(|id| id.to_string()), Some(good.to_owned()));
        }
        for bad in ["", "a b", "a.b", "ä", &"x".repeat(37)] {
            assert_eq!(ClientId::new(bad), None, "{bad:?}");
        }
        assert_ne!(ClientId::generated(1, 0, 2), ClientId::generated(2, 0, 1));
    }
}
