//! How an order stands by the venue's word: in an answer, a list or an event, of ours or of one placed elsewhere.

use super::OrderClient;
use super::event::{Change, Execution, OrderRow, UserEvent, order_row};
use super::ledger::shown;
use super::message::{Outputs, SessionId};
use super::notice::{Notice, SessionEnd};
use super::orders::OrderKey;
use super::tracked::Phase;
use crate::domain::{InstrumentId, Time};

impl OrderClient {
    /// What an answer says of an order.
    pub(super) fn stands(&mut self, now: Time, key: OrderKey, row: &OrderRow<'_>, out: &mut Outputs) {
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
                self.tell_moved(asset, amount, out);
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
            self.heard_of(now, instrument, trade);
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
}
