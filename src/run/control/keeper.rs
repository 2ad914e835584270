//! The thread beside a run that keeps its losses over a restart and reckons its risk metrics, from the snapshots that risk
//! publishes.
//!
//! It is not the thread that listens to operators: forcing a file to the disk, and reckoning the correlations of hundreds of
//! instruments, take milliseconds in which no command may wait.

use super::losses::KeptLosses;
use super::metrics::{LiveMetrics, Reckoner};
use super::names::ScopeNames;
use super::overview::Overview;
use crate::risk::snapshot::{RiskSnapshot, SharedSnapshot};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two looks at the snapshot.
const LOOK: Duration = Duration::from_millis(50);
/// The shortest time between two writes of the file.
const KEEP: Duration = Duration::from_millis(250);
/// Between two reckonings of the metrics.
const RECKON: Duration = Duration::from_millis(900);

/// What is told of a run at one event: the metrics, and the lists that they are the sums of. Of two events they would
/// contradict each other.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Told {
    #[serde(flatten)]
    pub metrics: LiveMetrics,
    #[serde(flatten)]
    pub overview: Overview,
}

/// The newest, and when it was reckoned.
pub(super) type SharedMetrics = Arc<Mutex<Option<(Told, Instant)>>>;

/// See the module.
pub(super) struct Keeper {
    pub snapshot: SharedSnapshot,
    pub labels: Vec<String>,
    pub epoch: u64,
    pub path: PathBuf,
    pub names: ScopeNames,
    pub reckoner: Reckoner,
    pub metrics: SharedMetrics,
    /// What the file says; none before it was written by this run.
    pub kept: Option<KeptLosses>,
}

impl Keeper {
    pub fn run(mut self, over: &AtomicBool) {
        let mut copy = RiskSnapshot::default();
        let (mut keep_at, mut reckon_at) = (Instant::now(), Instant::now());
        while !over.load(Ordering::Acquire) {
            std::thread::sleep(LOOK);
            let now = Instant::now();
            if now >= keep_at {
                keep_at = now + KEEP;
                self.copy(&mut copy);
                self.keep(&copy);
            }
            if now >= reckon_at {
                reckon_at = now + RECKON;
                self.copy(&mut copy);
                self.reckon(&copy);
            }
        }
        self.copy(&mut copy);
        self.keep(&copy);
    }

    /// The lock is held for as long as copying takes: risk finds it taken at most once in a while, and goes on without.
    fn copy(&self, copy: &mut RiskSnapshot) {
        copy.clone_from(&self.snapshot.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn keep(&mut self, snapshot: &RiskSnapshot) {
        let Some(losses) = KeptLosses::of(snapshot, &self.labels, self.epoch) else { return };
        if self.kept.as_ref().is_some_and(|kept| kept.says_what(&losses)) {
            return;
        }
        match losses.write(&self.path) {
            Ok(()) => self.kept = Some(losses),
            Err(error) => log::error!("{error}"),
        }
    }

    fn reckon(&mut self, snapshot: &RiskSnapshot) {
        let Some(metrics) = self.reckoner.reckon(snapshot) else { return };
        let told = Told { metrics, overview: Overview::of(snapshot, &self.names) };
        let mut shared = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        *shared = Some((told, Instant::now()));
    }
}
