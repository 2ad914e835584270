//! Asking the venue how an order stands, and for its trades, until it has said.
//!
//! Owns: when an order is asked about, and when `not found` is believed. The user stream tells most, and first. Whatever it
//! tells, an order that ends at once is asked for until its end is known; while there is no stream, every open order is.

use super::super::limits::{Cost, NotNow};
use super::super::request::{OrderRef, Request};
use super::OrderClient;
use super::codes::{RefusalKind, VenueRefusal};
use super::event::order_row;
use super::flight::Asked;
use super::line::{Form, Sending};
use super::message::Outputs;
use super::notice::{LocalRefusal, Notice};
use super::orders::OrderKey;
use super::reply::Reply;
use super::tracked::{CancelState, End, Phase, Tracked};
use crate::domain::{ClientOrderId, Time};
use std::time::Duration;

/// Cancels of one order before a refusal is believed.
const CANCEL_TRIES: u8 = 4;
/// Pauses between questions for one order: they double from the first to the last.
pub(super) const ASK_PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// The longest pause where the order is to be cancelled: somebody wants it gone, and waits for a venue that is back. Only
/// while so few are asked about that their questions leave room for everything else: 16 of them take 3,840 of 6,000 a minute.
const CANCEL_ASK_PAUSE: Duration = Duration::from_secs(1);
const CANCEL_ASKS_MAX: usize = 16;
/// Weights of questions.
const STATUS_WEIGHT: u32 = 4;
const ORDER_TRADES_WEIGHT: u32 = 5;
/// Most trades in one answer.
const TRADES_LIMIT: u16 = 1_000;
/// Between two questions for an order that is open while no stream tells of it; longer where so many are that one question
/// each [`UNHEARD_SPACE`] is not enough: these take a third of 6,000 a minute.
const UNHEARD_PAUSE: Duration = Duration::from_secs(2);
const UNHEARD_SPACE: Duration = Duration::from_millis(120);

fn pause(asks: u32) -> Duration {
    ASK_PAUSES.0.saturating_mul(1 << asks.min(6)).min(ASK_PAUSES.1)
}

/// How long the user stream is waited for, before the venue is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    streaming: bool,
    fills_within: Duration,
    /// Orders that are asked about.
    asked_about: usize,
}

impl Patience {
    /// With this order; `None` where there is nothing to ask.
    pub fn with(self, order: &Tracked) -> Option<Duration> {
        let at_once = order.ends_at_once();
        if order.lacks_fills() {
            // Where the order was waited for already, its trades are not waited for again.
            let waits = self.streaming && !(at_once && order.asks > 0);
            return Some(if waits { self.fills_within } else { Duration::ZERO });
        }
        if !self.asks_for(order) {
            return None;
        }
        Some(match order.asks {
            0 if at_once && !self.streaming => Duration::ZERO,
            0 => self.fills_within,
            asks if at_once => pause(asks).max(self.fills_within),
            _ => self.unheard(),
        })
    }

    /// Whether how an order stands is to be asked for, though it is not in doubt.
    fn asks_for(self, order: &Tracked) -> bool {
        order.phase == Phase::Open && !order.lacks_fills() && (order.ends_at_once() || !self.streaming)
    }

    fn unheard(self) -> Duration {
        let orders = u32::try_from(self.asked_about).unwrap_or(u32::MAX);
        UNHEARD_PAUSE.max(UNHEARD_SPACE.saturating_mul(orders))
    }
}

impl OrderClient {
    pub(super) fn patience(&self) -> Patience {
        Patience {
            // One that is stopped has no stream, and asks for what is in doubt alone.
            streaming: self.stopped || self.sessions.is_streaming(),
            fills_within: self.settings.fills_within,
            asked_about: self.orders.attention().len(),
        }
    }

    /// The user stream is gone: until it is back, every open order is asked for, one after the other.
    pub(super) fn ask_for_open(&mut self, now: Time, out: &mut Outputs) {
        let open: Vec<OrderKey> =
            self.orders.unfinished().filter(|(_, o)| o.phase == Phase::Open).map(|(key, _)| key).collect();
        let mut due = now.plus(UNHEARD_PAUSE);
        for key in open {
            self.change(now, key, out, |order, _| {
                if !order.asking {
                    order.ask_at.get_or_insert(due);
                }
            });
            due = due.plus(UNHEARD_SPACE);
        }
    }

    /// Asks how an order stands.
    pub(super) fn check(&mut self, now: Time, key: OrderKey, out: &mut Outputs) {
        self.change(now, key, out, |order, _| {
            if order.phase != Phase::Done {
                order.check = true;
                order.ask_at = Some(order.ask_at.map_or(now, |due| due.min(now)));
            }
        });
    }

    pub(super) fn status(&mut self, now: Time, key: OrderKey, sent: Time, reply: &Reply, out: &mut Outputs) {
        let few = self.orders.attention().len() <= CANCEL_ASKS_MAX;
        let Some(tracked) = self.orders.get_mut(key) else { return };
        tracked.asking = false;
        tracked.asks = tracked.asks.saturating_add(1);
        let hurried = few && tracked.cancel != CancelState::No;
        let longest = if hurried { CANCEL_ASK_PAUSE } else { ASK_PAUSES.1 };
        let again = now.plus(pause(tracked.asks).min(longest));
        let row = match &reply.result {
            Ok(value) => {
                let listed = self.instruments.get(tracked.order.instrument);
                listed.and_then(|listed| order_row(value, &listed.instrument))
            }
            Err(_) => None,
        };
        if let Some(row) = row.filter(|row| row.standing.is_some()) {
            // Of an order that is not in doubt, the cancel's own answer is still to come.
            let doubted = tracked.check || tracked.phase == Phase::Unknown;
            let was_sent = doubted && tracked.cancel == CancelState::Sent;
            tracked.check = false;
            tracked.ask_at = None;
            if row.standing.is_some_and(|standing| standing.executed > tracked.executed) {
                // Its trades are news: they are asked for without the pauses of before.
                tracked.asks = 1;
            }
            self.stands(now, key, &row, out);
            // The venue has it still: either the cancel came first, or it was lost.
            self.change(now, key, out, |order, out| {
                if order.is_live() && was_sent {
                    if order.cancel_tries < CANCEL_TRIES {
                        order.cancel = CancelState::Wanted(again);
                    } else {
                        order.cancel_refused(out);
                    }
                }
            });
            return;
        }
        // The engine may work on it until the window and its own deadline are over.
        let hopeless = tracked
            .sent
            .plus_nanos(self.line.recv_window.nanos())
            .plus(self.settings.engine_deadline)
            .plus(self.settings.clock_error_max);
        let gone = match reply.code() {
            -2013 => tracked.phase == Phase::Unknown && sent >= hopeless,
            -2026 => true,
            _ => false,
        };
        if gone {
            let never = tracked.phase == Phase::Unknown;
            let end = if never { End::Rejected } else { End::Canceled };
            if never {
                let mut why = VenueRefusal::new(reply.status, reply.code(), "it was never there");
                why.kind = RefusalKind::NeverArrived;
                let (order, refused) = (tracked.order.id, why.refused());
                out.notice(Notice::Refused { order, why });
                self.change(now, key, out, |order, _| order.refused = refused);
            }
            self.change(now, key, out, |order, out| order.ended(end, None, out));
            return;
        }
        let due = match reply.code() {
            // No use asking much before it can be believed.
            -2013 if tracked.phase == Phase::Unknown && again < hopeless && tracked.asks > 6 => hopeless,
            _ => again,
        };
        self.change(now, key, out, |order, _| order.ask_at = Some(due));
    }

    pub(super) fn order_trades(&mut self, now: Time, key: OrderKey, reply: &Reply, out: &mut Outputs) {
        let Some(tracked) = self.orders.get_mut(key) else { return };
        tracked.asking = false;
        tracked.asks = tracked.asks.saturating_add(1);
        tracked.ask_at = None;
        let again = now.plus(pause(tracked.asks));
        let instrument = tracked.order.instrument;
        let came = reply.result.as_ref().ok().and_then(|rows| self.trade_rows(now, instrument, rows, out));
        self.change(now, key, out, |order, _| {
            let (rows, new, newest) = came.unwrap_or_default();
            let is_full = rows >= usize::from(TRADES_LIMIT);
            // Which of more than it holds an answer has is not said: it is gone through from the first.
            order.trades_from = is_full.then(|| order.trades_from.map_or(0, |_| newest.saturating_add(1)));
            if order.lacks_fills() {
                order.ask_at = Some(if is_full && new > 0 { now } else { again });
            }
        });
    }

    /// Sends what is due for orders: questions and cancels.
    pub(super) fn poll_orders(&mut self, now: Time, out: &mut Outputs) {
        let mut at = 0;
        while let Some(key) = self.orders.attention().get(at).copied() {
            self.send_cancel(now, key, out);
            self.ask(now, key, out);
            let idle = self.orders.get(key).is_none_or(|order| {
                let waits = matches!(order.cancel, CancelState::Wanted(_));
                order.phase == Phase::Done || (order.ask_at.is_none() && !order.asking && !waits)
            });
            if idle {
                self.orders.attended(key);
            } else {
                at += 1;
            }
        }
    }

    fn ask(&mut self, now: Time, key: OrderKey, out: &mut Outputs) {
        let Some(tracked) = self.orders.get(key) else { return };
        if tracked.asking || tracked.ask_at.is_none_or(|due| due > now) {
            return;
        }
        let doubt = tracked.phase == Phase::Unknown || tracked.check || self.patience().asks_for(tracked);
        let status = doubt || tracked.venue_id == 0;
        if !doubt && !tracked.lacks_fills() {
            // It was answered meanwhile.
            if let Some(tracked) = self.orders.get_mut(key) {
                tracked.ask_at = None;
            }
            return;
        }
        let Some(tracked) = self.orders.get(key) else { return };
        let client_id = tracked.client_id;
        let which = order_ref(tracked, &client_id);
        let (venue_id, from_id) = (tracked.venue_id, tracked.trades_from);
        let Some(listed) = self.instruments.get(tracked.order.instrument) else { return };
        let instrument = &listed.instrument;
        let (request, asked, weight) = if status {
            (Request::Status { instrument, order: which }, Asked::Status(key), STATUS_WEIGHT)
        } else {
            let limit = Some(TRADES_LIMIT);
            let request = Request::Trades { instrument, order_id: Some(venue_id), from_id, limit };
            (request, Asked::OrderTrades(key), ORDER_TRADES_WEIGHT)
        };
        let sending = Sending { asked, cost: Cost::query(weight), activity: self.ledger.activity() };
        let route = self.query_route();
        let sent = self.line.send(route, Form::Request(&request), sending, now, out);
        let later = match &sent {
            Err(LocalRefusal::Budget(why @ (NotNow::UsedUp { .. } | NotNow::Blocked { .. }))) => {
                why.until(now)
            }
            _ => now,
        };
        let Some(tracked) = self.orders.get_mut(key) else { return };
        match sent {
            Ok(()) => {
                tracked.asking = true;
                tracked.ask_at = None;
            }
            Err(_) => tracked.ask_at = Some(later.max(now.plus(ASK_PAUSES.0))),
        }
    }

    /// When something is due for an order.
    pub(super) fn orders_due(&self) -> Time {
        let never = Time(u64::MAX);
        let due = |key: &OrderKey| {
            let Some(order) = self.orders.get(*key) else { return Time(0) };
            let cancel = match order.cancel {
                CancelState::Wanted(due) => due,
                CancelState::No | CancelState::Sent => never,
            };
            // While one question is under way the next one waits for its answer.
            let ask = if order.asking { never } else { order.ask_at.unwrap_or(never) };
            ask.min(cancel)
        };
        self.orders.attention().iter().map(due).min().unwrap_or(never)
    }
}

/// By the venue's number where that is known: it stays when somebody amends the order.
pub(super) fn order_ref<'a>(tracked: &Tracked, client_id: &'a ClientOrderId) -> OrderRef<'a> {
    match tracked.venue_id {
        0 => OrderRef::Client(client_id),
        venue_id => OrderRef::Venue(venue_id),
    }
}
