//! Instruments: what is traded, where, at which precision and by which rules.
//!
//! An instrument is (venue, market, symbol): BTCUSDT exists twice on Binance alone. Precision never changes within an
//! id (a new precision is a new id); tick and lot may.

use super::event::{BALANCE_DECIMALS, Rules};
use super::ids::InstrumentId;
use super::number::{Notional, Price, Qty};
use std::fmt;

/// The part of a venue an instrument trades in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[repr(u8)]
pub enum Market {
    /// Spot: the asset itself.
    Spot = 0,
    /// USD-margined linear futures.
    UsdM = 1,
    /// Coin-margined inverse futures: data only, until their accounting is stated.
    CoinM = 2,
}

impl Market {
    /// Every market.
    pub const ALL: [Market; 3] = [Market::Spot, Market::UsdM, Market::CoinM];

    /// The name used in configuration, file names and output.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Market::Spot => "spot",
            Market::UsdM => "usdm",
            Market::CoinM => "coinm",
        }
    }

    /// The market with this label.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.label() == label)
    }
}

impl fmt::Display for Market {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// A fee rate in units of 10^-8 of the notional: 100,000 is 0.1 %. Negative is a rebate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct FeeRate(pub i64);

impl FeeRate {
    /// Decimals of the rate's unit.
    pub const DECIMALS: u8 = 8;
}

/// Everything that must be known of an instrument before its frames can be decoded and its orders be sent.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Instrument {
    /// Index in the run's table.
    pub id: InstrumentId,
    /// The venue's name, as in configuration: `binance`.
    pub venue: String,
    /// The part of the venue.
    pub market: Market,
    /// The venue's symbol in upper case: `BTCUSDT`, `BTCUSD_PERP`.
    pub symbol: String,
    /// The asset bought and sold.
    pub base: String,
    /// The asset paid with; fees of simulated fills are taken in it.
    pub quote: String,
    /// Decimals of printed prices.
    pub price_decimals: u8,
    /// Decimals of printed quantities.
    pub qty_decimals: u8,
    /// Smallest price step.
    pub tick: Price,
    /// Smallest quantity step.
    pub lot: Qty,
    /// Smallest order quantity.
    pub min_qty: Qty,
    /// Largest order quantity.
    pub max_qty: Qty,
    /// Smallest order value, in the notional's units.
    pub min_notional: Notional,
    /// Fee for an order that rested.
    pub maker_fee: FeeRate,
    /// Fee for an order that traded at once.
    pub taker_fee: FeeRate,
}

impl Instrument {
    /// `binance:spot:BTCUSDT`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}:{}:{}", self.venue, self.market, self.symbol)
    }

    /// Whether orders may be sent: inverse contracts are data only.
    #[inline]
    #[must_use]
    pub fn tradable(&self) -> bool {
        self.market != Market::CoinM
    }

    /// Its rules, to compare with those that the venue has now.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules {
            instrument: self.id,
            tick: self.tick,
            lot: self.lot,
            min_qty: self.min_qty,
            max_qty: self.max_qty,
            min_notional: self.min_notional,
        }
    }

    /// Takes changed rules over.
    pub fn change(&mut self, rules: &Rules) {
        (self.tick, self.lot) = (rules.tick, rules.lot);
        (self.min_qty, self.max_qty) = (rules.min_qty, rules.max_qty);
        self.min_notional = rules.min_notional;
    }

    /// `qty` less what is no whole lot of it.
    #[inline]
    #[must_use]
    pub fn whole_lots(&self, qty: Qty) -> Qty {
        qty.in_lots(self.lot)
    }

    /// Decimals of a notional.
    #[inline]
    #[must_use]
    pub fn notional_decimals(&self) -> u8 {
        self.price_decimals + self.qty_decimals
    }

    /// Whether a trade for so much moves less than a venue keeps of a balance, [`BALANCE_DECIMALS`], so that it cuts what it
    /// moves.
    #[must_use]
    pub fn is_cut(&self, notional: Notional) -> bool {
        let finer = u32::from(self.notional_decimals().saturating_sub(BALANCE_DECIMALS));
        10i128.checked_pow(finer).is_none_or(|unit| notional.0 % unit != 0)
    }
}

/// The instruments of one run, found by index or by (market, symbol).
///
/// Lookup by symbol is an open-addressed table of 128-bit keys, since it is done once a frame on the hot path.
#[derive(Debug, Clone)]
pub struct InstrumentTable {
    all: Vec<Instrument>,
    slots: Vec<(u128, u16)>,
    mask: usize,
}

/// Symbols longer than this are not looked up: no venue of ours has one.
pub const SYMBOL_BYTES_MAX: usize = 15;
const EMPTY: u16 = u16::MAX;

/// Why a table of instruments cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// The same instrument twice.
    #[error("instrument {0} is given twice")]
    Duplicate(String),
    /// A symbol that is empty or too long to look up.
    #[error("symbol {0:?} must have 1 to {SYMBOL_BYTES_MAX} bytes")]
    BadSymbol(String),
    /// More than fit an id.
    #[error("more than 65,534 instruments in one run")]
    TooMany,
}

fn key(market: Market, symbol: &[u8]) -> Option<u128> {
    if symbol.is_empty() || symbol.len() > SYMBOL_BYTES_MAX {
        return None;
    }
    let mut bytes = [0u8; 16];
    bytes[0] = market as u8 + 1;
    for (to, from) in bytes[1..].iter_mut().zip(symbol) {
        *to = from.to_ascii_uppercase();
    }
    Some(u128::from_le_bytes(bytes))
}

#[inline]
fn hash(key: u128) -> usize {
    let folded = (key as u64) ^ ((key >> 64) as u64).rotate_left(29);
    (folded.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize
}

impl InstrumentTable {
    /// Builds the table; ids are given anew, in order.
    ///
    /// # Errors
    /// [`TableError`] for a duplicate, an impossible symbol, or too many.
    pub fn new(instruments: Vec<Instrument>) -> Result<Self, TableError> {
        if instruments.len() >= usize::from(EMPTY) {
            return Err(TableError::TooMany);
        }
        let size = (instruments.len() * 4).next_power_of_two().max(16);
        let mut table = Self { all: instruments, slots: vec![(0, EMPTY); size], mask: size - 1 };
        for index in 0..table.all.len() {
            let id = InstrumentId(index as u16);
            table.all[index].id = id;
            let instrument = &table.all[index];
            let key = key(instrument.market, instrument.symbol.as_bytes())
                .ok_or_else(|| TableError::BadSymbol(instrument.symbol.clone()))?;
            let mut at = hash(key) & table.mask;
            while table.slots[at].1 != EMPTY {
                if table.slots[at].0 == key {
                    return Err(TableError::Duplicate(instrument.name()));
                }
                at = (at + 1) & table.mask;
            }
            table.slots[at] = (key, id.0);
        }
        Ok(table)
    }

    /// The instrument with this symbol (either case) in this market.
    #[inline]
    #[must_use]
    pub fn find(&self, market: Market, symbol: &[u8]) -> Option<InstrumentId> {
        let key = key(market, symbol)?;
        let mut at = hash(key) & self.mask;
        loop {
            let (found, id) = self.slots[at];
            if id == EMPTY {
                return None;
            }
            if found == key {
                return Some(InstrumentId(id));
            }
            at = (at + 1) & self.mask;
        }
    }

    /// The instrument called `name`: `venue:market:SYMBOL`.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Instrument> {
        self.all.iter().find(|i| i.name() == name)
    }

    /// The instrument with this id.
    ///
    /// # Panics
    /// If the id is not of this table, which cannot be: ids come from [`find`](Self::find) alone.
    #[inline]
    #[must_use]
    pub fn get(&self, id: InstrumentId) -> &Instrument {
        &self.all[id.index()]
    }

    /// Takes changed rules over; rules of no instrument of this table change nothing.
    pub fn change(&mut self, rules: &Rules) {
        if let Some(instrument) = self.all.get_mut(rules.instrument.index()) {
            instrument.change(rules);
        }
    }

    /// Every instrument, by id.
    #[must_use]
    pub fn all(&self) -> &[Instrument] {
        &self.all
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An instrument for unit tests: 2 price decimals, 3 quantity decimals, tick 0.10, lot 0.001.
    pub(crate) fn sample(market: Market, symbol: &str) -> Instrument {
        Instrument {
            id: InstrumentId(0),
            venue: "binance".into(),
            market,
            symbol: symbol.into(),
            base: "BTC".into(),
            quote: "USDT".into(),
            price_decimals: 2,
            qty_decimals: 3,
            tick: Price(10),
            lot: Qty(1),
            min_qty: Qty(1),
            max_qty: Qty(1_000_000),
            min_notional: Notional(500_000),
            maker_fee: FeeRate(20_000),
            taker_fee: FeeRate(50_000),
        }
    }

    #[test]
    fn a_symbol_is_found_in_its_own_market_in_either_case() {
        let table = InstrumentTable::new(vec![
            sample(Market::Spot, "BTCUSDT"),
            sample(Market::UsdM, "BTCUSDT"),
            sample(Market::CoinM, "BTCUSD_PERP"),
        ])
        .expect("three distinct instruments");
        assert_eq!(table.find(Market::Spot, b"btcusdt"), Some(InstrumentId(0)));
        assert_eq!(table.find(Market::UsdM, b"BTCUSDT"), Some(InstrumentId(1)));
        assert_eq!(table.find(Market::CoinM, b"BTCUSDT"), None);
        assert_eq!(table.find(Market::Spot, b""), None);
        assert_eq!(table.find(Market::Spot, b"AVERYLONGSYMBOLNAME"), None);
        assert_eq!(table.get(InstrumentId(2)).name(), "binance:coinm:BTCUSD_PERP");
    }

    #[test]
    fn the_same_instrument_twice_is_refused() {
        let twice = vec![sample(Market::Spot, "BTCUSDT"), sample(Market::Spot, "BTCUSDT")];
        assert_eq!(
            InstrumentTable::new(twice).err(),
            Some(TableError::Duplicate("binance:spot:BTCUSDT".into()))
        );
    }
}
