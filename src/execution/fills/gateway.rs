//! The gateway of a backtest: puts orders on their way to the simulated market, and tells what becomes of them.
//!
//! What was asked for at an event leaves with it. What arrives at a moment meets the market after all that happened at
//! that moment, and before anything later: an order never trades with what it was decided by. So each arrival is an event
//! of its own, a clock event right behind its moment, whatever else the run may read; and so is each payment of funding,
//! which what is held by the prices of its moment pays, once all that arrives in it has met the market. Once the market is
//! over nothing more is paid.

use super::account::{Account, Funding, Margin};
use super::bars::{BarMarket, Cause};
use super::depth::DepthMarket;
use super::latency::Latencies;
use super::queue::Queue;
use super::quotes::QuoteMarket;
use super::slippage::Slippage;
use super::teller::{ANSWERS_PER_EVENT_MAX, Teller};
use super::tiers::FeeTiers;
use crate::domain::event::{Event, Kind, Kline};
use crate::domain::order::ReportKind;
use crate::domain::{
    InstrumentId, InstrumentTable, Order, OrderId, Passed, Price, Side, Slot, Stretch, Time, Wallets,
};
use crate::execution::stage::GatewayMessage;
use crate::market::book::BookKeeper;
use crate::pipeline::{Answer, LaneReceiver, LaneSender, Lull, Shared, Stage, Waker};
use std::collections::VecDeque;

/// What is known of an instrument's market, and so how its orders fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MarketModel {
    /// Nothing: every order is rejected.
    #[default]
    None,
    /// Its bars.
    Bars,
    /// Its trades; of some kinds of dump aggregate ones.
    Trades {
        /// Whether those are aggregate ones.
        aggregates: bool,
    },
    /// Its trades and its best bid and ask.
    Quotes {
        /// Whether trades are aggregate ones.
        aggregates: bool,
    },
    /// Its trades and its book.
    Depth {
        /// Whether trades are aggregate ones.
        aggregates: bool,
    },
}

/// How a simulated venue behaves.
#[derive(Debug, Clone)]
pub struct FillSettings {
    /// What is known, by instrument.
    pub models: Vec<MarketModel>,
    /// Whether a price that comes to a resting order's fills it, where no queue is known.
    pub touch: bool,
    /// Where a resting order stands in its queue.
    pub queue: Queue,
    /// How much worse than the last price an order trades where no book says so.
    pub slippage: Slippage,
    /// How long everything takes.
    pub latencies: Latencies,
    /// No answer is there sooner after its cause, ns.
    pub floor_ns: u64,
    /// Fees by tier.
    pub tiers: FeeTiers,
    /// Margin of USD-M futures; none: it is not modelled.
    pub margin: Option<Margin>,
    /// Funding of USD-M futures.
    pub funding: Funding,
}

enum Market {
    None,
    Bars(BarMarket),
    Quotes(QuoteMarket),
    Depth(DepthMarket),
}

/// Orders on their way to the market.
const IN_FLIGHT_MAX: usize = 16_384;
/// The most answers that one arriving order causes.
const ANSWERS_PER_ARRIVAL_MAX: usize = 260;

/// Orders of an instrument that rest or wait, at most, whatever fills them.
const RESTING_MAX: usize = 256;
/// Times that the margin may be kept by what fills on one step of a bar's path.
const LOSSES_PER_STEP_MAX: usize = 8;

/// See the module.
pub struct FillGateway {
    messages: LaneReceiver<GatewayMessage>,
    venue: Venue,
}

struct Venue {
    markets: Vec<Market>,
    teller: Teller,
    in_flight: VecDeque<Underway>,
    /// Asks for the moments of arrivals, which are as answers: a run does not end before.
    for_arrivals: Waker,
    /// Asks for those of funding.
    for_funding: Waker,
    /// When the depth event under way was, by the venue's clock; zero where it does not say.
    book_time: Time,
    /// The first half of a bar.
    bar_head: Option<Kline>,
    orders: u64,
}

#[derive(Debug, Clone, Copy)]
struct Underway {
    arrives: Time,
    cause: Cause,
    message: GatewayMessage,
}

impl FillGateway {
    /// The most answers that one event may cause: those of orders, and what becomes of every position and every resting
    /// order at once, by funding and for want of margin.
    #[must_use]
    pub fn answers_per_event_max(
        table: &InstrumentTable,
        strategies: usize,
        settings: &FillSettings,
    ) -> usize {
        let positions = strategies * table.len();
        let funded = settings.funding.constant.is_some() || !settings.funding.rates.is_empty();
        let of_funding = if funded { positions } else { 0 };
        let of_margin = if settings.margin.is_some() { positions + RESTING_MAX * table.len() } else { 0 };
        ANSWERS_PER_EVENT_MAX + 2 + of_funding + of_margin
    }

    /// A gateway for `strategies` strategies, whose wallets hold `wallets`.
    #[must_use]
    pub fn new(
        table: &InstrumentTable,
        strategies: usize,
        wallets: Wallets,
        settings: FillSettings,
        messages: LaneReceiver<GatewayMessage>,
        answers: Option<LaneSender<Answer>>,
    ) -> Self {
        let FillSettings { touch, queue, .. } = settings;
        let market = |model: &MarketModel| match *model {
            MarketModel::None => Market::None,
            MarketModel::Bars => Market::Bars(BarMarket::new(touch)),
            MarketModel::Trades { aggregates } => Market::Quotes(QuoteMarket::new(touch, false, aggregates)),
            MarketModel::Quotes { aggregates } => Market::Quotes(QuoteMarket::new(touch, true, aggregates)),
            MarketModel::Depth { aggregates } => Market::Depth(DepthMarket::new(queue, aggregates)),
        };
        let markets = settings.models.iter().map(market).collect();
        let account = Account::new(table, strategies, wallets, settings.margin, settings.funding);
        let FillSettings { latencies, slippage, tiers, floor_ns, .. } = settings;
        let teller = Teller::new(table, account, latencies, slippage, tiers, answers, floor_ns);
        let in_flight = VecDeque::with_capacity(IN_FLIGHT_MAX);
        let (for_arrivals, for_funding) = (Waker::new(1), Waker::new(6));
        let venue = Venue {
            markets,
            teller,
            in_flight,
            for_arrivals,
            for_funding,
            book_time: Time(0),
            bar_head: None,
            orders: 0,
        };
        Self { messages, venue }
    }

    /// By instrument: what was not there when orders arrived, so that they were rejected, and how many.
    pub fn unmet(&self) -> impl Iterator<Item = (InstrumentId, &'static str, u64)> {
        self.venue.unmet()
    }

    /// Orders and cancels that were sent.
    #[must_use]
    pub fn orders(&self) -> u64 {
        self.venue.orders
    }
}

impl Venue {
    /// By instrument: how many orders were rejected because nothing of its market was known, and what was wanted of it.
    fn unmet(&self) -> impl Iterator<Item = (InstrumentId, &'static str, u64)> {
        let teller = &self.teller;
        self.markets.iter().zip(teller.table.all()).filter_map(|(market, instrument)| {
            let wanted = match market {
                Market::None => "nothing that they could fill against",
                Market::Bars(_) => "no bar",
                Market::Quotes(market) => market.unmet_by(),
                Market::Depth(_) => "no book in step",
            };
            let count = teller.unmet_of(instrument.id);
            (count > 0).then_some((instrument.id, wanted, count))
        })
    }

    #[inline]
    fn on_market(&mut self, slot: &Slot, books: &BookKeeper) {
        let Self { markets, teller, bar_head, book_time, .. } = self;
        match slot.kind() {
            Kind::Trade => {
                let Some(trade) = slot.as_trade() else { return };
                teller.latencies.saw(trade.instrument, trade.venue_time, teller.now);
                teller.account.mark(trade.instrument, trade.price);
                match &mut markets[trade.instrument.index()] {
                    Market::Quotes(market) => market.on_trade(&trade, teller),
                    Market::Depth(market) => market.on_trade(&trade, teller),
                    Market::None | Market::Bars(_) => {}
                }
            }
            Kind::Quote => {
                let Some(quote) = slot.as_quote() else { return };
                if teller.account.is_marked()
                    && let Some(middle) = quote.middle()
                {
                    teller.account.mark_middle(quote.instrument, middle);
                }
                if let Market::Quotes(market) = &mut markets[quote.instrument.index()] {
                    market.on_quote(&quote, teller);
                }
            }
            Kind::Kline => {
                *bar_head = slot.as_kline_head();
            }
            Kind::KlineTail => {
                let Some(kline) = bar_head.take().map(|head| head.with_tail(slot)) else { return };
                self.on_kline(&kline);
                return;
            }
            Kind::Interrupted => match &mut markets[slot.instrument().index()] {
                Market::Quotes(market) => market.interrupted(),
                Market::Depth(market) => market.interrupted(),
                Market::None | Market::Bars(_) => {}
            },
            Kind::Rules => {
                if let Event::Rules(rules) = slot.event() {
                    teller.change(&rules);
                }
            }
            _ => {}
        }
        if teller.account.is_marked()
            && let Some(instrument) = books.moved()
            && let Some(middle) = books.middle(instrument)
        {
            teller.account.mark_middle(instrument, middle);
        }
        if let Some(instrument) = books.moved()
            && let Market::Depth(market) = &mut markets[instrument.index()]
            && !market.is_idle()
            && let Some(sync) = books.valid(instrument)
        {
            market.on_book(sync, *book_time, teller);
        }
    }

    /// What was due before `now`, each at its own moment, and the market as it then was: arrivals and funding.
    #[cold]
    fn catch_up(&mut self, now: Time, books: &BookKeeper) {
        self.pay_funding(now, books);
        self.arrivals(now, books);
        self.teller.now = now;
        if self.teller.account.is_lost() {
            self.liquidate();
        }
    }

    /// What has arrived before `now` meets the market.
    fn arrivals(&mut self, now: Time, books: &BookKeeper) {
        while let Some(underway) = self.in_flight.front() {
            if underway.arrives >= now || !self.teller.has_room(ANSWERS_PER_ARRIVAL_MAX) {
                break;
            }
            let Some(Underway { arrives, cause, message }) = self.in_flight.pop_front() else { break };
            self.teller.now = arrives;
            match message {
                GatewayMessage::New { order, .. } => self.arrive(order.get(), cause, books),
                GatewayMessage::Cancel { order, instrument, .. } => self.cancel(order, instrument),
            }
        }
        if self.in_flight.is_empty() {
            // Its room begins anew at the same memory, which is in the cache.
            self.in_flight.clear();
        }
    }

    fn arrive(&mut self, order: &Order, cause: Cause, books: &BookKeeper) {
        let teller = &mut self.teller;
        match &mut self.markets[order.instrument.index()] {
            Market::None => teller.unmet(order),
            Market::Bars(market) => market.arrive(order, cause, teller),
            Market::Quotes(market) => market.arrive(order, teller),
            Market::Depth(market) => market.arrive(order, books.valid(order.instrument), teller),
        }
    }

    /// A cancel that finds nothing came after the last fill, whose report is on its way already.
    fn cancel(&mut self, order: OrderId, instrument: InstrumentId) {
        let teller = &mut self.teller;
        match &mut self.markets[instrument.index()] {
            Market::None => {}
            Market::Bars(market) => market.cancel(order, teller),
            Market::Quotes(market) => market.cancel(order, teller),
            Market::Depth(market) => market.cancel(order, teller),
        }
    }

    /// Pays the funding of moments before `now`, each by what is held once all that arrives by then has met the market.
    fn pay_funding(&mut self, now: Time, books: &BookKeeper) {
        let mut paid = Vec::new();
        while let Some(at) = self.teller.account.next_funding(self.teller.now).filter(|at| *at < now) {
            self.arrivals(at.plus_nanos(1), books);
            let teller = &mut self.teller;
            teller.account.pay_funding(at, |strategy, instrument, held, price, cost| {
                paid.push((strategy, instrument, held, price, cost));
            });
            teller.now = at;
            for (strategy, instrument, held, price, cost) in paid.drain(..) {
                let side = if held.0 > 0 { Side::Buy } else { Side::Sell };
                let what = (strategy, instrument);
                teller.of_position(ReportKind::Funding, what, (side, held.abs()), price, cost);
            }
        }
    }

    /// The path of a bar goes on: up to where the margin is gone, if it goes there, and from there without those positions.
    fn on_kline(&mut self, kline: &Kline) {
        let Self { markets, teller, .. } = self;
        let Market::Bars(market) = &mut markets[kline.instrument.index()] else { return };
        // What fills on the way may keep the margin up to somewhere further on.
        for _ in 0..LOSSES_PER_STEP_MAX {
            let from = market.price_within();
            teller.account.mark(kline.instrument, kline.close);
            let Some(from) = from.filter(|_| teller.account.is_lost()) else { break };
            let there = teller.account.go_back_to_loss(kline.instrument, from);
            market.on_kline(&Kline { close: there, closed: false, ..*kline }, teller);
            if teller.account.is_lost() {
                self.liquidate();
                break;
            }
        }
        let Self { markets, teller, .. } = self;
        teller.account.mark(kline.instrument, kline.close);
        if let Market::Bars(market) = &mut markets[kline.instrument.index()] {
            market.on_kline(kline, teller);
        }
    }

    /// Takes all orders back and closes all positions, for want of margin.
    fn liquidate(&mut self) {
        let teller = &mut self.teller;
        for market in &mut self.markets {
            match market {
                Market::None => {}
                Market::Bars(market) => market.cancel_all(teller),
                Market::Quotes(market) => market.cancel_all(teller),
                Market::Depth(market) => market.cancel_all(teller),
            }
        }
        while let Some((strategy, instrument, held, price, fee)) = teller.account.liquidate() {
            let side = if held.0 > 0 { Side::Sell } else { Side::Buy };
            let what = (strategy, instrument);
            teller.of_position(ReportKind::Liquidated, what, (side, held.abs()), price, fee);
        }
    }

    #[inline]
    fn send(&mut self, message: &GatewayMessage) {
        self.orders += 1;
        if self.teller.answers() {
            let cause = Cause { seq: self.teller.seq, time: self.teller.now };
            // On one connection nothing overtakes.
            let last = self.in_flight.back().map_or(Time(0), |underway| underway.arrives);
            let instrument = match message {
                GatewayMessage::New { order, .. } => order.get().instrument,
                GatewayMessage::Cancel { instrument, .. } => *instrument,
            };
            let arrives = self.teller.latencies.arrival(instrument, cause.time).max(last);
            self.in_flight.push_back(Underway { arrives, cause, message: *message });
        }
    }
}

impl Venue {
    /// Has time come to right behind the next arrival and the next payment of funding.
    fn ask_to_be_woken(&mut self) {
        let now = self.teller.now;
        let behind = |at: Option<Time>| at.map_or(Time(u64::MAX), |at| at.plus_nanos(1).max(now));
        // What found no room at its moment comes as soon as time goes on.
        let arrival = self.in_flight.front().map(|underway| underway.arrives.max(now));
        let asked = self.for_arrivals.ask(behind(arrival), now, self.teller.seq);
        self.teller.ask(asked);
        if self.teller.account.is_marked() {
            let funding = behind(self.teller.account.next_funding(now));
            let asked = self.for_funding.ask(funding, now, self.teller.seq);
            self.teller.ask(asked);
        }
    }
}

impl Stage<BookKeeper> for FillGateway {
    fn name(&self) -> &'static str {
        "gateway"
    }

    fn room(&self) -> u64 {
        self.venue.teller.events_room()
    }

    fn ends_events(&self) -> bool {
        false
    }

    fn on_slot(&mut self, seq: u64, slot: &Slot, books: &BookKeeper) {
        let Self { messages, venue } = self;
        if slot.is_first() {
            venue.teller.now = slot.time();
            if matches!(slot.kind(), Kind::DepthDiff | Kind::DepthSnapshot | Kind::DepthPartial) {
                venue.book_time = slot.venue_time().unwrap_or_default();
            }
        }
        if !slot.is_last() {
            if slot.kind() == Kind::Kline {
                venue.on_market(slot, books);
            }
            return;
        }
        venue.teller.begin(seq);
        let now = venue.teller.now;
        let marked = venue.teller.account.is_marked();
        if marked || venue.in_flight.front().is_some_and(|underway| underway.arrives < now) {
            venue.catch_up(now, books);
        }
        if slot.is_market_over() {
            // Of the last moment too, and of none after it.
            venue.pay_funding(now.plus_nanos(1), books);
            venue.teller.account.end_funding();
        }
        venue.on_market(slot, books);
        if marked && venue.teller.account.is_lost() {
            venue.liquidate();
        }
        messages.take_up_to(seq, |message| venue.send(message));
        if marked || !venue.in_flight.is_empty() {
            venue.ask_to_be_woken();
        }
    }

    fn is_calm(&self, lull: &Lull) -> bool {
        let venue = &self.venue;
        let quiet = venue.in_flight.is_empty() && !venue.teller.account.is_marked();
        quiet && matches!(&venue.markets[lull.instrument.index()], Market::Bars(market) if market.is_empty())
    }

    fn pass_over(&mut self, _seq: u64, price: Price, lull: &Lull) {
        self.venue.teller.now = lull.ends;
        if let Market::Bars(market) = &mut self.venue.markets[lull.instrument.index()] {
            market.pass_over(price);
        }
    }

    fn is_calm_in_trades(&self, instrument: InstrumentId) -> bool {
        let venue = &self.venue;
        let quiet = venue.in_flight.is_empty() && !venue.teller.account.is_marked();
        quiet && matches!(&venue.markets[instrument.index()], Market::Quotes(market) if market.is_empty())
    }

    fn pass_over_trades(&mut self, _seq: u64, trades: &[Slot]) {
        let Some(last) = trades.last() else { return };
        self.venue.teller.now = last.time();
        // The last that says when it happened; most do.
        let told = trades.iter().rev().find_map(|slot| slot.venue_time().map(|at| (at, slot.time())));
        if let Some((at, now)) = told {
            self.venue.teller.latencies.saw(last.instrument(), at, now);
        }
        if let Market::Quotes(market) = &mut self.venue.markets[last.instrument().index()] {
            market.pass_over(trades);
        }
    }

    fn pass_over_bars(&mut self, passed: Passed, stretch: &Stretch<'_>) {
        let Some((time, last)) = stretch.last() else { return };
        self.venue.teller.now = time;
        if let Market::Bars(market) = &mut self.venue.markets[stretch.instrument.index()] {
            market.pass_over_bars(passed, last);
        }
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}
