//! Decimal text of any precision, exactly.
//!
//! Owns: reading numbers as vendors print them (`0.00010000`, `1e-05`), and rounding where that was asked for. Invariant: a
//! number is exact, or is refused, or is counted as rounded.

use super::fault::RowFault;
use crate::domain::decimal::{DECIMALS_MAX, POW10};
use crate::history::segment::Num;

/// How numbers are read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Numbers {
    /// Decimals that prices are rounded to, half to even, if they have more.
    pub round_price: Option<u8>,
    /// The same of quantities.
    pub round_qty: Option<u8>,
    /// Numbers that were changed by that.
    pub rounded: u64,
}

impl Numbers {
    /// A price above zero.
    #[inline]
    pub fn price(&mut self, column: &'static str, text: &[u8]) -> Result<Num, RowFault> {
        let num = self.read(column, text, self.round_price)?;
        if num.units > 0 { Ok(num) } else { Err(RowFault::NotPositive { column, text: shown(text) }) }
    }

    /// A quantity, zero or above.
    #[inline]
    pub fn qty(&mut self, column: &'static str, text: &[u8]) -> Result<Num, RowFault> {
        let num = self.read(column, text, self.round_qty)?;
        if num.units >= 0 { Ok(num) } else { Err(RowFault::Negative { column, text: shown(text) }) }
    }

    #[inline]
    fn read(&mut self, column: &'static str, text: &[u8], round: Option<u8>) -> Result<Num, RowFault> {
        let num = quick(text);
        match (num, round) {
            (Some(num), None) => Ok(num),
            (Some(num), Some(to)) if num.decimals <= to => Ok(num),
            _ => self.slow(column, text, round),
        }
    }

    #[cold]
    fn slow(&mut self, column: &'static str, text: &[u8], round: Option<u8>) -> Result<Num, RowFault> {
        let wide =
            Wide::parse(text).ok_or_else(|| RowFault::Number { column, text: shown(text) })?.shortest();
        if let Some(to) = round
            && wide.decimals > i32::from(to)
        {
            self.rounded += 1;
            return wide.rounded(to).ok_or_else(|| RowFault::Large { column, text: shown(text) });
        }
        if wide.decimals > i32::from(DECIMALS_MAX) {
            return Err(RowFault::Precise { column, text: shown(text) });
        }
        wide.rounded(wide.decimals.max(0) as u8).ok_or_else(|| RowFault::Large { column, text: shown(text) })
    }
}

/// Whether text is a number, of whatever sign and size.
pub(super) fn is_number(text: &[u8]) -> bool {
    Wide::parse(text).is_some()
}

/// An unsigned integer: an id, a time.
#[inline]
pub(super) fn integer(column: &'static str, text: &[u8]) -> Result<u64, RowFault> {
    if (8..=16).contains(&text.len())
        && let Some((last, first)) = two_words(text)
        && others(first) | others(last) == 0
    {
        return Ok(eight_digits(first) * 100_000_000 + eight_digits(last));
    }
    other_integer(column, text)
}

/// [`integer`] of any length, and why it is none.
fn other_integer(column: &'static str, text: &[u8]) -> Result<u64, RowFault> {
    let good = !text.is_empty() && text.len() <= 19 && text.iter().all(u8::is_ascii_digit);
    if !good {
        return Err(RowFault::Integer { column, text: shown(text) });
    }
    Ok(text.iter().fold(0, |value, byte| value * 10 + u64::from(byte - b'0')))
}

/// The values of 8 to 16 digits: of the last eight, the last one highest, and of those before them, zeros where there are
/// none. What is no digit has a value above nine.
#[inline]
fn two_words(text: &[u8]) -> Option<(u64, u64)> {
    let (first, last) = (text.first_chunk::<8>()?, text.last_chunk::<8>()?);
    // Of the first eight, those that are not among the last eight; of eight, none.
    let again = 8 * (16 - text.len() as u32);
    let first = (u64::from_le_bytes(*first) ^ bytes(b'0')).checked_shl(again).unwrap_or(0);
    Some((u64::from_le_bytes(*last) ^ bytes(b'0'), first))
}

/// The number of up to sixteen characters, all at once rather than one after the other; `None` for what is no unsigned
/// decimal number, and for longer ones.
#[inline]
fn quick(text: &[u8]) -> Option<Num> {
    if text.len() <= 8 { quick_word(text) } else { quick_words(text) }
}

#[inline]
fn quick_word(text: &[u8]) -> Option<Num> {
    let word = match (text.first_chunk::<4>(), text.last_chunk::<4>(), text) {
        (Some(first), Some(last), _) => {
            let first = u64::from(u32::from_le_bytes(*first)) << (8 * (8 - text.len()));
            u64::from(u32::from_le_bytes(*last)) << 32 | (first & 0xffff_ffff)
        }
        (.., [a, b, c]) => u64::from_le_bytes([0, 0, 0, 0, 0, *a, *b, *c]),
        (.., [a, b]) => u64::from_le_bytes([0, 0, 0, 0, 0, 0, *a, *b]),
        // A point alone is no number.
        (.., [a]) if *a != b'.' => u64::from_le_bytes([0, 0, 0, 0, 0, 0, 0, *a]),
        _ => return None,
    };
    // Digits become their values, and what is before the first one stays zero.
    let mut digits = word ^ (bytes(b'0') << (8 * (8 - text.len())));
    let points = zeros(digits ^ bytes(b'0' ^ b'.'));
    let mut decimals = 0;
    if points != 0 {
        decimals = points.leading_zeros() / 8;
        let before = u64::MAX >> (8 * decimals);
        digits = (digits & !before) | (digits & (before >> 8)) << 8;
    }
    (others(digits) == 0).then(|| Num::new(eight_digits(digits) as i64, decimals as u8))
}

/// [`quick_word`] of 9 to 16 characters. Zeros at the end of the decimals, of which venues print many, are left out.
#[inline]
fn quick_words(text: &[u8]) -> Option<Num> {
    if text.len() > 16 {
        return longer(text);
    }
    let (last, first) = two_words(text)?;
    let points = [last, first].map(|word| zeros(word ^ bytes(b'0' ^ b'.')));
    let mut digits = u128::from(last) << 64 | u128::from(first);
    let mut decimals = 0;
    if points != [0, 0] {
        decimals = (u128::from(points[0]) << 64 | u128::from(points[1])).leading_zeros() / 8;
        let before = u128::MAX >> (8 * decimals);
        digits = (digits & !before) | (digits & (before >> 8)) << 8;
        let at_end = (digits.leading_zeros() / 8).min(decimals);
        digits <<= 8 * at_end;
        decimals -= at_end;
    }
    let (last, first) = ((digits >> 64) as u64, digits as u64);
    let value = || eight_digits(first) * 100_000_000 + eight_digits(last);
    (others(first) | others(last) == 0).then(|| Num::new(value() as i64, decimals as u8))
}

/// [`quick`] of up to 18 digits and a point.
#[cold]
fn longer(text: &[u8]) -> Option<Num> {
    if text.len() > 19 {
        return None;
    }
    let (mut units, mut point) = (0i64, text.len());
    for (at, &byte) in text.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            units = units.checked_mul(10)?.checked_add(i64::from(digit))?;
        } else if byte == b'.' && point == text.len() {
            point = at;
        } else {
            return None;
        }
    }
    Some(Num::new(units, text.len().saturating_sub(point + 1) as u8).shortest())
}

/// A byte in each place of a word.
const fn bytes(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The highest bit of each byte that is zero.
#[inline]
const fn zeros(word: u64) -> u64 {
    const LOW: u64 = bytes(0x7f);
    // Of a byte that is zero neither its highest bit is set, nor is there one below it to carry into that.
    !(((word & LOW) + LOW) | word | LOW)
}

/// The highest bit of each byte that is more than nine.
#[inline]
const fn others(word: u64) -> u64 {
    (((word & bytes(0x7f)) + bytes(0x7f - 9)) | word) & bytes(0x80)
}

/// What eight digits say, the first one lowest.
#[inline]
const fn eight_digits(ones: u64) -> u64 {
    // Neighbours are joined: ones to pairs, pairs to fours, fours to eight.
    let pairs = (ones * 10 + (ones >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    (fours * 10_000 + (fours >> 32)) & 0xffff_ffff
}

/// A turnover in units of 10^-8; what is finer is cut off.
#[inline]
pub(super) fn turnover(column: &'static str, text: &[u8]) -> Result<i128, RowFault> {
    match quick(text) {
        Some(Num { units: units @ 0.., decimals: decimals @ 0..=8 }) => {
            Ok(i128::from(units) * i128::from(POW10[usize::from(8 - decimals)]))
        }
        _ => any_turnover(column, text),
    }
}

#[cold]
fn any_turnover(column: &'static str, text: &[u8]) -> Result<i128, RowFault> {
    let bad = || RowFault::Number { column, text: shown(text) };
    let wide = Wide::parse(text).ok_or_else(bad)?;
    if wide.units < 0 {
        return Err(RowFault::Negative { column, text: shown(text) });
    }
    let unit = |n: i32| 10i128.checked_pow(n.unsigned_abs());
    match 8 - wide.decimals {
        more @ 0.. => unit(more).and_then(|unit| wide.units.checked_mul(unit)).ok_or_else(bad),
        less => Ok(unit(less).map_or(0, |unit| wide.units / unit)),
    }
}

/// Text for a message.
pub(super) fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(40)]);
    text.into_owned()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wide {
    units: i128,
    /// Below zero where zeros stand before the point.
    decimals: i32,
}

impl Wide {
    fn parse(text: &[u8]) -> Option<Self> {
        let exponent_at = text.iter().position(|b| matches!(b, b'e' | b'E'));
        let (mantissa, exponent) = match exponent_at {
            Some(at) => (&text[..at], std::str::from_utf8(&text[at + 1..]).ok()?.parse::<i32>().ok()?),
            None => (text, 0),
        };
        if exponent.abs() > 60 {
            return None;
        }
        let (negative, digits) = match mantissa {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, mantissa),
        };
        let (mut units, mut decimals, mut any, mut point) = (0i128, 0i32, false, false);
        for &byte in digits {
            match byte {
                b'0'..=b'9' => {
                    any = true;
                    units = units.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
                    decimals += i32::from(point);
                }
                b'.' if !point => point = true,
                _ => return None,
            }
        }
        any.then_some(Self { units: if negative { -units } else { units }, decimals: decimals - exponent })
    }

    fn shortest(mut self) -> Self {
        if self.units == 0 {
            return Self { units: 0, decimals: 0 };
        }
        while self.decimals > 0 && self.units % 10 == 0 {
            self.units /= 10;
            self.decimals -= 1;
        }
        self
    }

    /// With `to` decimals, rounded half to even.
    fn rounded(self, to: u8) -> Option<Num> {
        let units = match i32::from(to) - self.decimals {
            more @ 0.. => self.units.checked_mul(10i128.checked_pow(more.unsigned_abs())?)?,
            // Below half of any unit.
            less if less < -38 => 0,
            less => divide(self.units, 10i128.pow(less.unsigned_abs())),
        };
        Some(Num::new(i64::try_from(units).ok()?, to))
    }
}

/// `value` / `by`, rounded half to even; `by` is above zero.
pub(super) fn divide(value: i128, by: i128) -> i128 {
    let (whole, rest) = (value.div_euclid(by), value.rem_euclid(by));
    match (rest).cmp(&(by - rest)) {
        std::cmp::Ordering::Less => whole,
        std::cmp::Ordering::Greater => whole + 1,
        std::cmp::Ordering::Equal => whole + whole.rem_euclid(2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decimal;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Num, RowFault> {
        Numbers::default().qty("qty", text.as_bytes())
    }

    proptest! {
        #[test]
        fn numbers_are_what_the_domain_says_they_are(text in "[0-9]{1,9}(\\.[0-9]{0,9})?") {
            let num = read(&text).expect("a number");
            let units = decimal::parse(text.as_bytes(), 9).expect("at most nine decimals");
            prop_assert_eq!(i128::from(num.units) * 10i128.pow(9 - u32::from(num.decimals)), i128::from(units));
        }

        #[test]
        fn the_short_way_reads_what_the_long_way_does(text in "[0-9.]{0,20}|[-+0-9.eE,/:]{0,19}|[0-9]{1,9}\\.[0-9]{1,9}") {
            let long = Wide::parse(text.as_bytes()).map(Wide::shortest);
            match quick(text.as_bytes()) {
                Some(num) => prop_assert_eq!(long.and_then(|w| w.rounded(w.decimals as u8)), Some(num.shortest())),
                // What it does not read is long, has a sign or an exponent, or is none.
                None => prop_assert!(long.is_none() || text.len() > 18 || text.contains(['-', '+', 'e', 'E'])),
            }
        }

        #[test]
        fn an_integer_is_what_its_digits_say_or_refused(text in "[0-9]{1,19}", at in 0usize..19, byte in any::<u8>()) {
            prop_assert_eq!(integer("id", text.as_bytes()).ok(), text.parse::<u64>().ok());
            let mut other = text.into_bytes();
            let at = at % other.len();
            other[at] = byte;
            prop_assert_eq!(integer("id", &other).is_ok(), byte.is_ascii_digit());
        }

        #[test]
        fn any_bytes_are_a_number_or_a_fault(text in proptest::collection::vec(any::<u8>(), 0..30)) {
            let _ = Numbers::default().price("price", &text);
            let _ = Numbers { round_qty: Some(3), ..Numbers::default() }.qty("qty", &text);
            let _ = (integer("id", &text), turnover("turnover", &text));
        }
    }

    #[test]
    fn exponents_and_long_numbers_are_exact_or_refused() {
        assert_eq!(read("1e-05"), Ok(Num::new(1, 5)));
        assert_eq!(read("1.5E3"), Ok(Num::new(1_500, 0)));
        assert_eq!(read("24.568570729999998"), Ok(Num::new(24_568_570_729_999_998, 15)));
        assert_eq!(read("0.000000000000000000000"), Ok(Num::new(0, 0)));
        assert!(matches!(read("1.1102230246251565e-16"), Err(RowFault::Precise { .. })));
        assert!(matches!(read("99999999999999999999"), Err(RowFault::Large { .. })));
        for bad in ["NaN", "inf", "", ".", "1.2.3", "1e", "0x10", "1,5", " 1"] {
            assert!(matches!(read(bad), Err(RowFault::Number { .. })), "{bad}");
        }
        assert!(matches!(read("-1"), Err(RowFault::Negative { .. })));
        assert!(matches!(Numbers::default().price("p", b"0"), Err(RowFault::NotPositive { .. })));
    }

    #[test]
    fn rounding_is_half_to_even_and_counted() {
        let mut numbers = Numbers { round_qty: Some(2), ..Numbers::default() };
        for (text, units) in [("1.005", 100), ("1.015", 102), ("1.0151", 102), ("1.1e-16", 0), ("3", 3)] {
            let num = numbers.qty("qty", text.as_bytes()).expect("a number");
            assert_eq!(num.units, units, "{text}");
        }
        assert_eq!(numbers.rounded, 4);
        assert_eq!((divide(-15, 10), divide(-25, 10), divide(25, 10)), (-2, -2, 2));
    }
}
