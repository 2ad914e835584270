//! What a backtest does for many events at once, or does not do at all, since nothing would come of it.
//!
//! Only where every stage runs on this thread, and up to where an answer is due: elsewhere whatever there is has to be
//! published.

use super::{Sequencer, Stopped};
use crate::domain::event::Kind;
use crate::domain::{Price, Slot, Stretch, Time};
use crate::pipeline::Lull;

impl Sequencer {
    /// Whether all stages run here, no answer is due, and nothing would come of this lull. Elsewhere, whatever it
    /// would be, it has to be published.
    #[inline]
    #[must_use]
    pub fn is_calm(&mut self, lull: &Lull) -> bool {
        let Some(local) = &mut self.local else { return false };
        self.queue.is_calm_until(lull.ends) && local.seq() == self.seq && local.is_calm(lull)
    }

    /// Goes on as if the `slots` slots of this lull had been published, the last of them at `price`; to be called where
    /// [it is calm](Self::is_calm).
    pub fn pass_over(&mut self, slots: u64, price: Price, lull: &Lull) {
        self.time = self.time.max(lull.ends);
        if let Some(local) = &mut self.local {
            local.pass_over(slots, price, lull);
            self.seq += slots;
        }
    }

    /// Publishes trades that lie ready as slots and come before `end`, each with its own time, as far as it can be done for
    /// many at once; says how many those were.
    ///
    /// # Errors
    /// [`Stopped`].
    #[inline]
    pub fn publish_trades(&mut self, trades: &[Slot], end: Time) -> Result<usize, Stopped> {
        let (Some(local), [first, second, ..]) = (&mut self.local, trades) else { return Ok(0) };
        let alone = self.direct && self.queue.is_calm_until(first.time()) && local.seq() == self.seq;
        let trades_first = first.kind() == Kind::Trade && second.kind() == Kind::Trade;
        if !alone || !trades_first || first.time() < self.time {
            return Ok(0);
        }
        let end = self.queue.next_due().map_or(end, |due| due.min(end));
        let handled = local.handle_trades(trades, end);
        if let Some(last) = handled.checked_sub(1) {
            (self.time, self.seq) = (trades[last].time(), local.seq());
            self.collect();
        }
        if self.stop.is_failed() { Err(Stopped) } else { Ok(handled) }
    }

    /// Leaves of a stretch what nothing would come of; `first` is the lull that its first bar is.
    pub fn shorten(&mut self, first: &Lull, stretch: &mut Stretch<'_>) {
        match &mut self.local {
            Some(local) if self.queue.is_calm_until(first.ends) && local.seq() == self.seq => {
                self.queue.next_due().into_iter().for_each(|due| stretch.cut_before(due));
                local.shorten(first, stretch);
            }
            _ => stretch.cut_to(0),
        }
    }

    /// Goes on as if the `slots` slots of this stretch had been published; to be called where it was
    /// [shortened](Self::shorten) to.
    pub fn pass_over_bars(&mut self, slots: u64, before: Price, stretch: &Stretch<'_>) {
        let (Some((time, _)), Some(local)) = (stretch.last(), &mut self.local) else { return };
        self.time = self.time.max(time);
        local.pass_over_bars(slots, before, stretch);
        self.seq += slots;
    }
}
