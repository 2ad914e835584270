//! How a run's store stands, seen from beside its thread, which hangs as long as its database does.
//!
//! A server that is stopped, or whose disk stands still, fails nothing: its host takes what is sent and acknowledges it. Nothing
//! on our side would ever time out, so whoever looks from outside says since when an answer is owed.

use super::{StoreSummary, length};
use crate::run::control::StoreReply;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What the store's thread tells of itself.
#[derive(Debug, Default)]
pub(in crate::run) struct Told {
    pub summary: StoreSummary,
    /// Since when the database owes an answer.
    pub asked: Option<Instant>,
    /// When rows were last written.
    pub written: Option<Instant>,
    /// The run's journal.
    pub journal: Option<PathBuf>,
    /// How many bytes of it were read, and their rows written or about to be.
    pub taken: u64,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct StoreLink {
    told: Arc<Mutex<Told>>,
    silence: Duration,
}

/// The longest pause between two looks.
const LOOK_MAX: Duration = Duration::from_secs(1);

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl StoreLink {
    pub(in crate::run) fn new(told: Arc<Mutex<Told>>, silence: Duration) -> Self {
        Self { told, silence }
    }

    /// How it stands now.
    #[must_use]
    pub fn reply(&self) -> StoreReply {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let there = told.journal.as_deref().map_or(0, length);
        StoreReply {
            place: told.summary.place.clone(),
            rows: told.summary.rows,
            behind_bytes: there.saturating_sub(told.taken),
            written_ms_ago: told.written.map(|at| millis(at.elapsed())),
            unanswered_ms: told.asked.map(|at| at.elapsed()).filter(|owed| *owed >= self.silence).map(millis),
            error: told.summary.error.clone(),
        }
    }

    /// Says when the database does not answer for so long, and when it does again, until `run` is over.
    pub(super) fn watch(&self, run: &Receiver<()>) {
        let look = (self.silence / 10).clamp(Duration::from_millis(5), LOOK_MAX);
        let mut owed = None;
        while matches!(run.recv_timeout(look), Err(RecvTimeoutError::Timeout)) {
            let asked = self.told.lock().unwrap_or_else(PoisonError::into_inner).asked;
            match (owed, asked) {
                (Some(since), asked) if asked != Some(since) => {
                    owed = None;
                    let place = self.reply().place;
                    log::info!("{place}: it answers again, after {:.1} s", since.elapsed().as_secs_f64());
                }
                (None, Some(since)) if since.elapsed() >= self.silence => {
                    owed = asked;
                    self.told.lock().unwrap_or_else(PoisonError::into_inner).summary.silences += 1;
                    let reply = self.reply();
                    log::warn!(
                        "{}: it has not answered for {:.0} s, and {} KiB of the journal are not there yet; the run goes on, its \
                         journal keeps everything, and the store waits for it",
                        reply.place,
                        since.elapsed().as_secs_f64(),
                        reply.behind_bytes.div_ceil(1 << 10)
                    );
                }
                _ => {}
            }
        }
    }
}
