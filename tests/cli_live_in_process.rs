//! Commands that talk to a venue, run in this process against one served by the library. One test, since a signal is for
//! the whole process: the last command ends by it.

#[path = "support/local_live.rs"]
mod local_live;

use algo_trader::cli::run_with;
use local_live::{ca_file, sections};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

fn run(args: &[&str]) -> u8 {
    run_with(std::iter::once("algo-trader").chain(args.iter().copied()), &[])
}

fn files(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("a directory");
    let paths = entries.map(|e| e.expect("readable").path());
    paths.filter(|p| p.extension().is_some_and(|e| e == "gz")).map(|p| p.display().to_string()).collect()
}

#[test]
fn what_one_command_writes_of_a_venue_the_others_take() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).display().to_string();
    let venue = local_live::venue();
    let ca = ca_file(&venue);
    let instruments = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/instruments");
    let [spot, usdm] = ["binance-spot.toml", "binance-usdm.toml"].map(|name| instruments.join(name));
    // The venue has no ETHUSDT of USD-M: that book is set aside.
    let text = format!(
        "[instruments]\nfiles = [{spot:?}, {usdm:?}]\n{}[risk]\nunset = \"default\"\n[paper]\nfill = \"touch\"\n[[strategy]]\nname = \"imbalance-maker\"\n\
         instruments = [\"binance:spot:ETHUSDT\"]\n[strategy.params]\nqty = \"0.100\"\nthreshold = 0.05\nhold_ms = 50\n",
        sections(&venue, ca.path(), "")
    );
    let config = path("live.toml");
    std::fs::write(&config, text).expect("written");

    let [journal, report] = ["run.journal", "report"].map(path);
    let store = format!("sqlite:{}", path("run.db"));
    let live = ["run", "--config", &config, "--seconds", "4", "--wait", "backoff"];
    let outputs = ["--journal", &journal, "--report", &report, "--store", &store];
    assert_eq!(run(&[&live[..], &outputs[..]].concat()), 0);
    assert_eq!(run(&[&live[..], &["--json", "--threading", "shared"][..]].concat()), 0);
    assert_eq!(run(&["replay", &journal, "--json"]), 0);
    assert_eq!(run(&["store", "status", "--store", &store]), 0);
    assert!(Path::new(&report).join("index.html").is_file());

    let captured = path("captured");
    for json in [vec![], vec!["--json"]] {
        let capture =
            ["capture", "--config", &config, "--out", &captured, "--seconds", "2", "--fsync", "file"];
        assert_eq!(run(&[&capture[..], &json[..]].concat()), 0);
        assert_eq!(run(&[&["capture", "verify", captured.as_str()][..], &json[..]].concat()), 0);
    }
    let recordings = files(Path::new(&captured));
    let recordings: Vec<&str> = recordings.iter().map(String::as_str).collect();
    let replay = ["replay", "--config", &config, "--rates", "20000,max", "--report", &report];
    assert_eq!(run(&[&replay[..], &recordings[..]].concat()), 0);
    let cut = path("cut");
    let convert = ["capture", "--config", &config, "--out", &cut, "--until-time", "2100-01-01T00:00:00Z"];
    assert_eq!(run(&[&convert[..], &["--from"][..], &recordings[..]].concat()), 0);
    assert_eq!(run(&["capture", "verify", &cut]), 0);
    let broken =
        files(Path::new(&cut)).into_iter().max_by_key(|f| std::fs::metadata(f).map_or(0, |m| m.len()));
    let broken = broken.expect("a file");
    let mut bytes = std::fs::read(&broken).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8].fill(0x55);
    std::fs::write(&broken, bytes).expect("written");
    assert_eq!(run(&["capture", "verify", &cut]), 1, "what was damaged is found");
    drop(venue);

    // Served until a signal comes; by the time that its authority is written, the command listens for one.
    let ca_out = path("ca.pem");
    let written = ca_out.clone();
    let ender = std::thread::spawn(move || {
        let end = Instant::now() + Duration::from_secs(60);
        while !Path::new(&written).is_file() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        let own = std::process::id().to_string();
        assert!(Command::new("kill").args(["-INT", &own]).status().expect("kill runs").success());
    });
    let serve =
        ["venue", "serve", "--config", &config, "--ca-out", &ca_out, "--admin", "0", "--speed", "max"];
    assert_eq!(run(&[&serve[..], &["--wait-for-client", "--recorded"][..], &recordings[..]].concat()), 0);
    ender.join().expect("the signal was sent");
    assert!(Path::new(&ca_out).is_file());
}
