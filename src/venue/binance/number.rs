//! Digits to integers, eight at a time.
//!
//! Owns: the arithmetic both decoding paths share. Invariant: [`parse_decimal`] gives what
//! [`decimal::parse`](crate::domain::decimal::parse) gives, for every text and every precision.
//!
//! The words are little-endian: the first character is the lowest byte. Eight digits become a number by three
//! multiplications, each joining neighbours (Lemire, "Quickly parsing eight digits", 2018).

use crate::domain::decimal::{DECIMALS_MAX, DecimalError, POW10, parse};

const ZEROS: u64 = 0x3030_3030_3030_3030;
const LOW_SEVEN: u64 = 0x7f7f_7f7f_7f7f_7f7f;
const HIGH_BIT: u64 = 0x8080_8080_8080_8080;

/// Eight characters less `'0'` each: digits become 0 to 9, anything else 10 or more.
#[inline(always)]
pub(super) fn values(eight: [u8; 8]) -> u64 {
    u64::from_le_bytes(eight) ^ ZEROS
}

/// How many of the eight, from the first, are digits.
#[inline(always)]
pub(super) fn leading_digits(values: u64) -> u32 {
    // Per byte, without a carry into the next: the high bit is set for 10 and more.
    let others = (((values & LOW_SEVEN) + 0x7676_7676_7676_7676) | values) & HIGH_BIT;
    others.trailing_zeros() / 8
}

/// The number made by the first `count` (0 to 8) of eight digit values.
#[inline(always)]
pub(super) fn join(values: u64, count: u32) -> u64 {
    debug_assert!(count <= 8);
    // Shifted up, what is left below are leading zeros; in two steps, since a shift by 64 is not one.
    let v = values << (32 - 4 * count) << (32 - 4 * count);
    let pairs = (v & 0x0f0f_0f0f_0f0f_0f0f).wrapping_mul(10 << 8 | 1) >> 8;
    let fours = (pairs & 0x00ff_00ff_00ff_00ff).wrapping_mul(100 << 16 | 1) >> 16;
    (fours & 0x0000_ffff_0000_ffff).wrapping_mul(10_000 << 32 | 1) >> 32
}

/// Up to eight characters as digit values; those that are not there count as no digit.
#[inline(always)]
pub(super) fn load(text: &[u8]) -> u64 {
    match text.first_chunk::<8>() {
        Some(eight) => values(*eight),
        None => load_short(text),
    }
}

/// [`load`] for text that goes on, as a frame does after a number: what it does at the frame's end is kept out of the way.
#[inline(always)]
pub(super) fn load_ahead(text: &[u8]) -> u64 {
    #[cold]
    #[inline(never)]
    fn at_the_end(text: &[u8]) -> u64 {
        load_short(text)
    }
    match text.first_chunk::<8>() {
        Some(eight) => values(*eight),
        None => at_the_end(text),
    }
}

/// [`load`] where fewer than eight characters are left, as at the end of a frame and in short numbers.
#[inline(always)]
fn load_short(text: &[u8]) -> u64 {
    let len = text.len();
    // Pieces that overlap; where they do, they say the same.
    let word = if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        let last = u64::from(u32::from_le_bytes(*last));
        u64::from(u32::from_le_bytes(*first)) | last << (8 * (len.min(8) - 4))
    } else if let (Some(first), Some(middle), Some(last)) = (text.first(), text.get(len / 2), text.last()) {
        u64::from(*first) | u64::from(*middle) << (8 * (len / 2)) | u64::from(*last) << (8 * (len - 1))
    } else {
        0
    };
    values(word.to_le_bytes())
}

/// Parses decimal text into an integer in units of 10^-`decimals`; the same as
/// [`decimal::parse`](crate::domain::decimal::parse), faster where the text has just `decimals` decimals (up to 8)
/// and at most eight digits before them, as venues print.
///
/// # Errors
/// [`DecimalError`] when the text is not a number, is too precise or does not fit.
#[inline]
pub fn parse_decimal(text: &[u8], decimals: u8) -> Result<i64, DecimalError> {
    match parse_printed(text, decimals) {
        Some(value) => Ok(value),
        None => parse(text, decimals),
    }
}

#[inline(always)]
fn parse_printed(text: &[u8], decimals: u8) -> Option<i64> {
    let (len, decimals) = (text.len(), usize::from(decimals));
    if len > 8 {
        return parse_printed_long(text, decimals);
    }
    let word = load(text);
    let whole = leading_digits(word) as usize;
    if decimals == 0 {
        return (whole == len && len > 0).then(|| join(word, len as u32) as i64);
    }
    if whole == 0 || whole + 1 + decimals != len || text[whole] != b'.' {
        return None;
    }
    // Close the gap that the point leaves.
    let before = (1u64 << (8 * whole)) - 1;
    let digits = word & before | word >> 8 & !before;
    (leading_digits(digits) as usize >= len - 1).then(|| join(digits, len as u32 - 1) as i64)
}

/// [`parse_printed`] of nine to seventeen characters, a point among them.
#[inline(always)]
fn parse_printed_long(text: &[u8], decimals: usize) -> Option<i64> {
    let (first, last) = (text.first_chunk::<8>()?, text.last_chunk::<8>()?);
    if decimals == 0 || decimals > 8 {
        return None;
    }
    let digits = text.len().checked_sub(1 + decimals).filter(|digits| (1..=8).contains(digits))?;
    // Shifted down, what comes in above counts as zeros.
    let (whole, fraction) = (values(*first), values(*last) >> (8 * (8 - decimals)));
    if text[digits] != b'.' || (leading_digits(whole) as usize) < digits || leading_digits(fraction) < 8 {
        return None;
    }
    Some(scaled(join(whole, digits as u32), join(fraction, decimals as u32), POW10[decimals]))
}

/// `whole` and `fraction` as one integer. Cannot overflow: both have at most eight digits.
#[inline(always)]
pub(super) fn scaled(whole: u64, fraction: u64, unit: i64) -> i64 {
    whole as i64 * unit + fraction as i64
}

/// Parses decimal text into an i128 in units of 10^-`decimals`; digits beyond are cut off, not refused.
///
/// # Errors
/// [`DecimalError`] when the text is not a number or does not fit.
pub(super) fn parse_truncated(text: &[u8], decimals: u8) -> Result<i128, DecimalError> {
    if decimals > 2 * DECIMALS_MAX {
        return Err(DecimalError::Overflow);
    }
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let (mut value, mut any, mut missing, mut point) = (0i128, false, decimals, false);
    for &byte in digits {
        match byte {
            b'0'..=b'9' => {
                any = true;
                if point && missing == 0 {
                    continue;
                }
                missing -= u8::from(point);
                value = push_digit(value, i128::from(byte - b'0'))?;
            }
            b'.' if !point => point = true,
            _ => return Err(DecimalError::Invalid),
        }
    }
    if !any {
        return Err(DecimalError::Empty);
    }
    for _ in 0..missing {
        value = push_digit(value, 0)?;
    }
    Ok(if negative { -value } else { value })
}

fn push_digit(value: i128, digit: i128) -> Result<i128, DecimalError> {
    value.checked_mul(10).and_then(|v| v.checked_add(digit)).ok_or(DecimalError::Overflow)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_are_parsed_as_the_slow_parser_does(
            text in "-?[0-9]{0,12}(\\.[0-9]{0,10})?",
            decimals in 0u8..=19,
        ) {
            prop_assert_eq!(parse_decimal(text.as_bytes(), decimals), parse(text.as_bytes(), decimals));
        }

        #[test]
        fn printed_numbers_take_the_short_way(whole in 0u32..100_000_000, units in 0u64..100_000_000, decimals in 0u8..=8) {
            let fraction = format!("{units:08}");
            let text = match decimals {
                0 => whole.to_string(),
                d => format!("{whole}.{}", &fraction[..usize::from(d)]),
            };
            prop_assert_eq!(parse_printed(text.as_bytes(), decimals), parse(text.as_bytes(), decimals).ok());
        }

        #[test]
        fn bytes_that_are_no_numbers_are_refused_alike(
            text in proptest::collection::vec(any::<u8>(), 0..20),
            decimals in 0u8..=8,
        ) {
            prop_assert_eq!(parse_decimal(&text, decimals), parse(&text, decimals));
        }

        #[test]
        fn every_byte_is_a_digit_or_is_not(bytes in any::<[u8; 8]>()) {
            let naive = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
            prop_assert_eq!(leading_digits(values(bytes)) as usize, naive);
        }

        #[test]
        fn truncation_is_exact_where_nothing_is_cut(text in "-?[0-9]{1,9}(\\.[0-9]{1,8})?") {
            prop_assert_eq!(
                parse_truncated(text.as_bytes(), 8),
                parse(text.as_bytes(), 8).map(i128::from)
            );
        }
    }

    #[test]
    fn digits_beyond_the_precision_are_cut_from_turnover_alone() {
        assert_eq!(parse_truncated(b"13015.30429969", 3), Ok(13_015_304));
        assert_eq!(parse_truncated(b"1", 16), Ok(10_000_000_000_000_000));
        assert_eq!(parse_truncated(b"", 3), Err(DecimalError::Empty));
        assert_eq!(parse_truncated(b"1.0x", 0), Err(DecimalError::Invalid));
        assert_eq!(parse_truncated(&[b'9'; 40], 0), Err(DecimalError::Overflow));
    }
}
