//! `algo-trader run` with live orders, the whole command line in a process of its own: what it tells of what it leaves.

#[path = "support/live_orders.rs"]
mod live_orders;
#[path = "support/order_client.rs"]
mod order_client;

use algo_trader::cli::run_with;
use algo_trader::domain::InstrumentId;
use algo_trader::market::Top;
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Context, Setup, Strategy, StrategySpec};
use algo_trader::venue::local::serve::Running;
use live_orders::{Key, config, thousandths, venue};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Buys 0.010 of each instrument that it holds nothing of.
struct Holds;

static SPECS: &[StrategySpec] = &[StrategySpec { name: "holds", doc: "buys and holds", params: &[], build }];

fn build(_: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    Ok(Box::new(Holds))
}

impl Strategy for Holds {
    fn on_quote(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId, top: &Top) {
        let idle = ctx.position(instrument).qty.0 == 0 && ctx.open_orders(instrument).count() == 0;
        if idle && top.is_two_sided() {
            let qty = thousandths(ctx.instrument(instrument), 10);
            let _ = ctx.buy(instrument, qty).at_market().send();
        }
    }
}

const ARGUMENTS: &str = "RUN_WITH_LIVE_ORDERS";

/// The command itself, in the processes that [`Rig::start`] starts; nothing elsewhere.
#[test]
fn the_command_of_the_other_test() {
    let Ok(arguments) = std::env::var(ARGUMENTS) else { return };
    std::process::exit(run_with(arguments.lines(), SPECS).into());
}

struct Rig {
    _venue: Running,
    dir: tempfile::TempDir,
    config: PathBuf,
}

impl Rig {
    fn new() -> Self {
        let venue = venue(|options| options.meets_market = true);
        let dir = tempfile::tempdir().expect("a directory");
        let live = config(
            &venue,
            Key::Hmac,
            "",
            "[[strategy]]\nname = \"holds\"\ninstruments = [\"binance:spot:BTCUSDT\"]\n",
        );
        let spot = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/instruments/binance-spot.toml");
        // The files that it names go with `live`.
        let mut text = format!("[instruments]\nfiles = [{spot:?}]\n{}", live.config.text);
        for (n, file) in live.files().into_iter().enumerate() {
            let own = dir.path().join(n.to_string());
            std::fs::copy(file, &own).expect("copied");
            text = text.replace(&file.display().to_string(), &own.display().to_string());
        }
        let config = dir.path().join("live.toml");
        std::fs::write(&config, text).expect("written");
        Self { _venue: venue, dir, config }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn start(&self, more: &[&str]) -> Child {
        let config = self.config.display().to_string();
        let journal = self.path("run.journal").display().to_string();
        let all = ["algo-trader", "run", "--config", &config, "--journal", &journal, "--wait", "backoff"];
        Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "the_command_of_the_other_test", "--nocapture"])
            .env(ARGUMENTS, [&all[..], more].concat().join("\n"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a process")
    }

    /// What a run of some seconds says; it ends well.
    fn run(&self, more: &[&str]) -> String {
        let ran = self.start(&[&["--seconds", "3"], more].concat()).wait_with_output().expect("ended");
        let told = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success(), "{told}");
        told
    }
}

#[test]
fn what_is_held_at_the_end_is_told_with_how_to_go_on_and_so_is_a_run_that_never_ended() {
    let rig = Rig::new();
    // A thousandth of it was the fee.
    let held = |journal: &str| {
        let journal = rig.path(journal);
        format!(
            "held at the end: holds 0.00999 of binance:spot:BTCUSDT; --recover {} goes on with it",
            journal.display()
        )
    };
    let told = rig.run(&[]);
    assert!(told.contains(&held("run.journal")) && !told.contains("warning: the run of"), "{told}");
    let first = rig.path("run.journal").display().to_string();
    // It holds that, and buys no more.
    let told = rig.run(&["--recover", &first]);
    assert!(told.contains(&held("run.2.journal")), "{told}");

    let mut killed = rig.start(&["--recover", &first]);
    let third = rig.path("run.3.journal");
    let end = Instant::now() + Duration::from_secs(60);
    while std::fs::metadata(&third).map_or(0, |m| m.len()) < 20_000 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(20));
    }
    killed.kill().expect("ours");
    killed.wait().expect("ours");
    std::fs::rename(&first, rig.path("first.journal")).expect("renamed");
    let told = rig.run(&[]);
    let warning = format!("warning: the run of {} did not end", third.display());
    assert!(told.contains(&warning) && told.contains(&format!("--recover {}", third.display())), "{told}");
}
