//! Records: what was decided, as it is journaled and hashed.

use crate::domain::{ClientOrderId, DenyReason, Order};
use crate::pipeline::Sequenced;

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum RecordKind {
    /// A strategy asked for an order, and risk denied it.
    Denied = 2,
    /// A strategy asked for an order, risk approved it, and it is about to be handed over.
    Order = 3,
    /// A cancel is about to be handed over.
    Cancel = 4,
}

/// One decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// The event that caused it.
    pub seq: u64,
    /// What it says.
    pub kind: RecordKind,
    /// The order (of a cancel, the order to be cancelled).
    pub order: Order,
    /// Why it was denied, if it was.
    pub denied: Option<DenyReason>,
    /// The id the venue will know it by.
    pub client_id: ClientOrderId,
}

/// Bytes of a record.
pub const RECORD_BYTES: usize = 72;

impl Record {
    /// The record as bytes, the same on every machine.
    #[must_use]
    pub fn canonical(&self) -> [u8; RECORD_BYTES] {
        let o = &self.order;
        let mut bytes = [0u8; RECORD_BYTES];
        bytes[0..8].copy_from_slice(&self.seq.to_le_bytes());
        bytes[8] = self.kind as u8;
        bytes[9] = o.strategy.0;
        bytes[10] = o.side as u8;
        bytes[11] = o.kind as u8;
        bytes[12] = o.tif as u8;
        bytes[13] = u8::from(o.reduce_only);
        bytes[14] = self.denied.map_or(0, |d| d as u8);
        bytes[16..18].copy_from_slice(&o.instrument.0.to_le_bytes());
        bytes[24..32].copy_from_slice(&o.id.0.to_le_bytes());
        bytes[32..40].copy_from_slice(&o.qty.0.to_le_bytes());
        bytes[40..48].copy_from_slice(&o.price.0.to_le_bytes());
        bytes[48..66].copy_from_slice(self.client_id.as_bytes());
        bytes
    }
}

impl Sequenced for Record {
    fn seq(&self) -> u64 {
        self.seq
    }
}
