//! Orders: placing, cancelling, and what answers and events say of them.
//!
//! Owns: the decisions of the order path. An order that cannot be sent now is refused at once, never queued: its price is
//! of now. A cancel waits until it can be sent. An order refused for its time (−1021) is rejected, as it was surely not
//! executed and its price is old by now; a cancel is dated and signed anew.

use super::super::limits::{Cost, NotNow};
use super::super::request::{OrderRef, Request};
use super::OrderClient;
use super::codes::{Class, Reaction, RefusalKind, VenueRefusal};
use super::event::{Change, Execution, OrderRow, UserEvent, order_row, trade_row};
use super::flight::Asked;
use super::ledger::{Booking, TradeFact, booking, shown};
use super::line::{Form, Sending};
use super::message::{Outputs, SessionId};
use super::notice::{LocalRefusal, Notice, SessionEnd};
use super::orders::{NotAdded, OrderKey};
use super::reply::Reply;
use super::tracked::{CancelState, End, Fill, Phase, Tracked, rejected};
use crate::domain::{ClientOrderId, InstrumentId, Order, OrderId, Side, Time};
use std::time::Duration;

/// Cancels of one order before a refusal is believed.
const CANCEL_TRIES: u8 = 4;
/// Pauses between questions for one order: they double from the first to the last.
const ASK_PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// Weights of questions.
const STATUS_WEIGHT: u32 = 4;
const ORDER_TRADES_WEIGHT: u32 = 5;
/// Most trades in one answer.
const TRADES_LIMIT: u16 = 1_000;

/// Trades kept whose order is not known.
const UNCLAIMED_MAX: usize = 4_096;

/// A trade whose order is not known: of one placed elsewhere, or of ours whose number was not told yet.
#[derive(Debug)]
pub(super) struct Unclaimed {
    instrument: InstrumentId,
    venue_order: u64,
    side: Side,
    fill: Fill,
    told: bool,
}

fn pause(asks: u32) -> Duration {
    ASK_PAUSES.0.saturating_mul(1 << asks.min(6)).min(ASK_PAUSES.1)
}

impl OrderClient {
    /// Sends an order. This is the hot path: nothing is allocated where the order goes to a session.
    pub(super) fn place(&mut self, now: Time, order: &Order, client_id: &ClientOrderId, out: &mut Outputs) {
        if let Err(why) = self.try_place(now, order, client_id, out) {
            out.notice(Notice::NotSent { order: order.id, why });
            out.report(rejected(order));
        }
    }

    fn try_place(
        &mut self,
        now: Time,
        order: &Order,
        client_id: &ClientOrderId,
        out: &mut Outputs,
    ) -> Result<(), LocalRefusal> {
        self.trading(now).map_err(LocalRefusal::NotTrading)?;
        let listed = self.instruments.check(order)?;
        let route = self.order_route()?;
        let key = self.orders.add(order, client_id, now).map_err(|why| match why {
            NotAdded::Duplicate => LocalRefusal::DuplicateId,
            NotAdded::Full => LocalRefusal::TooManyOrders,
        })?;
        let request = Request::Place { order, instrument: &listed.instrument, client_id };
        let sending =
            Sending { asked: Asked::Place(key), cost: Cost::ORDER, activity: self.ledger.activity() };
        let sent = self.line.send(route, Form::Request(&request), sending, now, out);
        if sent.is_err() {
            self.orders.forget(key);
        }
        sent
    }

    /// Not a byte of it was sent.
    pub(super) fn refuse_here(&mut self, now: Time, key: OrderKey, why: LocalRefusal, out: &mut Outputs) {
        if let Some(tracked) = self.orders.get(key) {
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
        let Some(tracked) = self.orders.get_mut(key) else { return };
        let (was, anonymous) = (tracked.phase, tracked.venue_id == 0);
        change(tracked, out);
        if anonymous && tracked.venue_id != 0 && !self.unclaimed.is_empty() {
            let (instrument, venue_id) = (tracked.order.instrument, tracked.venue_id);
            self.unclaimed.retain(|one| {
                let ours = one.instrument == instrument && one.venue_order == venue_id;
                if ours && tracked.is_news(one.fill.trade_id) {
                    tracked.fill(&one.fill, out);
                }
                !ours
            });
        }
        if tracked.lacks_fills() && !tracked.asking {
            let due = now.plus(self.settings.fills_within);
            tracked.ask_at.get_or_insert(due);
        }
        let attend = tracked.ask_at.is_some() || matches!(tracked.cancel, CancelState::Wanted(_));
        self.orders.touched(key, was, now);
        if attend {
            self.orders.attend(key);
        }
    }

    pub(super) fn cancel(&mut self, now: Time, order: OrderId, client_id: &ClientOrderId, out: &mut Outputs) {
        let key = self.orders.find(client_id.as_bytes());
        let Some(key) = key.filter(|key| self.orders.get(*key).is_some_and(Tracked::is_live)) else {
            // Its end was reported, or will be when its last trades are known.
            out.notice(Notice::NotSent { order, why: LocalRefusal::NoSuchOrder });
            return;
        };
        self.want_cancel(key, now);
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

    fn send_cancel(&mut self, now: Time, key: OrderKey, out: &mut Outputs) {
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
                let until = self.line.until(&why, now).max(now.plus(Duration::from_millis(1)));
                tracked.cancel = CancelState::Wanted(until);
                out.notice(Notice::CancelWaits { order: id, until });
            }
            Err(LocalRefusal::NoConnection) => {
                tracked.cancel = CancelState::Wanted(now.plus(ASK_PAUSES.0));
            }
            Err(why) => {
                out.notice(Notice::NotSent { order: id, why });
                tracked.cancel_refused(out);
            }
        }
    }

    pub(super) fn cancel_all(&mut self, now: Time, only: Option<InstrumentId>, out: &mut Outputs) {
        let ids: Vec<InstrumentId> = self.instruments.iter().map(|listed| listed.instrument.id).collect();
        for id in ids.into_iter().filter(|id| only.is_none_or(|only| only == *id)) {
            let live: Vec<OrderKey> = self.live_of(id);
            let external = self.externals.iter().any(|((of, _), open)| *of == id && *open);
            if live.is_empty() && !external {
                continue;
            }
            let sent = self.order_route().and_then(|route| {
                let listed = self.instruments.get(id).ok_or(LocalRefusal::UnknownInstrument)?;
                let request = Request::CancelAll { instrument: &listed.instrument };
                let asked = Asked::CancelAll(id);
                let sending = Sending { asked, cost: Cost::CANCEL, activity: self.ledger.activity() };
                self.line.send(route, Form::Request(&request), sending, now, out)
            });
            if sent.is_err() {
                live.into_iter().for_each(|key| self.want_cancel(key, now));
            }
        }
    }

    fn live_of(&self, instrument: InstrumentId) -> Vec<OrderKey> {
        let of = self.orders.unfinished().filter(|(_, order)| order.order.instrument == instrument);
        of.filter(|(_, order)| order.is_live()).map(|(key, _)| key).collect()
    }

    pub(super) fn placed(&mut self, now: Time, key: OrderKey, reply: &Reply, out: &mut Outputs) {
        match &reply.result {
            Ok(value) => {
                let listed = self.orders.get(key).and_then(|o| self.instruments.get(o.order.instrument));
                let row = listed.and_then(|listed| order_row(value, &listed.instrument));
                match row {
                    Some(row) => self.stands(now, key, &row, out),
                    None => self.change(now, key, out, |order, out| order.lost(now, out)),
                }
            }
            Err(_) if reply.is_ambiguous() => self.change(now, key, out, |order, out| order.lost(now, out)),
            Err(_) => {
                let Some(tracked) = self.orders.get(key) else { return };
                // A refusal of what an event has shown to be there is not believed.
                if matches!(tracked.phase, Phase::Pending | Phase::Unknown) {
                    let why = reply.refusal();
                    if matches!(
                        why.kind,
                        RefusalKind::Filter | RefusalKind::MarketClosed | RefusalKind::Unsupported
                    ) {
                        self.looks.doubt_info(now);
                    }
                    out.notice(Notice::Refused { order: tracked.order.id, why });
                    self.change(now, key, out, |order, out| order.ended(End::Rejected, None, out));
                }
            }
        }
    }

    /// What an answer says of an order.
    fn stands(&mut self, now: Time, key: OrderKey, row: &OrderRow<'_>, out: &mut Outputs) {
        let (venue_id, standing) = (row.venue_id, row.standing);
        self.change(now, key, out, |order, out| match standing {
            None => order.accepted(venue_id, out),
            Some(standing) => {
                order.executed(standing.executed);
                match standing.end {
                    None => order.accepted(venue_id, out),
                    Some(end) => {
                        order.venue_id = venue_id;
                        order.ended(end, Some(standing.executed), out);
                    }
                }
            }
        });
    }

    pub(super) fn canceled(&mut self, now: Time, key: OrderKey, reply: &Reply, out: &mut Outputs) {
        let Some(tracked) = self.orders.get(key) else { return };
        let id = tracked.order.id;
        if let Ok(value) = &reply.result {
            let listed = self.instruments.get(tracked.order.instrument);
            let row = listed.and_then(|listed| order_row(value, &listed.instrument));
            // Of a leg the whole list is the answer; and what cannot be read says nothing.
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
                let blocked = self.line.clock.local_time(self.line.budget.blocked_until());
                let due = blocked.max(now.plus(ASK_PAUSES.0));
                self.change(now, key, out, |order, _| order.cancel = CancelState::Wanted(due));
            }
            _ => {
                out.notice(Notice::CancelRefused { order: id, why: reply.refusal() });
                self.change(now, key, out, |order, out| order.cancel_refused(out));
            }
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

    pub(super) fn canceled_all(
        &mut self,
        now: Time,
        instrument: InstrumentId,
        sent: Time,
        reply: &Reply,
        out: &mut Outputs,
    ) {
        if let Ok(rows) = &reply.result {
            let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
            // Lists hold their orders' reports.
            let nested =
                |row: &serde_json::Value| row.get("orderReports").and_then(|r| r.as_array()).cloned();
            for row in rows.iter().flat_map(|row| nested(row).unwrap_or_else(|| vec![row.clone()])) {
                self.row(now, instrument, &row, out);
            }
        }
        // What is live still was on its way, or the answer says nothing: each by itself.
        for key in self.live_of(instrument) {
            if self.orders.get(key).is_some_and(|order| order.sent <= sent) {
                self.want_cancel(key, now.plus(ASK_PAUSES.0));
            }
        }
    }

    /// An order in a list: ours, or one placed elsewhere.
    pub(super) fn row(
        &mut self,
        now: Time,
        instrument: InstrumentId,
        row: &serde_json::Value,
        out: &mut Outputs,
    ) {
        let Some(listed) = self.instruments.get(instrument) else { return };
        let Some(order) = order_row(row, &listed.instrument) else { return };
        let key = self.orders.find(order.client_id.as_bytes());
        match key.or_else(|| self.orders.find_venue(instrument, order.venue_id)) {
            Some(key) => self.stands(now, key, &order, out),
            None => self.external_row(instrument, &order, out),
        }
    }

    fn external_row(&mut self, instrument: InstrumentId, row: &OrderRow<'_>, out: &mut Outputs) {
        let (Some(standing), Some(side)) = (row.standing, row.side) else { return };
        let open = standing.end.is_none();
        let known = self.externals.insert((instrument, row.venue_id), open);
        if known != Some(open) && (open || known.is_some()) {
            let (qty, executed, venue_id) = (standing.qty, standing.executed, row.venue_id);
            out.notice(Notice::ExternalOrder { instrument, venue_id, side, qty, executed, open });
        }
        if !open {
            self.externals.remove(&(instrument, row.venue_id));
        }
    }

    pub(super) fn status(&mut self, now: Time, key: OrderKey, sent: Time, reply: &Reply, out: &mut Outputs) {
        let Some(tracked) = self.orders.get_mut(key) else { return };
        tracked.asking = false;
        tracked.asks = tracked.asks.saturating_add(1);
        let again = now.plus(pause(tracked.asks));
        let row = match &reply.result {
            Ok(value) => {
                let listed = self.instruments.get(tracked.order.instrument);
                listed.and_then(|listed| order_row(value, &listed.instrument))
            }
            Err(_) => None,
        };
        if let Some(row) = row.filter(|row| row.standing.is_some()) {
            tracked.check = false;
            tracked.ask_at = None;
            let was_sent = tracked.cancel == CancelState::Sent;
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
                out.notice(Notice::Refused { order: tracked.order.id, why });
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
        if let Ok(rows) = &reply.result {
            self.trade_rows(now, instrument, rows, out);
        }
        self.change(now, key, out, |order, _| {
            if order.lacks_fills() {
                order.ask_at = Some(again);
            }
        });
    }

    /// Books the rows of a list of trades; returns how many there are, how many were new, and the last one's number.
    pub(super) fn trade_rows(
        &mut self,
        now: Time,
        instrument: InstrumentId,
        rows: &serde_json::Value,
        out: &mut Outputs,
    ) -> Option<(usize, u64, u64)> {
        let rows = rows.as_array()?;
        let listed = self.instruments.get(instrument)?;
        let trades: Option<Vec<TradeFact>> =
            rows.iter().map(|row| trade_row(row, &listed.instrument)).collect();
        let trades = trades?;
        let newest = trades.iter().map(|trade| trade.trade_id).max().unwrap_or(0);
        let new = trades.iter().filter(|trade| self.trade(now, instrument, None, trade, out)).count();
        Some((rows.len(), new as u64, newest))
    }

    /// Books a trade, unless it is booked; returns whether it was new. `key` is its order's, where that is known.
    fn trade(
        &mut self,
        now: Time,
        instrument: InstrumentId,
        key: Option<OrderKey>,
        trade: &TradeFact,
        out: &mut Outputs,
    ) -> bool {
        let Some(listed) = self.instruments.get(instrument) else { return false };
        let key = key.or_else(|| self.orders.find_venue(instrument, trade.venue_order));
        let booked = self.ledger.book(listed, trade);
        let tracked = key.and_then(|key| self.orders.get_mut(key)).filter(|one| one.reported.is_some());
        let booking = match (booked, tracked) {
            (booked, Some(earlier)) => {
                if !earlier.is_news(trade.trade_id) {
                    return false;
                }
                booked.unwrap_or_else(|| booking(listed, trade))
            }
            (Some(booked), None) => booked,
            (None, None) => return false,
        };
        if booking.third {
            let (asset, amount) = (trade.commission_asset.clone(), shown(trade.commission));
            out.notice(Notice::ThirdAssetCommission { asset, amount });
        }
        let &TradeFact { trade_id, qty, price, side, maker, .. } = trade;
        let Booking { fee, fee_asset, .. } = booking;
        match key {
            Some(key) => {
                let fill = Fill { trade_id, qty, price, fee, fee_asset, maker };
                self.change(now, key, out, |order, out| {
                    order.venue_id = trade.venue_order;
                    order.fill(&fill, out);
                });
            }
            None => {
                let fill = Fill { trade_id, qty, price, fee, fee_asset, maker };
                let venue_order = trade.venue_order;
                if self.unclaimed.len() >= UNCLAIMED_MAX {
                    self.unclaimed.remove(0);
                }
                self.unclaimed.push(Unclaimed { instrument, venue_order, side, fill, told: false });
                self.tell_external(out);
            }
        }
        true
    }

    /// Tells of trades that are no order's of ours. While an order's number is not known, they may be its.
    pub(super) fn tell_external(&mut self, out: &mut Outputs) {
        if self.unclaimed.iter().all(|one| one.told) {
            return;
        }
        let nameless: Vec<InstrumentId> = self
            .orders
            .unfinished()
            .filter(|(_, order)| order.venue_id == 0)
            .map(|(_, order)| order.order.instrument)
            .collect();
        for one in self.unclaimed.iter_mut().filter(|one| !one.told && !nameless.contains(&one.instrument)) {
            one.told = true;
            let (instrument, side) = (one.instrument, one.side);
            let Fill { trade_id, qty, price, .. } = one.fill;
            out.notice(Notice::ExternalFill { instrument, trade_id, side, qty, price });
        }
    }

    pub(super) fn user_event(
        &mut self,
        now: Time,
        session: SessionId,
        event: UserEvent<'_>,
        out: &mut Outputs,
    ) {
        match event {
            UserEvent::Execution(execution) => self.execution(now, &execution, out),
            UserEvent::Elsewhere { traded } => {
                if traded {
                    // What it did to balances that we share is not known: take the venue's.
                    self.ledger.disturbed();
                    self.looks.adopt();
                }
            }
            UserEvent::Transfer { asset, amount, ms } => {
                if !self.ledger.transfer(asset, amount, ms) {
                    return;
                }
                out.notice(Notice::Transfer { asset: asset.to_owned(), amount: shown(amount) });
            }
            UserEvent::Terminated => self.end_session(now, session, SessionEnd::StreamEnded, out),
            UserEvent::Shutdown => self.replace_session(now, session, out),
            UserEvent::Other => {}
        }
    }

    fn execution(&mut self, now: Time, execution: &Execution<'_>, out: &mut Outputs) {
        let instrument = execution.instrument;
        let key = self.orders.find(execution.client_id.as_bytes());
        let key = key.or_else(|| self.orders.find_venue(instrument, execution.venue_id));
        if let Some(trade) = &execution.trade {
            self.trade(now, instrument, key, trade, out);
        }
        let Some(key) = key else {
            let standing = Some(execution.standing);
            let (venue_id, client_id, side) = (execution.venue_id, execution.client_id, Some(execution.side));
            return self.external_row(instrument, &OrderRow { venue_id, client_id, standing, side }, out);
        };
        let standing = execution.standing;
        self.change(now, key, out, |order, out| {
            if order.phase == Phase::Done {
                return; // Late: what it says of the state is old.
            }
            if execution.change == Change::Replaced {
                out.notice(Notice::Amended { order: order.order.id });
            }
            match standing.end {
                None => {
                    order.accepted(execution.venue_id, out);
                    order.executed(standing.executed);
                }
                Some(end) => {
                    order.venue_id = execution.venue_id;
                    order.ended(end, Some(standing.executed), out);
                }
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
        let doubt = tracked.phase == Phase::Unknown || tracked.check;
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
        let venue_id = tracked.venue_id;
        let Some(listed) = self.instruments.get(tracked.order.instrument) else { return };
        let instrument = &listed.instrument;
        let (request, asked, weight) = if status {
            (Request::Status { instrument, order: which }, Asked::Status(key), STATUS_WEIGHT)
        } else {
            let limit = Some(TRADES_LIMIT);
            let request = Request::Trades { instrument, order_id: Some(venue_id), from_id: None, limit };
            (request, Asked::OrderTrades(key), ORDER_TRADES_WEIGHT)
        };
        let sending = Sending { asked, cost: Cost::query(weight), activity: self.ledger.activity() };
        let route = self.query_route();
        let sent = self.line.send(route, Form::Request(&request), sending, now, out);
        let later = match &sent {
            Err(LocalRefusal::Budget(why @ (NotNow::UsedUp { .. } | NotNow::Blocked { .. }))) => {
                self.line.until(why, now)
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
fn order_ref<'a>(tracked: &Tracked, client_id: &'a ClientOrderId) -> OrderRef<'a> {
    match tracked.venue_id {
        0 => OrderRef::Client(client_id),
        venue_id => OrderRef::Venue(venue_id),
    }
}
