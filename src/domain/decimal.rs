//! Decimal text to scaled integers and back, without floating point.
//!
//! Venues print prices and quantities as decimal text with a fixed number of digits. Here they become integers in
//! units of 10^-decimals, exactly, or an error.

use std::fmt;
use thiserror::Error;

/// The most decimals a scaled integer may carry: 10^18 is the largest power of ten below `i64::MAX`.
pub const DECIMALS_MAX: u8 = 18;

/// Why a piece of text is not a decimal number that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecimalError {
    /// No digits at all.
    #[error("no digits where a number was expected")]
    Empty,
    /// A byte that is neither a digit, the one point, nor a leading minus sign.
    #[error("not a decimal number")]
    Invalid,
    /// More non-zero decimals than the instrument's printed precision has.
    #[error("more decimals than the instrument's precision")]
    TooPrecise,
    /// The number does not fit 64 bits at this precision.
    #[error("number too large for 64 bits at the instrument's precision")]
    Overflow,
}

/// 10^n for n up to [`DECIMALS_MAX`].
pub const POW10: [i64; 19] = {
    let mut table = [1i64; 19];
    let mut n = 1;
    while n < 19 {
        table[n] = table[n - 1] * 10;
        n += 1;
    }
    table
};

/// Parses decimal text such as `61837.63000000` into an integer in units of 10^-`decimals`.
///
/// Digits beyond `decimals` must be zeros. A leading minus sign is accepted; exponents are not.
///
/// # Errors
/// [`DecimalError`] when the text is not a number, is too precise or does not fit.
///
/// # Panics
/// Never; `decimals` above [`DECIMALS_MAX`] is an [`DecimalError::Overflow`].
pub fn parse(text: &[u8], decimals: u8) -> Result<i64, DecimalError> {
    if decimals > DECIMALS_MAX {
        return Err(DecimalError::Overflow);
    }
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let mut value: i64 = 0;
    let mut fraction: Option<u8> = None;
    let mut any = false;
    for &byte in digits {
        match byte {
            b'0'..=b'9' => {
                any = true;
                let digit = i64::from(byte - b'0');
                match &mut fraction {
                    Some(seen) if *seen == decimals => {
                        if digit != 0 {
                            return Err(DecimalError::TooPrecise);
                        }
                        continue;
                    }
                    Some(seen) => *seen += 1,
                    None => {}
                }
                value =
                    value.checked_mul(10).and_then(|v| v.checked_add(digit)).ok_or(DecimalError::Overflow)?;
            }
            b'.' if fraction.is_none() => fraction = Some(0),
            _ => return Err(DecimalError::Invalid),
        }
    }
    if !any {
        return Err(DecimalError::Empty);
    }
    let missing = decimals - fraction.unwrap_or(0);
    let value = value.checked_mul(POW10[missing as usize]).ok_or(DecimalError::Overflow)?;
    Ok(if negative { -value } else { value })
}

/// Shows a scaled integer as decimal text with all its decimals, or with trailing zeros cut (`{:#}`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scaled {
    /// The integer, in units of 10^-`decimals`.
    pub value: i128,
    /// How many decimals it carries.
    pub decimals: u8,
}

impl fmt::Display for Scaled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10u128.pow(u32::from(self.decimals));
        let magnitude = self.value.unsigned_abs();
        let (whole, mut rest) = (magnitude / unit, magnitude % unit);
        let mut width = usize::from(self.decimals);
        if f.alternate() {
            while width > 0 && rest.is_multiple_of(10) {
                rest /= 10;
                width -= 1;
            }
        }
        let sign = if self.value < 0 { "-" } else { "" };
        if width == 0 { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{rest:0width$}") }
    }
}

/// Writes a scaled integer as decimal text into `out`, without allocating; for the order encoder.
///
/// Returns the number of bytes written; 0 when `out` is too short (40 bytes are always enough for an `i64`).
#[inline]
pub fn write(value: i64, decimals: u8, out: &mut [u8]) -> usize {
    match write_short(value, decimals, out) {
        0 => write_any(value, decimals, out),
        written => written,
    }
}

/// [`write`] of up to fifteen digits where there is room for sixteen bytes: in registers, without a loop. 0 otherwise.
#[inline]
fn write_short(value: i64, decimals: u8, out: &mut [u8]) -> usize {
    const LIMIT: i64 = 10i64.pow(15);
    let Some(room) = out.first_chunk_mut::<16>() else { return 0 };
    if !(0..LIMIT).contains(&value) || decimals > 14 {
        return 0;
    }
    let value = value as u64;
    if value < 10_000_000 && decimals < 7 {
        return write_word(value, decimals, room);
    }
    let (high, low) = (value / 100_000_000, value % 100_000_000);
    // The first digit is the lowest byte.
    let digits = u128::from(eight_digits(high)) | u128::from(eight_digits(low)) << 64;
    // Of zero, all 128 bits are trailing: no digit is significant.
    let significant = 16 - digits.trailing_zeros() / 8;
    let count = significant.max(u32::from(decimals) + 1);
    let text = (digits | ASCII_ZEROS) >> (8 * (16 - count));
    if decimals == 0 {
        *room = text.to_le_bytes();
        return count as usize;
    }
    let whole = 8 * (count - u32::from(decimals));
    let before = (1u128 << whole) - 1;
    let text = text & before | u128::from(b'.') << whole | (text & !before) << 8;
    *room = text.to_le_bytes();
    count as usize + 1
}

/// [`write_short`] of up to seven digits: with a point they fit one word.
#[inline(always)]
fn write_word(value: u64, decimals: u8, room: &mut [u8; 16]) -> usize {
    let digits = eight_digits(value);
    let significant = 8 - digits.trailing_zeros() / 8;
    let count = significant.max(u32::from(decimals) + 1);
    let text = (digits | ASCII_ZEROS as u64) >> (8 * (8 - count));
    let whole = 8 * (count - u32::from(decimals));
    let before = (1u64 << whole) - 1;
    let (text, len) = match decimals {
        0 => (text, count),
        _ => (text & before | u64::from(b'.') << whole | (text & !before) << 8, count + 1),
    };
    room[..8].copy_from_slice(&text.to_le_bytes());
    len as usize
}

const ASCII_ZEROS: u128 = u128::from_ne_bytes([b'0'; 16]);

/// The eight decimal digits of a number below 10^8, a byte each, the first one lowest: halved three times, each time
/// in all parts of the word at once.
#[inline(always)]
const fn eight_digits(value: u64) -> u64 {
    let fours = (value / 10_000) | ((value % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x7f_0000_007f;
    let twos = hundreds | (fours - hundreds * 100) << 16;
    let tens = ((twos * 103) >> 10) & 0x0f_000f_000f_000f;
    tens | (twos - tens * 10) << 8
}

fn write_any(value: i64, decimals: u8, out: &mut [u8]) -> usize {
    let mut digits = [0u8; 24];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    let mut written = 0u8;
    while rest > 0 || written <= decimals {
        if written == decimals && decimals > 0 {
            at -= 1;
            digits[at] = b'.';
        }
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        written += 1;
    }
    if value < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    let text = &digits[at..];
    match out.get_mut(..text.len()) {
        Some(room) => {
            room.copy_from_slice(text);
            text.len()
        }
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_units_exactly() {
        assert_eq!(parse(b"61837.63000000", 8), Ok(6_183_763_000_000));
        assert_eq!(parse(b"61837.6", 2), Ok(6_183_760));
        assert_eq!(parse(b"61837.6300", 2), Ok(6_183_763));
        assert_eq!(parse(b"-0.5", 1), Ok(-5));
        assert_eq!(parse(b"412", 0), Ok(412));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(parse(b"", 2), Err(DecimalError::Empty));
        assert_eq!(parse(b".", 2), Err(DecimalError::Empty));
        assert_eq!(parse(b"1e5", 2), Err(DecimalError::Invalid));
        assert_eq!(parse(b"1.2.3", 2), Err(DecimalError::Invalid));
        assert_eq!(parse(b"0.001", 2), Err(DecimalError::TooPrecise));
        assert_eq!(parse(b"12345678901234567890", 0), Err(DecimalError::Overflow));
        assert_eq!(parse(b"99999999999.0", 8), Err(DecimalError::Overflow));
    }

    #[test]
    fn the_short_way_writes_what_the_long_way_does() {
        let mut random = 0x9E37_79B9_7F4A_7C15u64;
        let edges = [0, 1, 9, 10, 99_999_999, 100_000_000, 999_999_999_999_999, 1_000_000_000_000_000, -1];
        for n in 0..100_000 {
            random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
            let value = edges.get(n / 19).copied().unwrap_or_else(|| (random >> 13 >> (random % 50)) as i64);
            let decimals = (n % 19) as u8;
            let (mut short, mut long) = ([0u8; 40], [0u8; 40]);
            let (a, b) = (write(value, decimals, &mut short), write_any(value, decimals, &mut long));
            assert_eq!(short[..a], long[..b], "{value} with {decimals}");
        }
        let mut little = [0u8; 3];
        assert_eq!((write(123, 0, &mut little), &little), (3, b"123"));
        assert_eq!(write(1_234, 0, &mut little), 0);
    }

    #[test]
    fn text_and_units_round_trip() {
        for (value, decimals) in
            [(0, 0), (0, 8), (5, 3), (-5, 3), (123_456, 2), (i64::MAX, 18), (-1, 0), (i64::MIN + 1, 8)]
        {
            let shown = Scaled { value: value.into(), decimals }.to_string();
            let mut out = [0u8; 40];
            let n = write(value, decimals, &mut out);
            assert_eq!(std::str::from_utf8(&out[..n]), Ok(shown.as_str()));
            assert_eq!(parse(shown.as_bytes(), decimals), Ok(value));
        }
        assert_eq!(format!("{:#}", Scaled { value: 120_500, decimals: 3 }), "120.5");
        assert_eq!(format!("{:#}", Scaled { value: 120_000, decimals: 3 }), "120");
    }
}
