//! A history is whole whenever the process that imports is killed.

#[path = "support/history.rs"]
mod support;

use algo_trader::history::import::{ImportKind, ImportOptions, Imported};
use algo_trader::history::{Catalogue, CatalogueWriter, HistoryError};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use support::{Rng, import, read, segment_files, zipped};
use tempfile::tempdir;

const FILES: u64 = 12;
const ROWS: u64 = 20_000;

fn dumps(dir: &Path) -> Vec<PathBuf> {
    fs::create_dir_all(dir).expect("a directory");
    let dump = |number: u64| {
        let mut text = String::new();
        for row in 0..ROWS {
            let id = number * ROWS + row + 1;
            text.push_str(&format!("{id},{}.5,1.25,1,{},True,True\n", 100 + id % 7, 1_723_075_200_000 + id));
        }
        zipped(dir, &format!("BTCUSDT-trades-2024-08-{:02}.zip", number + 1), &text)
    };
    (0..FILES).map(dump).collect()
}

/// What a history that was left by a killed process must be: some of the files, each whole, and nothing else that a
/// reader could meet. Says how many.
fn check(history: &Path) -> u64 {
    let catalogue = match Catalogue::open(history) {
        Ok(catalogue) => catalogue,
        Err(HistoryError::Missing(_)) => return 0,
        Err(error) => panic!("{error}"),
    };
    let entries = catalogue.entries().len() as u64;
    assert!(catalogue.entries().iter().all(|e| e.rows == ROWS && e.segments[0].rows == ROWS));
    assert_eq!(read(history).len() as u64, entries * ROWS);
    entries
}

/// Files that an import which goes on has taken in.
fn imported(history: &Path) -> u64 {
    let catalogue = fs::read(history.join("catalogue.jsonl")).unwrap_or_default();
    catalogue.iter().filter(|byte| **byte == b'\n').count() as u64
}

#[test]
fn a_history_is_whole_whenever_an_import_is_killed_and_goes_on_from_there() {
    let dir = tempdir().expect("a directory");
    let dumps = dumps(&dir.path().join("dumps"));
    let history = dir.path().join("h");
    let mut rng = Rng(99);
    let mut seen = Vec::new();
    for round in 0..25u64 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_algo-trader"));
        command.args(["import", "binance", "--dir"]).arg(&history).args(&dumps);
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program runs");
        // Killed a moment after it has imported none, one or two, however slow or fast the machine is.
        let wanted = seen.last().unwrap_or(&0) + rng.below(3);
        while imported(&history) < wanted && child.try_wait().expect("can be asked").is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(rng.below(9)));
        child.kill().expect("can be killed");
        child.wait().expect("ends");
        let entries = check(&history);
        assert!(
            seen.last().is_none_or(|last| entries >= *last),
            "round {round}: lost imports: {seen:?} {entries}"
        );
        seen.push(entries);
        if entries == FILES {
            break;
        }
    }
    println!("files in the history after each kill: {seen:?}");
    assert!(seen.iter().any(|n| *n < FILES), "killed too late to see anything");
    for path in &dumps {
        import(&history, ImportKind::Binance, path, &ImportOptions::default()).expect("good files");
    }
    assert_eq!(check(&history), FILES);
    assert_eq!(segment_files(&history).len() as u64, FILES, "what killed imports left is swept");
    let series = Catalogue::open(&history).expect("there").series();
    assert_eq!((series.len(), series[0].gaps, series[0].rows), (1, Some(0), FILES * ROWS));
}

#[test]
fn a_catalogue_cut_at_any_byte_reads_to_its_last_whole_line_and_is_added_to_after_it() {
    let dir = tempdir().expect("a directory");
    let dumps = dumps(&dir.path().join("dumps"));
    let history = dir.path().join("h");
    for path in &dumps[..3] {
        import(&history, ImportKind::Binance, path, &ImportOptions::default()).expect("good files");
    }
    let path = history.join("catalogue.jsonl");
    let whole = fs::read(&path).expect("there");
    let ends: Vec<usize> =
        whole.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1).collect();
    for cut in (0..whole.len()).step_by(7).chain(ends.iter().copied()) {
        fs::write(&path, &whole[..cut]).expect("can be written");
        let catalogue = Catalogue::open(&history).expect("a cut line is nothing");
        assert_eq!(catalogue.entries().len(), ends.iter().filter(|end| **end <= cut).count(), "cut at {cut}");
    }
    // Cut in its last line, then added to: the third file is imported anew, and its segment is not there twice.
    fs::write(&path, &whole[..whole.len() - 9]).expect("can be written");
    let again = import(&history, ImportKind::Binance, &dumps[2], &ImportOptions::default());
    assert!(matches!(again, Ok(Imported::Added(..))), "{again:?}");
    assert_eq!(segment_files(&history).len(), 3);
    assert_eq!(check(&history), 3);

    // A line that is whole and says nothing is damage, and is not read over.
    let mut damaged = whole.clone();
    damaged[ends[0] + 1] = b'x';
    fs::write(&path, &damaged).expect("can be written");
    let error = Catalogue::open(&history).expect_err("damaged").to_string();
    assert!(error.contains("catalogue.jsonl:2"), "{error}");
    assert!(CatalogueWriter::open(&history).is_err());
    assert_eq!(segment_files(&history).len(), 3, "nothing is swept by a catalogue that cannot be read");

    // So is one that is there twice: each of its events would be.
    fs::write(&path, [&whole[..], &whole[ends[1]..]].concat()).expect("can be written");
    let error = Catalogue::open(&history).expect_err("damaged").to_string();
    assert!(error.contains("catalogue.jsonl:4"), "{error}");
}
