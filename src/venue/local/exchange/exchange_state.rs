//! The exchange: its symbols, its accounts, and every request that changes them.

use super::batch::{Batch, Counters};
use super::cancel::{CancelReplace, CancelReplaced, CancelRequest};
use super::client_id::ClientId;
use super::event::Event;
use super::funds::{AccountId, AssetId, Funds};
use super::lists::OcoRequest;
use super::market::{Leg, Market};
use super::order::{Order, SymbolId};
use super::oto::OtoRequest;
use super::refusal::Refusal;
use super::request::{OrderRef, OrderRequest};
use super::rules::{SymbolRules, SymbolStatus};
use crate::domain::instrument::FeeRate;
use crate::domain::{Instrument, Price, Qty};
use thiserror::Error;

/// The finest unit that an asset may have.
const ASSET_DECIMALS_MAX: u8 = 24;

/// Why there can be no such exchange.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ListingError {
    /// The same symbol twice.
    #[error("symbol {0} is listed twice")]
    Duplicate(String),
    /// More than an id can tell apart.
    #[error("more than 30,000 symbols in one exchange")]
    TooMany,
    /// A commission that is below zero or above the whole.
    #[error("symbol {0}: commission rates are 0 to 1 (in units of 10^-8: 0 to 100000000)")]
    Commission(String),
    /// Its amounts would not fit.
    #[error(
        "symbol {0}: an order of the largest price and quantity is worth more than can be counted; lower max_price or \
         max_qty, or take fewer decimals (at most {ASSET_DECIMALS_MAX} for price and quantity together)"
    )]
    TooLarge(String),
    /// A limit that is missing.
    #[error("symbol {0}: max_price, max_qty and market_max_qty must be above zero")]
    Unlimited(String),
}

/// Accounts, balances and orders of one exchange. Every call is given its time, in ms since 1970, and the events it
/// causes are appended to what it is given for them; one that is refused appends nothing.
#[derive(Debug)]
pub struct Exchange {
    pub(super) markets: Vec<Market>,
    pub(super) funds: Funds,
    pub(super) counters: Counters,
}

impl Exchange {
    /// An exchange that lists these symbols; their ids are their places.
    ///
    /// # Errors
    /// [`ListingError`] where they cannot be listed together.
    pub fn new(symbols: Vec<SymbolRules>) -> Result<Self, ListingError> {
        if symbols.len() > 30_000 {
            return Err(ListingError::TooMany);
        }
        let mut funds = Funds::default();
        for rules in &symbols {
            let of = &rules.instrument;
            funds.asset(&of.base, of.qty_decimals);
            funds.asset(&of.quote, of.notional_decimals());
        }
        let mut markets: Vec<Market> = Vec::with_capacity(symbols.len());
        for rules in symbols {
            let of = &rules.instrument;
            if markets.iter().any(|market| market.rules.instrument.symbol == of.symbol) {
                return Err(ListingError::Duplicate(of.symbol.clone()));
            }
            let (base, quote) = legs(&rules, &mut funds)?;
            markets.push(Market::new(SymbolId(markets.len() as u16), rules, base, quote));
        }
        Ok(Self { markets, funds, counters: Counters::default() })
    }

    /// Opens an empty account. Accounts of one trade group are kept from trading with each other as one would be.
    pub fn open_account(&mut self, trade_group: Option<u32>) -> AccountId {
        self.funds.open_account(trade_group)
    }

    /// Brings `amount` (in the asset's units) in from outside, or, below zero, takes it out. Returns whether it was
    /// done: not where there is no such account or asset, not that much free, or more than half of 128 bits in all.
    pub fn deposit(
        &mut self,
        ms: u64,
        account: AccountId,
        asset: AssetId,
        amount: i128,
        out: &mut Vec<Event>,
    ) -> bool {
        let done = self.funds.deposit(account, asset, amount);
        if done {
            out.push(Event::BalanceUpdate { account, asset, amount, ms });
            out.extend(self.funds.positions(ms).into_iter().map(Event::Position));
        }
        done
    }

    /// Opens or closes a symbol; returns whether there is such a one.
    pub fn set_status(&mut self, symbol: SymbolId, status: SymbolStatus) -> bool {
        let market = self.markets.get_mut(usize::from(symbol.0));
        market.map(|market| market.rules.status = status).is_some()
    }

    /// Has commissions be taken in an asset at a price in units of 10^-8 quote, as Binance does in BNB, from accounts that
    /// have enough of it; returns whether there is such an asset.
    pub fn take_fees_in(&mut self, asset: &str, price: i64) -> bool {
        let asset = self.funds.find_asset(asset);
        self.funds.take_fees_in(asset.map(|asset| (asset, price)));
        asset.is_some()
    }

    /// Says what a symbol last traded at before the first trade here; returns whether there is such a one.
    pub fn set_last_price(&mut self, symbol: SymbolId, price: Price) -> bool {
        let market = self.markets.get_mut(usize::from(symbol.0));
        market.map(|market| market.last = Some(price)).is_some()
    }

    /// Takes in an order; returns it as it is after all that it did at once.
    ///
    /// # Errors
    /// The venue's refusal; nothing has changed then.
    pub fn place(
        &mut self,
        ms: u64,
        account: AccountId,
        symbol: SymbolId,
        request: &OrderRequest,
        out: &mut Vec<Event>,
    ) -> Result<Order, Refusal> {
        self.one(ms, account, symbol, out, |batch| {
            batch.check(account, &[request])?;
            batch.place(account, request)
        })
    }

    /// Checks a new order against all but the account's balance, and does nothing.
    ///
    /// # Errors
    /// The refusal that it would meet.
    pub fn check(
        &mut self,
        ms: u64,
        account: AccountId,
        symbol: SymbolId,
        request: &OrderRequest,
    ) -> Result<(), Refusal> {
        let mut nothing = Vec::new();
        self.run(ms, account, symbol, &mut nothing, |batch| batch.check(account, &[request]))
    }

    /// Cancels an order, and the others of its list.
    ///
    /// # Errors
    /// The venue's refusal: most often that no such order is open.
    pub fn cancel(
        &mut self,
        ms: u64,
        account: AccountId,
        symbol: SymbolId,
        request: &CancelRequest,
        out: &mut Vec<Event>,
    ) -> Result<Order, Refusal> {
        self.one(ms, account, symbol, out, |batch| batch.cancel(account, request))
    }

    /// Makes an order smaller, `qty` in all, in its place in the queue, under a new client id.
    ///
    /// # Errors
    /// The venue's refusal; the order is as before.
    pub fn amend(
        &mut self,
        ms: u64,
        account: AccountId,
        symbol: SymbolId,
        (which, qty, client_id): (OrderRef, Qty, Option<ClientId>),
        out: &mut Vec<Event>,
    ) -> Result<Order, Refusal> {
        self.one(ms, account, symbol, out, |batch| batch.amend(account, which, qty, client_id))
    }

    /// Cancels every open order of a symbol; returns them.
    ///
    /// # Errors
    /// Where there is none.
    pub fn cancel_all(
        &mut self,
        ms: u64,
        account: AccountId,
        symbol: SymbolId,
        out: &mut Vec<Event>,
    ) -> Result<Vec<Order>, Refusal> {
        let numbers = self.run(ms, account, symbol, out, |batch| batch.cancel_all(account))?;
        let market = &self.markets[usize::from(symbol.0)];
        Ok(numbers.iter().filter_map(|number| market.get(*number)).copied().collect())
    }

    /// Cancels one order and places another.
    ///
    /// # Errors
    /// Where the new order breaks a rule of its own, before either is tried. What became of each is in the answer.
    pub fn cancel_replace(
        &mut self,
        ms: u64,
        account: AccountId,
        symbol: SymbolId,
        request: &CancelReplace,
        out: &mut Vec<Event>,
    ) -> Result<CancelReplaced, Refusal> {
        self.run(ms, account, symbol, out, |batch| batch.cancel_replace(account, request))
    }

    /// Places two orders of which one ends the other; returns the list's id and both, the one above first.
    ///
    /// # Errors
    /// The venue's refusal; neither is placed then.
    pub fn place_oco(
        &mut self,
        ms: u64,
        account: AccountId,
        symbol: SymbolId,
        request: &OcoRequest,
        out: &mut Vec<Event>,
    ) -> Result<(u64, [Order; 2]), Refusal> {
        let (id, numbers) = self.run(ms, account, symbol, out, |batch| batch.place_oco(account, request))?;
        let market = &self.markets[usize::from(symbol.0)];
        Ok((id, numbers.map(|number| *market.order(number))))
    }

    /// Places an order and keeps one or two that follow it; returns the list's id.
    ///
    /// # Errors
    /// The venue's refusal; nothing is placed then.
    pub fn place_oto(
        &mut self,
        ms: u64,
        account: AccountId,
        symbol: SymbolId,
        request: &OtoRequest,
        out: &mut Vec<Event>,
    ) -> Result<u64, Refusal> {
        self.run(ms, account, symbol, out, |batch| batch.place_oto(account, request))
    }

    fn one(
        &mut self,
        ms: u64,
        account: AccountId,
        symbol: SymbolId,
        out: &mut Vec<Event>,
        request: impl FnOnce(&mut Batch<'_>) -> Result<u64, Refusal>,
    ) -> Result<Order, Refusal> {
        let number = self.run(ms, account, symbol, out, request)?;
        Ok(*self.markets[usize::from(symbol.0)].order(number))
    }

    fn run<T>(
        &mut self,
        now_ms: u64,
        account: AccountId,
        symbol: SymbolId,
        out: &mut Vec<Event>,
        request: impl FnOnce(&mut Batch<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let market = self.markets.get_mut(usize::from(symbol.0)).ok_or(Refusal::InvalidSymbol)?;
        if !self.funds.has_account(account) {
            return Err(Refusal::UnknownAccount);
        }
        market.forget_old();
        let mut batch = Batch { market, funds: &mut self.funds, counters: &mut self.counters, now_ms, out };
        let done = request(&mut batch);
        if done.is_ok() {
            batch.finish();
        }
        done
    }
}

/// The symbol's assets, made sure that no order of it can be worth more than a thousandth of what can be counted.
fn legs(rules: &SymbolRules, funds: &mut Funds) -> Result<(Leg, Leg), ListingError> {
    let of: &Instrument = &rules.instrument;
    let symbol = || of.symbol.clone();
    let whole = FeeRate(100_000_000);
    if [of.maker_fee, of.taker_fee].iter().any(|rate| rate.0 < 0 || rate.0 > whole.0) {
        return Err(ListingError::Commission(symbol()));
    }
    if rules.max_price.0 <= 0 || of.max_qty.0 <= 0 || rules.market_max_qty.0 <= 0 {
        return Err(ListingError::Unlimited(symbol()));
    }
    let (base, quote) = (funds.asset(&of.base, 0), funds.asset(&of.quote, 0));
    let scale = |asset: AssetId, decimals: u8| {
        let of_asset = funds.decimals(asset);
        (of_asset <= ASSET_DECIMALS_MAX).then(|| 10i128.pow(u32::from(of_asset - decimals)))
    };
    let scales = scale(base, of.qty_decimals).zip(scale(quote, of.notional_decimals()));
    let (base_scale, quote_scale) = scales.ok_or_else(|| ListingError::TooLarge(symbol()))?;
    let largest = rules.max_price.times(of.max_qty).0.checked_mul(quote_scale);
    let countable = |worth: Option<i128>| worth.is_some_and(|worth| worth <= i128::MAX / 1_000);
    if !countable(largest) || !countable(i128::from(of.max_qty.0).checked_mul(base_scale)) {
        return Err(ListingError::TooLarge(symbol()));
    }
    Ok((Leg { asset: base, scale: base_scale }, Leg { asset: quote, scale: quote_scale }))
}
