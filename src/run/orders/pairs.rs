//! Pairs paused, removed, resumed and added while a run goes on: a file that says how each is to be (`[trading] pairs_file`).
//!
//! One line an instrument: its name and a word. What is not named trades, so an empty file, or none, pauses nothing.
//!
//! ```text
//! binance:spot:BTCUSDT  paused     # no new orders; cancels and what only reduces go out
//! binance:spot:ETHUSDT  removed    # the same, and our open orders of it are taken back
//! binance:spot:BNBUSDT  resumed    # takes the venue's numbers over, after a difference halted it
//! binance:spot:SOLUSDT  added      # one of `[trading] standby` is followed and traded from now on
//! ```
//!
//! A file, since it can be written by hand, by a script and by a configuration tool, is there after a restart, and says what
//! holds instead of what was done. It is looked at five times a second by a thread of its own. What changed goes to the
//! order client, which tells the ring, so that risk and strategies know, the journal has it, and a replay does the same.
//! One that is added has its streams opened by the feed, and trades once its rules were read anew; it stays so for the
//! rest of the run. A line that cannot be read is told once, and while there is one nothing that is held is let go: it may be
//! what the line was to name. Nor is it where the file is there and cannot be read; one that is found empty is believed at
//! the second look, since whoever writes it anew may have got no further.

use super::gateway::OrdersControl;
use crate::domain::{Instrument, InstrumentId, InstrumentTable};
use crate::run::affinity::keep_to;
use crossbeam_channel::Sender;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks at the file.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How a pair is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Paused,
    Removed,
    Resumed,
    Added,
}

impl Wanted {
    fn holds(self) -> bool {
        matches!(self, Self::Paused | Self::Removed)
    }
}

/// What is to be done with a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PairChange {
    Pause(InstrumentId),
    Remove(InstrumentId),
    /// A person says that it is to trade again, whatever held it.
    Resume(InstrumentId),
    /// The file holds it no longer.
    Unpause(InstrumentId),
    /// Not of the file: an operator has looked at what a difference halted.
    LookedAt(InstrumentId),
    Add(InstrumentId),
}

type Pairs = BTreeMap<InstrumentId, Wanted>;

/// What the file says, and what of it cannot be read; with such a line, what was held stays so.
fn read(text: &str, table: &InstrumentTable, before: &Pairs) -> (Pairs, Vec<String>) {
    let (mut pairs, mut problems) = (Pairs::new(), Vec::new());
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(name) = words.next() else { continue };
        let wanted = match (words.next(), words.next()) {
            (Some("paused"), None) => Some(Wanted::Paused),
            (Some("removed"), None) => Some(Wanted::Removed),
            (Some("resumed"), None) => Some(Wanted::Resumed),
            (Some("added"), None) => Some(Wanted::Added),
            _ => None,
        };
        match (table.by_name(name), wanted) {
            (Some(of), Some(wanted)) => {
                let other = pairs.insert(of.id, wanted).filter(|other| *other != wanted);
                if let Some(other) = other {
                    problems.push(format!("line {}: {name} is named twice, and not alike", index + 1));
                    // Of the two the one that holds it.
                    let holds = [other, wanted].into_iter().find(|wanted| wanted.holds()).unwrap_or(wanted);
                    pairs.insert(of.id, holds);
                }
            }
            (None, _) => problems.push(format!("line {}: {name} is no instrument of this run", index + 1)),
            (Some(_), None) => problems.push(format!(
                "line {}: after {name} must stand one word: paused, removed, resumed or added",
                index + 1
            )),
        }
    }
    if !problems.is_empty() {
        for (id, was) in before.iter().filter(|(_, was)| was.holds()) {
            pairs.entry(*id).or_insert(*was);
        }
    }
    (pairs, problems)
}

/// What has to be done to come from one state to the other.
fn changes(before: &Pairs, now: &Pairs) -> Vec<PairChange> {
    let held = |was: Option<&Wanted>| was.is_some_and(|was| was.holds());
    let told = now.iter().filter(|(id, wanted)| before.get(id) != Some(wanted));
    let told = told.flat_map(|(id, wanted)| match wanted {
        Wanted::Paused => [Some(PairChange::Pause(*id)), None],
        Wanted::Removed => [Some(PairChange::Remove(*id)), None],
        Wanted::Resumed => [Some(PairChange::Resume(*id)), None],
        Wanted::Added => {
            [Some(PairChange::Add(*id)), held(before.get(id)).then_some(PairChange::Unpause(*id))]
        }
    });
    let gone = before.iter().filter(|(id, was)| !now.contains_key(id) && held(Some(was)));
    told.flatten().chain(gone.map(|(id, _)| PairChange::Unpause(*id))).collect()
}

/// A change as a person reads it.
fn told(change: PairChange, table: &InstrumentTable) -> String {
    let (of, what) = match change {
        PairChange::Pause(of) => (of, "is paused"),
        PairChange::Remove(of) => (of, "is removed"),
        PairChange::Resume(of) | PairChange::LookedAt(of) => (of, "is resumed"),
        PairChange::Unpause(of) => (of, "is paused no more"),
        PairChange::Add(of) => (of, "is added"),
    };
    format!("{} {what}", table.get(of).name())
}

/// What a watch of the file needs.
pub(super) struct PairsWatch {
    pub path: PathBuf,
    pub table: InstrumentTable,
    /// Where the feed hears of what is added.
    pub additions: Option<Sender<Instrument>>,
    pub control: Arc<OrdersControl>,
    pub wake: Arc<mio::Waker>,
    /// Where changes go.
    pub out: Sender<PairChange>,
}

/// The file, and what it last said.
struct PairsFile {
    path: PathBuf,
    table: InstrumentTable,
    pairs: Pairs,
    /// What it said when it was last looked at; a short file, and its times may be whatever who wrote it likes.
    last: Vec<u8>,
    /// Whether it was found empty, and could not be read, when it was last looked at.
    empty: bool,
    unread: bool,
    /// Whether what it says at the start was taken over.
    begun: bool,
}

impl PairsFile {
    fn new(path: PathBuf, table: InstrumentTable) -> Self {
        Self { path, table, pairs: Pairs::new(), last: Vec::new(), empty: false, unread: false, begun: false }
    }

    /// What is to be done by what it says now.
    fn look(&mut self) -> Vec<PairChange> {
        // A file that is gone says nothing.
        let bytes = match std::fs::read(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            read => read.map_err(|error| error.to_string()),
        };
        let changed = bytes.as_ref().is_ok_and(|bytes| *bytes != self.last);
        if bytes.is_ok() && !changed && !self.empty && !self.unread {
            self.begun = true;
            return Vec::new();
        }
        let text = bytes.and_then(|bytes| {
            self.last.clone_from(&bytes);
            String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())
        });
        let text = match text {
            Ok(text) => text,
            Err(problem) => {
                if changed || !self.unread {
                    log::error!("{}: {problem}: pairs stay as they were", self.path.display());
                }
                self.unread = true;
                return Vec::new();
            }
        };
        self.unread = false;
        // One that is being written, or replaced, has something in it a moment later.
        self.empty = text.trim().is_empty() && !self.pairs.is_empty() && !self.empty;
        if self.empty {
            return Vec::new();
        }
        let (wanted, problems) = read(&text, &self.table, &self.pairs);
        for problem in problems {
            log::error!("{}: {problem}", self.path.display());
        }
        let mut changes = changes(&self.pairs, &wanted);
        if !self.begun {
            // What stood there before the run is nobody's word on what halted it since.
            for change in &mut changes {
                if let PairChange::Resume(id) = *change {
                    *change = PairChange::Unpause(id);
                }
            }
        }
        (self.pairs, self.begun) = (wanted, true);
        changes
    }
}

impl PairsWatch {
    /// Watches the file until the orders' thread is over; what it says at the start is there at once.
    pub fn start(self, cores: Vec<usize>) -> std::io::Result<()> {
        let Self { path, table, additions, control, wake, out } = self;
        let mut file = PairsFile::new(path, table);
        let mut look = move || {
            let changes = file.look();
            for change in &changes {
                log::warn!("{}: {}", file.path.display(), told(*change, &file.table));
                if let (PairChange::Add(id), Some(additions)) = (change, &additions) {
                    // A feed that is over follows nothing any more.
                    let _ = additions.send(file.table.get(*id).clone());
                }
                if out.send(*change).is_err() {
                    return false;
                }
            }
            if !changes.is_empty() {
                // A waker that cannot wake means a change that is seen a millisecond later.
                let _ = wake.wake();
            }
            true
        };
        look();
        std::thread::Builder::new().name("at-pairs".into()).spawn(move || {
            keep_to(&cores);
            while !control.is_over() && look() {
                std::thread::sleep(LOOK_EVERY);
            }
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Market;
    use crate::domain::instrument::tests::sample;

    fn table() -> InstrumentTable {
        let all = ["BTCUSDT", "ETHUSDT", "BNBUSDT"].map(|symbol| sample(Market::Spot, symbol)).to_vec();
        InstrumentTable::new(all).expect("distinct")
    }

    #[test]
    fn a_line_says_how_a_pair_is_to_be_and_what_is_none_is_told() {
        let text = "# a comment\n\nbinance:spot:BTCUSDT paused # for now\n binance:spot:ETHUSDT\tremoved\n\
                    binance:spot:XRPUSDT paused\nbinance:spot:BNBUSDT\nbinance:spot:BNBUSDT paused now\n";
        let (pairs, problems) = read(text, &table(), &Pairs::new());
        let expected = [(InstrumentId(0), Wanted::Paused), (InstrumentId(1), Wanted::Removed)];
        assert_eq!(pairs, Pairs::from(expected));
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[0].starts_with("line 5: binance:spot:XRPUSDT is no instrument"), "{problems:?}");
    }

    #[test]
    fn what_changed_is_done_and_what_is_named_no_more_trades() {
        let (a, b) = (InstrumentId(0), InstrumentId(1));
        let none = Pairs::new();
        let both = Pairs::from([(a, Wanted::Paused), (b, Wanted::Resumed)]);
        assert_eq!(changes(&none, &both), [PairChange::Pause(a), PairChange::Resume(b)]);
        assert_eq!(changes(&both, &both), []);
        let removed = Pairs::from([(a, Wanted::Removed)]);
        assert_eq!(changes(&both, &removed), [PairChange::Remove(a)]);
        assert_eq!(changes(&removed, &none), [PairChange::Unpause(a)]);
        assert_eq!(changes(&both, &none), [PairChange::Unpause(a)], "what was resumed trades anyway");
        let added = Pairs::from([(a, Wanted::Added)]);
        assert_eq!(changes(&none, &added), [PairChange::Add(a)]);
        assert_eq!(changes(&removed, &added), [PairChange::Add(a), PairChange::Unpause(a)]);
        assert_eq!(changes(&added, &none), [], "what was added stays");
    }

    #[test]
    fn what_is_held_is_not_let_go_by_what_cannot_be_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("pairs");
        let (a, b) = (InstrumentId(0), InstrumentId(1));
        let mut file = PairsFile::new(path.clone(), table());
        let mut says = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("writable");
            file.look()
        };
        // A word that stood there before the run says nothing of what halts a pair in it.
        let said = says(b"binance:spot:BTCUSDT paused\nbinance:spot:ETHUSDT resumed\n");
        assert_eq!(said, [PairChange::Pause(a), PairChange::Unpause(b)]);
        assert_eq!(says(b"binance:spot:BTCUSDT paused until monday\n"), []);
        assert_eq!(
            says(b"binance:spot:BTCUSD paused\nbinance:spot:ETHUSDT paused\n"),
            [PairChange::Pause(b)]
        );
        assert_eq!(says(b"binance:spot:BTCUSDT paused # f\xfcr jetzt\n"), []);
        assert_eq!(says(b"binance:spot:BTCUSDT paused\n"), [PairChange::Unpause(b)]);
        assert_eq!(says(b"binance:spot:BTCUSDT paused\nbinance:spot:BTCUSDT added\n"), []);
        assert_eq!(says(b"binance:spot:BTCUSDT paused\n"), []);
        assert_eq!(says(b""), [], "it may be being written");
        assert_eq!(says(b"binance:spot:BTCUSDT paused\n"), []);
        assert_eq!((says(b" \n"), says(b" \n")), (vec![], vec![PairChange::Unpause(a)]));
        assert_eq!(says(b"binance:spot:ETHUSDT resumed\n"), [PairChange::Resume(b)]);
    }
}
