//! Decimal text of any precision, exactly.
//!
//! Owns: reading numbers as vendors print them (`0.00010000`, `1e-05`), and rounding where that was asked for. Invariant: a
//! number is exact, or is refused, or is counted as rounded.

use super::fault::RowFault;
use crate::domain::decimal::DECIMALS_MAX;
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

/// An unsigned integer: an id, a time.
#[inline]
pub(super) fn integer(column: &'static str, text: &[u8]) -> Result<u64, RowFault> {
    let bad = || RowFault::Integer { column, text: shown(text) };
    if text.is_empty() || text.len() > 19 {
        return Err(bad());
    }
    let (mut value, mut rest) = (0u64, text);
    // Ids and times have ten digits and more.
    if let Some((first, after)) = text.split_first_chunk() {
        (value, rest) = (eight_digits(*first).ok_or_else(bad)?, after);
    }
    for &byte in rest {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(bad());
        }
        value = value * 10 + u64::from(digit);
    }
    Ok(value)
}

/// What eight digits say; `None` where one is none.
#[inline]
fn eight_digits(text: [u8; 8]) -> Option<u64> {
    let word = u64::from_le_bytes(text);
    let high = 0xf0f0_f0f0_f0f0_f0f0;
    // Digits are 0x30 to 0x39: 6 more, and they still begin with 3.
    let above = (word.wrapping_add(0x0606_0606_0606_0606) & high) >> 4;
    if (word & high) | above != 0x3333_3333_3333_3333 {
        return None;
    }
    // Neighbours are joined: ones to pairs, pairs to fours, fours to eight.
    let ones = word & 0x0f0f_0f0f_0f0f_0f0f;
    let pairs = (ones * 10 + (ones >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours * 10_000 + (fours >> 32)) & 0xffff_ffff)
}

/// A turnover in units of 10^-8; what is finer is cut off.
#[inline]
pub(super) fn turnover(column: &'static str, text: &[u8]) -> Result<i128, RowFault> {
    let bad = || RowFault::Number { column, text: shown(text) };
    let wide = match quick(text) {
        Some(num) => Wide { units: num.units.into(), decimals: num.decimals.into() },
        None => Wide::parse(text).ok_or_else(bad)?,
    };
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

/// The number where it has at most 18 digits and no exponent.
#[inline]
fn quick(text: &[u8]) -> Option<Num> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if digits.len() > 18 {
        return None;
    }
    let (mut units, mut point) = (0i64, digits.len());
    for (at, &byte) in digits.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            units = units * 10 + i64::from(digit);
        } else if byte == b'.' && point == digits.len() {
            point = at;
        } else {
            return None;
        }
    }
    let decimals = digits.len().saturating_sub(point + 1);
    if digits.is_empty() || (point == 0 && decimals == 0) {
        return None;
    }
    Some(Num::new(if negative { -units } else { units }, decimals as u8))
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
