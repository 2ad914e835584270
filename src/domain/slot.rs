//! The slot: 64 bytes of the ring, and how events are written into it and read back.
//!
//! A slot is eight 64-bit words, so that it is written to a journal and hashed without `unsafe`, and is the same on
//! every machine. Word 0 holds the kind, flags, instrument and the read-to-publish latency; words 1 and 2 the
//! sequencer's time and the publishing stamp; the rest is the body. Slots of kind [`Kind::Levels`] continue a depth
//! event and use words 1 to 6 for three levels.
//!
//! An event of several slots carries [`FIRST`] on its first and [`LAST`] on its last slot; stages act, and answers
//! enter, only after the last.

use super::ids::{InstrumentId, OrderId, StrategyId};
use super::kill::{Kill, Scope};
use super::measure::Measure;
use super::number::{Level, Notional, Price, Qty};
use super::order::{ReportKind, Side};
use super::pause::PausedBy;
use super::reason::DenyReason;
use super::time::Time;

use super::event::{
    Account, BarOrigin, Command, Denial, DepthHead, Event, FeeAsset, Kline, MarketRules, Quote, Report,
    Rules, Trade, TradeUnread,
};

/// This slot begins an event.
pub const FIRST: u8 = 1;
/// This slot ends an event.
pub const LAST: u8 = 2;
/// Trade: the aggressor sold (Binance's `m`: the buyer was the maker).
const SOLD: u8 = 4;
/// Trade: an aggregate of one taker order's fills at one price.
const AGGREGATE: u8 = 8;
/// Kline: the bar is closed.
const CLOSED: u8 = 4;
/// Kline: it was asked for, and is of the past.
const PAST: u8 = 8;
/// Kline: it was asked for, and has just ended.
const MISSED: u8 = 16;
/// Report: the fill made liquidity (our order rested).
const MAKER: u8 = 4;
/// Report: the order was a sell.
const SELL: u8 = 8;
/// Report: the fee was taken in the base asset.
const FEE_IN_BASE: u8 = 16;

/// The read-to-publish latency is kept in 2^4 raw clock units: a 32-bit word then holds some 20 seconds.
pub const READ_TO_PUBLISH_SHIFT: u32 = 4;

/// Levels in a continuation slot.
pub const LEVELS_PER_SLOT: usize = 3;

/// What a slot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// The passing of time in a silent market.
    Clock = 0,
    /// A trade, or an aggregate trade.
    Trade = 1,
    /// Best bid and ask.
    Quote = 2,
    /// Head of a depth diff; [`Kind::Levels`] slots follow.
    DepthDiff = 3,
    /// Head of a whole book; [`Kind::Levels`] slots follow.
    DepthSnapshot = 4,
    /// Head of a partial book (best 5, 10 or 20 levels); [`Kind::Levels`] slots follow.
    DepthPartial = 5,
    /// Three levels of the depth event before.
    Levels = 6,
    /// First half of a bar made by the venue.
    Kline = 7,
    /// Second half of it.
    KlineTail = 8,
    /// What the venue says of one of our orders.
    Report = 9,
    /// Risk denied an order.
    Denial = 10,
    /// An operator's command.
    Command = 11,
    /// No connection brings an instrument's market data any more.
    Interrupted = 12,
    /// The venue changed the rules of an instrument.
    Rules = 13,
    /// The venue changed what it takes of an instrument at the market.
    MarketRules = 14,
    /// A trade of an instrument could not be read.
    TradeUnread = 15,
}

impl Kind {
    const fn from_code(code: u8) -> Kind {
        match code {
            1 => Kind::Trade,
            2 => Kind::Quote,
            3 => Kind::DepthDiff,
            4 => Kind::DepthSnapshot,
            5 => Kind::DepthPartial,
            6 => Kind::Levels,
            7 => Kind::Kline,
            8 => Kind::KlineTail,
            9 => Kind::Report,
            10 => Kind::Denial,
            11 => Kind::Command,
            12 => Kind::Interrupted,
            13 => Kind::Rules,
            14 => Kind::MarketRules,
            15 => Kind::TradeUnread,
            _ => Kind::Clock,
        }
    }
}

/// One slot of the ring.
#[repr(C, align(64))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slot {
    words: [u64; 8],
}

const _: () = assert!(size_of::<Slot>() == 64 && align_of::<Slot>() == 64);

impl Slot {
    #[inline]
    fn head(kind: Kind, flags: u8, instrument: InstrumentId, body: [u64; 5]) -> Self {
        let word = u64::from(kind as u8) | u64::from(flags) << 8 | u64::from(instrument.0) << 16;
        let [a, b, c, d, e] = body;
        Self { words: [word, 0, 0, a, b, c, d, e] }
    }

    /// A clock event: time passes, nothing else.
    #[must_use]
    pub fn clock() -> Self {
        Self::head(Kind::Clock, FIRST | LAST, InstrumentId(0), [0; 5])
    }

    /// The clock event after the last one of a simulated market: what comes now is only what was under way.
    #[must_use]
    pub fn market_over() -> Self {
        Self::head(Kind::Clock, FIRST | LAST, InstrumentId(0), [1, 0, 0, 0, 0])
    }

    /// Whether it is [that one](Self::market_over).
    #[must_use]
    pub fn is_market_over(&self) -> bool {
        self.kind() == Kind::Clock && self.words[3] == 1
    }

    /// A trade.
    #[inline]
    #[must_use]
    pub fn trade(t: &Trade) -> Self {
        let mut flags = FIRST | LAST;
        if t.aggressor == Side::Sell {
            flags |= SOLD;
        }
        if t.aggregate {
            flags |= AGGREGATE;
        }
        let body = [t.price.0 as u64, t.qty.0 as u64, t.id, t.venue_time.0, 0];
        Self::head(Kind::Trade, flags, t.instrument, body)
    }

    /// Best bid and ask.
    #[inline]
    #[must_use]
    pub fn quote(q: &Quote) -> Self {
        let body =
            [q.bid.price.0 as u64, q.bid.qty.0 as u64, q.ask.price.0 as u64, q.ask.qty.0 as u64, q.update_id];
        Self::head(Kind::Quote, FIRST | LAST, q.instrument, body)
    }

    /// Head of a depth event; `kind` is one of the three depth kinds.
    #[inline]
    #[must_use]
    pub fn depth(kind: Kind, d: &DepthHead) -> Self {
        debug_assert!(matches!(kind, Kind::DepthDiff | Kind::DepthSnapshot | Kind::DepthPartial));
        let flags = if d.levels() == 0 { FIRST | LAST } else { FIRST };
        let counts = u64::from(d.bids) | u64::from(d.asks) << 32;
        Self::head(kind, flags, d.instrument, [d.first_id, d.last_id, d.prev_id, d.venue_time.0, counts])
    }

    /// Up to three levels of the depth event before.
    #[inline]
    #[must_use]
    pub fn levels(instrument: InstrumentId, levels: &[Level], last: bool) -> Self {
        let mut words = [0u64; 8];
        let flags = if last { LAST } else { 0 };
        words[0] = u64::from(Kind::Levels as u8) | u64::from(flags) << 8 | u64::from(instrument.0) << 16;
        for (pair, level) in words[1..7].chunks_exact_mut(2).zip(levels) {
            pair[0] = level.price.0 as u64;
            pair[1] = level.qty.0 as u64;
        }
        Self { words }
    }

    /// The two slots of a bar.
    #[must_use]
    pub fn kline(k: &Kline) -> [Self; 2] {
        let closed = if k.closed { CLOSED } else { 0 };
        let origin = match k.origin {
            BarOrigin::Told => 0,
            BarOrigin::Past => PAST,
            BarOrigin::Missed => MISSED,
        };
        let body = [k.open.0 as u64, k.high.0 as u64, k.low.0 as u64, k.close.0 as u64, k.volume.0 as u64];
        let head = Self::head(Kind::Kline, FIRST | closed | origin, k.instrument, body);
        let quote = k.quote_volume.0 as u128;
        let body = [k.open_time.0, k.close_time.0, k.trades, quote as u64, (quote >> 64) as u64];
        [head, Self::head(Kind::KlineTail, LAST, k.instrument, body)]
    }

    /// What the venue says of one of our orders.
    #[must_use]
    pub fn report(r: &Report) -> Self {
        let mut flags = FIRST | LAST;
        if r.maker {
            flags |= MAKER;
        }
        if r.side == Side::Sell {
            flags |= SELL;
        }
        if r.fee_asset == FeeAsset::Base {
            flags |= FEE_IN_BASE;
        }
        let who = r.trade_id << 16 | u64::from(r.strategy.0) << 8 | u64::from(r.kind as u8);
        let body = [r.order.0, r.qty.0 as u64, r.price.0 as u64, r.fee as u64, who];
        Self::head(Kind::Report, flags, r.instrument, body)
    }

    /// Risk denied an order.
    #[must_use]
    pub fn denial(d: &Denial) -> Self {
        let who = u64::from(d.strategy.0);
        let why = u64::from(d.reason as u8) | u64::from(Measure::code(d.measure)) << 8;
        let body = [d.order.0, who, why, d.limit as u64, d.value as u64];
        Self::head(Kind::Denial, FIRST | LAST, d.instrument, body)
    }

    /// An operator's command.
    #[must_use]
    pub fn command(c: Command) -> Self {
        let none = InstrumentId(0);
        let (code, instrument, scope, terms) = match c {
            Command::Account(Account { instrument, asset, amount, is_all, newest }) => {
                let which = u64::from(asset == FeeAsset::Base) | u64::from(is_all) << 1;
                let body = [8, which, amount as u64, (amount >> 64) as u64, newest];
                return Self::head(Kind::Command, FIRST | LAST, instrument, body);
            }
            Command::Halt => (0, none, 0, 0),
            Command::Resume => (1, none, 0, 0),
            Command::Pause(instrument, by) => (2, instrument, by as u64, 0),
            Command::Unpause(instrument, by) => (3, instrument, by as u64, 0),
            Command::Kill(kill) => (4, kill.scope.instrument(), kill.scope.code(), kill.terms()),
            Command::Release(scope) => (5, scope.instrument(), scope.code(), 0),
            Command::Suspend(venue) => (6, none, Scope::Venue(venue).code(), 0),
            Command::Reopen(venue) => (7, none, Scope::Venue(venue).code(), 0),
            // 8 is the account's.
            Command::Ration(venue) => (9, none, Scope::Venue(venue).code(), 0),
            Command::Unration(venue) => (10, none, Scope::Venue(venue).code(), 0),
        };
        Self::head(Kind::Command, FIRST | LAST, instrument, [code, scope, terms, 0, 0])
    }

    /// The venue changed the rules of an instrument.
    #[must_use]
    pub fn rules(r: &Rules) -> Self {
        let value = i64::try_from(r.min_notional.0).unwrap_or(i64::MAX);
        let body = [r.tick.0, r.lot.0, r.min_qty.0, r.max_qty.0, value].map(|word| word as u64);
        Self::head(Kind::Rules, FIRST | LAST, r.instrument, body)
    }

    /// The venue changed what it takes of an instrument at the market.
    #[must_use]
    pub fn market_rules(r: &MarketRules) -> Self {
        let [min, max, lot] = [r.min_qty, r.max_qty, r.lot].map(|qty| qty.0 as u64);
        Self::head(Kind::MarketRules, FIRST | LAST, r.instrument, [min, max, lot, 0, 0])
    }

    /// No connection brings this instrument's market data any more.
    #[must_use]
    pub fn interrupted(instrument: InstrumentId) -> Self {
        Self::head(Kind::Interrupted, FIRST | LAST, instrument, [0; 5])
    }

    /// A trade came and could not be read.
    #[must_use]
    pub fn trade_unread(t: &TradeUnread) -> Self {
        let told = t.aggregate.map_or(0, |aggregate| 1 + u64::from(aggregate));
        Self::head(Kind::TradeUnread, FIRST | LAST, t.instrument, [told, 0, 0, 0, 0])
    }

    /// Stamps the slot as the sequencer publishes it; `read_to_publish` in steps of 2^[`READ_TO_PUBLISH_SHIFT`]. Not for [`Kind::Levels`], whose words hold levels.
    #[inline]
    pub fn stamp(&mut self, time: Time, published: u64, read_to_publish: u32) {
        self.words[0] = self.words[0] & 0xffff_ffff | u64::from(read_to_publish) << 32;
        self.words[1] = time.0;
        self.words[2] = published;
    }

    /// What the slot holds.
    #[inline]
    #[must_use]
    pub const fn kind(&self) -> Kind {
        Kind::from_code(self.words[0] as u8)
    }

    /// Whether an event begins here.
    #[inline]
    #[must_use]
    pub const fn is_first(&self) -> bool {
        self.words[0] >> 8 & FIRST as u64 != 0
    }

    /// Whether an event ends here.
    #[inline]
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.words[0] >> 8 & LAST as u64 != 0
    }

    /// Of what.
    #[inline]
    #[must_use]
    pub const fn instrument(&self) -> InstrumentId {
        InstrumentId((self.words[0] >> 16) as u16)
    }

    /// The sequencer's time. Meaningless in [`Kind::Levels`].
    #[inline]
    #[must_use]
    pub const fn time(&self) -> Time {
        Time(self.words[1])
    }

    /// The clock's raw stamp when the slot was published; measurement only, never a decision.
    #[inline]
    #[must_use]
    pub const fn published(&self) -> u64 {
        self.words[2]
    }

    /// Raw clock units from reading the bytes to publishing the slot, in steps of 2^[`READ_TO_PUBLISH_SHIFT`], saturated;
    /// measurement only.
    #[inline]
    #[must_use]
    pub const fn read_to_publish(&self) -> u64 {
        self.words[0] >> 32 << READ_TO_PUBLISH_SHIFT
    }

    /// The levels of a [`Kind::Levels`] slot: `min(n, 3)` of them, `n` being how many of the event remain.
    #[inline]
    #[must_use]
    pub fn level(&self, index: usize) -> Level {
        debug_assert!(index < LEVELS_PER_SLOT);
        let at = 1 + (index % LEVELS_PER_SLOT) * 2;
        Level::new(self.words[at] as i64, self.words[at + 1] as i64)
    }

    /// The slot without what was measured (publishing stamp and latency): what is journaled and hashed.
    #[must_use]
    pub fn canonical(&self) -> [u8; 64] {
        let mut bytes = [0u8; 64];
        self.put_canonical(&mut bytes);
        bytes
    }

    /// Writes [`Self::canonical`] where it is to be.
    #[inline]
    pub fn put_canonical(&self, bytes: &mut [u8; 64]) {
        // All of it first, which is a few wide moves, and then what is left out.
        for (to, word) in bytes.chunks_exact_mut(8).zip(self.words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        if self.kind() != Kind::Levels {
            bytes[4..8].fill(0);
            bytes[16..24].fill(0);
        }
    }

    /// A slot from its canonical bytes.
    #[must_use]
    pub fn from_canonical(bytes: &[u8; 64]) -> Self {
        let mut words = [0u64; 8];
        for (word, from) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            let mut eight = [0u8; 8];
            eight.copy_from_slice(from);
            *word = u64::from_le_bytes(eight);
        }
        Self { words }
    }

    #[inline]
    fn flag(&self, flag: u8) -> bool {
        self.words[0] >> 8 & u64::from(flag) != 0
    }

    #[inline]
    fn depth_head(&self) -> DepthHead {
        let w = &self.words;
        DepthHead {
            instrument: self.instrument(),
            first_id: w[3],
            last_id: w[4],
            prev_id: w[5],
            venue_time: Time(w[6]),
            bids: w[7] as u32,
            asks: (w[7] >> 32) as u32,
        }
    }

    /// The trade, if it is one: for stages that want to know nothing else, cheaper than [`event`](Self::event).
    #[inline]
    #[must_use]
    pub fn as_trade(&self) -> Option<Trade> {
        let w = &self.words;
        (self.kind() == Kind::Trade).then(|| Trade {
            instrument: self.instrument(),
            price: Price(w[3] as i64),
            qty: Qty(w[4] as i64),
            id: w[5],
            venue_time: Time(w[6]),
            aggressor: if self.flag(SOLD) { Side::Sell } else { Side::Buy },
            aggregate: self.flag(AGGREGATE),
        })
    }

    /// When it happened by the venue's clock, where a trade or a depth event says so.
    #[inline]
    #[must_use]
    pub fn venue_time(&self) -> Option<Time> {
        let says =
            matches!(self.kind(), Kind::Trade | Kind::DepthDiff | Kind::DepthSnapshot | Kind::DepthPartial);
        (says && self.words[6] != 0).then_some(Time(self.words[6]))
    }

    /// The best bid and ask, if it is one.
    #[inline]
    #[must_use]
    pub fn as_quote(&self) -> Option<Quote> {
        let w = &self.words;
        (self.kind() == Kind::Quote).then(|| Quote {
            instrument: self.instrument(),
            bid: Level::new(w[3] as i64, w[4] as i64),
            ask: Level::new(w[5] as i64, w[6] as i64),
            update_id: w[7],
        })
    }

    /// What the venue says of an order, if it is that.
    #[inline]
    #[must_use]
    pub fn as_report(&self) -> Option<Report> {
        if self.kind() != Kind::Report {
            return None;
        }
        let w = &self.words;
        Some(Report {
            instrument: self.instrument(),
            order: OrderId(w[3]),
            strategy: StrategyId((w[7] >> 8) as u8),
            side: if self.flag(SELL) { Side::Sell } else { Side::Buy },
            kind: ReportKind::from_code(w[7] as u8)?,
            qty: Qty(w[4] as i64),
            price: Price(w[5] as i64),
            fee: w[6] as i64,
            fee_asset: if self.flag(FEE_IN_BASE) { FeeAsset::Base } else { FeeAsset::Quote },
            trade_id: w[7] >> 16,
            maker: self.flag(MAKER),
        })
    }

    /// The first half of a bar, if it is one: what comes with [`Kline::with_tail`] is missing.
    #[inline]
    #[must_use]
    pub fn as_kline_head(&self) -> Option<Kline> {
        if self.kind() != Kind::Kline {
            return None;
        }
        let w = &self.words;
        Some(Kline {
            instrument: self.instrument(),
            open: Price(w[3] as i64),
            high: Price(w[4] as i64),
            low: Price(w[5] as i64),
            close: Price(w[6] as i64),
            volume: Qty(w[7] as i64),
            open_time: Time(0),
            close_time: Time(0),
            trades: 0,
            quote_volume: Notional::ZERO,
            closed: self.flag(CLOSED),
            origin: match self.flag(PAST | MISSED) {
                false => BarOrigin::Told,
                true if self.flag(PAST) => BarOrigin::Past,
                true => BarOrigin::Missed,
            },
        })
    }

    /// The slot, read.
    #[must_use]
    pub fn event(&self) -> Event {
        let w = &self.words;
        let instrument = self.instrument();
        match self.kind() {
            Kind::Clock => Event::Clock,
            Kind::Trade => self.as_trade().map_or(Event::Clock, Event::Trade),
            Kind::Quote => self.as_quote().map_or(Event::Clock, Event::Quote),
            Kind::DepthDiff => Event::DepthDiff(self.depth_head()),
            Kind::DepthSnapshot => Event::DepthSnapshot(self.depth_head()),
            Kind::DepthPartial => Event::DepthPartial(self.depth_head()),
            Kind::Levels => Event::Levels,
            Kind::Kline => self.as_kline_head().map_or(Event::Clock, Event::Kline),
            Kind::KlineTail => Event::KlineTail,
            Kind::Report => self.as_report().map_or(Event::Clock, Event::Report),
            Kind::Denial => match DenyReason::from_code(w[5] as u8) {
                Some(reason) => Event::Denial(Denial {
                    instrument,
                    order: OrderId(w[3]),
                    strategy: StrategyId(w[4] as u8),
                    reason,
                    limit: w[6] as i64,
                    value: w[7] as i64,
                    measure: Measure::from_code((w[5] >> 8) as u16),
                }),
                None => Event::Clock,
            },
            Kind::Command => match w[3] {
                0 => Event::Command(Command::Halt),
                1 => Event::Command(Command::Resume),
                2 => PausedBy::from_code(w[4])
                    .map_or(Event::Clock, |by| Event::Command(Command::Pause(instrument, by))),
                3 => PausedBy::from_code(w[4])
                    .map_or(Event::Clock, |by| Event::Command(Command::Unpause(instrument, by))),
                4 => Kill::read(w[4], w[5]).map_or(Event::Clock, |kill| Event::Command(Command::Kill(kill))),
                5 => Scope::read(w[4]).map_or(Event::Clock, |s| Event::Command(Command::Release(s))),
                code @ (6 | 7 | 9 | 10) => match Scope::read(w[4]) {
                    Some(Scope::Venue(venue)) => Event::Command(match code {
                        6 => Command::Suspend(venue),
                        7 => Command::Reopen(venue),
                        9 => Command::Ration(venue),
                        _ => Command::Unration(venue),
                    }),
                    _ => Event::Clock,
                },
                8 => Event::Command(Command::Account(Account {
                    instrument,
                    asset: if w[4] & 1 != 0 { FeeAsset::Base } else { FeeAsset::Quote },
                    amount: i128::from(w[6] as i64) << 64 | i128::from(w[5]),
                    is_all: w[4] & 2 != 0,
                    // Zero in an older journal.
                    newest: w[7],
                })),
                _ => Event::Clock,
            },
            Kind::Rules => Event::Rules(Rules {
                instrument,
                tick: Price(w[3] as i64),
                lot: Qty(w[4] as i64),
                min_qty: Qty(w[5] as i64),
                max_qty: Qty(w[6] as i64),
                min_notional: Notional(i128::from(w[7] as i64)),
            }),
            Kind::MarketRules => Event::MarketRules(MarketRules {
                instrument,
                min_qty: Qty(w[3] as i64),
                max_qty: Qty(w[4] as i64),
                lot: Qty(w[5] as i64),
            }),
            Kind::Interrupted => Event::Interrupted(instrument),
            Kind::TradeUnread => {
                // Zero in an older journal.
                let aggregate = (w[3] != 0).then_some(w[3] == 2);
                Event::TradeUnread(TradeUnread { instrument, aggregate })
            }
        }
    }
}

impl Kline {
    /// The whole bar, from its head and the tail slot that follows it.
    #[must_use]
    pub fn with_tail(mut self, tail: &Slot) -> Self {
        let w = &tail.words;
        self.open_time = Time(w[3]);
        self.close_time = Time(w[4]);
        self.trades = w[5];
        self.quote_volume = Notional((u128::from(w[6]) | u128::from(w[7]) << 64) as i128);
        self
    }
}

#[cfg(test)]
mod tests;
