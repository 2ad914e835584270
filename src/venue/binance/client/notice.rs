//! What the client tells a person, or a counter: typed, with what to do.

use super::super::exchange_info::{OrderRefusal, SymbolStatus, Unusable};
use super::super::limits::NotNow;
use super::super::request::RequestError;
use super::changes::RuleChange;
use super::codes::VenueRefusal;
use super::message::SessionId;
use crate::domain::decimal::Scaled;
use crate::domain::{ClientOrderId, InstrumentId, OrderId, PausedBy, Price, Qty, Side, Time};
use std::time::Duration;
use thiserror::Error;

/// Why an order, or a cancel, was not sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LocalRefusal {
    /// The account was not looked at yet, or trading is stopped.
    #[error("not trading: {0}")]
    NotTrading(Paused),
    /// The instrument is not known here.
    #[error("the instrument is not one of this client's: add it first")]
    UnknownInstrument,
    /// The instrument was paused, removed, or halted by a difference.
    #[error("the instrument is {0}")]
    Instrument(InstrumentPause),
    /// The symbol or its filters do not take it.
    #[error(transparent)]
    Rule(#[from] OrderRefusal),
    /// The numbers do not fit those that the symbol is listed with now.
    #[error("the instrument's decimals are not those the symbol is listed with: read the instrument anew")]
    Precision,
    /// The budget has no room.
    #[error("the rate limit has no room: {0}")]
    Budget(#[from] NotNow),
    /// What is left of the rate limit is kept for orders that only reduce a position.
    #[error("what is left of the rate limit is kept for orders that reduce")]
    Rationed,
    /// Neither a session nor REST is there to send by.
    #[error("no session is open, and REST is not used for orders")]
    NoConnection,
    /// The request could not be written.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// Too many orders at once.
    #[error("more orders at once than orders_max: raise it, or place fewer")]
    TooManyOrders,
    /// The id was used before.
    #[error("an order with this id was placed already")]
    DuplicateId,
    /// No such order, or it is over.
    #[error("no such order is open")]
    NoSuchOrder,
}

/// Why an instrument takes no orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InstrumentPause {
    /// On request.
    #[error("paused")]
    Paused = 0,
    /// A difference between the venue's numbers and ours stayed.
    #[error("halted, since the venue's numbers and ours differ: look, then resume it")]
    Difference = 1,
    /// On request, for good.
    #[error("removed")]
    Removed = 2,
    /// It was added just now, and its trades are being looked at.
    #[error("being looked at")]
    Starting = 3,
    /// The venue lists it no more.
    #[error("not listed any more")]
    NotListed = 4,
    /// It was not added yet.
    #[error("standing by: add it by the pairs file")]
    Standby = 5,
}

impl InstrumentPause {
    /// Every reason there is.
    pub const ALL: [Self; 6] =
        [Self::Paused, Self::Difference, Self::Removed, Self::Starting, Self::NotListed, Self::Standby];

    /// By whose word.
    #[must_use]
    pub const fn by(self) -> PausedBy {
        match self {
            Self::Paused | Self::Removed => PausedBy::File,
            Self::Difference => PausedBy::Difference,
            Self::Starting | Self::NotListed | Self::Standby => PausedBy::Venue,
        }
    }

    /// Whether orders that only reduce a position go out all the same: the venue takes them, and what is held is to be left
    /// by its stops.
    #[must_use]
    pub const fn lets_reduce(self) -> bool {
        matches!(self, Self::Paused | Self::Difference | Self::Removed)
    }
}

/// Why no orders are taken at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Paused {
    /// Nothing was asked of the venue yet, or the answers are under way.
    #[error("the account is being looked at")]
    Starting,
    /// The same, and no session opens that brings the user stream by which it is looked at.
    #[error(
        "no session of the WebSocket API has opened yet, and without its user stream the account is not looked at, also where \
         orders go by REST: look whether [venue.spot] ws_api can be reached; it is tried on, and the log says how each attempt \
         ended"
    )]
    NoSession,
    /// The venue's clock is not known well enough to date a request.
    #[error("the offset to the venue's clock is not known well enough")]
    Clock,
    /// The key, or what it may do, is wrong.
    #[error("the key is refused")]
    Key,
    /// The venue wants silence, or our share of a rate limit is used up; it ends by itself.
    #[error("the venue wants silence, or the rate limit is used up")]
    Limits,
    /// There was nothing to send an order by a moment ago.
    #[error("there is no connection to send orders by")]
    NoConnection,
    /// On request.
    #[error("stopped")]
    Stopped,
}

/// What is wrong with the key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyProblem {
    /// −2014.
    #[error("the venue says that the API key is none: was another text copied?")]
    NotAKey,
    /// −2015 before the key was ever taken.
    #[error("the venue knows no such key, or not from this address{}, or not with such rights: check key and address list", .address.as_deref().map(|a| format!(" ({a})")).unwrap_or_default())]
    Refused {
        /// Our address as the venue sees it, where it said so.
        address: Option<String>,
    },
    /// −2015 after the key was taken for reading.
    #[error(
        "the key was taken before and is refused now: was it removed, or did this machine's address change?"
    )]
    RefusedNow {
        /// Our address as the venue sees it, where it said so.
        address: Option<String>,
    },
    /// The key has no right to trade.
    #[error("the key may not trade on spot: enable it on the venue's site")]
    MayNotTrade,
    /// The key may withdraw.
    #[error("the key may withdraw: make one that may not, or allow it with allow_withdrawal_keys")]
    MayWithdraw,
    /// −1022: the private half does not belong to the key.
    #[error("the signature is wrong: does the private key belong to this API key?")]
    BadSignature,
    /// The account may not trade.
    #[error("the account may not trade: ask the venue")]
    AccountMayNotTrade,
    /// −1002 and whatever else the venue says with status 401.
    #[error("not authorised ({code})")]
    Unauthorised {
        /// Its code.
        code: i32,
    },
}

fn listed(changes: &[RuleChange]) -> String {
    let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
    changes.join("; ")
}

impl KeyProblem {
    /// Whether the same key may be taken again later, by what is done at the venue or by itself.
    #[must_use]
    pub const fn may_end(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::RefusedNow { .. })
    }

    const fn until(&self) -> &'static str {
        if self.may_end() {
            "until it is taken again, which is asked now and then"
        } else {
            "until the run is started again"
        }
    }
}

/// Something that a person or a counter wants to know.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Notice {
    /// Orders are taken from now on.
    #[error("trading")]
    Trading,
    /// Orders are refused from now on.
    #[error("no orders are taken: {0}")]
    Paused(Paused),
    /// Orders that do not reduce a position are refused for a while: what is left of the rate limit is kept for the others.
    #[error(
        "what is left of the rate limit is kept until {until} for orders that reduce: no others are taken"
    )]
    Rationed {
        /// Until when, by our clock.
        until: Time,
    },
    /// A session is ready: logged on where the key can, and subscribed to the user stream.
    #[error("session {} is ready", .0.0)]
    SessionReady(SessionId),
    /// A session is gone.
    #[error("session {} is gone ({why}); {pause:?} until the next attempt", .session.0)]
    SessionLost {
        /// Which.
        session: SessionId,
        /// Why.
        why: SessionEnd,
        /// Until the next attempt.
        pause: Duration,
    },
    /// The user stream has a gap: orders and trades are asked for.
    #[error("the user stream broke off: orders, balances and trades are asked for")]
    StreamGap,
    /// The gap is closed.
    #[error("the gap in the user stream is closed: {fills} fills were missing")]
    GapClosed {
        /// How many.
        fills: u64,
    },
    /// An order was refused here.
    #[error("order {} was not sent: {why}", .order.0)]
    NotSent {
        /// Which.
        order: OrderId,
        /// Why.
        why: LocalRefusal,
    },
    /// The venue refused an order.
    #[error("the venue refused order {}: {why}", .order.0)]
    Refused {
        /// Which.
        order: OrderId,
        /// Why.
        why: VenueRefusal,
    },
    /// A cancel was refused.
    #[error("the venue refused to cancel order {}: {why}", .order.0)]
    CancelRefused {
        /// Which.
        order: OrderId,
        /// Why.
        why: VenueRefusal,
    },
    /// A cancel has to wait.
    #[error("the cancel of order {} waits until {until}", .order.0)]
    CancelWaits {
        /// Which.
        order: OrderId,
        /// Until.
        until: Time,
    },
    /// Whether an order is live is not known: the venue is asked.
    #[error("whether order {} ({client_id}) is live is not known: the venue is asked", .order.0)]
    Unknown {
        /// Which.
        order: OrderId,
        /// As the venue knows it.
        client_id: ClientOrderId,
    },
    /// It is known now.
    #[error("order {} is known again: {}", .order.0, if *.live { "the venue has it" } else { "the venue never had it" })]
    Settled {
        /// Which.
        order: OrderId,
        /// Whether the venue had it.
        live: bool,
    },
    /// An order's quantity at the venue was changed by somebody else.
    #[error("order {} was amended elsewhere", .order.0)]
    Amended {
        /// Which.
        order: OrderId,
    },
    /// A trade of an order that was over.
    #[error("trade {trade_id} of order {} came after its end, and is booked", .order.0)]
    LateFill {
        /// Which.
        order: OrderId,
        /// The trade.
        trade_id: u64,
    },
    /// A trade beyond an order's quantity: not booked to it.
    #[error("trade {trade_id} goes beyond order {}'s quantity", .order.0)]
    Overfill {
        /// Which.
        order: OrderId,
        /// The trade.
        trade_id: u64,
    },
    /// A commission was taken in an asset that is neither bought nor paid with: a report of its own says so.
    #[error("a commission of {amount} {asset} was taken")]
    ThirdAssetCommission {
        /// The asset.
        asset: String,
        /// How much.
        amount: Scaled,
    },
    /// An order that was not placed here is open, or is over.
    #[error("order {venue_id} was placed elsewhere: {side}, {executed:?} of {qty:?} traded, {}", if *.open { "open" } else { "over" })]
    ExternalOrder {
        /// Of what.
        instrument: InstrumentId,
        /// The venue's number.
        venue_id: u64,
        /// Which way.
        side: Side,
        /// How much was asked for.
        qty: Qty,
        /// How much traded.
        executed: Qty,
        /// Whether it is open.
        open: bool,
    },
    /// A trade that was not made here; booked in the client's balances.
    #[error("trade {trade_id} was made elsewhere: {side} {qty:?} at {price:?}")]
    ExternalFill {
        /// Of what.
        instrument: InstrumentId,
        /// The trade.
        trade_id: u64,
        /// Which way.
        side: Side,
        /// How much.
        qty: Qty,
        /// At.
        price: Price,
    },
    /// A trade since the last that an earlier run's journal tells of, by an order that it does not have.
    #[error(
        "trade {trade_id} of order {venue_order} of instrument {} was made since the last that the earlier run's journal tells of, and that order is not in it: {side} {qty:?} at {price:?}",
        .instrument.0
    )]
    TradedMeanwhile {
        /// Of what.
        instrument: InstrumentId,
        /// The trade.
        trade_id: u64,
        /// The venue's number of the order.
        venue_order: u64,
        /// Which way.
        side: Side,
        /// How much.
        qty: Qty,
        /// At.
        price: Price,
    },
    /// The account has not what an earlier run left: the asset's instruments are halted.
    #[error(
        "{asset}: the earlier run's journal leaves the account {ours:#}, and it has {venue:#}: {difference:#} came or went in \
         between that its orders do not explain"
    )]
    Meanwhile {
        /// The asset.
        asset: String,
        /// What the venue says, free and locked together.
        venue: Scaled,
        /// What it should be.
        ours: Scaled,
        /// The first less the second.
        difference: Scaled,
    },
    /// A deposit, a withdrawal or a transfer.
    #[error("{amount} {asset} came from elsewhere")]
    Transfer {
        /// The asset.
        asset: String,
        /// How much; below zero for what went.
        amount: Scaled,
    },
    /// A balance at the venue is not what fills imply.
    #[error("{asset}: the venue has {venue}, fills imply {ours}{}", if *.halts { "; its instruments are halted" } else { ", looking again" })]
    Difference {
        /// The asset.
        asset: String,
        /// What the venue says, free and locked together.
        venue: Scaled,
        /// What it should be.
        ours: Scaled,
        /// Whether it stayed, and trading of the asset's instruments is halted.
        halts: bool,
    },
    /// A balance in which no instrument is traded stayed another than fills imply: nothing is halted for it.
    #[error(
        "{asset}: the venue has {venue}, fills imply {ours}; nothing of this run trades it, so the venue's number holds"
    )]
    Adopted {
        /// The asset.
        asset: String,
        /// What the venue says, free and locked together.
        venue: Scaled,
        /// What it should have been.
        ours: Scaled,
    },
    /// All numbers agree.
    #[error("balances and orders agree")]
    Reconciled,
    /// The key is wrong, or has the wrong rights: no orders are taken.
    #[error("the key: {}; no orders are taken {}", .0, .0.until())]
    Key(KeyProblem),
    /// A key that was refused is taken again.
    #[error("the key is taken again")]
    KeyTaken,
    /// The venue says that we ask too much.
    #[error("the venue says that we ask too much (status {status}); silent until {until}")]
    TooMuch {
        /// 429, 418 or 403.
        status: u16,
        /// Until when nothing is sent.
        until: Time,
    },
    /// The clock's offset was measured anew because a request was refused for its time.
    #[error(
        "a request was refused for its time (−1021, or −1102 of its timestamp): the clock is measured anew"
    )]
    ClockRefused,
    /// The venue's clock against ours.
    #[error("the venue's clock is {offset_ms} ms ahead of ours, within {error_ms} ms")]
    ClockMeasured {
        /// Venue less ours, ms.
        offset_ms: i64,
        /// By how much that may be off, ms.
        error_ms: u64,
    },
    /// A message that cannot be read.
    #[error("a message of {bytes} bytes cannot be read: {what}")]
    Unreadable {
        /// How long it is.
        bytes: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A question went wrong, and is asked again.
    #[error("{what} was refused ({code}): asked again later")]
    QueryFailed {
        /// What was asked for.
        what: &'static str,
        /// The venue's code; 0 where there was no answer.
        code: i32,
    },
    /// A symbol's filters, order types or modes of self-trade prevention changed; orders are held to the new ones.
    #[error("the rules of instrument {} changed: {}", .instrument.0, listed(.changes))]
    RulesChanged {
        /// Which.
        instrument: InstrumentId,
        /// What changed of them.
        changes: Vec<RuleChange>,
    },
    /// The rules were read anew since the venue had refused an order for them, and are what they were.
    #[error(
        "the rules were read anew after a refusal, and have not changed: the order was not as they ask, or the market had moved"
    )]
    RulesUnchanged,
    /// A symbol's status changed.
    #[error("instrument {} is {} now", .instrument.0, .status.name())]
    StatusChanged {
        /// Which.
        instrument: InstrumentId,
        /// Its status.
        status: SymbolStatus,
    },
    /// A symbol cannot be used as it is listed.
    #[error("instrument {}: {problem}", .instrument.0)]
    Unusable {
        /// Which.
        instrument: InstrumentId,
        /// What is wrong with it.
        problem: Unusable,
    },
    /// An instrument takes no orders, or takes them again.
    #[error("instrument {}: {}", .instrument.0, .why.map(|why| why.to_string()).unwrap_or_else(|| "trades".to_owned()))]
    InstrumentPaused {
        /// Which.
        instrument: InstrumentId,
        /// Why; `None` where it trades again.
        why: Option<InstrumentPause>,
    },
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SessionEnd {
    /// The other side, or the network.
    #[error("closed")]
    Closed,
    /// It could not be opened.
    #[error("not opened")]
    NotOpened,
    /// It did not answer.
    #[error("silent")]
    Silent,
    /// The venue ended the user stream.
    #[error("the user stream ended")]
    StreamEnded,
    /// It brought the user stream, and that did not tell of this trade.
    #[error("the user stream did not tell of trade {0}")]
    Untold(u64),
    /// A message could not be read, so something may be missing.
    #[error("a message could not be read")]
    Unreadable,
    /// Logging on or subscribing was refused.
    #[error("refused with {0}")]
    Refused(i32),
}
