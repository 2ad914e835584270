//! Orders of an earlier run, which ended without knowing how they stand.
//!
//! Each is taken in as one whose answer was lost: the venue is asked, by the id that it was placed under, and what it
//! traded meanwhile is fetched and reported, each trade once. One that never arrived is believed gone only when it can no
//! longer arrive, counted from now. Nothing is sent again. What it traded before this run's start is in the balances that
//! the start reads, so the ledger is not moved by it.
//!
//! Those that were over by then are known as such, as they are in the run that they are of: the venue may have thought
//! differently of one, or have told of its end before its last trade.

use super::OrderClient;
use super::message::Outputs;
use super::notice::{LocalRefusal, Notice};
use super::orders::NotAdded;
use super::tracked::{CancelState, Phase, rejected};
use crate::domain::order::OrderState;
use crate::domain::{ClientOrderId, OrderStatus, Time};

impl OrderClient {
    pub(super) fn adopt(
        &mut self,
        now: Time,
        state: &OrderState,
        client_id: &ClientOrderId,
        booked: &[u64],
        out: &mut Outputs,
    ) {
        let key = match self.orders.add(&state.order, client_id, now) {
            Ok(key) => key,
            Err(NotAdded::Duplicate) => return,
            Err(NotAdded::Full) => {
                out.notice(Notice::NotSent { order: state.order.id, why: LocalRefusal::TooManyOrders });
                return out.report(rejected(&state.order, LocalRefusal::TooManyOrders.refused()));
            }
        };
        self.change(now, key, out, |order, out| {
            (order.filled, order.executed) = (state.filled, state.filled);
            order.told = !matches!(state.status, OrderStatus::PendingNew | OrderStatus::Unknown);
            order.reported = Some(booked.iter().copied().collect());
            order.lost(now, out);
            if state.status == OrderStatus::PendingCancel {
                order.cancel = CancelState::Wanted(now);
            }
        });
    }

    pub(super) fn adopt_over(
        &mut self,
        now: Time,
        state: &OrderState,
        client_id: &ClientOrderId,
        out: &mut Outputs,
    ) {
        // Where there is no room its trades are told as made elsewhere, as those of one that was over for long.
        let Ok(key) = self.orders.add(&state.order, client_id, now) else { return };
        self.change(now, key, out, |order, _| {
            (order.filled, order.executed) = (state.filled, state.filled);
            // How it ended was reported then. Which of its trades were is known by their numbers, as of all that came
            // before this run's start.
            (order.phase, order.told) = (Phase::Done, true);
        });
    }

    /// Whether it is known how every order of an earlier run stands, and what each traded.
    #[must_use]
    pub fn adopted_are_settled(&self) -> bool {
        let mut adopted = self.orders.iter().filter(|(_, order)| order.reported.is_some());
        adopted.all(|(_, order)| order.phase != Phase::Unknown && !order.lacks_fills())
    }
}
