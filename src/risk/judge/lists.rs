//! Two orders of which one cancels the other: such that the venue is asked to hold as one list, and such of which one is
//! with the venue, and the other waits where the order manager is.
//!
//! Owns: that both are approved or neither, and that they count once. Each is judged by itself, as if there were the one
//! alone, since only one of them can trade; but they are two orders by number and by rate. While both are live the one
//! that is worth more stands for both in what is exposed, open and leaving, and the larger need of the two is locked; when
//! it ends, the other is counted again. Where the venue tells of a trade before it tells of the other order's end, both the
//! trade and the one that counts are in the sums for that moment: more than can be, never less. Of a pair that the order
//! manager holds risk has the one that is live, and knows only that the other waits: a kill leaves such a target in force
//! as it leaves a list.

use super::{Judge, decided_by};
use crate::domain::{Binds, DenyReason, Measure, Order, OrderId, Price, Subject};
use crate::risk::approved::Approved;
use crate::risk::rule::{Judged, Refusal, RuleList, reference_price, refusal};
use crate::risk::stage::{Verdict, VerdictBody};
use crate::strategy::{Change, Intent, Note};

impl<R: RuleList> Judge<R> {
    /// One order of a list: the first waits for the second, which is the next intent.
    #[inline(never)]
    pub(super) fn on_leg(&mut self, order: &Order, intent: &Intent) {
        let first = self.first_leg.take();
        let asked = first.and_then(|first| Some((*first.new_order()?, first)));
        match asked {
            Some((leg, first)) if leg.other_leg() == Some(order.id) => {
                self.on_pair([(leg, first), (*order, *intent)]);
            }
            _ => self.first_leg = Some(*intent),
        }
    }

    fn on_pair(&mut self, pair: [(Order, Intent); 2]) {
        let [(first, asked), _] = pair;
        if asked.reference.is_two_sided() {
            self.exposure.mark(first.instrument, asked.reference.mid());
        }
        self.look(asked.seq, Some(first.strategy));
        let worth = pair.map(|(order, intent)| {
            let price = reference_price(&order, &intent.reference);
            (price, self.exposure.value(order.instrument, price, order.qty))
        });
        let judged = self.judge_pair(&pair, &worth);
        for ((order, intent), (price, value)) in pair.iter().zip(worth) {
            let body = match &judged {
                Ok(()) => {
                    let adds = self.exposure.would_add(order, value);
                    self.approve(order, price, value, &adds, intent);
                    VerdictBody::Approved(Approved::new(*order))
                }
                Err(refusal) => {
                    self.deny(intent.seq, order, refusal);
                    VerdictBody::Denied(*order, refusal.reason)
                }
            };
            let decided = decided_by(order, &intent.reference);
            self.verdicts.push(Verdict { seq: intent.seq, decided, body });
        }
        if judged.is_ok() {
            self.pair(pair[0].0.id, pair[1].0.id);
        }
    }

    fn judge_pair(&mut self, pair: &[(Order, Intent); 2], worth: &[(Price, i128); 2]) -> Judged {
        let [(first, asked), (second, also_asked)] = pair;
        let adds = [(first, worth[0].1), (second, worth[1].1)]
            .map(|(order, value)| (value, self.exposure.would_add(order, value)));
        self.judge_beside(first, asked, adds[0], None)?;
        self.judge_beside(second, also_asked, adds[1], Some(first))?;
        // The venue's own limit on lists; the rules see orders.
        let Some(max) = self.filters[first.instrument.index()].counts.lists else { return Ok(()) };
        let of_instrument = self.live.of(first.instrument);
        let one_of_each =
            of_instrument.filter(|live| live.state.order.other_leg().is_some() && live.counted_by.is_none());
        let lists = one_of_each.count() as i128 + 1;
        if lists <= i128::from(max) {
            return Ok(());
        }
        let measure = Some(Measure { subject: Subject::OpenLists, binds: Binds::AtMost });
        Err(Refusal { measure, ..refusal(lists, max.into(), DenyReason::MaxNumOrderLists) })
    }

    /// Has two live orders of a list count once: nothing where one of them is not live.
    pub(super) fn pair(&mut self, a: OrderId, b: OrderId) {
        let (Some(at_a), Some(at_b)) = (self.live.find(a), self.live.find(b)) else { return };
        self.wallets.pair(a, b);
        let a_counts = self.live.at(at_a).value >= self.live.at(at_b).value;
        let (by, other) = if a_counts { (a, at_b) } else { (b, at_a) };
        let live = self.live.at_mut(other);
        self.exposure.order(&live.state.order, live.value, 0, 0);
        (live.value, live.counted_by) = (0, Some(by));
    }

    /// What the order manager says of an order that cancels another, of which one at most is live.
    #[inline]
    pub(super) fn on_note(&mut self, note: &Note) {
        match note.change {
            Change::Linked(other) => {
                self.stand_beside(note.order, other);
                self.stand_beside(other, note.order);
            }
            Change::Released(_) => self.stand_alone(note.order),
            _ => {}
        }
    }

    /// Notes that a live order and one that waits cancel each other: nothing where it is not live.
    pub(super) fn stand_beside(&mut self, id: OrderId, waits: OrderId) {
        if let Some(at) = self.live.find(id) {
            self.live.at_mut(at).beside = Some(waits);
        }
    }

    /// One that waited is over: what stands beside it is taken back where it is stopped, as it would be by itself.
    fn stand_alone(&mut self, over: OrderId) {
        let Some(live) = self.live.iter_mut().rfind(|live| live.beside == Some(over)) else { return };
        live.beside = None;
        if self.switches.any() {
            (self.sweeping, self.sweep_at) = (true, self.now);
        }
    }

    /// An order of a list is over: what it was counted for counts by itself.
    pub(super) fn part(&mut self, over: OrderId) {
        let Some(live) = self.live.iter_mut().rfind(|live| live.counted_by == Some(over)) else { return };
        let order = live.state.order;
        live.counted_by = None;
        live.value = self.exposure.value(order.instrument, live.price, live.state.leaves());
        self.exposure.order(&order, 0, live.value, 0);
    }
}
