//! The pipeline: one ring, stages that poll it, lanes between them, and the sequencer that feeds it.
//!
//! Owns: the order of everything, the threads' shape, and the measuring of both. Knows nothing of markets or orders:
//! a [`Stage`] is handed slots. Invariants: every stage sees the same slots in the same order; a stage at event *n*
//! takes exactly the lane messages up to *n*; nobody waits while holding the ring's guard.

pub mod answers;
pub mod clock;
pub mod group;
pub mod lane;
pub mod latency;
pub mod ring;
pub mod stage;
pub mod stop;
pub mod tally;
pub mod topology;
pub mod wait;
pub mod waker;

pub use answers::{Answer, AnswerQueue};
pub use clock::StampClock;
pub use group::{Group, Progress};
pub use lane::{LaneReceiver, LaneSender, Sequenced, lane, lane_within_thread};
pub use latency::{Sampler, StageHistogram, StageTally};
pub use ring::{Ring, RingProducer, build_ring};
pub use stage::{Lull, Shared, Stage};
pub use stop::{Stop, StopReason, panic_text};
pub use topology::{Role, Threading, Topology, TopologyError};
pub use wait::{Idle, Wait};
pub use waker::Waker;
