//! Two orders as one list of the venue's, of which one cancels the other (OCO).
//!
//! Owns: placing them by one request, and what the answer to that says. The venue takes both or neither. From then on each
//! is an order like any other, under its own id: executions come for each, the one that is ended for the other's sake is
//! told as expired, and taking one back is answered with the ends of both. So an answer that was lost is made good for each
//! by asking for it alone: both are there from the moment the list is, and `orderList.status` would tell no more than that
//! they exist.

use super::super::limits::Cost;
use super::super::request::{Leg, Request};
use super::OrderClient;
use super::event::order_row;
use super::flight::Asked;
use super::line::{Form, Sending};
use super::message::Outputs;
use super::notice::{LocalRefusal, Notice};
use super::orders::OrderKey;
use super::reply::Reply;
use super::tracked::rejected;
use crate::domain::Time;
use serde_json::Value;

/// What a list costs.
fn cost_of(legs: &[Leg<'_>; 2]) -> Cost {
    if legs.iter().all(|(order, _)| order.reduce_only) { Cost::PAIR_OF_EXITS } else { Cost::PAIR }
}

impl OrderClient {
    /// Sends two orders as one list.
    pub(super) fn place_pair(&mut self, now: Time, legs: [Leg<'_>; 2], out: &mut Outputs) {
        let Err(why) = self.try_place_pair(now, legs, out) else { return };
        self.hold_orders(now, cost_of(&legs), &why);
        for (order, _) in legs {
            out.notice(Notice::NotSent { order: order.id, why: why.clone() });
            out.report(rejected(order, why.refused()));
        }
        self.tell_trading(now, out);
    }

    fn try_place_pair(
        &mut self,
        now: Time,
        legs: [Leg<'_>; 2],
        out: &mut Outputs,
    ) -> Result<(), LocalRefusal> {
        self.trading(now).map_err(LocalRefusal::NotTrading)?;
        let cost = cost_of(&legs);
        self.rations(now, cost)?;
        let [(first, first_id), (second, second_id)] = legs;
        self.instruments.check(first)?;
        let listed = self.instruments.check(second)?;
        let route = self.order_route()?;
        let first_key = self.orders.add(first, first_id, now)?;
        let second_key = match self.orders.add(second, second_id, now) {
            Ok(key) => key,
            Err(why) => {
                self.orders.forget(first_key);
                return Err(why.into());
            }
        };
        let keys = [first_key, second_key];
        let request = Request::PlacePair {
            legs,
            instrument: &listed.instrument,
            self_trade: listed.self_trade(first, self.settings.self_trade),
        };
        let asked = Asked::PlacePair(keys);
        let sending = Sending { asked, cost, activity: self.ledger.activity() };
        let sent = self.line.send(route, Form::Request(&request), sending, now, out);
        if sent.is_err() {
            keys.into_iter().for_each(|key| self.orders.forget(key));
        }
        sent
    }

    /// The answer to placing two orders as one list.
    pub(super) fn placed_pair(&mut self, now: Time, keys: [OrderKey; 2], reply: &Reply, out: &mut Outputs) {
        let Ok(list) = &reply.result else {
            return keys.into_iter().for_each(|key| self.not_placed(now, key, reply, out));
        };
        self.key_relapses = 0;
        let rows = list.get("orderReports").or_else(|| list.get("orders")).and_then(Value::as_array);
        let rows = rows.map(Vec::as_slice).unwrap_or_default();
        for key in keys {
            let Some(tracked) = self.orders.get(key) else { continue };
            let listed = self.instruments.get(tracked.order.instrument);
            let mut read = rows.iter().filter_map(|row| order_row(row, &listed?.instrument));
            match read.find(|row| row.client_id == tracked.client_id.as_str()) {
                Some(row) => self.stands(now, key, &row, out),
                // What is not among the answer's orders is asked for.
                None => self.change(now, key, out, |order, out| order.lost(now, out)),
            }
        }
    }
}
