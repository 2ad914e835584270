//! How slots get to the stages: into the ring, or past it where all stages run on this thread and no event is a real one.

use super::{Sequencer, Stopped};
use crate::domain::event::LEVELS_PER_SLOT;
use crate::domain::{InstrumentId, Level, Slot};
use disruptor::Producer;

impl Sequencer {
    /// Hands slots to the stages of this thread past the ring.
    #[inline]
    pub(super) fn hand_over<'s>(&mut self, slots: impl Iterator<Item = &'s Slot>, count: usize) {
        if let Some(local) = &mut self.local {
            local.handle(slots);
        }
        self.seq += count as u64;
    }

    #[inline]
    pub(super) fn put(&mut self, slot: &Slot) -> Result<(), Stopped> {
        if self.direct {
            self.hand_over(std::iter::once(slot), 1);
            return Ok(());
        }
        while self.producer.try_publish(|s| *s = *slot).is_err() {
            self.full()?;
        }
        self.seq += 1;
        Ok(())
    }

    #[inline]
    pub(super) fn put_all(&mut self, slots: &[Slot]) -> Result<(), Stopped> {
        let all = || slots.iter();
        while self
            .producer
            .try_batch_publish(slots.len(), |room| room.zip(all()).for_each(|(to, from)| *to = *from))
            .is_err()
        {
            self.full()?;
        }
        self.seq += slots.len() as u64;
        Ok(())
    }

    #[inline]
    pub(super) fn put_depth(
        &mut self,
        head: Option<&Slot>,
        instrument: InstrumentId,
        levels: &[Level],
        last: bool,
    ) -> Result<(), Stopped> {
        let packs = levels.chunks(LEVELS_PER_SLOT);
        if self.direct {
            head.map_or(Ok(()), |head| self.put(head))?;
            let count = packs.len();
            return (1..)
                .zip(packs)
                .try_for_each(|(n, pack)| self.put(&Slot::levels(instrument, pack, last && n == count)));
        }
        let slots = packs.len() + usize::from(head.is_some());
        loop {
            let packs = packs.clone();
            let published = self.producer.try_batch_publish(slots, |mut room| {
                if let (Some(head), Some(slot)) = (head, head.and_then(|_| room.next())) {
                    *slot = *head;
                }
                let count = packs.len();
                for (index, (pack, slot)) in packs.zip(room).enumerate() {
                    *slot = Slot::levels(instrument, pack, last && index + 1 == count);
                }
            });
            if published.is_ok() {
                self.seq += slots as u64;
                return Ok(());
            }
            self.full()?;
        }
    }

    /// The ring is full: let the stages get on. Answers are taken meanwhile, so that no stage waits for us.
    #[cold]
    fn full(&mut self) -> Result<(), Stopped> {
        if self.stop.is_raised() {
            return Err(Stopped);
        }
        self.work();
        Ok(())
    }
}
