//! One order as the client knows it: what the venue said of it, and what was reported of that.
//!
//! Owns: the order's state. Facts come in any order and any number of times, from answers and from events; reports come
//! out as one clean story: perhaps `Accepted`, then fills, then at most one end, after which nothing comes but a trade
//! that the venue told of late. An end that speaks of more executed than was booked waits for the missing trades.

use super::message::Outputs;
use super::notice::Notice;
use crate::domain::event::{FeeAsset, Report};
use crate::domain::order::ReportKind;
use crate::domain::{AssetCode, ClientOrderId, Order, OrderKind, Price, Qty, Refused, Time, TimeInForce};
use std::collections::BTreeSet;

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Sent, no answer yet.
    Pending,
    /// The venue has it.
    Open,
    /// Its answer was lost.
    Unknown,
    /// It is over, and some of its trades are not known yet.
    Ending,
    /// It is over, and everything was reported.
    Done,
}

/// How an order ended, by the venue's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Wholly traded, or as much of it as was left by an amendment.
    Filled,
    /// Taken back.
    Canceled,
    /// By its own terms.
    Expired,
    /// Refused.
    Rejected,
}

/// How far a cancel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelState {
    /// None is wanted.
    No,
    /// It is to be sent at this time.
    Wanted(Time),
    /// It is under way.
    Sent,
}

/// A trade of the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    pub trade_id: u64,
    pub qty: Qty,
    pub price: Price,
    /// In units of 10^-8 quote, or of quantity.
    pub fee: i64,
    pub fee_asset: FeeAsset,
    /// What was taken of a third asset, in units of 10^-8.
    pub paid: Option<(AssetCode, i64)>,
    pub maker: bool,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Tracked {
    pub order: Order,
    pub client_id: ClientOrderId,
    /// The venue's number; 0 until it is known.
    pub venue_id: u64,
    pub phase: Phase,
    /// When it was sent.
    pub sent: Time,
    /// What was booked.
    pub filled: Qty,
    /// The most that the venue said has traded.
    pub executed: Qty,
    /// How it ended, by the venue's word.
    pub end: Option<End>,
    /// Why it, or its cancel, was refused last.
    pub refused: Refused,
    pub cancel: CancelState,
    pub cancel_tries: u8,
    /// Before this its cancel is not sent again: it was refused.
    pub cancel_again: Time,
    /// When to ask the venue how it stands, or for its trades; `None` where there is nothing to ask.
    pub ask_at: Option<Time>,
    /// How it stands is in doubt, though it is not unknown.
    pub check: bool,
    /// A question is under way.
    pub asking: bool,
    pub asks: u32,
    /// From which trade on it is asked for its trades: of one that has more than an answer holds.
    pub trades_from: Option<u64>,
    /// Reported as accepted.
    pub told: bool,
    /// Of an order of an earlier run: its trades that are reported. What of them came before this run's start is in the
    /// balances already.
    pub reported: Option<BTreeSet<u64>>,
}

impl Tracked {
    pub fn new(order: Order, client_id: ClientOrderId, sent: Time) -> Self {
        Self {
            order,
            client_id,
            venue_id: 0,
            phase: Phase::Pending,
            sent,
            filled: Qty::ZERO,
            executed: Qty::ZERO,
            end: None,
            refused: Refused::default(),
            cancel: CancelState::No,
            cancel_tries: 0,
            cancel_again: Time(0),
            ask_at: None,
            check: false,
            asking: false,
            asks: 0,
            trades_from: None,
            told: false,
            reported: None,
        }
    }

    /// Notes a trade of an order of an earlier run; whether it was not reported before. Of other orders each trade comes
    /// once.
    pub fn is_news(&mut self, trade_id: u64) -> bool {
        self.reported.as_mut().is_none_or(|reported| reported.insert(trade_id))
    }

    /// Whether the venue may have it.
    pub fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Pending | Phase::Open | Phase::Unknown)
    }

    /// Whether it ends as soon as the venue takes it in.
    pub fn ends_at_once(&self) -> bool {
        let Order { kind, tif, .. } = self.order;
        kind == OrderKind::Market || (kind == OrderKind::Limit && tif != TimeInForce::Gtc)
    }

    /// Whether trades that the venue spoke of are not booked yet.
    pub fn lacks_fills(&self) -> bool {
        self.executed > self.filled
    }

    fn report(&self, kind: ReportKind) -> Report {
        match kind {
            ReportKind::Rejected | ReportKind::CancelRejected => {
                Report::refused(&self.order, kind, self.refused)
            }
            _ => Report::of(&self.order, kind),
        }
    }

    /// Its answer was lost.
    pub fn lost(&mut self, now: Time, out: &mut Outputs) {
        if self.phase == Phase::Pending {
            self.phase = Phase::Unknown;
            self.ask_at = Some(now);
            out.notice(Notice::Unknown { order: self.order.id, client_id: self.client_id });
        }
    }

    /// The venue has it, or had it.
    pub fn exists(&mut self, venue_id: u64, out: &mut Outputs) {
        if venue_id != 0 {
            self.venue_id = venue_id;
        }
        if matches!(self.phase, Phase::Pending | Phase::Unknown) {
            if self.phase == Phase::Unknown {
                self.ask_at = None;
                out.notice(Notice::Settled { order: self.order.id, live: true });
            }
            self.phase = Phase::Open;
        }
    }

    /// The venue took it in.
    pub fn accepted(&mut self, venue_id: u64, out: &mut Outputs) {
        self.exists(venue_id, out);
        if self.phase == Phase::Open && !self.told {
            self.told = true;
            out.report(self.report(ReportKind::Accepted));
        }
    }

    /// It traded; that this trade comes for the first time is the caller's to know.
    pub fn fill(&mut self, fill: &Fill, out: &mut Outputs) {
        self.accepted(0, out);
        let filled = Qty(self.filled.0.saturating_add(fill.qty.0));
        if fill.qty.0 <= 0 || filled > self.order.qty {
            out.notice(Notice::Overfill { order: self.order.id, trade_id: fill.trade_id });
            return;
        }
        self.filled = filled;
        self.executed = self.executed.max(filled);
        if self.phase == Phase::Done {
            out.notice(Notice::LateFill { order: self.order.id, trade_id: fill.trade_id });
        }
        let Fill { trade_id, qty, price, fee, fee_asset, paid, maker } = *fill;
        out.report(Report { qty, price, fee, fee_asset, trade_id, maker, ..self.report(ReportKind::Fill) });
        if let Some((asset, amount)) = paid {
            let Order { instrument, id, strategy, .. } = self.order;
            out.report(Report::commission(instrument, id, strategy, trade_id, asset, amount));
        }
        if self.filled == self.order.qty {
            self.end.get_or_insert(End::Filled);
        }
        self.settle(out);
    }

    /// The venue said that so much of it has traded.
    pub fn executed(&mut self, executed: Qty) {
        self.executed = self.executed.max(executed.min(self.order.qty));
    }

    /// The venue said that it is over, with so much of it traded.
    pub fn ended(&mut self, end: End, executed: Option<Qty>, out: &mut Outputs) {
        if let Some(executed) = executed {
            self.executed(executed);
        }
        if self.phase == Phase::Done {
            return;
        }
        if self.phase == Phase::Unknown {
            out.notice(Notice::Settled { order: self.order.id, live: end != End::Rejected });
        }
        self.end.get_or_insert(end);
        self.ask_at = None;
        self.phase = Phase::Ending;
        self.settle(out);
    }

    fn settle(&mut self, out: &mut Outputs) {
        let Some(end) = self.end else { return };
        if self.phase == Phase::Done || self.lacks_fills() {
            return;
        }
        self.phase = Phase::Done;
        self.cancel = CancelState::No;
        self.ask_at = None;
        if self.filled == self.order.qty {
            return; // The last fill has said so.
        }
        out.report(self.report(match end {
            End::Canceled => ReportKind::Canceled,
            End::Rejected if self.filled == Qty::ZERO => ReportKind::Rejected,
            // A whole fill of less than was asked for: an amendment or self-trade prevention took the rest.
            End::Filled | End::Expired | End::Rejected => ReportKind::Expired,
        }));
    }

    /// Cancelling was refused, and the venue still has it.
    pub fn cancel_refused(&mut self, out: &mut Outputs) {
        if self.cancel != CancelState::No && self.is_live() {
            self.cancel = CancelState::No;
            out.report(self.report(ReportKind::CancelRejected));
        }
    }
}

/// The report that an order was refused before it was ever tracked.
pub fn rejected(order: &Order, why: Refused) -> Report {
    Report::refused(order, ReportKind::Rejected, why)
}
