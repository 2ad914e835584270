//! What the account should have, asset by asset, and which trades that is made of.
//!
//! Owns: balances as fills, commissions and transfers imply them, from the venue's numbers at the start; and which trades
//! are booked. Everything has 18 decimals, which every printed amount fits, so nothing is rounded here; the venue keeps
//! eight, and of how many trades it cut what they moved is counted. Invariant: a trade (its number, and the order whose
//! side of it it is: an account may trade with itself) is booked once.

use super::instruments::Listed;
use crate::domain::decimal::Scaled;
use crate::domain::event::{BALANCE_UNIT, FeeAsset};
use crate::domain::{InstrumentId, Price, Qty, Side};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// Decimals of an amount.
pub const AMOUNT_DECIMALS: u8 = crate::domain::event::ACCOUNT_DECIMALS;
/// Trades remembered of an instrument; older ones count as booked.
const TRADES_MAX: usize = 16_384;
/// Transfers remembered.
const TRANSFERS_MAX: usize = 64;

/// A trade as the venue tells of it, by event or by list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TradeFact {
    pub trade_id: u64,
    pub venue_order: u64,
    pub side: Side,
    pub price: Price,
    pub qty: Qty,
    pub maker: bool,
    /// In units of 10^-18 of its asset.
    pub commission: i128,
    /// Empty where there is none.
    pub commission_asset: String,
}

/// What booking a trade came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Booking {
    /// The commission: in units of 10^-8 quote, or of quantity, rounded up; 0 of a third asset.
    pub fee: i64,
    /// Which of the two.
    pub fee_asset: FeeAsset,
    /// Whether it was taken in a third asset.
    pub third: bool,
}

#[derive(Debug, Default)]
struct Trades {
    booked: BTreeSet<(u64, u64)>,
    /// Trades up to this one count as booked.
    floor: u64,
    /// The highest that was seen.
    newest: u64,
    /// Every trade up to this one is surely booked.
    complete: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Ledger {
    amounts: BTreeMap<String, i128>,
    trades: HashMap<InstrumentId, Trades>,
    /// The latest transfers: asset, amount, time.
    transfers: VecDeque<(String, i128, u64)>,
    /// Trades of which the venue cut what they moved of an asset, since its number was last taken for it.
    cut: BTreeMap<String, u32>,
    /// Counts everything that moved a balance.
    activity: u64,
}

impl Ledger {
    /// Takes the venue's balances for what is there; everything up to now is in them.
    pub fn rebase(&mut self, balances: &BTreeMap<String, i128>) {
        self.amounts = balances.clone();
        self.cut.clear();
    }

    /// Grows with everything that moves a balance.
    pub fn activity(&self) -> u64 {
        self.activity
    }

    /// Notes that a balance moved in a way that is not known.
    pub fn disturbed(&mut self) {
        self.activity += 1;
    }

    /// Every asset with what there should be of it.
    pub fn amounts(&self) -> &BTreeMap<String, i128> {
        &self.amounts
    }

    /// What there should be of an asset.
    pub fn amount(&self, asset: &str) -> i128 {
        self.amounts.get(asset).copied().unwrap_or(0)
    }

    fn add(&mut self, asset: &str, amount: i128) {
        if asset.is_empty() || amount == 0 {
            return;
        }
        match self.amounts.get_mut(asset) {
            Some(held) => *held = held.saturating_add(amount),
            None => {
                self.amounts.insert(asset.to_owned(), amount);
            }
        }
    }

    /// Something came from elsewhere, or went there, at `ms` by the venue; whether it was new: two sessions tell of it
    /// twice.
    pub fn transfer(&mut self, asset: &str, amount: i128, ms: u64) -> bool {
        let key = (asset.to_owned(), amount, ms);
        if self.transfers.contains(&key) {
            return false;
        }
        if self.transfers.len() >= TRANSFERS_MAX {
            self.transfers.pop_front();
        }
        self.transfers.push_back(key);
        self.activity += 1;
        self.add(asset, amount);
        true
    }

    /// Takes the venue's number for what there is of one asset.
    pub fn adopt(&mut self, asset: &str, amount: i128) {
        self.amounts.insert(asset.to_owned(), amount);
        self.cut.remove(asset);
    }

    /// Notes that the venue cut what so many more trades moved.
    pub fn was_cut(&mut self, asset: &str, trades: u32) {
        let cut = self.cut.entry(asset.to_owned()).or_default();
        *cut = cut.saturating_add(trades);
    }

    /// Assets of which the venue cut what trades moved, each with what these cuts stay below together.
    pub fn cuts(&self) -> Vec<(String, i128)> {
        self.cut.iter().map(|(asset, trades)| (asset.clone(), i128::from(*trades) * BALANCE_UNIT)).collect()
    }

    /// Notes that all trades of the instrument up to `id` are in the balances.
    pub fn known_up_to(&mut self, instrument: InstrumentId, id: u64) {
        let trades = self.trades.entry(instrument).or_default();
        trades.floor = trades.floor.max(id);
        trades.complete = trades.complete.max(id);
        trades.newest = trades.newest.max(id);
        trades.booked.retain(|(trade, _)| *trade > id);
    }

    /// Notes that all trades of the instrument up to `id` are booked, one by one.
    pub fn complete_up_to(&mut self, instrument: InstrumentId, id: u64) {
        let trades = self.trades.entry(instrument).or_default();
        trades.complete = trades.complete.max(id);
        trades.newest = trades.newest.max(id);
    }

    /// The first trade of the instrument that may be missing.
    pub fn missing_from(&self, instrument: InstrumentId) -> u64 {
        self.trades.get(&instrument).map_or(0, |trades| trades.complete + 1)
    }

    /// The newest trade of the instrument that was seen.
    pub fn newest(&self, instrument: InstrumentId) -> u64 {
        self.trades.get(&instrument).map_or(0, |trades| trades.newest)
    }

    /// Books a trade, unless it is booked.
    pub fn book(&mut self, listed: &Listed, trade: &TradeFact) -> Option<Booking> {
        let trades = self.trades.entry(listed.instrument.id).or_default();
        trades.newest = trades.newest.max(trade.trade_id);
        if trade.trade_id <= trades.floor || !trades.booked.insert((trade.trade_id, trade.venue_order)) {
            return None;
        }
        if trades.booked.len() > TRADES_MAX
            && let Some((oldest, _)) = trades.booked.pop_first()
        {
            trades.floor = trades.floor.max(oldest);
        }
        self.activity += 1;
        let of = &listed.instrument;
        let (base, quote) = moved(listed, trade);
        self.add(&of.base, base);
        self.add(&of.quote, quote);
        if of.is_cut(trade.price.times(trade.qty)) {
            self.was_cut(&of.quote, 1);
        }
        self.add(&trade.commission_asset, -trade.commission);
        Some(booking(listed, trade))
    }
}

fn pow10(exponent: u8) -> i128 {
    10i128.saturating_pow(exponent.into())
}

/// What a trade brings of base and quote, in amounts.
pub fn moved(listed: &Listed, trade: &TradeFact) -> (i128, i128) {
    let of = &listed.instrument;
    let base = i128::from(trade.qty.0).saturating_mul(pow10(AMOUNT_DECIMALS.saturating_sub(of.qty_decimals)));
    let unit = pow10(AMOUNT_DECIMALS.saturating_sub(of.notional_decimals()));
    let quote = trade.price.times(trade.qty).0.saturating_mul(unit);
    match trade.side {
        Side::Buy => (base, -quote),
        Side::Sell => (-base, quote),
    }
}

/// What a report says of a trade's commission. A unit of quantity is as fine as a commission where the instrument has the
/// venue's own precision; where it is coarser the fee is rounded up, against us.
pub fn booking(listed: &Listed, trade: &TradeFact) -> Booking {
    let of = &listed.instrument;
    let up = |decimals: u8| {
        let down = pow10(AMOUNT_DECIMALS.saturating_sub(decimals));
        let units = trade.commission.div_euclid(down) + i128::from(trade.commission.rem_euclid(down) != 0);
        i64::try_from(units).unwrap_or(i64::MAX)
    };
    let (fee, fee_asset) = if trade.commission_asset == of.quote {
        (up(crate::domain::event::FEE_DECIMALS), FeeAsset::Quote)
    } else if trade.commission_asset == of.base {
        (up(of.qty_decimals), FeeAsset::Base)
    } else {
        (0, FeeAsset::Quote)
    };
    let known = trade.commission_asset == of.base || trade.commission_asset == of.quote;
    Booking { fee, fee_asset, third: trade.commission != 0 && !known }
}

/// An amount, to be shown.
pub fn shown(amount: i128) -> Scaled {
    Scaled { value: amount, decimals: AMOUNT_DECIMALS }
}

/// Reads a printed amount.
pub fn amount(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let kept = fraction.trim_end_matches('0');
    if (whole.is_empty() && fraction.is_empty()) || kept.len() > usize::from(AMOUNT_DECIMALS) {
        return None;
    }
    let mut value: i128 = 0;
    for byte in whole.bytes().chain(kept.bytes()) {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
    }
    let value = value.checked_mul(pow10(AMOUNT_DECIMALS - kept.len() as u8))?;
    Some(if negative { -value } else { value })
}
