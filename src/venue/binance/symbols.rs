//! Symbols as frames print them, found by 16 bytes at once.
//!
//! Owns: the fast path's view of the instrument table. Invariant: an entry is found for exactly the bytes of its
//! symbol in the asked case, so that what is found needs no further check.

use crate::domain::{InstrumentId, InstrumentTable, Market};

/// What the fast path must know of an instrument.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    folded: u128,
    lower: u128,
    upper: u128,
    market: Market,
    /// Bytes in the symbol.
    pub len: usize,
    pub id: InstrumentId,
    pub price_decimals: u8,
    pub qty_decimals: u8,
}

impl Entry {
    /// Whether `text` begins with the symbol in upper case.
    #[inline(always)]
    pub fn begins(&self, text: &[u8]) -> bool {
        match text.first_chunk::<16>() {
            Some(bytes) => u128::from_le_bytes(*bytes) & mask(self.len) == self.upper,
            None => false,
        }
    }
}

/// Open-addressed, never full.
#[derive(Debug, Clone)]
pub(super) struct Symbols {
    slots: Vec<Option<Entry>>,
    mask: usize,
}

/// Lower and upper case of a letter differ in this bit alone. Digits, `_` and `-` stay distinct without it.
const CASE: u128 = u128::from_ne_bytes([0x20; 16]);

#[inline(always)]
const fn mask(len: usize) -> u128 {
    debug_assert!(len < 16);
    (1u128 << (8 * len)) - 1
}

#[inline(always)]
fn hash(folded: u128, market: Market) -> usize {
    let word = folded as u64 ^ ((folded >> 64) as u64).rotate_left(29) ^ (market as u64) << 59;
    (word.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize
}

fn word(text: &[u8]) -> u128 {
    let mut bytes = [0u8; 16];
    for (to, from) in bytes.iter_mut().zip(text) {
        *to = *from;
    }
    u128::from_le_bytes(bytes)
}

impl Symbols {
    /// Entries for every instrument whose symbol is plain (`A-Z`, `0-9`, `_`, `-`): such text needs no look at JSON's
    /// escapes, and folds by one bit. Others are left to the reference path.
    pub fn new(table: &InstrumentTable) -> Self {
        let size = (table.len() * 4).next_power_of_two().max(16);
        let mut symbols = Self { slots: vec![None; size], mask: size - 1 };
        for instrument in table.all() {
            let text = instrument.symbol.as_bytes();
            let plain = |b: &u8| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-');
            if text.len() > 15 || !text.iter().all(plain) {
                continue;
            }
            let upper = word(text);
            let entry = Entry {
                folded: upper & !CASE,
                lower: word(&text.to_ascii_lowercase()),
                upper,
                market: instrument.market,
                len: text.len(),
                id: instrument.id,
                price_decimals: instrument.price_decimals,
                qty_decimals: instrument.qty_decimals,
            };
            let mut at = hash(entry.folded, entry.market) & symbols.mask;
            while symbols.slots[at].is_some() {
                at = (at + 1) & symbols.mask;
            }
            symbols.slots[at] = Some(entry);
        }
        symbols
    }

    /// The instrument whose symbol in lower case stands at the beginning of `text`, up to an `@`.
    #[inline(always)]
    pub fn lower(&self, market: Market, text: &[u8]) -> Option<&Entry> {
        let (bytes, len) = until(text, b'@')?;
        self.find(market, bytes).filter(|e| e.lower == bytes && e.len == len)
    }

    /// The instrument whose symbol in upper case stands at the beginning of `text`, up to a quotation mark.
    #[inline(always)]
    pub fn upper(&self, market: Market, text: &[u8]) -> Option<&Entry> {
        let (bytes, len) = until(text, b'"')?;
        self.find(market, bytes).filter(|e| e.upper == bytes && e.len == len)
    }

    /// The instrument with this symbol, in upper case.
    pub fn exact(&self, market: Market, symbol: &str) -> Option<&Entry> {
        if symbol.len() > 15 {
            return None;
        }
        let bytes = word(symbol.as_bytes());
        self.find(market, bytes).filter(|e| e.upper == bytes && e.len == symbol.len())
    }

    #[inline(always)]
    fn find(&self, market: Market, bytes: u128) -> Option<&Entry> {
        let folded = bytes & !CASE;
        let mut at = hash(folded, market) & self.mask;
        loop {
            match self.slots.get(at)? {
                Some(entry) if entry.folded == folded && entry.market == market => return Some(entry),
                Some(_) => at = (at + 1) & self.mask,
                None => return None,
            }
        }
    }
}

/// The bytes before the first `end` among the first 16 of `text`, and how many.
#[inline(always)]
fn until(text: &[u8], end: u8) -> Option<(u128, usize)> {
    let word = u128::from_le_bytes(*text.first_chunk::<16>()?);
    let hit = word ^ u128::from_ne_bytes([end; 16]);
    let ones = u128::from_ne_bytes([1; 16]);
    // The lowest zero byte gets its high bit set; bytes above it may, too, by the borrow.
    let zero = hit.wrapping_sub(ones) & !hit & (ones << 7);
    if zero == 0 {
        return None;
    }
    let len = (zero.trailing_zeros() / 8) as usize;
    Some((word & mask(len), len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instrument::tests::sample;

    #[test]
    fn a_symbol_is_found_by_its_exact_bytes_in_its_market() {
        let table = InstrumentTable::new(vec![
            sample(Market::Spot, "BTCUSDT"),
            sample(Market::UsdM, "BTCUSDT"),
            sample(Market::CoinM, "BTCUSD_PERP"),
        ])
        .expect("three distinct instruments");
        let symbols = Symbols::new(&table);
        let lower = |market, text: &[u8]| symbols.lower(market, text).map(|e| e.id.0);
        assert_eq!(lower(Market::Spot, b"btcusdt@bookTicker"), Some(0));
        assert_eq!(lower(Market::UsdM, b"btcusdt@bookTicker"), Some(1));
        assert_eq!(lower(Market::CoinM, b"btcusd_perp@trade\""), Some(2));
        assert_eq!(lower(Market::CoinM, b"btcusdt@bookTicker"), None);
        assert_eq!(lower(Market::Spot, b"BTCUSDT@bookTicker"), None, "streams are in lower case");
        assert_eq!(lower(Market::Spot, b"btcusdt\0@bookTicker"), None, "a control character is not JSON");
        assert_eq!(lower(Market::Spot, b"btcusd\x14@bookTicker"), None, "folds like a letter, is none");
        assert_eq!(lower(Market::Spot, b"@bookTicker          "), None);
        assert_eq!(lower(Market::Spot, b"averylongsymbolname@trade"), None);
        assert_eq!(symbols.upper(Market::Spot, b"BTCUSDT\",\"b\":\"6183").map(|e| e.id.0), Some(0));
        assert_eq!(symbols.upper(Market::Spot, b"btcusdt\",\"b\":\"6183").map(|e| e.id.0), None);
    }
}
