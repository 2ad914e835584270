//! The journal stage: hashes the order stream, and writes everything where asked.

use super::writer::JournalWriter;
use crate::domain::Slot;
use crate::domain::event::Kind;
use crate::execution::Record;
use crate::pipeline::{LaneReceiver, Shared, Stage, Stop, StopReason};
use sha2::{Digest, Sha256};

/// Bytes gathered before they are hashed.
const HASH_BYTES: usize = 4_096;

/// See the module.
pub struct JournalStage {
    records: LaneReceiver<Record>,
    writer: Option<JournalWriter>,
    hash: Sha256,
    /// What is still to be hashed, gathered so that hashing goes over many entries at once.
    unhashed: Vec<u8>,
    hashed: u64,
    stop: Stop,
    failed: bool,
}

impl JournalStage {
    /// A stage that hashes, and writes if it has a writer.
    #[must_use]
    pub fn new(records: LaneReceiver<Record>, writer: Option<JournalWriter>, stop: Stop) -> Self {
        let unhashed = Vec::with_capacity(HASH_BYTES);
        Self { records, writer, hash: Sha256::new(), unhashed, hashed: 0, stop, failed: false }
    }

    /// The SHA-256 of the order stream so far, in hexadecimal: denied intents, orders, cancels, and what the venue
    /// said, in ring order.
    #[must_use]
    pub fn order_stream_sha256(&self) -> String {
        use std::fmt::Write;
        let digest = self.hash.clone().chain_update(&self.unhashed).finalize();
        digest.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Entries hashed.
    #[must_use]
    pub fn hashed(&self) -> u64 {
        self.hashed
    }

    /// Bytes written to the journal.
    #[must_use]
    pub fn journal_bytes(&self) -> u64 {
        self.writer.as_ref().map_or(0, JournalWriter::bytes)
    }

    #[inline]
    fn hash(&mut self, entry: &[u8]) {
        if self.unhashed.len() + entry.len() > HASH_BYTES {
            self.hash.update(&self.unhashed);
            self.unhashed.clear();
        }
        self.unhashed.extend_from_slice(entry);
        self.hashed += 1;
    }

    fn after_write(&mut self, outcome: std::io::Result<()>) {
        if let Err(error) = outcome {
            self.failed = true;
            let message = format!("{error}; nothing was handed over after the last journaled order");
            self.stop.stop(StopReason::StageFailed { stage: "journal", message });
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
        if let Some(writer) = &mut self.writer {
            writer.slot(slot);
        }
        if !slot.is_last() {
            return;
        }
        if matches!(slot.kind(), Kind::Report | Kind::Denial) {
            self.hash(&slot.canonical());
        }
        while let Some(record) = self.records.pop_up_to(seq) {
            if record.is_long() {
                self.hash(&record.canonical_long());
            } else {
                self.hash(&record.canonical());
            }
            if let Some(writer) = &mut self.writer {
                writer.record(&record);
            }
        }
    }

    fn on_event_end(&mut self) -> bool {
        if self.failed {
            return false;
        }
        if let Some(writer) = &mut self.writer {
            let outcome = writer.flush_before_gateway();
            self.after_write(outcome);
        }
        !self.failed
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
