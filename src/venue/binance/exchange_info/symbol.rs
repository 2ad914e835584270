//! One symbol: its instrument, its filters, and what may be done with it.

use super::super::filters::{
    AccountState, FilterBreach, Filters, FitPolicy, MarketState, OrderType, Size, Terms,
};
use super::fields::{Fields, Object, cut};
use super::{Fees, SymbolProblem, rows};
use crate::domain::decimal::DECIMALS_MAX;
use crate::domain::instrument::SYMBOL_BYTES_MAX;
use crate::domain::{Instrument, InstrumentId, Market, Notional, Price, Qty};
use serde_json::Value;
use thiserror::Error;

/// Permission sets, and permissions in one, beyond which no more are kept.
const SETS_MAX: usize = 16;
const SET_MAX: usize = 1_024;

/// What the venue does with a symbol's orders now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SymbolStatus {
    /// Everything.
    Trading,
    /// The day's end.
    EndOfDay,
    /// Trading is halted.
    Halt,
    /// Trading pauses.
    Break,
    /// Orders may be cancelled and amended; none may be placed.
    CancelOnly,
    /// Something that we do not know, and so do not trade in.
    Unknown,
}

impl SymbolStatus {
    /// The name as the venue spells it: `CANCEL_ONLY`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            SymbolStatus::Trading => "TRADING",
            SymbolStatus::EndOfDay => "END_OF_DAY",
            SymbolStatus::Halt => "HALT",
            SymbolStatus::Break => "BREAK",
            SymbolStatus::CancelOnly => "CANCEL_ONLY",
            SymbolStatus::Unknown => "unknown",
        }
    }

    /// The status with this name; [`Unknown`](Self::Unknown) for any other.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        let known = [Self::Trading, Self::EndOfDay, Self::Halt, Self::Break, Self::CancelOnly];
        known.into_iter().find(|status| status.name() == name).unwrap_or(Self::Unknown)
    }

    /// Whether new orders are taken.
    #[must_use]
    pub const fn takes_orders(self) -> bool {
        matches!(self, SymbolStatus::Trading)
    }
}

/// A set of order types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OrderTypes(u8);

impl OrderTypes {
    /// Whether `kind` is in it.
    #[must_use]
    pub const fn contains(self, kind: OrderType) -> bool {
        self.0 & (1 << kind as u8) != 0
    }
}

impl FromIterator<OrderType> for OrderTypes {
    fn from_iter<I: IntoIterator<Item = OrderType>>(kinds: I) -> Self {
        Self(kinds.into_iter().fold(0, |set, kind| set | 1 << kind as u8))
    }
}

/// What else a symbol allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// Spot trading at all.
    pub spot: bool,
    /// Margin trading.
    pub margin: bool,
    /// Icebergs.
    pub iceberg: bool,
    /// One-cancels-the-other lists.
    pub oco: bool,
    /// One-triggers-the-other lists.
    pub oto: bool,
    /// One-pays-for-the-other lists.
    pub opo: bool,
    /// Market orders for an amount of the quote asset.
    pub quote_size: bool,
    /// Trailing stops.
    pub trailing: bool,
    /// Cancelling and placing in one request.
    pub cancel_replace: bool,
    /// Making an order smaller without losing its place.
    pub amend: bool,
    /// Prices pegged to the book.
    pub pegged: bool,
}

/// Which accounts may trade a symbol: those with a permission out of each set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Permissions {
    /// The sets. None at all means that the venue does not say.
    pub sets: Vec<Vec<String>>,
}

impl Permissions {
    /// Whether an account with the permissions `held` may trade.
    #[must_use]
    pub fn allow(&self, held: &[&str]) -> bool {
        self.sets.iter().all(|set| set.iter().any(|permission| held.contains(&permission.as_str())))
    }
}

/// A symbol that can be traded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// Its precision, steps and bounds; its id is zero until an `InstrumentTable` gives it one. A filter that is off
    /// is the smallest step or bound there is.
    pub instrument: Instrument,
    /// Its filters, the exchange's among them.
    pub filters: Filters,
    /// Whether it trades now.
    pub status: SymbolStatus,
    /// The order types that it takes.
    pub order_types: OrderTypes,
    /// What else it takes.
    pub capabilities: Capabilities,
    /// Who may trade it.
    pub permissions: Permissions,
    /// The mode of self-trade prevention where an order names none: `EXPIRE_MAKER`; empty where not said.
    pub self_trade_default: String,
    /// The modes of self-trade prevention that an order may name.
    pub self_trade_modes: Vec<String>,
}

/// Why a symbol does not take an order, whatever its numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SymbolRefusal {
    /// It does not trade now.
    #[error("Market is closed. (its status is {}: wait for TRADING)", .0.name())]
    NotTrading(SymbolStatus),
    /// It takes no orders of this type.
    #[error("{} orders are not supported for this symbol: choose another type", .0.name())]
    Type(OrderType),
    /// It takes no icebergs.
    #[error("Iceberg orders are not supported for this symbol: show the whole quantity")]
    Iceberg,
    /// It takes no market orders for an amount of the quote asset.
    #[error("Quote order qty market orders are not supported for this symbol: give a quantity")]
    QuoteSize,
    /// It takes no trailing stops.
    #[error("Trailing stop orders are not supported for this symbol: give a stop price")]
    Trailing,
    /// It takes no pegged prices.
    #[error("Pegged orders are not supported for this symbol: give a price")]
    Pegged,
    /// It is not for spot trading.
    #[error("Spot trading is not allowed on this symbol")]
    Spot,
}

/// Why an order may not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OrderRefusal {
    /// The symbol does not take such orders.
    #[error(transparent)]
    Symbol(#[from] SymbolRefusal),
    /// A filter does not let it pass.
    #[error(transparent)]
    Filter(#[from] FilterBreach),
}

impl Symbol {
    /// Whether the symbol takes orders such as this at all, now.
    ///
    /// # Errors
    /// The first reason why not.
    pub fn takes(&self, terms: &Terms) -> Result<(), SymbolRefusal> {
        let can = &self.capabilities;
        let rules = [
            (self.status.takes_orders(), SymbolRefusal::NotTrading(self.status)),
            (can.spot, SymbolRefusal::Spot),
            (self.order_types.contains(terms.kind), SymbolRefusal::Type(terms.kind)),
            (can.iceberg || !terms.is_iceberg(), SymbolRefusal::Iceberg),
            (can.quote_size || !matches!(terms.size, Size::Quote(_)), SymbolRefusal::QuoteSize),
            (can.trailing || terms.trailing_delta.is_none(), SymbolRefusal::Trailing),
            (can.pegged || terms.pegged_price.is_none(), SymbolRefusal::Pegged),
        ];
        rules.into_iter().find(|(good, _)| !good).map_or(Ok(()), |(_, refusal)| Err(refusal))
    }

    /// Whether the venue would take this order; see [`Filters::check`].
    ///
    /// # Errors
    /// What the venue would refuse it for.
    pub fn check(
        &self,
        terms: &Terms,
        market: &MarketState,
        account: &AccountState,
    ) -> Result<(), OrderRefusal> {
        self.takes(terms)?;
        Ok(self.filters.check(terms, market, account)?)
    }

    /// The order as it may be sent; see [`Filters::fit`].
    ///
    /// # Errors
    /// What keeps it from being sent.
    pub fn fit(
        &self,
        terms: &Terms,
        policy: FitPolicy,
        market: &MarketState,
        account: &AccountState,
    ) -> Result<Terms, OrderRefusal> {
        self.takes(terms)?;
        Ok(self.filters.fit(terms, policy, market, account)?)
    }
}

fn strings(list: &[Value]) -> Vec<String> {
    list.iter().filter_map(Value::as_str).take(SET_MAX).map(|text| cut(text, 64)).collect()
}

fn decimals(fields: &Fields<'_>, name: &'static str) -> Result<u8, SymbolProblem> {
    Ok(u8::try_from(fields.integer(name)?).unwrap_or(u8::MAX))
}

/// Reads a row of `symbols`.
pub(super) fn read(row: &Object, fees: Fees, unknown: &mut Vec<String>) -> Result<Symbol, SymbolProblem> {
    let fields = Fields { of: row, price_decimals: 0, qty_decimals: 0 };
    let symbol = fields.text("symbol")?;
    if symbol.is_empty() || symbol.len() > SYMBOL_BYTES_MAX {
        return Err(SymbolProblem::Name);
    }
    let qty_decimals = decimals(&fields, "baseAssetPrecision")?;
    // The older name of the same field is all that some venues like Binance send.
    let quote =
        if row.contains_key("quoteAssetPrecision") { "quoteAssetPrecision" } else { "quotePrecision" };
    let price_decimals = decimals(&fields, quote)?;
    if price_decimals.saturating_add(qty_decimals) > DECIMALS_MAX {
        return Err(SymbolProblem::Precision { price: price_decimals, qty: qty_decimals });
    }
    // A position is as fine as the commissions that are taken from it, where that fits.
    let commission = decimals(&fields, "baseCommissionPrecision").unwrap_or(0);
    let qty_decimals = qty_decimals.max(commission.min(DECIMALS_MAX - price_decimals));
    let mut filters = Filters { price_decimals, qty_decimals, ..Filters::default() };
    rows::read(fields.list("filters"), &mut filters, unknown)?;
    let lot = filters.lot;
    let most = lot.map_or(0, |lot| lot.max.0);
    let min_notional = [filters.notional.map(|f| f.min), filters.min_notional.map(|f| f.min)];
    let instrument = Instrument {
        id: InstrumentId(0),
        venue: "binance".to_owned(),
        market: Market::Spot,
        symbol: symbol.to_owned(),
        base: cut(fields.text("baseAsset")?, 50),
        quote: cut(fields.text("quoteAsset")?, 50),
        price_decimals,
        qty_decimals,
        tick: Price(filters.price.map_or(1, |filter| filter.tick.0.max(1))),
        lot: Qty(lot.map_or(1, |lot| lot.step.0.max(1))),
        min_qty: Qty(lot.map_or(1, |lot| lot.min.0.max(1))),
        max_qty: Qty(if most == 0 { i64::MAX } else { most }),
        min_notional: min_notional.into_iter().flatten().max().unwrap_or(Notional::ZERO),
        maker_fee: fees.maker,
        taker_fee: fees.taker,
    };
    let capabilities = Capabilities {
        spot: fields.flag("isSpotTradingAllowed"),
        margin: fields.flag("isMarginTradingAllowed"),
        iceberg: fields.flag("icebergAllowed"),
        oco: fields.flag("ocoAllowed"),
        oto: fields.flag("otoAllowed"),
        opo: fields.flag("opoAllowed"),
        quote_size: fields.flag("quoteOrderQtyMarketAllowed"),
        trailing: fields.flag("allowTrailingStop"),
        cancel_replace: fields.flag("cancelReplaceAllowed"),
        amend: fields.flag("amendAllowed"),
        pegged: fields.flag("pegInstructionsAllowed"),
    };
    let types = fields.list("orderTypes").iter().filter_map(Value::as_str);
    let sets = fields.list("permissionSets").iter().filter_map(Value::as_array).take(SETS_MAX);
    let self_trade_default = row.get("defaultSelfTradePreventionMode").and_then(Value::as_str);
    Ok(Symbol {
        instrument,
        filters,
        status: SymbolStatus::from_name(fields.text("status")?),
        order_types: types.filter_map(OrderType::from_name).collect(),
        capabilities,
        permissions: Permissions { sets: sets.map(|set| strings(set)).collect() },
        self_trade_default: cut(self_trade_default.unwrap_or_default(), 64),
        self_trade_modes: strings(fields.list("allowedSelfTradePreventionModes")),
    })
}
