//! What can be traded, by the venue's rules of now.
//!
//! Owns: instruments with what `exchangeInfo` last said of them. An instrument's own decimals stay, since orders are in
//! them; the rules are held in the symbol's, and an order is scaled to be judged.
//!
//! What the pipeline has to know enters its ring: changed rules ([`Output::Rules`], [`Output::MarketRules`]), in the
//! instrument's own units, and whether orders are taken at all ([`Command::Pause`], [`Command::Unpause`]): not where the
//! symbol does not trade, and none but such that reduce where it is paused, or where its numbers differ. Each reason stands
//! by itself: one that is over lets go of nothing that another holds. Invariant: each is told when it changes, and not
//! again.

use super::super::exchange_info::{ExchangeInfo, OrderRefusal, Symbol, SymbolStatus};
use super::super::filters::{MarketState, Size, Terms};
use super::super::request::SelfTradeMode;
use super::changes::changes;
use super::message::{Output, Outputs};
use super::notice::{InstrumentPause, LocalRefusal, Notice};
use super::rescale::{exactly, market_rules_of, rules_of};
use crate::domain::event::Command;
use crate::domain::{Extras, Instrument, InstrumentId, InstrumentTable, Market, Order, PausedBy, Price, Qty};
use std::collections::HashMap;

/// An instrument.
#[derive(Debug, Clone)]
pub struct Listed {
    pub instrument: Instrument,
    /// By the venue's last word; none before the first.
    pub rules: Option<Symbol>,
    /// The venue has no such symbol, by its last word: nothing is asked of it.
    gone: bool,
    /// Why it takes no orders, a bit a reason.
    pauses: u8,
    /// By whose word the ring was told that it takes none, a bit each.
    told: u8,
}

/// See the module.
#[derive(Debug)]
pub struct Instruments {
    by_id: Vec<Option<Listed>>,
    by_symbol: HashMap<String, InstrumentId>,
}

impl Instruments {
    /// The spot instruments of the table.
    pub fn new(table: &InstrumentTable) -> Self {
        let mut instruments = Self { by_id: Vec::new(), by_symbol: HashMap::new() };
        for instrument in table.all() {
            instruments.add(instrument);
        }
        instruments
    }

    /// Takes an instrument in, or takes its new numbers over; whether it is new.
    pub fn add(&mut self, instrument: &Instrument) -> bool {
        if instrument.market != Market::Spot {
            return false;
        }
        let at = instrument.id.index();
        if self.by_id.len() <= at {
            self.by_id.resize(at + 1, None);
        }
        self.by_symbol.insert(instrument.symbol.clone(), instrument.id);
        let known = self.by_id[at].take().filter(|known| known.instrument.symbol == instrument.symbol);
        let new = known.is_none();
        let (rules, gone, pauses, told) =
            known.map_or((None, false, 0, 0), |known| (known.rules, known.gone, known.pauses, known.told));
        let pauses = pauses & !bit(InstrumentPause::Removed);
        self.by_id[at] = Some(Listed { instrument: instrument.clone(), rules, gone, pauses, told });
        new
    }

    pub fn get(&self, id: InstrumentId) -> Option<&Listed> {
        self.by_id.get(id.index())?.as_ref()
    }

    pub fn find(&self, symbol: &str) -> Option<&Listed> {
        self.get(*self.by_symbol.get(symbol)?)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Listed> {
        self.by_id.iter().flatten()
    }

    /// The venue said that it has no such symbol.
    pub fn not_listed(&mut self, id: InstrumentId, out: &mut Outputs) {
        if let Some(Some(listed)) = self.by_id.get_mut(id.index()) {
            listed.gone = true;
            hold(listed, InstrumentPause::NotListed, out);
        }
    }

    /// Stops an instrument's new orders for this reason.
    pub fn hold(&mut self, id: InstrumentId, why: InstrumentPause, out: &mut Outputs) {
        if let Some(Some(listed)) = self.by_id.get_mut(id.index()) {
            hold(listed, why, out);
        }
    }

    /// This reason is over.
    pub fn release(&mut self, id: InstrumentId, why: InstrumentPause, out: &mut Outputs) {
        if let Some(Some(listed)) = self.by_id.get_mut(id.index()) {
            release(listed, why, out);
        }
    }

    /// Lets go of what a person paused and of what a difference halted, and tells the ring, whatever it was told before:
    /// a pause may be an earlier run's. The venue's own reasons stay.
    pub fn resume(&mut self, id: InstrumentId, out: &mut Outputs) {
        let whys = [InstrumentPause::Paused, InstrumentPause::Removed, InstrumentPause::Difference];
        self.let_go(id, &whys, told_bit(PausedBy::File) | told_bit(PausedBy::Difference), out);
    }

    /// The same of what a person paused alone.
    pub fn unpause(&mut self, id: InstrumentId, out: &mut Outputs) {
        let whys = [InstrumentPause::Paused, InstrumentPause::Removed];
        self.let_go(id, &whys, told_bit(PausedBy::File), out);
    }

    /// The same of what a difference halted alone.
    pub fn looked_at(&mut self, id: InstrumentId, out: &mut Outputs) {
        self.let_go(id, &[InstrumentPause::Difference], told_bit(PausedBy::Difference), out);
    }

    fn let_go(&mut self, id: InstrumentId, whys: &[InstrumentPause], told: u8, out: &mut Outputs) {
        if let Some(Some(listed)) = self.by_id.get_mut(id.index()) {
            listed.told |= told;
            let before = listed.pauses;
            for why in whys {
                listed.pauses &= !bit(*why);
            }
            if listed.pauses != before {
                out.notice(Notice::InstrumentPaused { instrument: id, why: listed.pause() });
            }
            tell(listed, out);
        }
    }

    /// Whether an order may be sent. What only reduces a position may, whatever a person or a difference paused.
    #[inline(never)]
    pub fn check(&self, order: &Order) -> Result<&Listed, LocalRefusal> {
        let listed = self.get(order.instrument).ok_or(LocalRefusal::UnknownInstrument)?;
        if let Some(why) = listed.pauses().find(|why| !order.reduce_only || !why.lets_reduce()) {
            return Err(LocalRefusal::Instrument(why));
        }
        if let Some(symbol) = &listed.rules {
            judge(&listed.instrument, symbol, order)?;
        }
        Ok(listed)
    }

    /// Takes over what the venue says now of the instruments that it was asked for, and tells what changed; whether a rule
    /// did.
    pub fn learn(
        &mut self,
        info: ExchangeInfo,
        asked_for: impl Fn(InstrumentId) -> bool,
        out: &mut Outputs,
    ) -> bool {
        let mut changed = false;
        let mut unusable = info.unusable;
        let mut symbols: HashMap<String, Symbol> =
            info.symbols.into_iter().map(|symbol| (symbol.instrument.symbol.clone(), symbol)).collect();
        let of = self.by_id.iter_mut().flatten().filter(|listed| asked_for(listed.instrument.id));
        for listed in of {
            let id = listed.instrument.id;
            let Some(symbol) = symbols.remove(&listed.instrument.symbol) else {
                let problem = unusable.iter().position(|row| row.symbol == listed.instrument.symbol);
                listed.gone = problem.is_none();
                if let Some(at) = problem {
                    out.notice(Notice::Unusable { instrument: id, problem: unusable.swap_remove(at) });
                }
                changed |= !listed.is_held_for(InstrumentPause::NotListed);
                hold(listed, InstrumentPause::NotListed, out);
                continue;
            };
            listed.gone = false;
            release(listed, InstrumentPause::NotListed, out);
            let before = listed.rules.as_ref();
            if before.is_none_or(|old| old.status != symbol.status)
                && (before.is_some() || symbol.status != SymbolStatus::Trading)
            {
                changed = true;
                out.notice(Notice::StatusChanged { instrument: id, status: symbol.status });
            }
            let changes = before.map(|old| changes(old, &symbol)).unwrap_or_default();
            if !changes.is_empty() {
                changed = true;
                out.notice(Notice::RulesChanged { instrument: id, changes });
            }
            let rules = rules_of(&listed.instrument, &symbol);
            // What it was before the first answer everybody knows who read it before the run.
            let market = market_rules_of(&listed.instrument, &symbol);
            if before.is_some_and(|old| market_rules_of(&listed.instrument, old) != market) {
                out.push(Output::MarketRules(market));
            }
            listed.rules = Some(symbol);
            if rules != listed.instrument.rules() {
                listed.instrument.change(&rules);
                out.push(Output::Rules(rules));
            }
            tell(listed, out);
        }
        changed
    }
}

impl Listed {
    /// Whether the venue has no such symbol.
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// Whether it is listed, and the venue holds it back by its status, or by rules that cannot be read: another reading may
    /// let it go. One that stands by has its rules read when it is added.
    pub fn is_closed(&self) -> bool {
        let closed = self.rules.as_ref().is_some_and(|symbol| !symbol.status.takes_orders());
        let held = closed || self.is_held_for(InstrumentPause::NotListed);
        held && !self.gone && !self.is_held_for(InstrumentPause::Standby)
    }

    /// The same where the venue has no such symbol.
    pub fn may_be_listed_again(&self) -> bool {
        self.gone && !self.is_held_for(InstrumentPause::Standby)
    }

    /// Why it takes no orders: the first reason, of several.
    pub fn pause(&self) -> Option<InstrumentPause> {
        self.pauses().next()
    }

    /// Every reason why it takes no orders.
    fn pauses(&self) -> impl Iterator<Item = InstrumentPause> {
        InstrumentPause::ALL.into_iter().filter(|why| self.is_held_for(*why))
    }

    /// Whether it takes no orders for this reason.
    pub fn is_held_for(&self, why: InstrumentPause) -> bool {
        self.pauses & bit(why) != 0
    }

    /// What is to be done where this order would meet a resting one of ours: the configured mode. But what only reduces
    /// a position is not held up by one, and where the venue can it takes the resting one away.
    pub fn self_trade(&self, order: &Order, configured: Option<SelfTradeMode>) -> Option<SelfTradeMode> {
        let can = |mode: SelfTradeMode| {
            self.rules.as_ref().is_some_and(|symbol| mode.is_among(&symbol.self_trade_modes))
        };
        let expires_maker = order.reduce_only && can(SelfTradeMode::ExpireMaker);
        if expires_maker { Some(SelfTradeMode::ExpireMaker) } else { configured }
    }

    fn is_held_by(&self, by: PausedBy) -> bool {
        let held = InstrumentPause::ALL.into_iter().any(|why| why.by() == by && self.is_held_for(why));
        let closed = || self.rules.as_ref().is_some_and(|symbol| !symbol.status.takes_orders());
        held || (by == PausedBy::Venue && closed())
    }
}

const fn bit(why: InstrumentPause) -> u8 {
    1 << why as u8
}

const fn told_bit(by: PausedBy) -> u8 {
    1 << by as u8
}

/// Tells the ring whether orders are taken, by each whose word on it changed.
fn tell(listed: &mut Listed, out: &mut Outputs) {
    let id = listed.instrument.id;
    for by in PausedBy::ALL {
        let held = listed.is_held_by(by);
        if (listed.told & told_bit(by) != 0) != held {
            listed.told ^= told_bit(by);
            out.push(Output::Command(if held { Command::Pause(id, by) } else { Command::Unpause(id, by) }));
        }
    }
}

fn hold(listed: &mut Listed, why: InstrumentPause, out: &mut Outputs) {
    if !listed.is_held_for(why) {
        listed.pauses |= bit(why);
        out.notice(Notice::InstrumentPaused { instrument: listed.instrument.id, why: Some(why) });
    }
    tell(listed, out);
}

fn release(listed: &mut Listed, why: InstrumentPause, out: &mut Outputs) {
    if listed.is_held_for(why) {
        listed.pauses &= !bit(why);
        out.notice(Notice::InstrumentPaused { instrument: listed.instrument.id, why: listed.pause() });
    }
    tell(listed, out);
}

/// Whether symbol and filters let an order pass. What is measured from the market's prices is left to the venue and to
/// risk, which know them.
fn judge(instrument: &Instrument, symbol: &Symbol, order: &Order) -> Result<(), LocalRefusal> {
    let of = &symbol.instrument;
    let scaled = |value, from, to| exactly(value, from, to).ok_or(LocalRefusal::Precision);
    let qty = |qty: Qty| scaled(qty.0, instrument.qty_decimals, of.qty_decimals).map(Qty);
    let price = |price: Price| scaled(price.0, instrument.price_decimals, of.price_decimals).map(Price);
    let terms = if order.extras.is_none() {
        let limit = if order.kind.has_limit() { Some(price(order.price)?) } else { None };
        Terms::new(order.side, order.kind.into(), Size::Base(qty(order.qty)?), limit)
    } else {
        let extras = Extras {
            stop_price: price(order.extras.stop_price)?,
            iceberg_qty: qty(order.extras.iceberg_qty)?,
            ..order.extras
        };
        Terms::from(&Order { qty: qty(order.qty)?, price: price(order.price)?, extras, ..*order })
    };
    symbol.takes(&terms).map_err(OrderRefusal::from)?;
    // How much is open, and where the market is, risk has judged: what is left are the order's own numbers.
    symbol.filters.check_values(&terms, &MarketState::default()).map_err(OrderRefusal::from)?;
    Ok(())
}
