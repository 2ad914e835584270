//! Why a venue refused an order or a cancel, as far as a slot has room for it: numbers, whose words the venue's module has.

/// See the module. All zero: nobody said why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Refused {
    /// The venue's code; 0 where it gave none, or where the order was not sent.
    pub code: i32,
    /// What its words come to, by the number that the venue's module gives it; 0 where they come to nothing known.
    pub cause: u8,
    /// Which of the venue's filters did not let the order pass, counted from 1; 0 where none.
    pub filter: u8,
}

impl Refused {
    /// As one word of a slot.
    #[inline]
    #[must_use]
    pub const fn to_word(self) -> u64 {
        self.code as u32 as u64 | (self.cause as u64) << 32 | (self.filter as u64) << 40
    }

    /// From a word of a slot.
    #[inline]
    #[must_use]
    pub const fn from_word(word: u64) -> Self {
        Self { code: word as u32 as i32, cause: (word >> 32) as u8, filter: (word >> 40) as u8 }
    }

    /// Whether anybody said why.
    #[must_use]
    pub const fn is_said(self) -> bool {
        self.to_word() != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_into_a_word_comes_back() {
        for code in [0, -1, -1_013, -2_010, i32::MIN, i32::MAX] {
            for (cause, filter) in [(0, 0), (1, 2), (255, 255)] {
                let refused = Refused { code, cause, filter };
                assert_eq!(Refused::from_word(refused.to_word()), refused);
                assert_eq!(refused.is_said(), (code, cause, filter) != (0, 0, 0));
            }
        }
    }
}
