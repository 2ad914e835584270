//! What a demo proves of itself: its journal replays to the same order stream, and its audit trail is as it was written.

use super::super::Outcome;
use crate::audit::verify::{anchors_of, read_anchors};
use crate::audit::verify_file;
use crate::journal::JournalReader;
use crate::run::{Config, ReplayOptions, replay_journal};
use crate::strategy::StrategySpec;
use serde_json::{Value, json};
use std::path::Path;

pub(super) struct Proof {
    /// The order stream's hash of the run itself.
    hash: String,
    /// The order stream's hash when its journal was replayed, or why it was not.
    again: Result<String, String>,
    /// What the audit trail holds, or what is wrong with it; absent where none was written.
    trail: Option<Result<Trail, String>>,
}

struct Trail {
    records: u64,
    /// The last record's hash was told outside the file.
    anchored_to_the_last: bool,
}

impl Proof {
    pub(super) fn of(
        hash: &str,
        (journal, trail): (&Path, &Path),
        config: &Config,
        strategies: &'static [StrategySpec],
    ) -> Self {
        let trail = trail.exists().then(|| verified(trail));
        Self { hash: hash.to_owned(), again: replayed(journal, config, strategies), trail }
    }

    fn replays(&self) -> bool {
        self.again.as_ref() == Ok(&self.hash)
    }

    pub(super) fn outcome(&self) -> Outcome {
        let whole = !matches!(self.trail, Some(Err(_)));
        if self.replays() && whole { Outcome::Done } else { Outcome::Failed }
    }

    /// For the summary's JSON.
    pub(super) fn to_json(&self) -> Value {
        let replayed = match &self.again {
            Ok(again) => json!({"same": self.replays(), "order_stream_sha256": again}),
            Err(problem) => json!({"same": false, "problem": problem}),
        };
        let trail = match &self.trail {
            None => Value::Null,
            Some(Ok(found)) => {
                json!({"whole": true, "records": found.records, "anchored_to_the_last": found.anchored_to_the_last})
            }
            Some(Err(problem)) => json!({"whole": false, "problem": problem}),
        };
        json!({"journal_replayed": replayed, "audit_trail": trail})
    }

    /// For a person, with what to look at next.
    pub(super) fn tell(&self, next: &[String]) {
        println!();
        match &self.again {
            Ok(_) if self.replays() => {
                println!("the journal of this run was replayed: the same order stream, to the byte");
            }
            Ok(again) => println!("THE JOURNAL REPLAYS TO ANOTHER ORDER STREAM: {again}; please report this"),
            Err(problem) => println!("the journal could not be replayed: {problem}"),
        }
        match &self.trail {
            None => {}
            Some(Ok(found)) => println!(
                "its audit trail was verified: {} records, each as it was written{}",
                found.records,
                if found.anchored_to_the_last { ", anchored to the last" } else { "" }
            ),
            Some(Err(problem)) => println!("ITS AUDIT TRAIL DOES NOT VERIFY: {problem}; please report this"),
        }
        println!("next:");
        for line in next {
            println!("  {line}");
        }
    }
}

fn verified(trail: &Path) -> Result<Trail, String> {
    let anchors = anchors_of(trail);
    let anchors = if anchors.exists() { read_anchors(&anchors) } else { Ok(Vec::new()) };
    let found =
        anchors.and_then(|anchors| verify_file(trail, &anchors)).map_err(|error| error.to_string())?;
    Ok(Trail { records: found.records, anchored_to_the_last: found.anchored == Some(found.records) })
}

/// Replays the journal and says what order stream came out.
fn replayed(path: &Path, config: &Config, strategies: &'static [StrategySpec]) -> Result<String, String> {
    let mut journal = JournalReader::open(path).map_err(|e| e.to_string())?;
    let mut options = ReplayOptions::default();
    options.pipeline.strategies = strategies;
    let summary = replay_journal(config, &mut journal, options).map_err(|e| e.to_string())?;
    Ok(summary.order_stream_sha256)
}
