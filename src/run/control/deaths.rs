//! That a control thread died is seen by the run, which would otherwise trade on with nobody to stop it.

use crate::run::affinity::keep_to;
use std::io;
use std::sync::{Arc, OnceLock};
use std::thread::{Builder, JoinHandle};

/// Starts the control threads, and knows what is lost by one of them that ended by a panic.
#[derive(Debug, Clone, Default)]
pub(in crate::run) struct ControlDeaths(Arc<OnceLock<&'static str>>);

/// Held by such a thread.
struct NotesDeath {
    deaths: ControlDeaths,
    lost: &'static str,
}

impl Drop for NotesDeath {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The first of two is told.
            let _ = self.deaths.0.set(self.lost);
        }
    }
}

impl ControlDeaths {
    /// Starts the thread `name` on these cores; `lost` says what there is no more of without it.
    pub(in crate::run) fn spawn(
        &self,
        name: &str,
        lost: &'static str,
        cores: &[usize],
        work: impl FnOnce() + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        let (notes, cores) = (NotesDeath { deaths: self.clone(), lost }, cores.to_vec());
        Builder::new().name(name.into()).spawn(move || {
            let _notes = notes;
            keep_to(&cores);
            work();
        })
    }

    /// What there is no more of, where one of them has died.
    pub(in crate::run) fn lost(&self) -> Option<&'static str> {
        self.0.get().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::control::Control;

    #[test]
    fn the_heartbeat_of_a_run_that_ended_in_order_goes_though_nobody_listens_any_more() {
        let dir = tempfile::tempdir().expect("a directory");
        let heartbeat = dir.path().join("run.heartbeat");
        for in_order in [true, false] {
            std::fs::write(&heartbeat, "1").expect("written");
            let deaths = ControlDeaths::default();
            let listening =
                deaths.spawn("at-control", "nobody listens", &[], || panic!("as the test wants it"));
            let keeping = deaths.spawn("at-risk-keeper", "nobody keeps", &[], || {});
            let control = Control {
                over: Arc::default(),
                deaths: deaths.clone(),
                heartbeat: heartbeat.clone(),
                in_order: Arc::default(),
                found: Arc::default(),
                threads: [listening, keeping].map(|thread| thread.expect("a thread")),
            };
            control.finish(in_order);
            assert_eq!(deaths.lost(), Some("nobody listens"));
            assert_eq!(heartbeat.exists(), !in_order, "a watchdog is to miss that of one that did not");
        }
    }
}
