//! Balances: what each asset of each wallet holds, and how much of it open orders have locked; exact to the last digit.
//!
//! A wallet belongs to a part of a venue: `binance:spot` and `binance:usdm` have each their own USDT.
//! - Spot: from its approval on, a buy locks what it can cost at the worst, its fee included (the dearest that may be
//!   charged), and a sell what it sells. A fill moves both assets; what an order no longer needs is free again. Fees are paid
//!   in the quote asset, or taken from what was bought, or in a third asset.
//! - Futures: a fill adds realised profit and takes the fee. Margin is not modelled: nothing is locked or refused, and a
//!   loss can take a wallet below nothing.
//!
//! What comes from elsewhere, or goes there, is taken in as it is told ([`Wallets::account`]): what is free has to be the
//! account's for an order to be taken.
//!
//! An amount is an integer in the asset's own unit, fine enough for every instrument of its wallet, so that nothing is
//! rounded. Identities, at every moment: free + locked = total; and everything valued at any one price for each
//! instrument = the start and what was moved valued so + realised + unrealised profit − fees.

use super::asset::AssetCode;
use super::event::{ACCOUNT_DECIMALS, Account, FEE_DECIMALS, FeeAsset};
use super::ids::{InstrumentId, OrderId};
use super::instrument::{FeeRate, Instrument, InstrumentTable, Market};
use super::ledger;
use super::number::{Notional, Price, Qty};
use super::order::{Order, Side};

/// Decimals of [`StartingBalance::amount`].
pub const START_DECIMALS: u8 = 8;
/// Finest unit of an asset: with more decimals an account's worth would not surely fit 128 bits.
const DECIMALS_MAX: u8 = 24;
/// Orders that can have something locked at once.
pub const HOLDS_MAX: usize = 16_384;
/// Fills of one order whose fees, each rounded up, are counted where fees are [given](Wallets::charging).
const ROUNDED_FILLS_MAX: i128 = 1_000;

/// What an asset of a wallet holds before the first order.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StartingBalance {
    /// The venue, as in instruments' names.
    pub venue: String,
    /// The part of it.
    pub market: Market,
    /// Which asset.
    pub asset: String,
    /// How much, in units of 10^-8.
    pub amount: i64,
}

/// One asset of one wallet.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AssetBalance {
    /// The venue.
    pub venue: String,
    /// The part of it.
    pub market: Market,
    /// Which asset.
    pub asset: String,
    /// Decimals of the amounts here.
    pub decimals: u8,
    /// At the start.
    pub start: i128,
    /// What came from elsewhere since, or, below zero, went there.
    #[serde(default, skip_serializing_if = "is_none")]
    pub moved: i128,
    /// Now.
    pub total: i128,
    /// Of that, needed by open orders.
    pub locked: i128,
    /// What the account has beyond it: somebody else's orders had it locked when that was told.
    #[serde(default, skip_serializing_if = "is_none")]
    pub elsewhere: i128,
}

impl AssetBalance {
    /// All of it in units of 10^-`decimals`.
    #[must_use]
    pub fn total_at(&self, decimals: u8) -> i128 {
        self.total.saturating_mul(scale(self.decimals, decimals)) / scale(decimals, self.decimals)
    }

    /// What a new order can use.
    #[must_use]
    pub fn free(&self) -> i128 {
        self.total.saturating_sub(self.locked)
    }
}

fn is_none(amount: &i128) -> bool {
    *amount == 0
}

/// Why there can be no such wallets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WalletError {
    /// The asset is neither base nor quote of anything traded there.
    #[error("no instrument of {wallet} that can be traded has the asset {asset}{}", there_are(.known))]
    UnknownAsset {
        /// Which wallet.
        wallet: String,
        /// Which asset.
        asset: String,
        /// Assets that would do.
        known: Vec<String>,
    },
    /// Its exact amounts would not fit.
    #[error("{asset} would need {decimals} decimals in {wallet}, and balances have at most {DECIMALS_MAX}")]
    TooPrecise {
        /// Which wallet.
        wallet: String,
        /// Which asset.
        asset: String,
        /// Its decimals.
        decimals: u8,
    },
}

fn there_are(assets: &[String]) -> String {
    if assets.is_empty() { String::new() } else { format!("; there are {}", assets.join(", ")) }
}

/// How an instrument's amounts come to its wallet's.
#[derive(Debug, Clone, Copy)]
struct Legs {
    spot: bool,
    base: usize,
    quote: usize,
    /// From units of quantity, notional and fee to units of the asset.
    qty_scale: i128,
    notional_scale: i128,
    fee_scale: i128,
    notional_decimals: u8,
    lot: Qty,
    /// The dearest that a fill can be.
    fee_rate: FeeRate,
    /// Of how many fills of an order the rounding is counted; each lot can be one.
    fills_max: Option<i128>,
}

/// What an open order has locked.
#[derive(Debug, Clone, Copy)]
struct Hold {
    order: OrderId,
    /// The other order of its list: what is locked is for the one of the two that needs more.
    other: Option<OrderId>,
    instrument: InstrumentId,
    side: Side,
    worst: Price,
    leaves: Qty,
}

/// What an order needs of its wallet, and what is free there, in the unit of the asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Which way it trades: a buy needs the quote asset, its fee included, a sell the base asset.
    pub side: Side,
    /// How much it needs.
    pub needed: i128,
    /// How much is free.
    pub free: i128,
    /// Units of the asset in 10^-8 of it.
    pub unit: i128,
}

impl Need {
    /// Whether what is free is enough.
    #[inline]
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.needed <= self.free
    }

    /// What would be left free, in units of 10^-8, rounded down; below zero where it is not enough.
    #[must_use]
    pub fn left(&self) -> i128 {
        self.free.saturating_sub(self.needed).div_euclid(self.unit)
    }

    /// What is needed and what is free in units of 10^-8: the first rounded up; the second down where it is not enough, so
    /// that it still is less, and else up.
    #[must_use]
    pub fn rounded(&self) -> (i128, i128) {
        let up = |amount: i128| -(amount.saturating_neg().div_euclid(self.unit));
        (up(self.needed), if self.is_met() { up(self.free) } else { self.free.div_euclid(self.unit) })
    }
}

/// A fill, as far as it moves balances.
#[derive(Debug, Clone, Copy)]
pub struct WalletFill {
    /// Of which order.
    pub order: OrderId,
    /// What was traded.
    pub instrument: InstrumentId,
    /// Which way.
    pub side: Side,
    /// How much.
    pub qty: Qty,
    /// At what price.
    pub price: Price,
    /// Units of 10^-8 quote, or of quantity.
    pub fee: i64,
    /// Which of the two.
    pub fee_asset: FeeAsset,
    /// What it realised for its position.
    pub realised: Notional,
}

/// See the module. Instruments of wallets without any starting balance are not accounted for, and refused nothing.
#[derive(Debug, Default)]
pub struct Wallets {
    assets: Vec<AssetBalance>,
    legs: Vec<Option<Legs>>,
    holds: Vec<Hold>,
    /// What moved elsewhere passes by, as it did in the run that is replayed.
    is_aloof: bool,
}

impl Wallets {
    /// Wallets that hold `start`, for the instruments of `table`.
    ///
    /// # Errors
    /// [`WalletError`] where a balance is of no use or an asset too precise.
    pub fn new(table: &InstrumentTable, start: &[StartingBalance]) -> Result<Self, WalletError> {
        let mut wallets = Self::default();
        let of_wallet =
            |i: &Instrument, venue: &str, market| i.venue == venue && i.market == market && i.tradable();
        for given in start {
            let traded = || table.all().iter().filter(|i| of_wallet(i, &given.venue, given.market));
            let wallet = || format!("{}:{}", given.venue, given.market);
            if wallets.find(&given.venue, given.market, &given.asset).is_none() {
                for instrument in traded() {
                    wallets.add_assets(instrument);
                }
            }
            let Some(slot) = wallets.find(&given.venue, given.market, &given.asset) else {
                let mut known: Vec<_> = traded().flat_map(|i| [i.base.clone(), i.quote.clone()]).collect();
                known.sort();
                known.dedup();
                return Err(WalletError::UnknownAsset {
                    wallet: wallet(),
                    asset: given.asset.clone(),
                    known,
                });
            };
            let asset = &mut wallets.assets[slot];
            if asset.decimals > DECIMALS_MAX {
                let (asset, decimals) = (given.asset.clone(), asset.decimals);
                return Err(WalletError::TooPrecise { wallet: wallet(), asset, decimals });
            }
            asset.start = i128::from(given.amount).saturating_mul(scale(START_DECIMALS, asset.decimals));
            asset.total = asset.start;
        }
        if wallets.assets.is_empty() {
            return Ok(wallets);
        }
        if let Some(asset) = wallets.assets.iter().find(|asset| asset.decimals > DECIMALS_MAX) {
            let wallet = format!("{}:{}", asset.venue, asset.market);
            let (asset, decimals) = (asset.asset.clone(), asset.decimals);
            return Err(WalletError::TooPrecise { wallet, asset, decimals });
        }
        wallets.legs = table.all().iter().map(|i| wallets.legs_of(i)).collect();
        wallets.holds = Vec::with_capacity(HOLDS_MAX);
        Ok(wallets)
    }

    /// The same with what an earlier run left in place of the start: what is known there of each asset.
    #[must_use]
    pub fn resuming(mut self, left: &[AssetBalance]) -> Self {
        for asset in &mut self.assets {
            let same = |a: &&AssetBalance| {
                a.asset == asset.asset && a.market == asset.market && a.venue == asset.venue
            };
            let Some(left) = left.iter().find(same) else { continue };
            let fitted = |amount: i128| {
                amount.saturating_mul(scale(left.decimals, asset.decimals))
                    / scale(asset.decimals, left.decimals)
            };
            (asset.start, asset.moved, asset.total, asset.elsewhere) =
                (fitted(left.start), fitted(left.moved), fitted(left.total), fitted(left.elsewhere));
        }
        self
    }

    /// The same where what moves elsewhere is not taken in: of a run whose journal is from before wallets followed it.
    #[must_use]
    pub fn aloof(mut self, aloof: bool) -> Self {
        self.is_aloof = aloof;
        self
    }

    /// The same where this is the dearest fee that is charged, if any is given, in place of the instruments' own. Lots may then
    /// be as small as a history's digits, and a unit of fee for each more than it is worth: the rounding of some is counted.
    #[must_use]
    pub fn charging(mut self, dearest: Option<FeeRate>) -> Self {
        let Some(rate) = dearest else { return self };
        for legs in self.legs.iter_mut().flatten() {
            (legs.fee_rate, legs.fills_max) = (FeeRate(rate.0.max(0)), Some(ROUNDED_FILLS_MAX));
        }
        self
    }

    /// Takes in what moved in the account that is no trade of ours, in whole units, rounded down. Where all that there is is
    /// told, the wallet has no more than that, and what is more somebody else's orders have locked: what goes is theirs first.
    pub fn account(&mut self, told: &Account) {
        let Some(legs) = self.legs(told.instrument).filter(|legs| legs.spot && !self.is_aloof) else {
            return;
        };
        let asset = &mut self.assets[if told.asset == FeeAsset::Base { legs.base } else { legs.quote }];
        let amount = told.amount.saturating_mul(scale(ACCOUNT_DECIMALS, asset.decimals));
        let amount = amount.div_euclid(scale(asset.decimals, ACCOUNT_DECIMALS));
        let moved = if told.is_all {
            let beyond = amount.saturating_sub(asset.total);
            asset.elsewhere = beyond.max(0);
            beyond.min(0)
        } else {
            let theirs = amount.clamp(-asset.elsewhere, 0);
            asset.elsewhere += theirs;
            amount - theirs
        };
        asset.moved = asset.moved.saturating_add(moved);
        asset.add(moved);
    }

    /// One of the two assets of a spot instrument.
    #[must_use]
    pub fn asset(&self, instrument: InstrumentId, asset: FeeAsset) -> Option<&AssetBalance> {
        let legs = self.legs(instrument).filter(|legs| legs.spot)?;
        self.assets.get(if asset == FeeAsset::Base { legs.base } else { legs.quote })
    }

    fn find(&self, venue: &str, market: Market, asset: &str) -> Option<usize> {
        self.assets.iter().position(|a| a.asset == asset && a.market == market && a.venue == venue)
    }

    /// Makes room for both assets of an instrument, at the precision it needs.
    fn add_assets(&mut self, i: &Instrument) {
        let quote_decimals = i.notional_decimals().max(FEE_DECIMALS);
        for (asset, decimals) in [(&i.base, i.qty_decimals), (&i.quote, quote_decimals)] {
            let decimals = decimals.max(START_DECIMALS);
            // A future's base is not held: its wallet has what it is settled in.
            if i.market != Market::Spot && *asset == i.base {
                continue;
            }
            match self.find(&i.venue, i.market, asset) {
                Some(slot) => self.assets[slot].decimals = self.assets[slot].decimals.max(decimals),
                None => self.assets.push(AssetBalance {
                    venue: i.venue.clone(),
                    market: i.market,
                    asset: asset.clone(),
                    decimals,
                    start: 0,
                    moved: 0,
                    total: 0,
                    locked: 0,
                    elsewhere: 0,
                }),
            }
        }
    }

    fn legs_of(&self, i: &Instrument) -> Option<Legs> {
        let spot = i.market == Market::Spot;
        let quote = self.find(&i.venue, i.market, &i.quote)?;
        let base = if spot { self.find(&i.venue, i.market, &i.base)? } else { quote };
        let decimals = self.assets[quote].decimals;
        i.tradable().then(|| Legs {
            spot,
            base,
            quote,
            qty_scale: scale(i.qty_decimals, self.assets[base].decimals),
            notional_scale: scale(i.notional_decimals(), decimals),
            fee_scale: scale(FEE_DECIMALS, decimals),
            notional_decimals: i.notional_decimals(),
            lot: i.lot,
            fee_rate: FeeRate(i.maker_fee.0.max(i.taker_fee.0).max(0)),
            fills_max: None,
        })
    }

    /// Every asset of every wallet.
    #[must_use]
    pub fn assets(&self) -> &[AssetBalance] {
        &self.assets
    }

    fn legs(&self, instrument: InstrumentId) -> Option<Legs> {
        self.legs.get(instrument.index()).copied().flatten()
    }

    /// Whether what is free pays for `order`, if it trades at `worst` (of a buy; its limit, if it has one).
    #[must_use]
    pub fn can_pay(&self, order: &Order, worst: Price) -> bool {
        self.need(order, worst).is_none_or(|need| self.holds.len() < HOLDS_MAX && need.is_met())
    }

    /// What a spot order needs, if it trades at `worst`; none where nothing has to be there.
    #[must_use]
    pub fn need(&self, order: &Order, worst: Price) -> Option<Need> {
        let legs = self.legs(order.instrument).filter(|legs| legs.spot)?;
        let (slot, needed) = legs.needs(order.side, order.qty, worst);
        let asset = &self.assets[slot];
        let unit = scale(START_DECIMALS, asset.decimals);
        Some(Need { side: order.side, needed, free: asset.free(), unit })
    }

    /// What is free of the asset that a spot instrument is paid with, units of 10^-8, rounded down; none where nothing has
    /// to be there.
    #[must_use]
    pub fn quote_free(&self, instrument: InstrumentId) -> Option<i128> {
        let asset = &self.assets[self.legs(instrument).filter(|legs| legs.spot)?.quote];
        Some(asset.free().div_euclid(scale(START_DECIMALS, asset.decimals)))
    }

    /// Locks what an approved order needs.
    pub fn lock(&mut self, order: &Order, worst: Price) {
        let Some(legs) = self.legs(order.instrument).filter(|legs| legs.spot) else { return };
        let (slot, amount) = legs.needs(order.side, order.qty, worst);
        self.assets[slot].lock(amount);
        let Order { id, instrument, side, qty, .. } = *order;
        self.holds.push(Hold { order: id, other: None, instrument, side, worst, leaves: qty });
    }

    /// Two orders of one list, each of which has locked what it needs: only one of them can trade, so the larger need stays
    /// locked, until both are over.
    pub fn pair(&mut self, a: OrderId, b: OrderId) {
        let at = |id| self.holds.iter().position(|hold| hold.order == id && hold.other.is_none());
        let (Some(a), Some(b)) = (at(a), at(b)) else { return };
        let needs = |hold: &Hold| {
            let legs = self.legs(hold.instrument)?;
            Some(legs.needs(hold.side, hold.leaves, hold.worst))
        };
        let (Some((slot, of_a)), Some((_, of_b))) = (needs(&self.holds[a]), needs(&self.holds[b])) else {
            return;
        };
        let (stays, goes, freed) = if of_a >= of_b { (a, b, of_b) } else { (b, a, of_a) };
        self.holds[stays].other = Some(self.holds[goes].order);
        self.holds.swap_remove(goes);
        self.assets[slot].lock(-freed);
    }

    /// Books a fill: moves what was traded, and frees what it turned out not to need.
    pub fn fill(&mut self, fill: &WalletFill) {
        let Some(legs) = self.legs(fill.instrument) else { return };
        let fee = i128::from(fill.fee);
        let (fee, in_base) = match fill.fee_asset {
            FeeAsset::Quote => (fee.saturating_mul(legs.fee_scale), 0),
            FeeAsset::Base => (0, fee.saturating_mul(legs.qty_scale)),
        };
        if !legs.spot {
            let profit = fill.realised.0.saturating_mul(legs.notional_scale);
            self.assets[legs.quote].add(profit.saturating_sub(fee));
            return;
        }
        if let Some(hold) = self.holds.iter_mut().find(|hold| hold.is_of(fill.order)) {
            let (slot, before) = legs.needs(hold.side, hold.leaves, hold.worst);
            hold.leaves = Qty((hold.leaves.0 - fill.qty.0).max(0));
            let (_, after) = legs.needs(hold.side, hold.leaves, hold.worst);
            self.assets[slot].lock(after - before);
        }
        let value = fill.price.times(fill.side.signed(fill.qty)).0.saturating_mul(legs.notional_scale);
        let qty = i128::from(fill.side.signed(fill.qty).0).saturating_mul(legs.qty_scale);
        self.assets[legs.base].add(qty.saturating_sub(in_base));
        self.assets[legs.quote].add(value.saturating_neg().saturating_sub(fee));
    }

    /// Takes what a trade of the instrument cost in a third asset, in units of 10^-8, out of the instrument's wallet. An
    /// asset that nothing is traded in there is not accounted for.
    pub fn pay(&mut self, instrument: InstrumentId, asset: AssetCode, amount: i64) {
        let Some(legs) = self.legs(instrument) else { return };
        let of = &self.assets[legs.quote];
        let same = |a: &AssetBalance| {
            a.market == of.market && a.venue == of.venue && AssetCode::of(&a.asset) == Some(asset)
        };
        if let Some(at) = self.assets.iter().position(same) {
            let asset = &mut self.assets[at];
            asset.add(-i128::from(amount).saturating_mul(scale(START_DECIMALS, asset.decimals)));
        }
    }

    /// Frees what is left of an order that is final.
    pub fn close(&mut self, order: OrderId) {
        let Some(index) = self.holds.iter().position(|hold| hold.is_of(order)) else { return };
        let hold = &mut self.holds[index];
        if let Some(other) = hold.other.take() {
            // The other one needs it still.
            hold.order = if hold.order == order { other } else { hold.order };
            return;
        }
        let hold = self.holds.swap_remove(index);
        if let Some(legs) = self.legs(hold.instrument) {
            let (slot, amount) = legs.needs(hold.side, hold.leaves, hold.worst);
            self.assets[slot].lock(-amount);
        }
    }
}

impl Hold {
    #[inline]
    fn is_of(&self, order: OrderId) -> bool {
        self.order == order || self.other == Some(order)
    }
}

impl AssetBalance {
    fn add(&mut self, amount: i128) {
        self.total = self.total.saturating_add(amount);
    }

    fn lock(&mut self, amount: i128) {
        self.locked = self.locked.saturating_add(amount);
    }
}

impl Legs {
    /// Which asset an order needs, and how much of it for `qty` at `worst`. The fee is counted as if each lot filled by
    /// itself, since each fill's fee is rounded up.
    fn needs(&self, side: Side, qty: Qty, worst: Price) -> (usize, i128) {
        match side {
            Side::Sell => (self.base, i128::from(qty.0).saturating_mul(self.qty_scale)),
            Side::Buy => {
                let lot = Qty(self.lot.0.max(1));
                // In 64 bits, whose division takes a tenth of the time.
                let lots = i128::from(qty.0.max(0).unsigned_abs().div_ceil(lot.0.unsigned_abs()));
                let fee_of =
                    |qty| i128::from(ledger::fee(worst.times(qty), self.notional_decimals, self.fee_rate));
                let mut fees = lots.saturating_mul(fee_of(lot));
                if let Some(fills) = self.fills_max {
                    fees = fees.min(fee_of(qty).saturating_add(lots.min(fills)));
                }
                let value = worst.times(qty).0.saturating_mul(self.notional_scale);
                (self.quote, value.saturating_add(fees.saturating_mul(self.fee_scale)))
            }
        }
    }
}

/// From units with `from` decimals to units with `to`, of which there are no fewer.
fn scale(from: u8, to: u8) -> i128 {
    10i128.checked_pow(u32::from(to.saturating_sub(from))).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instrument::tests::sample;

    const UNIT: i128 = 1_000_000_000_000_000_000;

    /// A wallet with two of what is traded and 5,000 to pay with.
    fn wallets() -> Wallets {
        let table = InstrumentTable::new(vec![sample(Market::Spot, "BTCUSDT")]).expect("one");
        let of = table.all()[0].clone();
        let start = |asset: &str, amount: i64| StartingBalance {
            venue: of.venue.clone(),
            market: Market::Spot,
            asset: asset.to_owned(),
            amount: amount * 100_000_000,
        };
        Wallets::new(&table, &[start(&of.base, 2), start(&of.quote, 5_000)]).expect("a wallet")
    }

    fn told(asset: FeeAsset, amount: i128, is_all: bool) -> Account {
        Account { instrument: InstrumentId(0), asset, amount, is_all, newest: 0 }
    }

    /// The total, what was moved, and what others have, in whole units.
    fn has(wallets: &Wallets, asset: FeeAsset) -> [i128; 3] {
        let of = wallets.asset(InstrumentId(0), asset).expect("it is there");
        let unit = scale(0, of.decimals);
        assert_eq!(of.total, of.start + of.moved, "nothing was traded");
        [of.total / unit, of.moved / unit, of.elsewhere / unit]
    }

    #[test]
    fn what_moves_elsewhere_is_no_more_there_to_be_sold_and_there_to_be_paid_with() {
        let mut wallets = wallets();
        wallets.account(&told(FeeAsset::Base, 2 * UNIT, true));
        wallets.account(&told(FeeAsset::Base, -UNIT, false));
        wallets.account(&told(FeeAsset::Quote, 700 * UNIT, false));
        assert_eq!(has(&wallets, FeeAsset::Base), [1, -1, 0]);
        assert_eq!(has(&wallets, FeeAsset::Quote), [5_700, 700, 0]);
        // Less than a unit went: it is not there to be sold.
        let before = wallets.asset(InstrumentId(0), FeeAsset::Base).expect("it is there").total;
        wallets.account(&told(FeeAsset::Base, -1, false));
        assert_eq!(wallets.asset(InstrumentId(0), FeeAsset::Base).expect("it is there").total, before - 1);
    }

    #[test]
    fn what_others_have_locked_goes_first_and_more_than_the_account_has_is_nowhere() {
        let mut wallets = wallets();
        // The start was what is free.
        wallets.account(&told(FeeAsset::Base, 5 * UNIT, true));
        assert_eq!(has(&wallets, FeeAsset::Base), [2, 0, 3]);
        wallets.account(&told(FeeAsset::Base, -2 * UNIT, false));
        assert_eq!(has(&wallets, FeeAsset::Base), [2, 0, 1]);
        wallets.account(&told(FeeAsset::Base, -2 * UNIT, false));
        assert_eq!(has(&wallets, FeeAsset::Base), [1, -1, 0]);
        wallets.account(&told(FeeAsset::Quote, 4_000 * UNIT, true));
        assert_eq!(has(&wallets, FeeAsset::Quote), [4_000, -1_000, 0]);
    }

    #[test]
    fn wallets_of_a_journal_from_before_are_what_they_were() {
        let mut wallets = wallets().aloof(true);
        wallets.account(&told(FeeAsset::Base, -UNIT, false));
        assert_eq!(has(&wallets, FeeAsset::Base), [2, 0, 0]);
    }
}
