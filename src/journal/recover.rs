//! Building desks again from a journal: what a run held when it ended, however it ended.
//!
//! Everything a desk knows follows from the slots (answers, trades, time) and from what it sent, which the journal has
//! as records behind the event that caused them. Both are taken in as facts, so nothing is decided a second time, no
//! strategy runs, and neither another configuration nor another version of a strategy can make it come out otherwise.
//! A journal that was cut reads to its last whole block; what came later was not handed over either.

use super::format::{Entry, JournalError, JournalHeader};
use super::reader::JournalReader;
use crate::domain::event::{ACCOUNT_DECIMALS, Account, BALANCE_UNIT, Command, Event, Report};
use crate::domain::order::{OrderState, ReportKind};
use crate::domain::wallet::{AssetBalance, WalletFill};
use crate::domain::{
    AssetCode, Instrument, InstrumentId, InstrumentTable, Kill, Lots, Market, Notional, Order, OrderId,
    OrderStatus, PausedBy, Pauses, Qty, Scope, Slot, StrategyId, Time, VenueId, Wallets, kill,
};
use crate::execution::{Record, RecordKind};
use crate::strategy::desk::{Desk, DeskState};
use crate::strategy::manager::Redo;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// What a run left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Orders, positions and what the order manager held, by strategy.
    pub desks: Vec<DeskState>,
    /// What the wallets held, where the run had any.
    pub wallets: Vec<AssetBalance>,
    /// What the positions consist of, by strategy and instrument.
    pub lots: Vec<Vec<Lots>>,
    /// Commissions whose worth is not known.
    pub unpriced: Vec<Unpriced>,
    /// Trades booked of each order that was with the venue.
    pub booked: BTreeMap<OrderId, Vec<u64>>,
    /// What the account has of an asset beyond the wallet's, in units of 10^-18, as far as the run knew: somebody's orders
    /// had it locked, or it came from elsewhere. Of an asset that is not here the run never knew.
    pub beyond: BTreeMap<String, i128>,
    /// Trades of which the venue cut what they moved of an asset, since its number was last taken for it.
    pub cut: BTreeMap<String, u32>,
    /// The newest trade of each instrument that was seen: booked, or made elsewhere.
    pub newest: BTreeMap<InstrumentId, u64>,
    /// Which instruments were held back, by whose word that nobody says anew.
    pub paused: Vec<(InstrumentId, PausedBy)>,
    /// Whether all trading was halted.
    pub halted: bool,
    /// What the kill switch stopped and nobody released.
    pub killed: Vec<Kill>,
    /// The last event.
    pub seq: u64,
    /// Its time.
    pub time: Time,
    /// Whether the run came to its end by itself.
    pub finished: bool,
}

/// What a run begins with that goes on where another ended. It is a part of what the run is: the journal's header has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// See [`Recovered::desks`].
    pub desks: Vec<DeskState>,
    /// See [`Recovered::wallets`].
    pub wallets: Vec<AssetBalance>,
    /// See [`Recovered::lots`]; an older journal has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lots: Vec<Vec<Lots>>,
    /// See [`Recovered::unpriced`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unpriced: Vec<Unpriced>,
    /// See [`Recovered::booked`].
    pub booked: BTreeMap<OrderId, Vec<u64>>,
    /// See [`Recovered::beyond`]; an older journal has none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub beyond: BTreeMap<String, i128>,
    /// See [`Recovered::cut`]; an older journal has none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cut: BTreeMap<String, u32>,
    /// See [`Recovered::newest`]; an older journal has none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub newest: BTreeMap<InstrumentId, u64>,
}

impl Resumed {
    /// What the account should have of each asset, in units of 10^-18, as far as that is known.
    #[must_use]
    pub fn account(&self) -> Vec<(String, i128)> {
        let spot = self.wallets.iter().filter(|asset| asset.market == Market::Spot);
        let known = spot.filter_map(|asset| {
            let beyond = self.beyond.get(&asset.asset)?;
            Some((asset.asset.clone(), asset.total_at(ACCOUNT_DECIMALS).saturating_add(*beyond)))
        });
        known.collect()
    }
}

/// A commission in a third asset that had no price by the end, and so is in no sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpriced {
    instrument: InstrumentId,
    order: OrderId,
    strategy: StrategyId,
    trade_id: u64,
    asset: AssetCode,
    /// Units of 10^-8.
    amount: i64,
}

/// Order numbers left out between two runs: a journal that lost its end with the power may lack orders that were sent,
/// and a number is never used twice.
const NUMBERS_LEFT_OUT: u64 = 1 << 20;

impl Unpriced {
    fn of(report: &Report) -> Option<Self> {
        let &Report { instrument, order, strategy, trade_id, .. } = report;
        let (asset, amount) = report.paid()?;
        Some(Self { instrument, order, strategy, trade_id, asset, amount })
    }

    fn is_of(&self, report: &Report) -> bool {
        let trade = (report.instrument, report.order, report.trade_id);
        let is_asset = report.paid().is_some_and(|(asset, _)| asset == self.asset);
        is_asset && trade == (self.instrument, self.order, self.trade_id)
    }

    /// As it was reported.
    #[must_use]
    pub fn report(&self) -> Report {
        let &Self { instrument, order, strategy, trade_id, asset, amount } = self;
        Report::commission(instrument, order, strategy, trade_id, asset, amount)
    }
}

impl Recovered {
    /// Orders that were with the venue, or on their way, as far as the journal knows: it has to be asked about them.
    pub fn with_the_venue(&self) -> impl Iterator<Item = &OrderState> {
        self.desks.iter().flat_map(DeskState::with_the_venue)
    }

    /// What the next run begins with.
    #[must_use]
    pub fn resume(self) -> Resumed {
        let Self { mut desks, wallets, lots, unpriced, booked, beyond, cut, newest, .. } = self;
        for desk in &mut desks {
            desk.order_count += NUMBERS_LEFT_OUT;
            desk.manager.ask_again();
        }
        Resumed { desks, wallets, lots, unpriced, booked, beyond, cut, newest }
    }
}

/// Takes a journal's entries in, one after the other.
pub struct Recovery {
    desks: Vec<Desk>,
    /// Strategies by instrument: a trade is for those who trade it.
    strategies: Vec<Vec<usize>>,
    redo: Vec<Redo>,
    denied: Vec<OrderId>,
    wallets: Wallets,
    lots: Vec<Vec<Lots>>,
    unpriced: Vec<Unpriced>,
    booked: BTreeMap<OrderId, Vec<u64>>,
    beyond: BTreeMap<String, i128>,
    cut: BTreeMap<String, u32>,
    newest: BTreeMap<InstrumentId, u64>,
    instruments: Vec<Instrument>,
    paused: Pauses,
    /// By instrument, of how much its quantities are multiples.
    steps: Vec<Qty>,
    halted: bool,
    killed: Vec<Kill>,
    venue_of: Vec<VenueId>,
    /// Orders that were taken back while a kill was to close what they were of.
    bared: Vec<OrderId>,
    seq: u64,
    time: Time,
    finished: bool,
}

impl Recovery {
    /// Nothing taken in yet of a run with this header.
    #[must_use]
    pub fn new(header: &JournalHeader) -> Self {
        let instruments = header.instruments.len();
        let mut strategies = vec![Vec::new(); instruments];
        for (index, strategy) in header.strategies.iter().enumerate() {
            for instrument in strategy.instruments.iter().filter(|i| i.index() < instruments) {
                strategies[instrument.index()].push(index);
            }
        }
        let ids = (0..=u8::MAX).zip(&header.strategies);
        let resumed = header.resumed.as_ref();
        let desk = |id: u8| match resumed.and_then(|resumed| resumed.desks.get(usize::from(id))) {
            Some(state) => Desk::resumed(StrategyId(id), state.clone()),
            None => Desk::new(StrategyId(id), instruments),
        };
        // A header whose instruments make no table, or whose balances no wallets, is of a run that had none.
        let wallets = InstrumentTable::new(header.instruments.clone())
            .ok()
            .and_then(|table| Wallets::new(&table, header.balances.as_deref()?).ok())
            .unwrap_or_default();
        let desks: Vec<Desk> = ids.map(|(id, _)| desk(id)).collect();
        let left = |strategy: usize, instrument: usize| resumed?.lots.get(strategy)?.get(instrument);
        let lots_of = |(strategy, desk): (usize, &Desk)| {
            let positions = desk.state.positions.iter().enumerate();
            let lots = positions.map(|(instrument, position)| {
                let left = left(strategy, instrument).filter(|left| left.qty() == position.qty);
                left.cloned().unwrap_or_else(|| Lots::carried(position))
            });
            lots.collect::<Vec<_>>()
        };
        Self {
            lots: desks.iter().enumerate().map(lots_of).collect(),
            unpriced: resumed.map(|resumed| resumed.unpriced.clone()).unwrap_or_default(),
            desks,
            wallets: wallets.resuming(resumed.map_or(&[], |resumed| &resumed.wallets)),
            booked: resumed.map(|resumed| resumed.booked.clone()).unwrap_or_default(),
            beyond: resumed.map(|resumed| resumed.beyond.clone()).unwrap_or_default(),
            cut: resumed.map(|resumed| resumed.cut.clone()).unwrap_or_default(),
            instruments: header.instruments.clone(),
            newest: resumed.map(|resumed| resumed.newest.clone()).unwrap_or_default(),
            redo: header.strategies.iter().map(|_| Redo::default()).collect(),
            strategies,
            denied: Vec::new(),
            paused: InstrumentTable::new(header.instruments.clone())
                .map(|table| Pauses::new(&table))
                .unwrap_or_default(),
            steps: header.instruments.iter().map(|of| of.lot).collect(),
            halted: false,
            killed: Vec::new(),
            venue_of: InstrumentTable::new(header.instruments.clone())
                .map(|table| kill::venues_of(&table))
                .unwrap_or_default(),
            bared: Vec::new(),
            seq: 0,
            time: Time(0),
            finished: false,
        }
    }

    /// Takes one entry in.
    pub fn take(&mut self, entry: &Entry) {
        match entry {
            Entry::Slot(slot) => self.slot(slot),
            Entry::Record(record) => self.record(record),
            Entry::End => self.finished = true,
        }
    }

    fn slot(&mut self, slot: &Slot) {
        self.seq += 1;
        if slot.is_first() {
            self.time = slot.time();
        }
        if !slot.is_last() || slot.instrument().index() >= self.steps.len() {
            return;
        }
        match slot.event() {
            Event::Report(report) => self.report(&report),
            Event::Denial(denial) => {
                self.denied.retain(|id| *id != denial.order);
                if let Some(desk) = self.desks.get_mut(denial.strategy.index()) {
                    desk.on_denial(&denial, self.time, self.steps[denial.instrument.index()]);
                }
            }
            Event::Trade(trade) => {
                for &index in &self.strategies[trade.instrument.index()] {
                    self.desks[index].follow(&trade);
                }
            }
            Event::Command(command) => self.command(command),
            Event::Rules(rules) => self.steps[rules.instrument.index()] = rules.lot,
            _ => {}
        }
    }

    fn report(&mut self, report: &Report) {
        let Some(desk) = self.desks.get_mut(report.strategy.index()) else { return };
        let of = |desk: &Desk| {
            let position = desk.state.positions.get(report.instrument.index());
            position.map_or((Notional::ZERO, 0), |p| (p.realised, p.fills))
        };
        let (realised, fills) = of(desk);
        desk.on_report(report, self.time);
        let (realised, booked) = (of(desk).0.minus(realised), of(desk).1 > fills);
        if report.kind.is_of_position() || booked {
            let of = self.lots.get_mut(report.strategy.index());
            if let Some(lots) = of.and_then(|lots| lots.get_mut(report.instrument.index())) {
                lots.book_report(report);
            }
        }
        if report.kind == ReportKind::Fill && booked {
            let &Report { order, instrument, side, qty, price, fee, fee_asset, trade_id, .. } = report;
            self.wallets.fill(&WalletFill { order, instrument, side, qty, price, fee, fee_asset, realised });
            self.booked.entry(order).or_default().push(trade_id);
            let newest = self.newest.entry(instrument).or_default();
            *newest = trade_id.max(*newest);
            let of = self.instruments.get(instrument.index());
            if let Some(of) = of.filter(|of| of.market == Market::Spot && of.is_cut(price.times(qty))) {
                *self.cut.entry(of.quote.clone()).or_default() += 1;
            }
        }
        if let Some((asset, amount)) = report.paid() {
            self.wallets.pay(report.instrument, asset, amount);
            match amount {
                0 => self.unpriced.retain(|waiting| !waiting.is_of(report)),
                _ if report.fee == 0 => self.unpriced.extend(Unpriced::of(report)),
                _ => {}
            }
        }
        // What is with the venue no more need not be asked for.
        if !desk.state.with_the_venue().any(|live| live.order.id == report.order) {
            self.booked.remove(&report.order);
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Halt => self.halted = true,
            Command::Resume => self.halted = false,
            Command::Kill(kill) => {
                // What a limit of losses stopped is stopped by it whoever stops it again, as risk has it.
                let known = self.killed.iter().find(|known| known.scope == kill.scope).copied();
                let by_limit = known.filter(|known| known.cause.is_of_losses());
                let cause = by_limit.map_or(kill.cause, |known| known.cause);
                // What was to be closed and is not yet is closed by the run that goes on: what protected it was taken back.
                let flatten = kill.flatten || known.is_some_and(|known| known.flatten);
                self.killed.retain(|known| known.scope != kill.scope);
                self.killed.push(Kill { flatten, cause, ..kill });
            }
            Command::Release(Scope::All) => self.killed.clear(),
            Command::Release(scope) => self.killed.retain(|known| known.scope != scope),
            Command::Pause(..)
            | Command::Unpause(..)
            | Command::Suspend(_)
            | Command::Reopen(_)
            | Command::Ration(_)
            | Command::Unration(_) => {
                self.paused.take(command);
            }
            Command::Account(account) => self.account(&account),
        }
    }

    fn account(&mut self, account: &Account) {
        if account.newest > 0 {
            let newest = self.newest.entry(account.instrument).or_default();
            *newest = account.newest.max(*newest);
        }
        let Some(asset) = self.wallets.asset(account.instrument, account.asset) else { return };
        let before = asset.total_at(ACCOUNT_DECIMALS);
        if account.newest == 0 {
            // As much as cuts explain is what the venue's number, taken over, differed by; anything else moved by itself, and
            // may have been cut too.
            let cut = self.cut.entry(asset.asset.clone()).or_default();
            if account.is_all || account.amount.abs() < i128::from(*cut) * BALANCE_UNIT {
                *cut = 0;
            } else if account.amount % BALANCE_UNIT != 0 {
                *cut += 1;
            }
        }
        self.wallets.account(account);
        let Some(asset) = self.wallets.asset(account.instrument, account.asset) else { return };
        let now = asset.total_at(ACCOUNT_DECIMALS);
        if account.is_all {
            self.beyond.insert(asset.asset.clone(), account.amount.saturating_sub(now));
        } else if let Some(beyond) = self.beyond.get_mut(&asset.asset) {
            // What is less than the wallet's unit.
            *beyond = beyond.saturating_add(account.amount).saturating_sub(now.saturating_sub(before));
        }
    }

    fn record(&mut self, record: &Record) {
        let index = record.order.strategy.index();
        let known = record.order.instrument.index() < self.steps.len();
        let (Some(desk), Some(redo)) = (self.desks.get_mut(index), self.redo.get_mut(index)) else { return };
        if known {
            desk.redo(&record.action(), redo);
            let Order { id, strategy, instrument, .. } = record.order;
            if record.kind == RecordKind::Cancel && self.is_to_close(strategy, instrument) {
                self.bared.push(id);
            }
        }
        if record.kind == RecordKind::Denied {
            self.denied.push(record.order.id);
        }
    }

    /// The desks as they stand, denied orders whose denial is still under way included.
    pub fn desks(&self) -> impl Iterator<Item = &DeskState> {
        self.desks.iter().map(|desk| &desk.state)
    }

    /// Orders that were denied, and whose denial is still under way.
    #[must_use]
    pub fn denied(&self) -> &[OrderId] {
        &self.denied
    }

    /// Whether a kill is to close what a strategy has of an instrument.
    fn is_to_close(&self, strategy: StrategyId, instrument: InstrumentId) -> bool {
        self.killed.iter().any(|kill| kill.flatten && kill.scope.has(&self.venue_of, strategy, instrument))
    }

    /// What protects what a kill is to close yet, and was asked back and not answered, is in force as far as the run that goes
    /// on knows: it asks anew, and not before it may close what is left without.
    fn protect_what_waits(&mut self) {
        for index in 0..self.desks.len() {
            let desk = &self.desks[index].state;
            // What the venue has: of an iceberg its part, by which a cancel names it.
            let waits = |state: &&OrderState| {
                let order = &state.order;
                state.status == OrderStatus::PendingCancel
                    && (order.protects() || desk.manager.waits_to_leave(order))
                    && self.bared.contains(&order.id)
                    && self.is_to_close(order.strategy, order.instrument)
            };
            let waiting: Vec<OrderId> = desk.with_the_venue().filter(waits).map(|o| o.order.id).collect();
            waiting.into_iter().for_each(|id| self.desks[index].cancel_unsent(id));
        }
    }

    /// What the run left. Denials that were under way never come: their orders are gone.
    #[must_use]
    pub fn finish(mut self) -> Recovered {
        self.protect_what_waits();
        for desk in &mut self.desks {
            desk.end_denied(&self.denied);
        }
        let ids = (0..u16::MAX).take(self.steps.len()).map(InstrumentId);
        let kept = PausedBy::ALL.into_iter().filter(|by| by.is_kept());
        let kept: Vec<PausedBy> = kept.collect();
        let held = |id| kept.iter().map(move |by| (id, *by));
        let paused = ids.flat_map(held).filter(|(id, by)| self.paused.is_paused_by(*id, *by)).collect();
        Recovered {
            desks: self.desks.into_iter().map(|desk| desk.state).collect(),
            wallets: self.wallets.assets().to_vec(),
            lots: self.lots,
            unpriced: self.unpriced,
            booked: self.booked,
            beyond: self.beyond,
            cut: self.cut.into_iter().filter(|(_, trades)| *trades > 0).collect(),
            newest: self.newest,
            paused,
            halted: self.halted,
            killed: self.killed,
            seq: self.seq,
            time: self.time,
            finished: self.finished,
        }
    }
}

/// Builds the desks of a journal's run again.
///
/// # Errors
/// [`JournalError`] where the file is no journal, or a whole block of it does not read.
pub fn recover(path: &Path) -> Result<(JournalHeader, Recovered), JournalError> {
    let mut reader = JournalReader::open(path)?;
    let mut recovery = Recovery::new(reader.header());
    while let Some(entry) = reader.next_entry()? {
        recovery.take(&entry);
    }
    Ok((reader.header().clone(), recovery.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instrument::tests::sample;
    use crate::domain::{ClientOrderId, DenyReason, Extras, Market, OrderKind, Price, Side, TimeInForce};

    #[test]
    fn the_newest_trade_that_was_seen_is_known_whoever_made_it() {
        let instruments = vec![sample(Market::Spot, "BTCUSDT"), sample(Market::Spot, "ETHUSDT")];
        let mut recovery = Recovery::new(&JournalHeader { instruments, ..JournalHeader::default() });
        let asset = crate::domain::event::FeeAsset::Base;
        for (instrument, newest) in [(0, 75), (1, 9), (0, 70), (1, 0)] {
            let of =
                Account { instrument: InstrumentId(instrument), asset, amount: 0, is_all: false, newest };
            recovery.take(&Entry::Slot(Slot::command(Command::Account(of))));
        }
        let newest = recovery.finish().resume().newest;
        assert_eq!(newest, BTreeMap::from([(InstrumentId(0), 75), (InstrumentId(1), 9)]));
    }

    #[test]
    fn what_is_too_little_is_judged_by_the_lot_in_force() {
        let instruments = vec![sample(Market::Spot, "BTCUSDT"), sample(Market::Spot, "ETHUSDT")];
        let (first, changed) = (instruments[0].lot, instruments[1].lot);
        let mut rules = instruments[1].rules();
        (rules.instrument, rules.lot) = (InstrumentId(1), Qty(changed.0 * 10));
        let mut recovery = Recovery::new(&JournalHeader { instruments, ..JournalHeader::default() });
        recovery.take(&Entry::Slot(Slot::rules(&rules)));
        assert_eq!(recovery.steps, [first, Qty(changed.0 * 10)]);
    }

    /// The header of a run of one strategy with one instrument.
    fn of_one_strategy() -> JournalHeader {
        let strategy = crate::journal::JournalStrategy {
            label: "a".into(),
            name: "a".into(),
            instruments: vec![InstrumentId(0)],
        };
        let instruments = vec![sample(Market::Spot, "BTCUSDT")];
        JournalHeader { instruments, strategies: vec![strategy], ..JournalHeader::default() }
    }

    /// An order of it that only reduces.
    fn leaves(n: u64, kind: OrderKind) -> Order {
        Order {
            id: OrderId(n << 8),
            strategy: StrategyId(0),
            instrument: InstrumentId(0),
            side: Side::Sell,
            kind,
            tif: TimeInForce::Gtc,
            reduce_only: true,
            qty: Qty(100),
            price: if kind.has_limit() { Price(10_000) } else { Price(0) },
            extras: Extras {
                stop_price: if kind.is_conditional() { Price(9_000) } else { Price(0) },
                ..Extras::NONE
            },
        }
    }

    fn record(kind: RecordKind, order: Order) -> Entry {
        let client_id = ClientOrderId::derive(7, order.id);
        Entry::Record(Record { seq: 1, kind, order, denied: None, client_id })
    }

    fn kill_of_btc(flatten: bool) -> Entry {
        let scope = Scope::Instrument(InstrumentId(0));
        let kill = Kill { scope, cause: DenyReason::Killed, flatten, carried: false };
        Entry::Slot(Slot::command(Command::Kill(kill)))
    }

    #[test]
    fn what_protects_what_a_kill_is_to_close_and_was_asked_back_in_vain_is_in_force_yet() {
        // Of three the strategy takes back the first itself; the last protects nothing. The second has a time to end at.
        let orders = [leaves(1, OrderKind::Stop), leaves(2, OrderKind::Stop), leaves(3, OrderKind::Limit)];
        let until = Order { qty: Qty(77), ..orders[1] };
        let left = |flatten, released: bool| {
            let mut recovery = Recovery::new(&of_one_strategy());
            orders.iter().for_each(|order| recovery.take(&record(RecordKind::Order, *order)));
            recovery.take(&record(RecordKind::GoodTill, until));
            recovery.take(&record(RecordKind::Cancel, orders[0]));
            recovery.take(&kill_of_btc(flatten));
            orders[1..].iter().for_each(|order| recovery.take(&record(RecordKind::Cancel, *order)));
            if released {
                let scope = Scope::Instrument(InstrumentId(0));
                recovery.take(&Entry::Slot(Slot::command(Command::Release(scope))));
            }
            let desk = recovery.finish().resume().desks.remove(0);
            let statuses = desk.orders.iter().map(|state| state.status).collect::<Vec<_>>();
            (statuses, Desk::resumed(StrategyId(0), desk).next_deadline())
        };
        use OrderStatus::{Open, PendingCancel};
        let in_force = vec![PendingCancel, Open, PendingCancel];
        assert_eq!(left(true, false), (in_force, Some(Time(77))), "it ends at its time");
        for (flatten, released) in [(false, false), (true, true)] {
            assert_eq!(left(flatten, released), (vec![PendingCancel; 3], None), "nothing closes it");
        }
    }

    #[test]
    fn an_iceberg_that_leaves_what_a_kill_is_to_close_and_was_asked_back_in_vain_is_in_force_yet() {
        let whole = leaves(1, OrderKind::StopLimit);
        let whole = Order { extras: Extras { iceberg_qty: Qty(10), ..whole.extras }, ..whole };
        let part = Order { qty: Qty(10), ..leaves(2, OrderKind::Limit) };
        let mut recovery = Recovery::new(&of_one_strategy());
        recovery.take(&record(RecordKind::Held, whole));
        recovery.take(&record(RecordKind::GoodTill, Order { qty: Qty(77), ..whole }));
        recovery.take(&record(RecordKind::ChildOf, whole));
        recovery.take(&record(RecordKind::Order, part));
        recovery.take(&kill_of_btc(true));
        recovery.take(&record(RecordKind::Cancel, part));
        let before = recovery.desks().next().map(|desk| desk.orders[0].status);
        assert_eq!(before, Some(OrderStatus::PendingCancel));
        let desk = recovery.finish().resume().desks.remove(0);
        let with_venue: Vec<_> = desk.with_the_venue().map(|o| (o.order.id, o.status)).collect();
        assert_eq!(with_venue, [(part.id, OrderStatus::Open)]);
        assert_eq!(desk.orders[0].status, OrderStatus::Open);
        assert_eq!(Desk::resumed(StrategyId(0), desk).next_deadline(), Some(Time(77)));
    }

    #[test]
    fn what_was_killed_and_not_released_is_known() {
        let header = JournalHeader {
            instruments: vec![sample(Market::Spot, "BTCUSDT"), sample(Market::Spot, "ETHUSDT")],
            ..JournalHeader::default()
        };
        let kill = |scope, flatten| Kill { scope, cause: DenyReason::Killed, flatten, carried: false };
        let (one, other) = (Scope::Strategy(StrategyId(1)), Scope::Instrument(InstrumentId(1)));
        let left = |commands: &[Command]| {
            let mut recovery = Recovery::new(&header);
            commands.iter().for_each(|c| recovery.take(&Entry::Slot(Slot::command(*c))));
            recovery.finish().killed
        };
        let kills = [kill(one, true), kill(other, false), kill(one, false)].map(Command::Kill);
        assert_eq!(
            left(&kills),
            [kill(other, false), kill(one, true)],
            "who stops it again leaves it to be closed"
        );
        let lost = Kill { cause: DenyReason::DailyLoss, ..kill(one, false) };
        assert_eq!(
            left(&[kills[1], Command::Kill(lost), kills[2]]),
            [kill(other, false), lost],
            "it goes on by its limit's name"
        );
        // Once it was released, it is closed no more, whoever stops it then.
        let released_before = [&kills[..1], &[Command::Release(one)], &kills[2..]].concat();
        assert_eq!(left(&released_before), [kill(one, false)]);
        let released = |scope| [&kills[..], &[Command::Release(scope)]].concat();
        assert_eq!(left(&released(one)), [kill(other, false)]);
        assert_eq!(left(&released(Scope::All)), []);
    }
}
