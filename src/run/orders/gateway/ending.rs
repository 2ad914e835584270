//! The end: no order of ours is left behind, as far as the venue answers in time.

use super::control::{FINISH_CANCEL, RUNNING};
use super::{Gateway, Ours};
use crate::domain::OrderId;
use crate::run::live::steady_clock;
use crate::run::orders::outcome::OrdersOutcome;
use crate::venue::binance::client::Input;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Between two attempts of the end to cancel an order.
const ASK_AGAIN: Duration = Duration::from_secs(1);

impl Gateway {
    /// Whether the end was asked for and is reached.
    pub(super) fn is_over(&mut self) -> bool {
        let stage = self.parts.control.stage.load(Ordering::Acquire);
        if stage == RUNNING {
            return false;
        }
        let begun = *self.finishing.get_or_insert_with(Instant::now);
        if stage == FINISH_CANCEL {
            self.cancel_ours();
        }
        let (open, _) = self.parts.client.open_orders();
        let settled = if stage == FINISH_CANCEL { open == 0 } else { !self.parts.client.is_busy() };
        // What was handed over before the lane was closed is still to be sent, or refused.
        (settled && self.waiting.is_empty() && self.parts.tasks.is_empty())
            || begun.elapsed() >= self.parts.exit_timeout
    }

    /// Asks for the cancel of every order of ours that was not asked for a moment ago.
    fn cancel_ours(&mut self) {
        let now = Instant::now();
        let due = |o: &Ours| o.asked.is_none_or(|asked| now.duration_since(asked) >= ASK_AGAIN);
        let next = |ours: &mut HashMap<OrderId, Ours>| {
            let (id, order) = ours.iter_mut().find(|(_, order)| due(order))?;
            order.asked = Some(now);
            Some((*id, order.client_id))
        };
        while let Some((order, client_id)) = next(&mut self.ours) {
            self.ask(steady_clock(), Input::Cancel { order, client_id: &client_id });
        }
    }

    pub(super) fn end(mut self) -> OrdersOutcome {
        (self.outcome.open_at_end, self.outcome.unknown_at_end) = self.parts.client.open_orders();
        let mut left: Vec<_> = self.ours.iter().map(|(id, order)| (id.0, order.client_id)).collect();
        left.sort_unstable_by_key(|(id, _)| *id);
        self.outcome.left = left.iter().map(|(id, name)| format!("{id} ({name})")).collect();
        self.outcome.refusals = self.parts.client.refusals();
        self.ask(steady_clock(), Input::Stop);
        while let Some(session) = self.parts.sessions.all.first() {
            let id = session.id;
            self.parts.sessions.drop(id);
        }
        self.give();
        self.outcome.latencies = self.latencies.into_list();
        self.parts.control.over.store(true, Ordering::Release);
        self.outcome
    }
}
