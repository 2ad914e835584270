//! The events: what happens, as stages read it. How they travel through the ring is in [`slot`](super::slot).

use super::asset::AssetCode;
use super::ids::{InstrumentId, OrderId, StrategyId};
use super::kill::{Kill, Scope, VenueId};
use super::measure::{Binds, Measure};
use super::number::{Level, Notional, Price, Qty};
use super::order::{Order, ReportKind, Side};
use super::pause::PausedBy;
use super::reason::DenyReason;
use super::refusal::Refused;
use super::time::Time;

pub use super::slot::{FIRST, Kind, LAST, LEVELS_PER_SLOT, READ_TO_PUBLISH_SHIFT, Slot};

/// A trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trade {
    /// What traded.
    pub instrument: InstrumentId,
    /// At.
    pub price: Price,
    /// How much.
    pub qty: Qty,
    /// The venue's id; of an aggregate, the aggregate's.
    pub id: u64,
    /// When, by the venue's clock.
    pub venue_time: Time,
    /// Who crossed the spread.
    pub aggressor: Side,
    /// Whether this sums a taker order's fills at one price.
    pub aggregate: bool,
}

/// A trade that came and could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TradeUnread {
    /// What traded.
    pub instrument: InstrumentId,
    /// Whether it was an aggregate one; an older journal does not say.
    pub aggregate: Option<bool>,
}

/// Best bid and ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote {
    /// Of what.
    pub instrument: InstrumentId,
    /// Best bid.
    pub bid: Level,
    /// Best ask.
    pub ask: Level,
    /// The book's update id.
    pub update_id: u64,
}

impl Quote {
    /// The middle of the two prices, where there are both.
    #[inline]
    #[must_use]
    pub fn middle(&self) -> Option<Price> {
        let two_sided = self.bid.price.0 > 0 && self.ask.price.0 > 0;
        two_sided.then(|| self.bid.price.middle(self.ask.price))
    }
}

/// From here on a depth event's ids are not the venue's, which are smaller: its source had none, and it is numbered from its
/// time in µs on.
pub const COUNTED_BY_TIME: u64 = 100_000_000_000_000;

/// Head of a depth event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DepthHead {
    /// Of what.
    pub instrument: InstrumentId,
    /// First update id covered (diffs; equal to `last_id` otherwise).
    pub first_id: u64,
    /// Last update id covered.
    pub last_id: u64,
    /// The last update id of the diff before (futures' `pu`); 0 where the venue does not say.
    pub prev_id: u64,
    /// When, by the venue's clock; zero where it does not say.
    pub venue_time: Time,
    /// Bid levels that follow.
    pub bids: u32,
    /// Ask levels that follow, after the bids.
    pub asks: u32,
}

impl DepthHead {
    /// Levels that follow.
    #[inline]
    #[must_use]
    pub const fn levels(&self) -> usize {
        self.bids as usize + self.asks as usize
    }

    /// Slots the whole event takes.
    #[inline]
    #[must_use]
    pub const fn slots(&self) -> usize {
        1 + self.levels().div_ceil(LEVELS_PER_SLOT)
    }
}

/// A bar made by the venue; takes two slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kline {
    /// Of what.
    pub instrument: InstrumentId,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Base volume.
    pub volume: Qty,
    /// Start, by the venue's clock.
    pub open_time: Time,
    /// End, inclusive (1 ms before the next bar's start).
    pub close_time: Time,
    /// Trades in it.
    pub trades: u64,
    /// Quote volume.
    pub quote_volume: Notional,
    /// Whether it is finished.
    pub closed: bool,
    /// How it came to be known.
    pub origin: BarOrigin,
}

/// How a bar that comes as an event came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BarOrigin {
    /// By itself: of a stream, or of a history.
    #[default]
    Told,
    /// It was asked for, and is of the past: of before the run, of an interruption that lasted, or one that came when the next
    /// was over. Indicators and strategies see it, and nothing is ordered for it.
    Past,
    /// It was asked for as soon as it was over, since this run saw it not whole: otherwise as good as any.
    Missed,
}

/// What a fill's fee was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FeeAsset {
    /// The quote asset.
    #[default]
    Quote,
    /// The base asset: what was bought came without it.
    Base,
}

/// What the venue says of one of our orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Of what.
    pub instrument: InstrumentId,
    /// Which order.
    pub order: OrderId,
    /// Whose.
    pub strategy: StrategyId,
    /// The order's side.
    pub side: Side,
    /// What happened.
    pub kind: ReportKind,
    /// Traded now (fills only).
    pub qty: Qty,
    /// At (fills only; of a refusal it holds the [`refusal`](Self::refusal)).
    pub price: Price,
    /// Fee (fills only): in units of 10^-8 of the quote asset, negative for a rebate; or in units of quantity of the
    /// base asset.
    pub fee: i64,
    /// Which of the two.
    pub fee_asset: FeeAsset,
    /// The venue's trade id, rising (fills only; at most 2^48).
    pub trade_id: u64,
    /// Whether our order rested (fills only).
    pub maker: bool,
}

impl Report {
    /// What is said of an order and is no fill: no quantity, no price, no fee.
    #[inline]
    #[must_use]
    pub const fn of(order: &Order, kind: ReportKind) -> Self {
        Self {
            instrument: order.instrument,
            order: order.id,
            strategy: order.strategy,
            side: order.side,
            kind,
            qty: Qty::ZERO,
            price: Price(0),
            fee: 0,
            fee_asset: FeeAsset::Quote,
            trade_id: 0,
            maker: false,
        }
    }

    /// The order, or its cancel, was refused, and why.
    #[inline]
    #[must_use]
    pub const fn refused(order: &Order, kind: ReportKind, why: Refused) -> Self {
        // Where fills have a price this one has the reason.
        Self { price: Price(why.to_word() as i64), ..Self::of(order, kind) }
    }

    /// Why the order, or its cancel, was refused; `None` where nobody said, and for every other report.
    #[must_use]
    pub fn refusal(&self) -> Option<Refused> {
        let is_one = matches!(self.kind, ReportKind::Rejected | ReportKind::CancelRejected);
        let why = Refused::from_word(self.price.0 as u64);
        (is_one && why.is_said()).then_some(why)
    }

    /// A commission was taken in an asset that is neither bought nor paid with: so much of it, in units of 10^-8, for a
    /// trade of an order. Its worth is worked out as it enters the ring; where no price is known then, a second one with
    /// no amount brings it behind the first price.
    #[must_use]
    pub fn commission(
        instrument: InstrumentId,
        order: OrderId,
        strategy: StrategyId,
        trade_id: u64,
        asset: AssetCode,
        amount: i64,
    ) -> Self {
        Self {
            instrument,
            order,
            strategy,
            side: Side::Buy,
            kind: ReportKind::Commission,
            qty: Qty(amount),
            // Where other reports have a price this one has the asset.
            price: Price(asset.word() as i64),
            fee: 0,
            fee_asset: FeeAsset::Quote,
            trade_id,
            maker: false,
        }
    }

    /// What a commission in a third asset took: the asset, and how much in units of 10^-8. `None` for every other report.
    #[must_use]
    pub fn paid(&self) -> Option<(AssetCode, i64)> {
        let is_one = self.kind == ReportKind::Commission;
        is_one.then(|| (AssetCode::from_word(self.price.0 as u64), self.qty.0))
    }

    /// What a fee took of the quantity: of what was bought, that much less came.
    #[inline]
    #[must_use]
    pub const fn taken(&self) -> Qty {
        match self.fee_asset {
            FeeAsset::Quote => Qty::ZERO,
            FeeAsset::Base => Qty(self.fee),
        }
    }
}

/// Decimals of [`Report::fee`] in the quote asset.
pub const FEE_DECIMALS: u8 = 8;

/// Risk denied an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denial {
    /// Of what.
    pub instrument: InstrumentId,
    /// Which order.
    pub order: OrderId,
    /// Whose.
    pub strategy: StrategyId,
    /// Why.
    pub reason: DenyReason,
    /// The limit that it met, in the unit of its rule; zero where the rule has none.
    pub limit: i64,
    /// What the order came to, in the same unit.
    pub value: i64,
    /// What the limit is of and how it binds, where the reason does not say that.
    pub measure: Option<Measure>,
}

impl Denial {
    /// How much of `asked` the wallet has enough for, where the order was denied for want of balance; else nothing.
    #[must_use]
    pub fn affordable(&self, asked: Qty) -> Qty {
        if self.reason != DenyReason::InsufficientBalance || self.value <= 0 || self.limit <= 0 {
            return Qty::ZERO;
        }
        let part = i128::from(asked.0) * i128::from(self.limit) / i128::from(self.value);
        // What is free is less than what was needed, so it is less than what was asked for.
        Qty(i64::try_from(part).unwrap_or(0)).min(asked)
    }

    /// Whether `whole`, of which the order asked for `asked`, would be too little too, in quantity or in value. An order that
    /// is too large, or off a step, is not.
    #[must_use]
    pub fn is_of_too_little(&self, asked: Qty, whole: Qty) -> bool {
        let bound_below = match self.reason {
            DenyReason::MinNotional => true,
            DenyReason::LotSize | DenyReason::MarketLotSize | DenyReason::Notional => {
                self.measure.is_some_and(|m| matches!(m.binds, Binds::AtLeast | Binds::MoreThan))
            }
            _ => false,
        };
        let product = |a: i64, b: Qty| i128::from(a) * i128::from(b.0);
        bound_below && product(self.value, whole) <= product(self.limit, asked)
    }
}

/// An operator's command, or what a difference from the venue's books or a breached limit asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Deny every order that does not reduce a position.
    Halt,
    /// Trade again.
    Resume,
    /// The same of one instrument, by somebody's word; its tops of book are not to be traded on until nobody holds it.
    Pause(InstrumentId, PausedBy),
    /// He holds the instrument back no more.
    Unpause(InstrumentId, PausedBy),
    /// Nothing can be sent to this part of a venue now: deny every order, also one that reduces.
    Suspend(VenueId),
    /// Orders can be sent there again.
    Reopen(VenueId),
    /// What is left of this part of a venue's rate limit is kept for what only reduces: deny every other order.
    Ration(VenueId),
    /// There is enough for all orders again.
    Unration(VenueId),
    /// Take back what is open, and send nothing that could rest or add to a position.
    Kill(Kill),
    /// Trade again what was stopped so.
    Release(Scope),
    /// What the account has, or what moved in it that is no trade of ours. Risk's wallets follow it, and a run that goes on
    /// with this one's journal compares the account with it.
    Account(Account),
}

/// Decimals of [`Account::amount`]: every amount that a venue prints fits.
pub const ACCOUNT_DECIMALS: u8 = 18;

/// Decimals that a venue keeps of a balance: it cuts what a trade moves of it to them.
pub const BALANCE_DECIMALS: u8 = 8;

/// One unit of that, in those of [`Account::amount`].
pub const BALANCE_UNIT: i128 = 10i128.pow((ACCOUNT_DECIMALS - BALANCE_DECIMALS) as u32);

/// See [`Command::Account`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// An instrument of the asset.
    pub instrument: InstrumentId,
    /// Which of its two.
    pub asset: FeeAsset,
    /// How much, free and locked together, in units of 10^-18.
    pub amount: i128,
    /// All that there is, by now; otherwise what came from elsewhere, or below zero, went there.
    pub is_all: bool,
    /// The newest trade of the instrument that was seen, whoever made it; zero where nothing is said of that.
    pub newest: u64,
}

/// The rules of an instrument as they are from now on. Its precision never changes: that would be another instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Of what.
    pub instrument: InstrumentId,
    /// Smallest price step.
    pub tick: Price,
    /// Smallest quantity step.
    pub lot: Qty,
    /// Smallest order quantity.
    pub min_qty: Qty,
    /// Largest order quantity.
    pub max_qty: Qty,
    /// Smallest order value; one beyond 64 bits is held to be `i64::MAX`.
    pub min_notional: Notional,
}

/// What a venue takes of an instrument at the market, beside [`Rules`]; zero: no such bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarketRules {
    /// Of what.
    pub instrument: InstrumentId,
    /// Smallest quantity.
    pub min_qty: Qty,
    /// Largest quantity.
    pub max_qty: Qty,
    /// Smallest quantity step.
    pub lot: Qty,
}

/// A slot, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The passing of time.
    Clock,
    /// A trade.
    Trade(Trade),
    /// Best bid and ask.
    Quote(Quote),
    /// Head of a depth diff.
    DepthDiff(DepthHead),
    /// Head of a whole book.
    DepthSnapshot(DepthHead),
    /// Head of a partial book.
    DepthPartial(DepthHead),
    /// Levels of the depth event before.
    Levels,
    /// First half of a bar (the tail's fields are zero until joined by [`Kline::with_tail`]).
    Kline(Kline),
    /// Second half of a bar.
    KlineTail,
    /// What the venue says of one of our orders.
    Report(Report),
    /// Risk denied an order.
    Denial(Denial),
    /// An operator's command.
    Command(Command),
    /// No connection brings this instrument's market data any more: its book is invalid until the next snapshot.
    Interrupted(InstrumentId),
    /// A trade came and could not be read: bars may lack it, and its instrument's book holds.
    TradeUnread(TradeUnread),
    /// The venue changed the rules of an instrument.
    Rules(Rules),
    /// The venue changed what it takes at the market.
    MarketRules(MarketRules),
}
