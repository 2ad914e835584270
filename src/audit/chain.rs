//! The chain of hashes, and the anchors that hold its end.

use sha2::{Digest, Sha256};
use std::fmt;

/// The hash of a record and of all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link([u8; 32]);

/// Hexadecimal digits of a link.
pub const LINK_DIGITS: usize = 64;

impl Link {
    /// What stands before the first record.
    #[must_use]
    pub fn origin() -> Self {
        Self(Sha256::digest(b"algo-trader audit trail 1").into())
    }

    /// The link of the record that follows.
    #[must_use]
    pub fn next(&self, record: &[u8]) -> Self {
        Self(Sha256::new().chain_update(self.0).chain_update(record).finalize().into())
    }

    /// A link from its 64 digits, as [`Display`](fmt::Display) writes them: no other spelling is taken.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let digits: &[u8; LINK_DIGITS] = text.try_into().ok()?;
        let mut link = [0u8; 32];
        for (byte, pair) in link.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(link))
    }
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The number and the link of a record, kept outside of the trail. Written `NUMBER:LINK`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// The record's number, from 1.
    pub number: u64,
    /// Its link.
    pub link: Link,
}

impl Anchor {
    /// An anchor from its text; what follows a space is for people.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let anchor = text.split(' ').next()?;
        let (number, link) = anchor.split_once(':')?;
        let number = number.parse().ok().filter(|n| *n > 0)?;
        Some(Self { number, link: Link::parse(link.as_bytes())? })
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, self.link)
    }
}

/// The number and the record of a line without its end; `None` where it is no line of a trail.
pub(super) fn parts(line: &[u8]) -> Option<(Link, u64, &[u8])> {
    let (link, rest) = line.split_at_checked(LINK_DIGITS)?;
    let record = rest.strip_prefix(b" ")?;
    let digits = record.strip_prefix(b"{\"n\":")?;
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    let number = std::str::from_utf8(&digits[..end]).ok()?.parse().ok()?;
    Some((Link::parse(link)?, number, record))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_reads_back_in_one_spelling_only() {
        let link = Link::origin().next(b"{\"n\":1}");
        let text = link.to_string();
        assert_eq!((text.len(), Link::parse(text.as_bytes())), (LINK_DIGITS, Some(link)));
        assert_eq!(Link::parse(text.to_uppercase().as_bytes()), None);
        assert_eq!(Link::parse(&text.as_bytes()[1..]), None);
        let anchor = Anchor { number: 7, link };
        assert_eq!(Anchor::parse(&format!("{anchor} 2026-01-01T00:00:00Z")), Some(anchor));
        for bad in ["", "7", "0:ab", &format!("-1:{link}"), &format!("7:{link}0")] {
            assert_eq!(Anchor::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_first_link_is_that_of_any_other_implementation() {
        // sha256(sha256("algo-trader audit trail 1") ‖ '{"n":1}'), computed by another program.
        let link = Link::origin().next(b"{\"n\":1}");
        assert_eq!(link.to_string(), "9714d7fd89d64b3ff4bad6b1fc305152d1c2c8403cd9142f24ba9bb440f927a0");
    }
}
