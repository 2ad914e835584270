//! A live run in a process of its own, which is killed, and runs that go on with it.

use crate::live_orders::{LiveConfig, spot_instruments};
use algo_trader::domain::InstrumentTable;
use algo_trader::pipeline::{Threading, Wait};
use algo_trader::run::interrupt::Interrupt;
use algo_trader::run::{Config, LiveOptions, run_live};
use algo_trader::strategy::StrategySpec;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PLACE: &str = "RUN_THAT_IS_KILLED";

pub fn options(
    strategies: &'static [StrategySpec],
    journal: &Path,
    interrupt: &Interrupt,
    recover: Option<PathBuf>,
) -> LiveOptions {
    let mut options = LiveOptions { interrupt: interrupt.clone(), recover, ..LiveOptions::default() };
    options.pipeline.journal = Some(journal.to_owned());
    options.pipeline.wait = Some(Wait::Backoff);
    options.pipeline.threading = Some(Threading::Inline);
    options.pipeline.strategies = strategies;
    options
}

/// The run itself, in the process that [`start`] started; nothing elsewhere. The test that calls it is named
/// `the_run_that_is_killed`.
pub fn run_until_killed(strategies: &'static [StrategySpec]) {
    let Some(dir) = std::env::var_os(PLACE).map(PathBuf::from) else { return };
    let text = std::fs::read_to_string(dir.join("config.toml")).expect("a configuration");
    let table = InstrumentTable::new(spot_instruments()).expect("distinct");
    let config = Config::from_text_with_instruments(&text, "test", table).unwrap_or_else(|e| panic!("{e}"));
    let options = options(strategies, &dir.join("run.journal"), &Interrupt::default(), None);
    let ran = run_live(&config, options);
    panic!("it is killed, and does not end: {:?}", ran.map(|summary| summary.to_json()));
}

/// A run that is under way, and killed in the end whatever becomes of its test.
pub struct Killed(Child);

impl Killed {
    pub fn kill(mut self) {
        self.0.kill().expect("ours");
        self.0.wait().expect("ours");
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        // It may be dead.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts it, with its journal `run.journal` in `dir`.
pub fn start(live: &LiveConfig, dir: &Path) -> Killed {
    std::fs::write(dir.join("config.toml"), &live.config.text).expect("written");
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "the_run_that_is_killed", "--nocapture"])
        .env(PLACE, dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Killed(child.expect("a process"))
}

pub fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
