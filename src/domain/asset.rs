//! An asset's name as a number, so that it fits into a slot.

use std::fmt;

/// The name of an asset of at most eight characters of ASCII, such as `BNB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct AssetCode(u64);

impl AssetCode {
    /// The code of this name; `None` where it is empty, longer than eight bytes or not of ASCII.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let bytes = name.as_bytes();
        let fits = (1..=8).contains(&bytes.len()) && bytes.iter().all(|b| b.is_ascii() && *b != 0);
        fits.then(|| Self(bytes.iter().fold(0, |code, byte| code << 8 | u64::from(*byte))))
    }

    /// As a word of a slot; it is below 2^63.
    pub(super) const fn word(self) -> u64 {
        self.0
    }

    pub(super) const fn from_word(word: u64) -> Self {
        Self(word)
    }
}

impl fmt::Display for AssetCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0.to_be_bytes();
        bytes.into_iter().filter(|byte| *byte != 0).try_for_each(|byte| write!(f, "{}", char::from(byte)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_up_to_eight_characters_comes_back() {
        for name in ["B", "BNB", "USDT", "1000SATS"] {
            let code = AssetCode::of(name).expect("short enough");
            assert_eq!(code.to_string(), name);
            assert!(code.word() < 1 << 63);
            assert_eq!(AssetCode::from_word(code.word()), code);
        }
        assert_eq!(
            (AssetCode::of(""), AssetCode::of("1000CHEEMS"), AssetCode::of("\u{5e01}")),
            (None, None, None)
        );
    }
}
