//! The pieces of Binance's frames, each read where it is expected.
//!
//! Owns: literals, integers, decimals, symbols and sides of a book, for the fast path. Invariant: a piece is stepped
//! over only when all its bytes are what they must be; after a `None` the cursor is of no use.

use super::number::{join, leading_digits, load_ahead, parse_decimal, scaled};
use super::symbols::Entry;
use crate::domain::Level;
use crate::domain::decimal::POW10;

/// What is not read yet.
pub(super) struct Cursor<'a> {
    pub rest: &'a [u8],
}

impl Cursor<'_> {
    /// Steps over `text` if it is next.
    #[inline(always)]
    pub fn lit<const N: usize>(&mut self, text: &[u8; N]) -> bool {
        match self.rest.split_first_chunk::<N>() {
            Some((head, rest)) if head == text => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    #[inline(always)]
    pub fn expect<const N: usize>(&mut self, text: &[u8; N]) -> Option<()> {
        self.lit(text).then_some(())
    }

    #[inline(always)]
    pub fn skip(&mut self, bytes: usize) -> Option<()> {
        self.rest = self.rest.get(bytes..)?;
        Some(())
    }

    /// The part of a stream's name after its symbol; whether it is of partial books.
    #[inline(always)]
    pub fn stream_kind(&mut self) -> Option<bool> {
        if self.lit(b"@bookTicker") || self.lit(b"@trade") || self.lit(b"@aggTrade") {
            return Some(false);
        }
        self.expect(b"@depth")?;
        let partial = self.lit(b"20") || self.lit(b"10") || self.lit(b"5");
        let _ = self.lit(b"@0ms") || self.lit(b"@100ms") || self.lit(b"@250ms") || self.lit(b"@500ms");
        Some(partial)
    }

    /// An unsigned JSON integer of at most 15 digits, as ids and milliseconds have.
    #[inline(always)]
    pub fn int(&mut self) -> Option<u64> {
        let high = load_ahead(self.rest);
        let digits = leading_digits(high);
        // A number does not begin with a zero, unless it is one.
        if digits == 0 || (high & 0xff == 0 && digits > 1) {
            return None;
        }
        self.skip(digits as usize)?;
        if digits < 8 {
            return Some(join(high, digits));
        }
        let low = load_ahead(self.rest);
        let digits = leading_digits(low);
        self.skip(digits as usize)?;
        let unit = *POW10.get(digits as usize)? as u64;
        (digits < 8).then_some(join(high, 8) * unit + join(low, digits))
    }

    #[inline(always)]
    pub fn boolean(&mut self) -> Option<bool> {
        if self.lit(b"true") { Some(true) } else { self.lit(b"false").then_some(false) }
    }

    /// The text of a decimal, up to its quotation mark.
    #[inline(always)]
    pub fn decimal(&mut self, decimals: u8) -> Option<i64> {
        match self.printed(decimals) {
            Some((value, bytes)) => {
                self.skip(bytes)?;
                Some(value)
            }
            None => self.decimal_slow(decimals),
        }
    }

    /// A decimal with just as many decimals as the instrument: its value and length.
    #[inline(always)]
    fn printed(&self, decimals: u8) -> Option<(i64, usize)> {
        let whole = load_ahead(self.rest);
        let digits = leading_digits(whole);
        let len = digits as usize;
        let end = if decimals == 0 { len } else { len + 1 + usize::from(decimals) };
        if digits == 0 || decimals > 8 || *self.rest.get(end)? != b'"' {
            return None;
        }
        if decimals == 0 {
            return Some((join(whole, digits) as i64, end));
        }
        if self.rest[len] != b'.' {
            return None;
        }
        if end <= 8 {
            // All of it is in the word: close the gap that the point leaves, and it is one number.
            let before = (1u64 << (8 * len)) - 1;
            let closed = whole & before | whole >> 8 & !before;
            let count = digits + u32::from(decimals);
            return (leading_digits(closed) >= count).then(|| (join(closed, count) as i64, end));
        }
        let fraction = load_ahead(&self.rest[len + 1..]);
        if leading_digits(fraction) < u32::from(decimals) {
            return None;
        }
        let unit = POW10[usize::from(decimals)];
        Some((scaled(join(whole, digits), join(fraction, u32::from(decimals)), unit), end))
    }

    #[cold]
    fn decimal_slow(&mut self, decimals: u8) -> Option<i64> {
        let bytes = self.rest.iter().take(40).position(|&b| b == b'"')?;
        let (text, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        parse_decimal(text, decimals).ok().filter(|&value| value >= 0)
    }

    /// `,"s":"BTCUSDT"`.
    #[inline(always)]
    pub fn symbol(&mut self, entry: &Entry) -> Option<()> {
        self.expect(b",\"s\":\"")?;
        self.upper_symbol(entry)
    }

    #[inline(always)]
    pub fn upper_symbol(&mut self, entry: &Entry) -> Option<()> {
        if !entry.begins(self.rest) {
            return None;
        }
        self.skip(entry.len)?;
        self.expect(b"\"")
    }

    /// The pair that COIN-M names after the symbol: of no use to us.
    #[inline(always)]
    pub fn pair(&mut self) -> Option<()> {
        if self.lit(b",\"ps\":\"") { self.plain_text() } else { Some(()) }
    }

    /// The rest of a string without escapes.
    #[inline]
    pub fn plain_text(&mut self) -> Option<()> {
        let end = self.rest.iter().position(|b| !b.is_ascii_alphanumeric())?;
        self.skip(end)?;
        self.expect(b"\"")
    }

    /// `,"p":"61837.63","q":"0.02"`.
    #[inline(always)]
    pub fn price_and_qty(&mut self, entry: &Entry) -> Option<(i64, i64)> {
        self.expect(b",\"p\":\"")?;
        let price = self.decimal(entry.price_decimals)?;
        self.expect(b"\",\"q\":\"")?;
        let qty = self.decimal(entry.qty_decimals)?;
        self.expect(b"\"")?;
        Some((price, qty))
    }

    /// Time and maker flag of a spot trade, and `M`, which means nothing.
    #[inline(always)]
    pub fn spot_tail(&mut self) -> Option<(u64, bool)> {
        self.expect(b",\"T\":")?;
        let time = self.int()?;
        self.expect(b",\"m\":")?;
        let sold = self.boolean()?;
        self.expect(b",\"M\":")?;
        self.boolean()?;
        Some((time, sold))
    }

    /// One side of a book after its opening bracket; how many levels it has.
    #[inline(always)]
    pub fn side(&mut self, entry: &Entry, levels: &mut Vec<Level>) -> Option<u32> {
        if self.lit(b"]") {
            return Some(0);
        }
        self.expect(b"[\"")?;
        let mut count = 0;
        loop {
            let price = self.decimal(entry.price_decimals)?;
            self.expect(b"\",\"")?;
            let qty = self.decimal(entry.qty_decimals)?;
            if price == 0 {
                return None;
            }
            levels.push(Level::new(price, qty));
            count += 1;
            if !self.lit(b"\"],[\"") {
                self.expect(b"\"]]")?;
                return Some(count);
            }
        }
    }
}
