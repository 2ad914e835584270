//! The thread beside a run that keeps its losses over a restart and reckons its risk metrics, from the snapshots that risk
//! publishes.
//!
//! It is not the thread that listens to operators: forcing a file to the disk, and reckoning the correlations of hundreds of
//! instruments, take milliseconds in which no command may wait.

use super::losses::KeptLosses;
use super::metrics::{LiveMetrics, Reckoner};
use super::names::ScopeNames;
use super::overview::Overview;
use crate::risk::DayBoundary;
use crate::risk::snapshot::{RiskSnapshot, SharedSnapshot};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// What the thread found, for who answers operators.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The newest, and when it was reckoned.
    pub told: Option<(Told, Instant)>,
    /// Why what was lost is not on the disk, where the last write failed.
    pub unsaved: Option<String>,
    /// The same, at the end, of what is stopped and what is paused.
    pub unsaved_at_end: Vec<String>,
}

/// The same, of both threads.
pub(super) type SharedFound = Arc<Mutex<Found>>;

/// See the module.
pub(super) struct Keeper {
    pub snapshot: SharedSnapshot,
    pub labels: Vec<String>,
    pub epoch: u64,
    pub path: PathBuf,
    pub names: ScopeNames,
    pub reckoner: Reckoner,
    pub found: SharedFound,
    /// What the run before left, for the strategies that this one does not have.
    pub before: Option<KeptLosses>,
    /// By which days end.
    pub day: DayBoundary,
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
        // What stands at its cost yet is no profit, and least of all a peak.
        if snapshot.awaits_prices {
            return;
        }
        let Some(mut losses) = KeptLosses::of(snapshot, &self.labels, self.epoch) else { return };
        if let Some(before) = &self.before {
            losses = losses.with_absent(before, &self.day);
        }
        if self.kept.as_ref().is_some_and(|kept| kept.says_what(&losses)) {
            return;
        }
        let written = losses.write(&self.path);
        let unsaved = written.as_ref().err().map(ToString::to_string);
        let before = std::mem::replace(&mut self.found().unsaved, unsaved.clone());
        match (unsaved, before) {
            // It is tried again and again, and told once.
            (Some(error), before) if before.as_ref() != Some(&error) => log::error!("{error}"),
            (None, Some(_)) => log::warn!("{} is written now", self.path.display()),
            _ => {}
        }
        if written.is_ok() {
            self.kept = Some(losses);
        }
    }

    fn reckon(&mut self, snapshot: &RiskSnapshot) {
        if snapshot.awaits_prices {
            return;
        }
        let Some(metrics) = self.reckoner.reckon(snapshot) else { return };
        let told = Told { metrics, overview: Overview::of(snapshot, &self.names) };
        self.found().told = Some((told, Instant::now()));
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
