//! The live gateway: hands approved orders to the thread that owns the sockets.
//!
//! Stands where the paper gateway stands, behind the journal, so that what it hands over is written. It never waits and
//! never allocates: where the other thread's lane is full, or it takes no more orders, the order is rejected here, by a
//! report that enters the ring like any other.

use super::stage::GatewayMessage;
use crate::domain::event::{FeeAsset, Report};
use crate::domain::order::{ReportKind, Side};
use crate::domain::{Price, Qty, Slot, Time};
use crate::pipeline::{Answer, LaneReceiver, LaneSender, Shared, Stage, StampClock};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};

/// An order or a cancel on its way to the sockets.
#[derive(Debug, Clone, Copy)]
pub struct Handover {
    /// What to do.
    pub message: GatewayMessage,
    /// Raw stamp of when the event that caused it was published.
    pub caused: u64,
    /// Raw stamp of the hand-over.
    pub handed: u64,
}

/// What the two ends of a hand-over know of each other.
#[derive(Debug, Default)]
struct Between {
    /// The receiver waits in a poll and wants to be woken.
    asleep: AtomicBool,
    /// No new order is taken: the run is ending.
    closed: AtomicBool,
}

/// The stage's end.
pub struct HandoverSender {
    lane: rtrb::Producer<Handover>,
    between: Arc<Between>,
    waker: Arc<mio::Waker>,
}

/// The other thread's end.
pub struct HandoverReceiver {
    lane: rtrb::Consumer<Handover>,
    between: Arc<Between>,
}

/// Ends the taking of new orders, from any thread.
#[derive(Debug, Clone)]
pub struct Closing(Arc<Between>);

/// A lane of `slots` messages to a thread that `waker` wakes.
#[must_use]
pub fn handover(slots: usize, waker: Arc<mio::Waker>) -> (HandoverSender, HandoverReceiver) {
    let (producer, consumer) = rtrb::RingBuffer::new(slots);
    let between = Arc::new(Between::default());
    let sender = HandoverSender { lane: producer, between: Arc::clone(&between), waker };
    (sender, HandoverReceiver { lane: consumer, between })
}

impl HandoverSender {
    /// Hands one over; false where there is no room.
    #[inline]
    fn push(&mut self, message: Handover) -> bool {
        if self.lane.push(message).is_err() {
            return false;
        }
        // Either this sees that the receiver sleeps, or the receiver, which looks once more after saying so, sees the
        // message.
        fence(Ordering::SeqCst);
        if self.between.asleep.load(Ordering::Relaxed) && self.between.asleep.swap(false, Ordering::AcqRel) {
            // A waker that cannot wake means a receiver that sleeps a millisecond longer.
            let _ = self.waker.wake();
        }
        true
    }

    /// What ends the taking of new orders.
    #[must_use]
    pub fn closing(&self) -> Closing {
        Closing(Arc::clone(&self.between))
    }
}

impl HandoverReceiver {
    /// The next message, if one is there.
    #[inline]
    pub fn pop(&mut self) -> Option<Handover> {
        self.lane.pop().ok()
    }

    /// Whether nothing was handed over that was not taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lane.is_empty()
    }

    /// Says that the receiver is about to sleep; false where it should not, since something has come.
    pub fn about_to_sleep(&mut self) -> bool {
        self.between.asleep.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
        if self.lane.is_empty() {
            return true;
        }
        self.awake();
        false
    }

    /// Says that it is awake again.
    pub fn awake(&self) {
        self.between.asleep.store(false, Ordering::Release);
    }
}

impl Closing {
    /// From now on new orders are rejected by the stage; cancels still pass.
    pub fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
    }
}

/// What a live gateway did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HandoverCounts {
    /// Orders and cancels handed over.
    pub handed: u64,
    /// Rejected here since the lane was full.
    pub refused_full: u64,
    /// Orders rejected here since the run was ending.
    pub refused_closed: u64,
}

/// See the module.
pub struct LiveGateway {
    messages: LaneReceiver<GatewayMessage>,
    sockets: HandoverSender,
    answers: LaneSender<Answer>,
    answer_count: u64,
    clock: StampClock,
    counts: HandoverCounts,
    caused: u64,
    /// Whether the first order of a list was rejected here, whose second is next.
    rejects_leg: bool,
}

impl LiveGateway {
    /// A gateway that hands to `sockets`, and rejects through `answers`.
    #[must_use]
    pub fn new(
        messages: LaneReceiver<GatewayMessage>,
        sockets: HandoverSender,
        answers: LaneSender<Answer>,
        clock: StampClock,
    ) -> Self {
        let counts = HandoverCounts::default();
        Self { messages, sockets, answers, answer_count: 0, clock, counts, caused: 0, rejects_leg: false }
    }

    /// What it did.
    #[must_use]
    pub fn counts(&self) -> HandoverCounts {
        self.counts
    }

    #[inline]
    fn hand_over(&mut self, message: GatewayMessage) {
        let (is_new, leg) = match &message {
            GatewayMessage::New { order, .. } => (true, order.get().extras.other_leg),
            GatewayMessage::Cancel { .. } => (false, 0),
        };
        let closed = self.sockets.between.closed.load(Ordering::Acquire);
        // Of a list both are handed over or neither: what became of the first becomes of the second.
        let (closed, full) = match leg {
            ..0 => (self.rejects_leg && closed, self.rejects_leg && !closed),
            0 => (closed && is_new, false),
            1.. => (closed, !closed && self.sockets.lane.slots() < 2),
        };
        self.rejects_leg = leg > 0 && (closed || full);
        if closed {
            self.counts.refused_closed += 1;
            return self.reject(&message);
        }
        let handover = Handover { message, caused: self.caused, handed: self.clock.raw() };
        if !full && self.sockets.push(handover) {
            self.counts.handed += 1;
        } else {
            self.counts.refused_full += 1;
            self.reject(&message);
        }
    }

    #[cold]
    fn reject(&mut self, message: &GatewayMessage) {
        self.answer_count += 1;
        let cause_seq = crate::pipeline::Sequenced::seq(message);
        let slot = Slot::report(&rejection(message));
        // Due at once: there is no venue to wait for.
        self.answers.push(Answer { due: Time(0), cause_seq, origin: 1, number: self.answer_count, slot });
    }
}

/// The report that a message never left this process.
#[must_use]
pub fn rejection(message: &GatewayMessage) -> Report {
    match message {
        GatewayMessage::New { order, .. } => Report::of(order.get(), ReportKind::Rejected),
        // Of a refused cancel the side says nothing: no quantity comes with it.
        GatewayMessage::Cancel { order, strategy, instrument, .. } => Report {
            instrument: *instrument,
            order: *order,
            strategy: *strategy,
            side: Side::Buy,
            kind: ReportKind::CancelRejected,
            qty: Qty::ZERO,
            price: Price(0),
            fee: 0,
            fee_asset: FeeAsset::Quote,
            trade_id: 0,
            maker: false,
        },
    }
}

impl<S: Shared> Stage<S> for LiveGateway {
    fn name(&self) -> &'static str {
        "gateway"
    }

    fn room(&self) -> u64 {
        self.answers.events_room()
    }

    #[inline]
    fn on_slot(&mut self, seq: u64, slot: &Slot, _shared: &S) {
        if slot.is_first() {
            self.caused = slot.published();
        }
        if !slot.is_last() {
            return;
        }
        while let Some(message) = self.messages.pop_up_to(seq) {
            self.hand_over(message);
        }
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}
