//! Fills against recorded depth, with a place in the queue.
//!
//! - An order that can trade at once sweeps the book level by level, taker, as much as each level shows less what we
//!   took of it since it last changed. What is left of a market order expires; one whose levels cost more than the wallet
//!   has is refused.
//! - A resting order stands behind all that its level shows at its arrival. A trade at its price takes from what is
//!   before it first, and fills it with the rest; a trade beyond its price fills it whole, since nobody at its price can
//!   have been passed over. Of our own orders at a price the older one is first.
//! - When its level shows less than before, trades at it apart, the [queue model](super::queue) says how much of that
//!   was before it. What is before it is never more than its level shows.
//! - A level beyond the last that a partial book or a snapshot shows of its side is not empty, but unknown: what is before
//!   an order there stays as it was. One that arrives there has all there is before it until a book tells of the level. In a
//!   book that diffs follow, a level that nothing told of before an order's arrival counts as empty.
//! - A trade may come after the book that shows it: one that is dated, by the venue, no later than the book that last took
//!   something from its level. As much of it as that took and no trade has told of yet is the same quantity, which is then
//!   known not to have been cancelled: the trade is put before what is left of the cancel, and counts once.
//! - Where the opposite side comes to its price, it fills with what that side shows, as maker: it was there first.
//!
//! While the book is not in step with the venue nothing arrives but to be rejected, and the queue stands still.

use super::queue::Queue;
use super::teller::Teller;
use crate::domain::event::Trade;
use crate::domain::order::ReportKind;
use crate::domain::{Level, Order, OrderId, OrderKind, Price, Side, Time, TimeInForce};
use crate::market::book::{Book, BookSync};
use crate::market::trade_ids::{Link, TradeIds};

/// Places for resting orders of one instrument.
const RESTING_MAX: usize = 256;
/// Levels of the other side that one order may sweep.
const SWEEP_LEVELS_MAX: usize = 256;

#[derive(Debug, Clone, Copy)]
struct Resting {
    order: Order,
    left: i64,
    /// Of others, before it at its price.
    before: i64,
    /// What its level showed last.
    shown: i64,
    /// What was traded at its price since.
    traded: i64,
    gone: Gone,
    /// Which book told of its level last, as [`BookSync::replaced`] counts them; zero as long as none did.
    told_in: u64,
    /// The book that first told of it, where that came after its arrival, by the venue's clock: earlier trades are in it.
    told_at: Time,
}

/// What a book last took from an order's level, beyond what trades had told of.
#[derive(Debug, Clone, Copy, Default)]
struct Gone {
    /// When, by the venue's clock; zero where it does not say.
    at: Time,
    /// How much of it no trade has told of since.
    left: i64,
    /// What was before the order without it, and what behind.
    before: i64,
    behind: i64,
}

impl Gone {
    /// How much of this trade is a part of it.
    fn told_by(&self, trade: &Trade) -> i64 {
        let late = trade.venue_time.0 != 0 && trade.venue_time <= self.at;
        if late { trade.qty.0.min(self.left) } else { 0 }
    }
}

impl Resting {
    /// One of whose level nothing is known: all there is, is before it.
    fn new(order: &Order, left: i64) -> Self {
        let (order, gone) = (*order, Gone::default());
        Self { order, left, before: i64::MAX, shown: 0, traded: 0, gone, told_in: 0, told_at: Time(0) }
    }

    /// Takes in the book of a moment by the venue's clock, if it tells of its level.
    fn see(&mut self, sync: &BookSync, at: Time, queue: Queue) {
        let (side, price) = (self.order.side, self.order.price);
        let shows = sync.book().qty_at(side, price).0;
        let is_first = self.told_in == 0;
        // What diffs told of a level holds until the book is replaced.
        let followed = self.told_in == sync.replaced() || (is_first && sync.is_followed());
        if shows == 0 && !followed && !sync.reaches(side, price) {
            return;
        }
        if is_first {
            (self.before, self.shown, self.traded, self.told_at) = (shows, shows, 0, at);
        } else {
            self.moved(shows, at, queue);
        }
        self.told_in = sync.replaced();
    }

    /// Takes in what its level shows in the book of a moment by the venue's clock.
    fn moved(&mut self, shows: i64, at: Time, queue: Queue) {
        let cancelled = self.shown - self.traded - shows;
        if cancelled > 0 {
            let behind = (self.shown - self.traded - self.before).max(0);
            // Trades may have taken more than was known to be there.
            let cancelled = cancelled.min(self.before + behind);
            self.gone = Gone { at, left: cancelled, before: self.before, behind };
            self.before = queue.after_cancel(self.before, behind, cancelled);
        }
        (self.before, self.shown, self.traded) = (self.before.min(shows), shows, 0);
    }

    /// Takes a trade at its price in; how much of it others had who were before.
    fn traded(&mut self, trade: &Trade, queue: Queue) -> i64 {
        if trade.venue_time.0 != 0 && trade.venue_time <= self.told_at {
            return trade.qty.0;
        }
        let late = self.gone.told_by(trade);
        let mut others = 0;
        if late > 0 {
            let gone = &mut self.gone;
            others = gone.before.min(late);
            gone.before -= others;
            gone.left -= late;
            let cancelled = gone.left.min(gone.before + gone.behind);
            let after = queue.after_cancel(gone.before, gone.behind, cancelled);
            self.before = if cancelled > 0 { after } else { gone.before }.min(self.shown);
        }
        // The rest is of the book as it is.
        let fresh = trade.qty.0 - late;
        self.traded += fresh;
        let taken = self.before.min(fresh);
        self.before -= taken;
        self.gone.before -= taken.min(self.gone.before);
        others + taken
    }
}

/// What we took of a level.
#[derive(Debug, Clone, Copy)]
struct Taken {
    side: Side,
    price: Price,
    /// What the level showed then; once it shows something else, it is another level.
    shown: i64,
    qty: i64,
}

/// See the module.
pub struct DepthMarket {
    queue: Queue,
    aggregates: bool,
    /// Which trades came, so that one that comes again fills nothing.
    ids: TradeIds,
    /// By time of arrival.
    resting: Vec<Resting>,
    taken: Vec<Taken>,
    /// Levels that the order at hand trades with.
    sweep: Vec<Level>,
}

impl DepthMarket {
    /// A market with this queue model; `aggregates`: its trades are aggregate ones.
    #[must_use]
    pub fn new(queue: Queue, aggregates: bool) -> Self {
        Self {
            queue,
            aggregates,
            ids: TradeIds::new(false),
            resting: Vec::with_capacity(RESTING_MAX),
            taken: Vec::with_capacity(SWEEP_LEVELS_MAX),
            sweep: Vec::with_capacity(SWEEP_LEVELS_MAX),
        }
    }

    /// What of a level is left for us.
    fn left_of(&self, side: Side, level: Level) -> i64 {
        let taken = self.taken.iter().find(|t| t.side == side && t.price == level.price);
        match taken {
            Some(taken) if taken.shown == level.qty.0 => level.qty.0 - taken.qty,
            _ => level.qty.0,
        }
    }

    fn take(&mut self, side: Side, level: Level, qty: i64) {
        let shown = level.qty.0;
        match self.taken.iter_mut().find(|t| t.side == side && t.price == level.price) {
            Some(taken) if taken.shown == shown => taken.qty += qty,
            Some(taken) => *taken = Taken { side, price: level.price, shown, qty },
            None => self.taken.push(Taken { side, price: level.price, shown, qty }),
        }
    }

    /// The book moved, at a moment by the venue's clock.
    pub(super) fn on_book(&mut self, sync: &BookSync, at: Time, teller: &mut Teller) {
        let book = sync.book();
        self.taken.retain(|t| book.qty_at(t.side, t.price).0 == t.shown);
        for resting in &mut self.resting {
            resting.see(sync, at, self.queue);
        }
        for side in [Side::Buy, Side::Sell] {
            self.meet_opposite(side, book, teller);
        }
    }

    /// Fills resting orders that the other side has come to.
    fn meet_opposite(&mut self, side: Side, book: &Book, teller: &mut Teller) {
        let touch = match side {
            Side::Buy => book.best_ask(),
            Side::Sell => book.best_bid(),
        };
        let Some(touch) = touch else { return };
        let met = |o: &Order| o.side == side && side.at_least_as_aggressive(o.price, touch.price);
        while let Some(index) = self.first(met) {
            if !teller.has_room(2) {
                return;
            }
            let Resting { order, left, .. } = self.resting[index];
            let able = teller.account.reducible(&order, left);
            let opposite = side.opposite();
            let level = book
                .levels(opposite)
                .take(SWEEP_LEVELS_MAX)
                .take_while(|level| side.at_least_as_aggressive(order.price, level.price))
                .find(|level| self.left_of(opposite, *level) > 0);
            let Some(level) = level else { return };
            let filled = able.min(self.left_of(opposite, level));
            if filled > 0 {
                self.take(opposite, level, filled);
            }
            self.fill(index, filled, able, teller);
        }
    }

    /// The resting order with the best price, the oldest of those, among some.
    fn first(&self, of: impl Fn(&Order) -> bool) -> Option<usize> {
        let mut best: Option<usize> = None;
        for (index, Resting { order, .. }) in self.resting.iter().enumerate() {
            let better = |b: usize| {
                let other = self.resting[b].order.price;
                order.price != other && order.side.at_least_as_aggressive(order.price, other)
            };
            if of(order) && best.is_none_or(better) {
                best = Some(index);
            }
        }
        best
    }

    /// Fills a resting order with `filled`, of which it is able to take `able`; it goes where it can do no more.
    fn fill(&mut self, index: usize, filled: i64, able: i64, teller: &mut Teller) {
        let Resting { order, left, .. } = self.resting[index];
        if filled > 0 {
            teller.fill(&order, filled, order.price, true, true);
        }
        if filled == left {
            teller.account.ended(&order, 0);
            self.resting.remove(index);
        } else if able < left && filled == able {
            teller.end(&order, left - filled, ReportKind::Expired);
            self.resting.remove(index);
        } else {
            self.resting[index].left = left - filled;
        }
    }

    /// The data was interrupted: trades may be numbered anew.
    pub(super) const fn interrupted(&mut self) {
        self.ids.interrupted();
    }

    /// Somebody traded.
    pub(super) fn on_trade(&mut self, trade: &Trade, teller: &mut Teller) {
        let is_ours = trade.aggregate == self.aggregates && self.ids.take(trade.id) != Link::Again;
        if !is_ours || self.resting.is_empty() {
            return;
        }
        let side = trade.aggressor.opposite();
        let (price, qty) = (trade.price, trade.qty.0);
        let beyond =
            |o: &Order| o.side == side && o.price != price && side.at_least_as_aggressive(o.price, price);
        while let Some(index) = self.first(beyond) {
            if !teller.has_room(2) {
                return;
            }
            let Resting { order, left, .. } = self.resting[index];
            let able = teller.account.reducible(&order, left);
            self.fill(index, able, able, teller);
        }
        // What our own older orders at this price took is not there for the younger.
        let mut ours = 0;
        let mut index = 0;
        while let Some(resting) = self.resting.get_mut(index) {
            if resting.order.side != side || resting.order.price != price || !teller.has_room(2) {
                index += 1;
                continue;
            }
            let others = resting.traded(trade, self.queue);
            let Resting { order, left, .. } = *resting;
            let able = teller.account.reducible(&order, left);
            let filled = able.min((qty - others - ours).max(0));
            ours += filled;
            if filled == 0 && able > 0 {
                index += 1;
                continue;
            }
            let count = self.resting.len();
            self.fill(index, filled, able, teller);
            // One that goes leaves its place to the next.
            index += usize::from(self.resting.len() == count);
        }
    }

    /// An order arrives.
    pub(super) fn arrive(&mut self, order: &Order, sync: Option<&BookSync>, teller: &mut Teller) {
        let Some(sync) = sync else { return teller.unmet(order) };
        let book = sync.book();
        if order.kind.is_conditional() || !order.extras.is_none() || self.resting.len() >= RESTING_MAX {
            return teller.say(order, ReportKind::Rejected);
        }
        let side = order.side;
        let opposite = side.opposite();
        let limited = order.kind != OrderKind::Market;
        let crosses = |price| !limited || side.at_least_as_aggressive(order.price, price);
        let Some(touch) = book.levels(opposite).next() else { return teller.unmet(order) };
        if order.kind == OrderKind::PostOnly && crosses(touch.price) {
            return teller.say(order, ReportKind::Rejected);
        }
        if !teller.admits(order, touch.price, touch.price) {
            return;
        }
        let wanted = teller.account.reducible(order, order.qty.0);
        let mut left = wanted;
        self.sweep.clear();
        if crosses(touch.price) {
            for level in book.levels(opposite).take(SWEEP_LEVELS_MAX) {
                if left == 0 || !crosses(level.price) {
                    break;
                }
                let qty = left.min(self.left_of(opposite, level));
                if qty > 0 {
                    self.sweep.push(level);
                    left -= qty;
                }
            }
        }
        let qty = wanted - left;
        if order.tif == TimeInForce::Fok && qty < order.qty.0 {
            return teller.end(order, 0, ReportKind::Expired);
        }
        if !limited {
            // It needs what the levels cost that it sweeps, not the touch alone.
            let mut to_pay = qty;
            let parts = self.sweep.iter().map(|level| {
                let part = to_pay.min(self.left_of(opposite, *level));
                to_pay -= part;
                (part, level.price)
            });
            if !teller.account.still_pays(order, parts) {
                return teller.end(order, 0, ReportKind::Rejected);
            }
        }
        teller.say(order, ReportKind::Accepted);
        let mut to_take = qty;
        for index in 0..self.sweep.len() {
            let level = self.sweep[index];
            let qty = to_take.min(self.left_of(opposite, level));
            self.take(opposite, level, qty);
            teller.fill(order, qty, level.price, false, false);
            to_take -= qty;
        }
        let left = order.qty.0 - qty;
        if left == 0 {
            teller.account.ended(order, 0);
        } else if limited && order.tif == TimeInForce::Gtc && wanted == order.qty.0 {
            teller.account.rests(order, left);
            let mut resting = Resting::new(order, left);
            resting.see(sync, Time(0), self.queue);
            self.resting.push(resting);
        } else {
            teller.end(order, 0, ReportKind::Expired);
        }
    }

    /// Whether no event of the market matters to it.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.resting.is_empty() && self.taken.is_empty()
    }

    pub(super) fn cancel(&mut self, id: OrderId, teller: &mut Teller) {
        if let Some(index) = self.resting.iter().position(|r| r.order.id == id) {
            let Resting { order, left, .. } = self.resting.remove(index);
            teller.end(&order, left, ReportKind::Canceled);
        }
    }

    pub(super) fn cancel_all(&mut self, teller: &mut Teller) {
        for Resting { order, left, .. } in std::mem::take(&mut self.resting) {
            teller.end(&order, left, ReportKind::Canceled);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::DepthHead;
    use crate::domain::{Extras, InstrumentId, Market, Qty, StrategyId};
    use crate::market::book::{DepthKind, PendingDiffs};

    fn resting(before: i64, level: i64) -> Resting {
        let order = Order {
            id: OrderId(1),
            strategy: StrategyId(0),
            instrument: InstrumentId(0),
            side: Side::Buy,
            kind: OrderKind::Limit,
            tif: TimeInForce::Gtc,
            reduce_only: false,
            qty: Qty(10),
            price: Price(100),
            extras: Extras::NONE,
        };
        Resting { before, shown: level, told_in: 1, ..Resting::new(&order, 10) }
    }

    fn trade(qty: i64, at: u64) -> Trade {
        let (instrument, price, aggressor) = (InstrumentId(0), Price(100), Side::Sell);
        let (qty, venue_time) = (Qty(qty), Time(at));
        Trade { instrument, price, qty, id: 1, venue_time, aggressor, aggregate: false }
    }

    #[test]
    fn a_trade_after_the_book_that_shows_it_counts_once() {
        for queue in [Queue::RiskAverse, Queue::Power(2.0), Queue::Log] {
            for n in 0..2_000i64 {
                let (before, behind) = (n % 13 * 7, n % 11 * 9);
                let level = before + behind;
                let sold = (n % 7 * 10).min(level);
                let cancelled = (n % 5 * 8).min(level - sold);
                let (mut one, mut other) = (resting(before, level), resting(before, level));
                let in_turn = one.traded(&trade(sold, 5), queue);
                one.moved(level - sold - cancelled, Time(5), queue);
                other.moved(level - sold - cancelled, Time(5), queue);
                let late = other.traded(&trade(sold, 5), queue);
                assert_eq!((one.before, in_turn), (other.before, late), "{queue:?} {n}");
                // Another one is not in that book: there are two.
                let more = 6.min(other.before);
                assert_eq!(other.traded(&trade(6, 6), queue), more, "{queue:?} {n}");
                assert_eq!((other.traded, other.before), (6, one.before - more), "{queue:?} {n}");
            }
        }
    }

    /// Gives a book three bids from `best` down, of which that at 100 shows `shows`, and an ask far above.
    fn three(sync: &mut BookSync, kind: DepthKind, best: i64, shows: i64) {
        let (mut pending, id) = (PendingDiffs::new(), sync.last_update_id() + 1);
        let (instrument, venue_time) = (InstrumentId(0), Time(id));
        let head = DepthHead {
            instrument,
            first_id: id,
            last_id: id,
            prev_id: id - 1,
            venue_time,
            bids: 3,
            asks: 1,
        };
        sync.begin(&head, kind, &mut pending);
        let qty = |price: i64| if price == 100 { shows } else { 7 };
        let bids = [best, best - 1, best - 2].map(|price| Level::new(price, qty(price)));
        sync.levels(&bids, &mut pending);
        sync.levels(&[Level::new(200, 5)], &mut pending);
        let _ = sync.end(&mut pending);
    }

    #[test]
    fn a_level_that_a_book_does_not_reach_keeps_its_queue() {
        for queue in [Queue::RiskAverse, Queue::Power(2.0), Queue::Log] {
            for kind in [DepthKind::Partial, DepthKind::Snapshot] {
                let mut sync = BookSync::new(Market::Spot, Price(1));
                let mut order = resting(0, 0);
                (order.told_in, order.before) = (0, i64::MAX);
                // Nobody knows what is there: it is not first, whatever trades.
                three(&mut sync, kind, 105, 0);
                order.see(&sync, Time(0), queue);
                assert_eq!(order.traded(&trade(1_000, 1), queue), 1_000);
                three(&mut sync, kind, 101, 40);
                order.see(&sync, Time(2), queue);
                assert_eq!((order.before, order.shown), (40, 40), "{queue:?} {kind:?}");
                // One of before that book is in it.
                assert_eq!((order.traded(&trade(5, 2), queue), order.before), (5, 40));
                assert_eq!((order.traded(&trade(5, 3), queue), order.before), (5, 35));
                for best in [103, 150] {
                    three(&mut sync, kind, best, 0);
                    order.see(&sync, Time(4), queue);
                    assert_eq!((order.before, order.shown, order.traded), (35, 40, 5));
                }
                three(&mut sync, kind, 100, 60);
                order.see(&sync, Time(5), queue);
                assert_eq!((order.before, order.shown), (35, 60), "{queue:?} {kind:?}");
                // One that is reached and shows nothing is empty.
                three(&mut sync, kind, 101, 0);
                order.see(&sync, Time(6), queue);
                assert_eq!((order.before, order.shown), (0, 0), "{queue:?} {kind:?}");
            }
        }
    }

    #[test]
    fn what_diffs_tell_of_a_level_holds_until_the_book_is_replaced() {
        let (mut sync, queue) = (BookSync::new(Market::Spot, Price(1)), Queue::RiskAverse);
        three(&mut sync, DepthKind::Snapshot, 110, 0);
        three(&mut sync, DepthKind::Diff, 100, 40);
        let mut order = Resting::new(&resting(0, 0).order, 10);
        order.see(&sync, Time(0), queue);
        assert_eq!(order.before, 40);
        // The snapshot did not reach there, but this is told.
        three(&mut sync, DepthKind::Diff, 100, 0);
        order.see(&sync, Time(1), queue);
        assert_eq!(order.before, 0);
        three(&mut sync, DepthKind::Diff, 100, 30);
        let mut later = Resting::new(&order.order, 10);
        later.see(&sync, Time(2), queue);
        three(&mut sync, DepthKind::Snapshot, 120, 0);
        three(&mut sync, DepthKind::Diff, 120, 0);
        later.see(&sync, Time(3), queue);
        assert_eq!((later.before, later.shown), (30, 30), "not reached, and not told of");
        // Where changes are told, none was told of.
        let mut last = Resting::new(&order.order, 10);
        last.see(&sync, Time(3), queue);
        assert_eq!(last.before, 0);
    }
}
