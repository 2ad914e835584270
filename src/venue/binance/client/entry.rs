//! Orders: placing and cancelling, and what the answers to that say.
//!
//! Owns: the decisions of the order path. An order that cannot be sent now is refused at once, never queued: its
//! price is of now. A cancel waits until it can be sent. An order refused for its time (−1021, or −1102 of its
//! timestamp) is rejected, as it was surely not executed and its price is old by now; a cancel is dated and signed
//! anew.

use super::super::limits::Cost;
use super::super::request::Request;
use super::OrderClient;
use super::asking::{ASK_PAUSES, order_ref};
use super::codes::{Class, Reaction};
use super::event::order_row;
use super::flight::{Asked, InFlight};
use super::line::{Form, Sending};
use super::message::Outputs;
use super::notice::{InstrumentPause, LocalRefusal, Notice};
use super::orders::OrderKey;
use super::reply::Reply;
use super::tracked::{CancelState, End, Phase, Tracked, rejected};
use crate::domain::{ClientOrderId, InstrumentId, Order, OrderId, Time};
use std::time::Duration;

/// A cancel that was refused is not sent again sooner, however often it is asked for: what asks on at once would spend the
/// rate limit on one refusal.
const CANCEL_PACE: Duration = Duration::from_millis(250);
/// Between two looks at what was removed and is open still.
pub(super) const REMOVED_PACE: Duration = Duration::from_secs(1);

/// What an order costs.
const fn cost_of(order: &Order) -> Cost {
    if order.reduce_only { Cost::EXIT } else { Cost::ORDER }
}

/// An order that was handed out and is not booked yet.
#[derive(Debug)]
pub(super) struct HandedOut {
    order: Order,
    client_id: ClientOrderId,
    now: Time,
    request: InFlight,
}

impl HandedOut {
    /// When its answer is late.
    pub fn due(&self, timeout: Duration) -> Time {
        self.now.plus(timeout)
    }
}

impl OrderClient {
    /// Sends an order. This is the hot path: nothing is allocated where the order goes to a session.
    pub(super) fn place(&mut self, now: Time, order: &Order, client_id: &ClientOrderId, out: &mut Outputs) {
        if let Err(why) = self.try_place(now, order, client_id, out) {
            self.hold_orders(now, cost_of(order), &why);
            let refused = why.refused();
            out.notice(Notice::NotSent { order: order.id, why });
            out.report(rejected(order, refused));
            self.tell_trading(now, out);
        }
    }

    /// Goes an order's way without sending one. An order comes after a pause in which other work has driven its code and
    /// data out of the processor's caches, and waits for memory more than it computes: who has nothing to do rehearses,
    /// and the next order finds them there. It is the last order's way again, up to where that would be counted and
    /// handed out: nothing of the client changes, and nothing is asked for.
    pub fn rehearse(&mut self, now: Time, out: &mut Outputs) {
        self.settle();
        let Some((order, client_id)) = &self.rehearsed else { return };
        // What hinders an order is told when one comes.
        if self.trading(now).is_err() {
            return;
        }
        let (Ok(listed), Ok(route)) = (self.instruments.check(order), self.order_route()) else { return };
        std::hint::black_box(self.orders.next_place(client_id));
        let request = Request::Place {
            order,
            instrument: &listed.instrument,
            client_id,
            self_trade: listed.self_trade(order, self.settings.self_trade),
        };
        self.line.rehearse(route, Form::Request(&request), cost_of(order), now, out);
    }

    fn try_place(
        &mut self,
        now: Time,
        order: &Order,
        client_id: &ClientOrderId,
        out: &mut Outputs,
    ) -> Result<(), LocalRefusal> {
        self.trading(now).map_err(LocalRefusal::NotTrading)?;
        let cost = cost_of(order);
        self.rations(now, cost)?;
        let listed = self.instruments.check(order)?;
        let route = self.order_route()?;
        let key = self.orders.key_for(client_id)?;
        let request = Request::Place {
            order,
            instrument: &listed.instrument,
            client_id,
            self_trade: listed.self_trade(order, self.settings.self_trade),
        };
        let sending = Sending { asked: Asked::Place(key), cost, activity: self.ledger.activity() };
        let request = self.line.hand_out(route, Form::Request(&request), sending, now, out)?;
        self.handed_out = Some(HandedOut { order: *order, client_id: *client_id, now, request });
        Ok(())
    }

    /// Books the order that was handed out last: it waits until its bytes are on their way, for they need none of that.
    /// Whatever comes next does so first, and a gateway that has sent calls it at once.
    pub fn settle(&mut self) {
        let Some(handed_out) = self.handed_out.take() else { return };
        let due = handed_out.due(self.line.request_timeout);
        let HandedOut { order, client_id, now, request } = handed_out;
        let added = self.orders.add(&order, &client_id, now);
        debug_assert_eq!(added.map(Asked::Place), Ok(request.asked), "nothing was booked meanwhile");
        self.line.flight.add(request, due);
        self.rehearsed = Some((order, client_id));
    }

    /// Not a byte of it was sent.
    pub(super) fn refuse_here(&mut self, now: Time, key: OrderKey, why: LocalRefusal, out: &mut Outputs) {
        if let Some(tracked) = self.orders.get_mut(key) {
            tracked.refused = why.refused();
            out.notice(Notice::NotSent { order: tracked.order.id, why });
        }
        self.change(now, key, out, |order, out| order.ended(End::Rejected, None, out));
    }

    /// Does something to an order, and keeps the lists.
    pub(super) fn change(
        &mut self,
        now: Time,
        key: OrderKey,
        out: &mut Outputs,
        change: impl FnOnce(&mut Tracked, &mut Outputs),
    ) {
        let patience = self.patience();
        let Some(tracked) = self.orders.get_mut(key) else { return };
        let (was, anonymous) = (tracked.phase, tracked.venue_id == 0);
        change(tracked, out);
        let mut ours_after_all = Vec::new();
        if anonymous && tracked.venue_id != 0 && !self.unclaimed.is_empty() {
            let (instrument, venue_id) = (tracked.order.instrument, tracked.venue_id);
            self.unclaimed.retain(|one| {
                let ours = one.instrument == instrument && one.venue_order == venue_id;
                if ours && tracked.is_news(one.fill.trade_id) {
                    tracked.fill(&one.fill, out);
                }
                if ours && one.told {
                    ours_after_all.extend(one.moved.iter().cloned());
                }
                !ours
            });
        }
        if !tracked.asking
            && let Some(wait) = patience.with(tracked)
        {
            tracked.ask_at.get_or_insert(now.plus(wait));
        }
        let attend = tracked.ask_at.is_some() || matches!(tracked.cancel, CancelState::Wanted(_));
        self.orders.touched(key, was, now);
        if attend {
            self.orders.attend(key);
        }
        ours_after_all.iter().for_each(|(asset, amount)| self.tell_moved(asset, -amount, out));
    }

    pub(super) fn cancel(&mut self, now: Time, order: OrderId, client_id: &ClientOrderId, out: &mut Outputs) {
        let key = self.orders.find(client_id.as_bytes());
        let Some(key) = key.filter(|key| self.orders.get(*key).is_some_and(Tracked::is_live)) else {
            // Its end was reported, or will be when its last trades are known.
            out.notice(Notice::NotSent { order, why: LocalRefusal::NoSuchOrder });
            return;
        };
        self.take_back(now, key, out);
    }

    /// Sends the cancel of a live order, or notes that it is to be sent.
    fn take_back(&mut self, now: Time, key: OrderKey, out: &mut Outputs) {
        // The venue takes both of a list back for one request: the second goes out only if its order is there still then.
        let due = if self.is_taken_back_with(key) { now.plus(ASK_PAUSES.0) } else { now };
        let due = due.max(self.orders.get(key).map_or(now, |tracked| tracked.cancel_again));
        self.want_cancel(key, due);
        self.send_cancel(now, key, out);
    }

    fn want_cancel(&mut self, key: OrderKey, due: Time) {
        let Some(tracked) = self.orders.get_mut(key) else { return };
        if tracked.is_live() && tracked.cancel == CancelState::No {
            tracked.cancel = CancelState::Wanted(due);
            tracked.cancel_tries = 0;
            self.orders.attend(key);
        }
    }

    /// Whether the cancel of the other order of its list is under way.
    fn is_taken_back_with(&self, key: OrderKey) -> bool {
        let other = self.orders.get(key).and_then(|tracked| {
            let id = tracked.client_id.with_order(tracked.order.other_leg()?);
            self.orders.get(self.orders.find(id.as_bytes())?)
        });
        other.is_some_and(|other| other.is_live() && other.cancel == CancelState::Sent)
    }

    pub(super) fn send_cancel(&mut self, now: Time, key: OrderKey, out: &mut Outputs) {
        let Some(tracked) = self.orders.get(key) else { return };
        if !matches!(tracked.cancel, CancelState::Wanted(due) if due <= now) {
            return;
        }
        let (id, client_id, instrument) = (tracked.order.id, tracked.client_id, tracked.order.instrument);
        let which = order_ref(tracked, &client_id);
        let sent = match self.instruments.get(instrument) {
            Some(listed) => self.order_route().and_then(|route| {
                let request = Request::Cancel { instrument: &listed.instrument, order: which };
                let asked = Asked::Cancel(key);
                let sending = Sending { asked, cost: Cost::CANCEL, activity: self.ledger.activity() };
                self.line.send(route, Form::Request(&request), sending, now, out)
            }),
            None => Err(LocalRefusal::UnknownInstrument),
        };
        let Some(tracked) = self.orders.get_mut(key) else { return };
        match sent {
            Ok(()) => {
                tracked.cancel = CancelState::Sent;
                tracked.cancel_tries = tracked.cancel_tries.saturating_add(1);
            }
            Err(LocalRefusal::Budget(why)) => {
                let until = why.until(now).max(now.plus(Duration::from_millis(1)));
                tracked.cancel = CancelState::Wanted(until);
                out.notice(Notice::CancelWaits { order: id, until });
            }
            Err(LocalRefusal::NoConnection) => {
                tracked.cancel = CancelState::Wanted(now.plus(ASK_PAUSES.0));
            }
            Err(why) => {
                tracked.refused = why.refused();
                out.notice(Notice::NotSent { order: id, why });
                tracked.cancel_refused(out);
            }
        }
    }

    /// Takes back what is ours, order by order: the venue's own request for all of a symbol takes what somebody else has open
    /// there, too.
    pub(super) fn cancel_all(&mut self, now: Time, only: Option<InstrumentId>, out: &mut Outputs) {
        let of = self.orders.unfinished().filter(|(_, order)| order.is_live());
        let of = of.filter(|(_, order)| only.is_none_or(|only| only == order.order.instrument));
        let live: Vec<OrderKey> = of.map(|(key, _)| key).collect();
        live.into_iter().for_each(|key| self.take_back(now, key, out));
    }

    /// Everything of an instrument that was removed goes, however often the venue would not take an order back.
    pub(super) fn poll_removed(&mut self, now: Time, out: &mut Outputs) {
        if self.removed_again.is_none_or(|again| now < again) {
            return;
        }
        let removed = self.instruments.iter().filter(|l| l.is_held_for(InstrumentPause::Removed));
        let removed: Vec<InstrumentId> = removed.map(|l| l.instrument.id).collect();
        removed.iter().for_each(|id| self.cancel_all(now, Some(*id), out));
        let mut left = self.orders.unfinished().map(|(_, order)| order);
        let any = left.any(|order| order.is_live() && removed.contains(&order.order.instrument));
        self.removed_again = any.then(|| now.plus(REMOVED_PACE));
    }

    pub(super) fn placed(&mut self, now: Time, key: OrderKey, reply: &Reply, out: &mut Outputs) {
        match &reply.result {
            Ok(value) => {
                let listed = self.orders.get(key).and_then(|o| self.instruments.get(o.order.instrument));
                let row = listed.and_then(|listed| order_row(value, &listed.instrument));
                self.key_relapses = 0;
                match row {
                    Some(row) => self.stands(now, key, &row, out),
                    None => self.change(now, key, out, |order, out| order.lost(now, out)),
                }
            }
            Err(_) => self.not_placed(now, key, reply, out),
        }
    }

    /// Placing it was answered by an error.
    pub(super) fn not_placed(&mut self, now: Time, key: OrderKey, reply: &Reply, out: &mut Outputs) {
        if reply.is_ambiguous() {
            return self.change(now, key, out, |order, out| order.lost(now, out));
        }
        let Some(tracked) = self.orders.get(key) else { return };
        // A refusal of what an event has shown to be there is not believed.
        if !matches!(tracked.phase, Phase::Pending | Phase::Unknown) {
            return;
        }
        let why = reply.refusal();
        if why.is_of_rules() {
            self.looks.doubt_info(now);
        }
        let refused = why.refused();
        out.notice(Notice::Refused { order: tracked.order.id, why });
        self.change(now, key, out, |order, out| {
            order.refused = refused;
            order.ended(End::Rejected, None, out);
        });
    }

    pub(super) fn canceled(&mut self, now: Time, key: OrderKey, reply: &Reply, out: &mut Outputs) {
        let Some(tracked) = self.orders.get(key) else { return };
        let id = tracked.order.id;
        if let Ok(value) = &reply.result {
            let instrument = tracked.order.instrument;
            if value.get("orderReports").is_some() {
                // It was in a list: the venue took back all of it.
                reports_of(value).for_each(|row| self.row(now, instrument, row, out));
                if self.orders.get(key).is_some_and(Tracked::is_live) {
                    self.check(now, key, out);
                }
                return;
            }
            let listed = self.instruments.get(instrument);
            let row = listed.and_then(|listed| order_row(value, &listed.instrument));
            // What cannot be read says nothing.
            match row.filter(|row| row.standing.is_some()) {
                Some(row) => self.stands(now, key, &row, out),
                None => self.check(now, key, out),
            }
            return;
        }
        let meaning = reply.meaning();
        match (meaning.class, meaning.reaction) {
            (Class::Ambiguous, _) | (_, Reaction::Query) => self.check(now, key, out),
            (_, Reaction::Resync | Reaction::BackOff) => {
                let blocked = self.line.budget.blocked_until();
                let due = blocked.max(now.plus(ASK_PAUSES.0));
                self.change(now, key, out, |order, _| order.cancel = CancelState::Wanted(due));
            }
            _ => {
                let why = reply.refusal();
                let refused = why.refused();
                out.notice(Notice::CancelRefused { order: id, why });
                self.change(now, key, out, |order, out| {
                    order.refused = refused;
                    order.cancel_again = now.plus(CANCEL_PACE);
                    order.cancel_refused(out);
                });
            }
        }
    }
}

/// The reports in an answer's row: those of its orders where it is a list, else itself.
fn reports_of(row: &serde_json::Value) -> impl Iterator<Item = &serde_json::Value> {
    let nested = row.get("orderReports").and_then(serde_json::Value::as_array);
    nested.map_or(std::slice::from_ref(row), Vec::as_slice).iter()
}
