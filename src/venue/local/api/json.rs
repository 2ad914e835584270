//! JSON written straight into bytes, its members in the order in which they are put: that of the venue's documents.
//!
//! Owns: commas, quotes, escapes, and the venue's decimals. Invariant: a decimal has eight places, and more only where
//! less would not be exact.

use std::io::Write;

/// Places that the venue prints.
const PLACES: u8 = 8;

/// Appends JSON to a buffer.
pub(crate) struct Json<'a>(pub &'a mut Vec<u8>);

impl Json<'_> {
    /// A comma, where something stands before.
    fn apart(&mut self) {
        if !matches!(self.0.last(), None | Some(b'{' | b'[' | b':')) {
            self.0.push(b',');
        }
    }

    fn key(&mut self, name: &str) {
        self.apart();
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    /// Begins an object, as an element or at the top.
    pub fn begin(&mut self) {
        self.apart();
        self.0.push(b'{');
    }

    /// Begins an object that is a member.
    pub fn begin_in(&mut self, name: &str) {
        self.key(name);
        self.0.push(b'{');
    }

    pub fn end(&mut self) {
        self.0.push(b'}');
    }

    /// Begins a list, as an element or at the top.
    pub fn list(&mut self) {
        self.apart();
        self.0.push(b'[');
    }

    pub fn list_in(&mut self, name: &str) {
        self.key(name);
        self.0.push(b'[');
    }

    pub fn end_list(&mut self) {
        self.0.push(b']');
    }

    pub fn text(&mut self, name: &str, value: &str) {
        self.key(name);
        self.quoted(value);
    }

    /// A text that is an element.
    pub fn quoted(&mut self, value: &str) {
        self.apart();
        self.0.push(b'"');
        if !value.bytes().any(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1F)) {
            self.0.extend_from_slice(value.as_bytes());
            return self.0.push(b'"');
        }
        for byte in value.bytes() {
            match byte {
                b'"' | b'\\' => self.0.extend_from_slice(&[b'\\', byte]),
                0..=0x1F => {
                    // A vector takes every write.
                    let _ = write!(self.0, "\\u{byte:04x}");
                }
                _ => self.0.push(byte),
            }
        }
        self.0.push(b'"');
    }

    pub fn number(&mut self, name: &str, value: impl Into<i128>) {
        self.key(name);
        integer(self.0, value.into());
    }

    pub fn flag(&mut self, name: &str, value: bool) {
        self.raw(name, if value { b"true" } else { b"false" });
    }

    /// A member that is JSON already.
    pub fn raw(&mut self, name: &str, value: &[u8]) {
        self.key(name);
        self.0.extend_from_slice(value);
    }

    /// A decimal in quotes: `value` in units of 10^-`decimals`.
    pub fn decimal(&mut self, name: &str, value: impl Into<i128>, decimals: u8) {
        self.key(name);
        self.0.push(b'"');
        decimal(self.0, value.into(), decimals);
        self.0.push(b'"');
    }
}

/// Writes the digits of a number into all of the places, zeros before them.
fn digits(places: &mut [u8], value: u128) {
    // Nearly every number fits 64 bits, which are divided in a tenth of the time.
    match u64::try_from(value) {
        Ok(mut rest) => {
            for place in places.iter_mut().rev() {
                (*place, rest) = (b'0' + (rest % 10) as u8, rest / 10);
            }
        }
        Err(_) => {
            let mut rest = value;
            for place in places.iter_mut().rev() {
                (*place, rest) = (b'0' + (rest % 10) as u8, rest / 10);
            }
        }
    }
}

fn integer(out: &mut Vec<u8>, value: i128) {
    if value < 0 {
        out.push(b'-');
    }
    let magnitude = value.unsigned_abs();
    let count = match u64::try_from(magnitude) {
        Ok(small) => small.checked_ilog10(),
        Err(_) => magnitude.checked_ilog10(),
    };
    let begin = out.len();
    out.resize(begin + count.unwrap_or(0) as usize + 1, b'0');
    digits(&mut out[begin..], magnitude);
}

/// Appends a decimal with eight places, or as many as it takes.
pub(super) fn decimal(out: &mut Vec<u8>, value: i128, decimals: u8) {
    if value < 0 {
        out.push(b'-');
    }
    let magnitude = value.unsigned_abs();
    let (whole, rest, decimals) = match u64::try_from(magnitude) {
        Ok(small) if decimals <= 19 => {
            let (mut small, mut decimals) = (small, decimals);
            while decimals > PLACES && small % 10 == 0 {
                (small, decimals) = (small / 10, decimals - 1);
            }
            let unit = 10u64.pow(decimals.into());
            (u128::from(small / unit), u128::from(small % unit), decimals)
        }
        _ => {
            let (mut value, mut decimals) = (magnitude, decimals);
            while decimals > PLACES && value % 10 == 0 {
                (value, decimals) = (value / 10, decimals - 1);
            }
            let unit = 10u128.pow(decimals.into());
            (value / unit, value % unit, decimals)
        }
    };
    integer(out, whole as i128);
    out.push(b'.');
    let begin = out.len();
    out.resize(begin + usize::from(decimals.max(PLACES)), b'0');
    digits(&mut out[begin..begin + usize::from(decimals)], rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_decimals_their_eight_places() {
        let mut out = Vec::new();
        let mut json = Json(&mut out);
        json.begin();
        json.text("b", "x\"\\\n");
        json.number("a", -5);
        json.list_in("l");
        json.quoted("1");
        json.begin();
        json.flag("t", true);
        json.end();
        json.end_list();
        json.decimal("d", 1_234, 3);
        json.decimal("e", -50_000_000_000i64, 10);
        json.decimal("f", 1, 10);
        json.decimal("g", 7, 0);
        json.end();
        let expected = r#"{"b":"x\"\\\u000a","a":-5,"l":["1",{"t":true}],"d":"1.23400000","e":"-5.00000000","f":"0.0000000001","g":"7.00000000"}"#;
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    proptest::proptest! {
        #[test]
        fn decimals_are_what_cutting_their_digits_apart_gives(
            small in proptest::num::i64::ANY, more in 0u32..20, decimals in 0u8..25,
        ) {
            let value = i128::from(small) * 10i128.pow(more);
            let width = usize::from(decimals) + 1;
            let text = format!("{:0>width$}", value.unsigned_abs());
            let (whole, part) = text.split_at(text.len() - usize::from(decimals));
            let mut part = format!("{part:0<8}");
            while part.len() > 8 && part.ends_with('0') {
                part.pop();
            }
            let sign = if value < 0 { "-" } else { "" };
            let mut out = Vec::new();
            decimal(&mut out, value, decimals);
            proptest::prop_assert_eq!(String::from_utf8_lossy(&out), format!("{sign}{whole}.{part}"));
        }
    }
}
