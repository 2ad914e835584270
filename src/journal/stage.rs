//! The journal stage: hashes the order stream, and writes everything where asked.

use super::writer::JournalWriter;
use crate::domain::event::Kind;
use crate::domain::{InstrumentId, Slot};
use crate::execution::Record;
use crate::pipeline::{LaneReceiver, Lull, Shared, Stage, Stop, StopReason};
use sha2::{Digest, Sha256};

/// Bytes gathered at most before they are hashed.
const HASH_BYTES: usize = 4_096;
/// So many are hashed at an event that caused nothing: no order waits behind it for the microsecond that this takes.
const HASH_EARLY_BYTES: usize = HASH_BYTES / 2;

/// See the module.
pub struct JournalStage {
    records: LaneReceiver<Record>,
    writer: Option<JournalWriter>,
    stream: OrderStream,
    stop: Stop,
    failed: bool,
}

/// The order stream's hash.
struct OrderStream {
    hash: Sha256,
    /// What is still to be hashed, gathered so that hashing goes over many entries at once.
    unhashed: Box<[u8; HASH_BYTES]>,
    len: usize,
    hashed: u64,
}

impl OrderStream {
    fn new() -> Self {
        Self { hash: Sha256::new(), unhashed: Box::new([0; HASH_BYTES]), len: 0, hashed: 0 }
    }

    /// Adds an entry; of a length that is known, so that it is copied by a few instructions.
    #[inline]
    fn add<const N: usize>(&mut self, entry: &[u8; N]) {
        if self.len + N > HASH_BYTES {
            self.hash_gathered();
        }
        if let Some(room) = self.unhashed.get_mut(self.len..self.len + N) {
            room.copy_from_slice(entry);
            self.len += N;
        }
        self.hashed += 1;
    }

    fn gathered(&self) -> &[u8] {
        &self.unhashed[..self.len]
    }

    fn hash_gathered(&mut self) {
        self.hash.update(&self.unhashed[..self.len]);
        self.len = 0;
    }
}

impl JournalStage {
    /// A stage that hashes, and writes if it has a writer.
    #[must_use]
    pub fn new(records: LaneReceiver<Record>, writer: Option<JournalWriter>, stop: Stop) -> Self {
        Self { records, writer, stream: OrderStream::new(), stop, failed: false }
    }

    /// The SHA-256 of the order stream so far, in hexadecimal: denied intents, orders, cancels, and what the venue
    /// said, in ring order.
    #[must_use]
    pub fn order_stream_sha256(&self) -> String {
        use std::fmt::Write;
        let digest = self.stream.hash.clone().chain_update(self.stream.gathered()).finalize();
        digest.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Entries hashed.
    #[must_use]
    pub fn hashed(&self) -> u64 {
        self.stream.hashed
    }

    /// Bytes written to the journal.
    #[must_use]
    pub fn journal_bytes(&self) -> u64 {
        self.writer.as_ref().map_or(0, JournalWriter::bytes)
    }

    fn after_write(&mut self, outcome: std::io::Result<()>) {
        if let Err(error) = outcome {
            self.failed = true;
            let message = format!("{error}; nothing was handed over after the last journaled order");
            self.stop.stop(StopReason::StageFailed { stage: "journal", message });
        }
    }

    /// A slot that the block had no room for.
    #[cold]
    #[inline(never)]
    fn widened(&mut self, seq: u64, slot: &Slot) {
        if let Some(writer) = &mut self.writer {
            writer.slot(slot);
        }
        if slot.is_last() {
            self.last(seq, slot);
        }
    }

    /// An event's last slot: what goes into the order stream of it, and of what it caused. Kept apart, since most slots
    /// are levels.
    #[inline(never)]
    fn last(&mut self, seq: u64, slot: &Slot) {
        if matches!(slot.kind(), Kind::Report | Kind::Denial) {
            self.stream.add(&slot.canonical());
        }
        let Self { records, stream, writer, .. } = self;
        let mut caused = false;
        records.take_up_to(seq, |record| {
            caused = true;
            if record.is_long() {
                stream.add(&record.canonical_long());
            } else {
                stream.add(&record.canonical());
            }
            if let Some(writer) = writer {
                writer.record(record);
            }
        });
        if let Some(writer) = writer {
            writer.event_ends(slot);
        }
        if !caused && stream.len >= HASH_EARLY_BYTES {
            stream.hash_gathered();
        }
    }
}

impl<S: Shared> Stage<S> for JournalStage {
    fn name(&self) -> &'static str {
        "journal"
    }

    fn wants_levels(&self) -> bool {
        self.writer.is_some()
    }

    fn on_slot(&mut self, seq: u64, slot: &Slot, _shared: &S) {
        if let Some(writer) = &mut self.writer
            && !writer.slot_fits(slot)
        {
            return self.widened(seq, slot);
        }
        if slot.is_last() {
            self.last(seq, slot);
        }
    }

    fn ends_events(&self) -> bool {
        self.writer.is_some()
    }

    fn is_calm(&self, _lull: &Lull) -> bool {
        // A journal has every event.
        self.writer.is_none()
    }

    fn is_calm_in_trades(&self, _instrument: InstrumentId) -> bool {
        self.writer.is_none()
    }

    fn on_event_end(&mut self) -> bool {
        if self.failed {
            return false;
        }
        match &mut self.writer {
            Some(writer) if writer.is_due() => {
                let outcome = writer.write_block();
                self.after_write(outcome);
                !self.failed
            }
            _ => true,
        }
    }

    fn on_finish(&mut self) {
        if self.failed {
            return;
        }
        if let Some(writer) = &mut self.writer {
            let outcome = writer.finish();
            self.after_write(outcome);
        }
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{Command, Report};
    use crate::domain::order::ReportKind;
    use crate::domain::{
        Extras, InstrumentId, Order, OrderId, OrderKind, Price, Qty, Scope, Side, StrategyId, Time,
        TimeInForce,
    };
    use crate::journal::{JournalHeader, JournalSink, SyncPolicy};
    use crate::pipeline::lane;
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    /// A disk that says how much it has, and how often it was asked to keep it.
    #[derive(Clone, Default)]
    struct Disk(Arc<Mutex<(usize, usize)>>);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("one thread").0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl JournalSink for Disk {
        fn sync(&mut self) -> io::Result<()> {
            self.0.lock().expect("one thread").1 += 1;
            Ok(())
        }
    }

    fn stage(patience: Option<Duration>) -> (JournalStage, Disk) {
        let (disk, stop) = (Disk::default(), Stop::new());
        let (_, records) = lane("execution→journal", 4, 4, &stop);
        let header = JournalHeader::default();
        let writer = JournalWriter::to_sink(Box::new(disk.clone()), &header, SyncPolicy::EachOrder);
        let writer = writer.expect("a good disk");
        let writer = match patience {
            Some(patience) => writer.with_patience(patience),
            None => writer,
        };
        (JournalStage::new(records, Some(writer), stop), disk)
    }

    /// What an event adds to the disk, bytes and syncs.
    fn adds(stage: &mut JournalStage, disk: &Disk, seq: u64, slot: Slot, at_ms: u64) -> (usize, usize) {
        let mut slot = slot;
        slot.stamp(Time::from_millis(at_ms), 0, 0);
        let before = *disk.0.lock().expect("one thread");
        Stage::<()>::on_slot(stage, seq, &slot, &());
        assert!(Stage::<()>::on_event_end(stage), "a good disk");
        let after = *disk.0.lock().expect("one thread");
        (after.0 - before.0, after.1 - before.1)
    }

    const ENTRY: usize = 65;
    const HEAD: usize = 8;

    #[test]
    fn a_command_is_on_the_disk_when_its_event_ends_as_an_order_is() {
        let (mut stage, disk) = stage(None);
        assert_eq!(adds(&mut stage, &disk, 1, Slot::clock(), 1), (0, 0));
        let release = Slot::command(Command::Release(Scope::All));
        assert_eq!(adds(&mut stage, &disk, 2, release, 2), (HEAD + 2 * ENTRY, 1), "with what was before it");
        assert_eq!(adds(&mut stage, &disk, 3, Slot::clock(), 3), (0, 0));
        assert_eq!(adds(&mut stage, &disk, 4, Slot::clock(), 3_600_000), (0, 0), "it can be run again");
    }

    #[test]
    fn in_a_live_run_an_answer_of_the_venue_does_not_wait_in_memory_and_elsewhere_it_does() {
        let order = Order {
            id: OrderId(1),
            strategy: StrategyId(0),
            instrument: InstrumentId(0),
            side: Side::Buy,
            kind: OrderKind::Limit,
            tif: TimeInForce::Gtc,
            reduce_only: false,
            qty: Qty(1),
            price: Price(1),
            extras: Extras::NONE,
        };
        let refused = Slot::report(&Report::of(&order, ReportKind::Rejected));
        let (mut live, disk) = stage(Some(Duration::from_secs(1)));
        assert_eq!(adds(&mut live, &disk, 1, Slot::clock(), 5_000), (0, 0));
        assert_eq!(adds(&mut live, &disk, 2, refused, 5_001), (HEAD + 2 * ENTRY, 0), "and not synced");
        let (mut replayed, disk) = stage(None);
        assert_eq!(adds(&mut replayed, &disk, 1, refused, 5_001), (0, 0), "it can be run again");
    }

    #[test]
    fn in_a_live_run_nothing_waits_in_memory_for_more_than_a_second_of_the_rings_time() {
        let (mut stage, disk) = stage(Some(Duration::from_secs(1)));
        assert_eq!(adds(&mut stage, &disk, 1, Slot::clock(), 5_000), (0, 0));
        assert_eq!(adds(&mut stage, &disk, 2, Slot::clock(), 5_999), (0, 0));
        assert_eq!(adds(&mut stage, &disk, 3, Slot::clock(), 6_000), (HEAD + 3 * ENTRY, 0), "and not synced");
        assert_eq!(adds(&mut stage, &disk, 4, Slot::clock(), 6_900), (0, 0));
        assert_eq!(adds(&mut stage, &disk, 5, Slot::clock(), 7_890), (0, 0), "from its own first entry on");
        assert_eq!(adds(&mut stage, &disk, 6, Slot::clock(), 7_900), (HEAD + 3 * ENTRY, 0));
    }
}
