//! Going on where an earlier run ended, however it ended: what its journal says, and whether this run can go on with it.
//!
//! The order manager's state, positions, wallets and open orders come from the journal. Algorithms begin anew: a strategy
//! finds its positions, orders and protections in its context, and nothing else of the earlier run. The venue is asked
//! how each order stands, and what traded meanwhile is booked. The new run has a journal of its own, which begins with what was
//! recovered, so that it replays and can be recovered itself, and beside the earlier one is noted that this one goes on with it; and the earlier run's epoch, since its orders go on under
//! their ids. A halt of the earlier run stays, and
//! a pause by an operator or for a difference; by the venue and by the pairs file it is said anew.

use super::config::Config;
use crate::domain::decimal::Scaled;
use crate::domain::event::Command;
use crate::domain::{InstrumentId, InstrumentTable, Kill, Qty, Slot};
use crate::journal::reader::{has_ended, is_journal};
use crate::journal::successor::{note_of, note_successor, successor};
use crate::journal::{JournalError, JournalHeader, JournalReader, Lineage, LockedFile, Recovered, recover};
use crate::venue::binance::client::trading_venue;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a run cannot go on where another ended.
#[derive(Debug, Error)]
pub enum RecoverError {
    /// The journal does not read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// There is none.
    #[error("{0}: no journal is there to go on from")]
    NoJournal(PathBuf),
    /// There are such of other runs alone.
    #[error(
        "{dir}: holds no journal of a run named {run:?} to go on from, only of {}: is that its directory, and [run] name its \
         name? Name the journal itself to go on with another run's", others.join(", ")
    )]
    OfOthers {
        /// Which directory.
        dir: PathBuf,
        /// The run that was to go on.
        run: String,
        /// Whose journals are there, a few of them.
        others: Vec<String>,
    },
    /// One that was written last does not read.
    #[error(
        "{0}: was written later than every journal here that reads, and does not: name the journal to go on from, or move \
         this file away if its run sent nothing"
    )]
    Unread(PathBuf),
    /// Its run goes on.
    #[error(
        "{0}: the run that writes this journal goes on; end it first, since two runs would send orders for one"
    )]
    Running(PathBuf),
    /// Another run goes on with it, whose journal is not where it was.
    #[error(
        "{path}: was gone on with by {next}, which is not there: its orders and positions would be unknown. Put it back, or \
         name it where it is now; if that run is known to have sent nothing, remove {}", note_of(path).display()
    )]
    Lost {
        /// Which journal.
        path: PathBuf,
        /// What goes on with it.
        next: PathBuf,
    },
    /// Those that went on with each other come round to where they began.
    #[error(
        "{}: says that {path} was gone on with by a run that it goes on with itself: name the journal that was written \
         last, and remove that note", note_of(path).display()
    )]
    Circle {
        /// The journal whose note leads back.
        path: PathBuf,
    },
    /// Whether another run goes on with it cannot be told, or noted.
    #[error(
        "{}: says which run goes on with {path}, and cannot be {done}: {error}", note_of(path).display()
    )]
    Note {
        /// Which journal.
        path: PathBuf,
        /// What could not be done.
        done: &'static str,
        /// Why.
        error: io::Error,
    },
    /// This run would keep none.
    #[error("--recover needs a journal for this run too: --journal, or [journal] path")]
    NoneOfItsOwn,
    /// Its run sent no orders.
    #[error("{path}: its run sent no orders ([trading] mode was \"paper\"): there is nothing to go on with")]
    Paper {
        /// Which journal.
        path: PathBuf,
    },
    /// This run would send none.
    #[error("--recover is for live orders: set [trading] mode = \"live\"")]
    NotLive,
    /// Another account.
    #[error(
        "{path}: its run traded for the account {then}, and the key here is of the account {now}: its orders and positions \
         are not this account's. Give a key of that account, or the journal of a run of this one"
    )]
    Account {
        /// Which journal.
        path: PathBuf,
        /// Whose it was, by the venue's number.
        then: u64,
        /// Whose the key is.
        now: u64,
    },
    /// Other strategies.
    #[error(
        "{path}: strategy {index} was {then} there, and is {now} here: positions and orders are a strategy's own, so give the configuration of that run"
    )]
    Strategies {
        /// Which journal.
        path: PathBuf,
        /// Which strategy, from 1.
        index: usize,
        /// What it was.
        then: String,
        /// What it is.
        now: String,
    },
    /// Other instruments, or at another precision.
    #[error(
        "{path}: instrument {index} was {then} there, and is {now} here: what was recovered would be of something else"
    )]
    Instruments {
        /// Which journal.
        path: PathBuf,
        /// Which instrument, from 1.
        index: usize,
        /// What it was.
        then: String,
        /// What it is.
        now: String,
    },
}

/// An earlier run.
pub struct Earlier {
    /// Its journal.
    pub path: PathBuf,
    /// What it was.
    pub header: JournalHeader,
    /// What tells it from every other run.
    pub run_key: String,
    /// What it left.
    pub recovered: Recovered,
    /// The journal that was named, where others went on with it and `path` is the last of them.
    pub named: Option<PathBuf>,
}

impl Earlier {
    /// Reads a journal, or of a directory the newest one of the runs named `run`. Where another run went on with it already,
    /// the last that did is read: what came between would be traded twice.
    ///
    /// # Errors
    /// [`RecoverError`].
    pub fn read(place: &Path, run: &str) -> Result<Self, RecoverError> {
        let path = if place.is_dir() { newest_in(place, run)? } else { Some(place.to_owned()) };
        let named = path.ok_or_else(|| RecoverError::NoJournal(place.to_owned()))?;
        let path = last_of(&named)?;
        if let Ok(file) = File::open(&path)
            && LockedFile::is_held(&file)
        {
            return Err(RecoverError::Running(path));
        }
        let run_key = JournalReader::open(&path)?.run_key().to_owned();
        let (header, recovered) = recover(&path)?;
        if header.balances.is_none() {
            return Err(RecoverError::Paper { path });
        }
        let named = (named != path).then_some(named);
        Ok(Self { path, header, run_key, recovered, named })
    }

    /// Notes that the run of the journal `next`, which is there, goes on with it: nobody else will.
    ///
    /// # Errors
    /// [`RecoverError::Note`] where another does already, or the note cannot be written.
    pub fn gone_on_with_by(path: &Path, next: Option<&Path>) -> Result<(), RecoverError> {
        let next = next.ok_or(RecoverError::NoneOfItsOwn)?;
        note_successor(path, next).map_err(|error| {
            let done = if error.kind() == io::ErrorKind::AlreadyExists {
                "written twice, since another run went on with it just now"
            } else {
                "written"
            };
            RecoverError::Note { path: path.to_owned(), done, error }
        })
    }

    /// Whether a run of `config` for this account can go on with it: the same account, as far as both numbers are known, and
    /// the same strategies on the same instruments, at the same precision. A key may have been replaced.
    ///
    /// # Errors
    /// [`RecoverError`] with what differs.
    pub fn fits(&self, config: &Config, account: Option<u64>) -> Result<(), RecoverError> {
        let none = || "none".to_owned();
        let path = || self.path.clone();
        if let (Some(then), Some(now)) = (self.header.account, account)
            && then != now
        {
            return Err(RecoverError::Account { path: path(), then, now });
        }
        let strategies = self.header.strategies.len().max(config.strategies.len());
        for index in 0..strategies {
            let name = |label: &str, name: &str, instruments: &[InstrumentId]| {
                let ids: Vec<u16> = instruments.iter().map(|id| id.0).collect();
                format!("{label} ({name}) on instruments {ids:?}")
            };
            let then = self.header.strategies.get(index);
            let then = then.map_or_else(none, |s| name(&s.label, &s.name, &s.instruments));
            let now = config.strategies.get(index);
            let now = now.map_or_else(none, |s| name(&s.label, &s.name, &s.instruments));
            if then != now {
                return Err(RecoverError::Strategies { path: path(), index: index + 1, then, now });
            }
        }
        for (index, then) in self.header.instruments.iter().enumerate() {
            let shown = |i: &crate::domain::Instrument| {
                format!("{} with {} and {} decimals", i.name(), i.price_decimals, i.qty_decimals)
            };
            let (then, now) = (shown(then), config.instruments.all().get(index).map_or_else(none, shown));
            if then != now {
                return Err(RecoverError::Instruments { path: path(), index: index + 1, then, now });
            }
        }
        Ok(())
    }

    /// What takes no orders in a run of `config` that goes on with it since the venue does not list it, or not so that it can
    /// be used: each by its name, and for a person why, and what that leaves.
    #[must_use]
    pub fn told_of_unlisted(
        &self,
        config: &Config,
        unlisted: &[(InstrumentId, String)],
    ) -> Vec<(String, String)> {
        let told = |(of, problem): &(InstrumentId, String)| {
            let left = self.told_of_positions(*of).map_or_else(String::new, |held| {
                format!("; {held} of it is held, and NOTHING PROTECTS OR CLOSES IT until then")
            });
            let why = format!(
                "takes no orders until the venue lists it so that it can be used, which is asked for on ({problem}){left}"
            );
            (config.instruments.get(*of).name(), why)
        };
        unlisted.iter().map(told).collect()
    }

    /// The same of what it left in instruments that stand by in that run.
    #[must_use]
    pub fn told_of_standby(&self, config: &Config) -> Vec<(String, String)> {
        let told = |of: &InstrumentId| {
            let held = self.told_of_positions(*of)?;
            let why = format!(
                "stands by ([trading] standby), and {held} of it is held: nothing protects or closes that until the pairs file \
                 adds it"
            );
            Some((config.instruments.get(*of).name(), why))
        };
        config.trading.standby.iter().filter_map(told).collect()
    }

    /// What each strategy held of an instrument, for a person; none where nobody held a lot of it, less than which, as a
    /// commission leaves it, no order could close.
    fn told_of_positions(&self, of: InstrumentId) -> Option<String> {
        let instrument = self.header.instruments.get(of.index())?;
        let desks = self.recovered.desks.iter().zip(&self.header.strategies);
        let held = desks.filter_map(|(desk, strategy)| {
            let qty = desk.positions.get(of.index()).map(|position| position.qty)?;
            let shown = Scaled { value: qty.0.into(), decimals: instrument.qty_decimals };
            (instrument.whole_lots(qty) != Qty::ZERO).then(|| format!("{shown:#} ({})", strategy.label))
        });
        let held: Vec<String> = held.collect();
        (!held.is_empty()).then(|| held.join(", "))
    }

    /// Where a run that goes on with it stands.
    #[must_use]
    pub fn lineage(&self) -> Lineage {
        match &self.header.lineage {
            Some(of) => Lineage { first: of.first.clone(), nth: of.nth.saturating_add(1) },
            None => Lineage { first: self.run_key.clone(), nth: 1 },
        }
    }

    /// What stays paused, halted and killed, as events for the new run's ring: pauses first, since what is paused for a
    /// difference is not closed by a kill that is carried over, and before all that nothing can be sent, since what protects
    /// it stays until the account was compared. Who sends orders says so too, and when they are taken, but not yet.
    #[must_use]
    pub fn standing_commands(&self) -> Vec<Slot> {
        let table = InstrumentTable::new(self.header.instruments.clone()).ok();
        let suspended = table.and_then(|table| trading_venue(&table)).map(Command::Suspend);
        let paused = self.recovered.paused.iter().map(|(id, by)| Command::Pause(*id, *by));
        let halted = self.recovered.halted.then_some(Command::Halt);
        let killed = self.recovered.killed.iter();
        let killed = killed.map(|kill| Command::Kill(Kill { carried: true, ..*kill }));
        suspended.into_iter().chain(paused).chain(halted).chain(killed).map(Slot::command).collect()
    }

    /// That it was of a run with another name, as one may be whose journal was named itself; for a person.
    #[must_use]
    pub fn told_of_another_name(&self, run: &str) -> Option<String> {
        let name = &self.header.run_name;
        (!is_of(name, run)).then(|| {
            format!(
                "{} is the journal of a run named {name:?}, and this one, which goes on with it, is named {run:?}",
                self.path.display()
            )
        })
    }

    /// What it left, for a person.
    #[must_use]
    pub fn told(&self) -> String {
        let desks = &self.recovered.desks;
        let count = |of: fn(&crate::strategy::desk::DeskState) -> usize| desks.iter().map(of).sum::<usize>();
        let after = self.named.as_ref().map_or_else(String::new, |named| {
            format!(" (the newest journal that goes on with {})", named.display())
        });
        format!(
            "going on from {}{after}, {} at event {}: {} orders may be with the venue, {} are held, {} protections in force",
            self.path.display(),
            if self.recovered.finished { "which ended" } else { "which was cut" },
            self.recovered.seq,
            self.recovered.with_the_venue().count(),
            count(|desk| desk.manager.held().len()),
            count(|desk| desk.manager.protections().len()),
        )
    }
}

/// The last journal of those that went on one with another, from `path` on.
fn last_of(path: &Path) -> Result<PathBuf, RecoverError> {
    let mut path = path.to_owned();
    let mut seen = BTreeSet::new();
    loop {
        let note = successor(&path);
        match note.map_err(|error| RecoverError::Note { path: path.clone(), done: "read", error })? {
            None => return Ok(path),
            Some(next) if next.is_file() => {
                // By what the file is: a note may name it in another way.
                seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone()));
                if seen.contains(&next.canonicalize().unwrap_or_else(|_| next.clone())) {
                    return Err(RecoverError::Circle { path });
                }
                path = next;
            }
            Some(next) => return Err(RecoverError::Lost { path, next }),
        }
    }
}

/// Whether a journal of a run with this name may be gone on with by one named `run`. The oldest journals have no name.
fn is_of(name: &str, run: &str) -> bool {
    name.is_empty() || name == run
}

/// Names of other runs that are told.
const OTHERS_TOLD: usize = 5;

/// The journal in a directory whose run was started last, of the runs named `run`: several may keep theirs in one.
///
/// # Errors
/// [`RecoverError::Unread`] where one that was written later does not read: to go on from the one before it would use its
/// numbers again, and know nothing of its orders. [`RecoverError::OfOthers`] where there are journals of other runs alone.
fn newest_in(dir: &Path, run: &str) -> Result<Option<PathBuf>, RecoverError> {
    let Ok(files) = std::fs::read_dir(dir) else { return Ok(None) };
    let written = |path: &Path| std::fs::metadata(path).and_then(|of| of.modified()).ok();
    let (mut newest, mut unread, mut others) = (None, Vec::new(), BTreeSet::new());
    for path in files.flatten().map(|entry| entry.path()).filter(|path| path.is_file()) {
        let reader = if is_journal(&path) { JournalReader::open(&path).ok() } else { None };
        match reader {
            Some(reader) if is_of(&reader.header().run_name, run) => {
                newest = newest.max(Some((reader.header().started_ns, path)));
            }
            Some(reader) => _ = others.insert(reader.header().run_name.clone()),
            None if path.extension().is_some_and(|of| of == "journal") => unread.push(path),
            None => {}
        }
    }
    let newest = newest.map(|(_, path)| path);
    let later = |path: &&PathBuf| newest.as_deref().is_some_and(|read| written(path) >= written(read));
    if let Some(path) = unread.iter().find(later) {
        return Err(RecoverError::Unread(path.clone()));
    }
    if newest.is_none() && !others.is_empty() {
        let others = others.into_iter().take(OTHERS_TOLD).map(|name| format!("{name:?}")).collect();
        return Err(RecoverError::OfOthers { dir: dir.to_owned(), run: run.to_owned(), others });
    }
    Ok(newest)
}

/// The newest journal of the runs named `run` in `dir`, where it is of a live one that neither ended nor goes on: whoever
/// starts anew beside it may have meant to go on with it.
#[must_use]
pub fn left_unended(dir: &Path, run: &str) -> Option<PathBuf> {
    let path = newest_in(dir, run).ok()??;
    let is_held = LockedFile::is_held(&File::open(&path).ok()?);
    let is_live = JournalReader::open(&path).ok()?.header().balances.is_some();
    let is_gone_on_with = note_of(&path).exists();
    (!is_held && is_live && !is_gone_on_with && !has_ended(&path).ok()?).then_some(path)
}

/// Where the new run's journal goes: where it was asked for, or, if the earlier one is there, beside it under the next
/// free number: `run.journal`, `run.2.journal`, `run.3.journal`.
#[must_use]
pub fn next_journal(asked: &Path) -> PathBuf {
    if !asked.exists() {
        return asked.to_owned();
    }
    let stem = asked.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let (base, first) = match stem.rsplit_once('.') {
        Some((base, number)) if number.parse::<u32>().is_ok() => {
            (base.to_owned(), number.parse().unwrap_or(1))
        }
        _ => (stem, 1u32),
    };
    let named = |number: u32| {
        let mut name = format!("{base}.{number}");
        if let Some(extension) = asked.extension() {
            name = format!("{name}.{}", extension.to_string_lossy());
        }
        asked.with_file_name(name)
    };
    (first.saturating_add(1)..u32::MAX)
        .map(named)
        .find(|path| !path.exists())
        .unwrap_or_else(|| asked.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_journal_lies_beside_those_that_are_there() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let asked = dir.path().join("run.journal");
        assert_eq!(next_journal(&asked), asked);
        std::fs::write(&asked, "").expect("written");
        let second = dir.path().join("run.2.journal");
        assert_eq!(next_journal(&asked), second);
        std::fs::write(&second, "").expect("written");
        assert_eq!(next_journal(&asked), dir.path().join("run.3.journal"));
        assert_eq!(next_journal(&second), dir.path().join("run.3.journal"));
    }

    #[test]
    fn journals_that_go_on_with_each_other_in_a_circle_are_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let [a, b, c] = ["a", "b", "c"].map(|name| dir.path().join(format!("{name}.journal")));
        for path in [&a, &b, &c] {
            std::fs::write(path, "").expect("written");
        }
        for (path, next) in [(&a, &b), (&b, &c)] {
            note_successor(path, next).expect("a note");
        }
        assert_eq!(last_of(&a).expect("it ends"), c);
        note_successor(&c, &b).expect("a note");
        let refused = last_of(&a).expect_err("it comes round");
        assert!(matches!(&refused, RecoverError::Circle { path } if *path == c), "{refused}");
        // Named in another way.
        std::fs::remove_file(note_of(&c)).expect("ours");
        std::fs::write(note_of(&c), "./c.journal\n").expect("written");
        assert!(matches!(last_of(&a), Err(RecoverError::Circle { .. })));
    }

    #[test]
    fn a_live_run_that_did_not_end_is_found() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("run.journal");
        let (header, policy) = (crate::journal::JournalHeader::default(), crate::journal::SyncPolicy::Never);
        let live = crate::journal::JournalHeader { balances: Some(Vec::new()), ..header.clone() };
        for (header, ends, found) in [(&live, false, true), (&live, true, false), (&header, false, false)] {
            assert_eq!(left_unended(dir.path(), ""), None, "none is there");
            let mut writer =
                crate::journal::JournalWriter::create(&path, header, policy).expect("a new file");
            if ends {
                writer.finish().expect("a good disk");
            }
            assert_eq!(left_unended(dir.path(), ""), None, "it goes on, or has ended");
            drop(writer);
            assert_eq!(left_unended(dir.path(), ""), found.then(|| path.clone()), "{ends}");
            std::fs::remove_file(&path).expect("ours");
        }
    }

    #[test]
    fn a_newer_journal_that_does_not_read_is_not_passed_over() {
        let dir = tempfile::tempdir().expect("a directory");
        let (read, other) = (dir.path().join("run.journal"), dir.path().join("run.2.journal"));
        let header = crate::journal::JournalHeader::default();
        let policy = crate::journal::SyncPolicy::Never;
        let mut writer = crate::journal::JournalWriter::create(&read, &header, policy).expect("a new file");
        writer.finish().expect("a good disk");
        std::fs::write(dir.path().join("notes.txt"), "later, and no journal").expect("written");
        assert_eq!(newest_in(dir.path(), "gina").expect("one reads"), Some(read.clone()));
        // What a loss of power may leave of the one that went on with it.
        std::fs::write(&other, [0; 100]).expect("written");
        assert!(matches!(newest_in(dir.path(), "gina"), Err(RecoverError::Unread(path)) if path == other));
        let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3_600);
        File::options().write(true).open(&other).and_then(|file| file.set_modified(long_ago)).expect("ours");
        assert_eq!(newest_in(dir.path(), "gina").expect("one reads"), Some(read));
    }

    #[test]
    fn of_runs_that_keep_their_journals_in_one_directory_each_goes_on_with_its_own() {
        let dir = tempfile::tempdir().expect("a directory");
        let write = |file: &str, run: &str, started_ns: u64| {
            let header = crate::journal::JournalHeader {
                run_name: run.to_owned(),
                started_ns,
                balances: Some(Vec::new()),
                ..crate::journal::JournalHeader::default()
            };
            let path = dir.path().join(file);
            let policy = crate::journal::SyncPolicy::Never;
            drop(crate::journal::JournalWriter::create(&path, &header, policy).expect("a new file"));
            path
        };
        let found = |run: &str| Earlier::read(dir.path(), run).map(|earlier| earlier.path);
        let frank = write("2.journal", "frank", 20);
        let refused = found("gina").expect_err("none is hers");
        assert!(
            matches!(&refused, RecoverError::OfOthers { others, .. } if *others == ["\"frank\""]),
            "{refused}"
        );
        assert_eq!(left_unended(dir.path(), "gina"), None);
        let (gina, _) = (write("1.journal", "gina", 10), write("0.journal", "gina", 5));
        for (run, path) in [("gina", &gina), ("frank", &frank)] {
            assert_eq!(&found(run).expect("it reads"), path, "{run}");
            assert_eq!(left_unended(dir.path(), run).as_ref(), Some(path), "{run}");
        }
        // One that is named itself is gone on with all the same, and it is told whose it was.
        let named = Earlier::read(&frank, "gina").expect("it reads");
        assert!(named.told_of_another_name("gina").is_some_and(|told| told.contains("\"frank\"")));
        assert_eq!(named.told_of_another_name("frank"), None);
        // The oldest journals say no name.
        let nameless = write("3.journal", "", 30);
        assert_eq!(found("gina").expect("it reads"), nameless);
    }

    #[test]
    fn nothing_can_be_sent_where_the_kills_of_the_run_before_come_until_who_sends_orders_says_so() {
        use crate::domain::instrument::tests::sample;
        use crate::domain::{DenyReason, Market, PausedBy, Scope, VenueId};
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("run.journal");
        // The first part of a venue is one that no orders are sent to.
        let instruments = vec![sample(Market::UsdM, "BTCUSDT"), sample(Market::Spot, "BTCUSDT")];
        let header = crate::journal::JournalHeader {
            instruments,
            balances: Some(Vec::new()),
            ..crate::journal::JournalHeader::default()
        };
        let policy = crate::journal::SyncPolicy::Never;
        let mut writer = crate::journal::JournalWriter::create(&path, &header, policy).expect("a new file");
        writer.finish().expect("a good disk");
        drop(writer);
        let mut earlier = Earlier::read(&path, "").expect("it reads");
        let kill = Kill { scope: Scope::All, cause: DenyReason::Killed, flatten: true, carried: false };
        let of = InstrumentId(1);
        earlier.recovered.killed.push(kill);
        earlier.recovered.paused.push((of, PausedBy::Difference));
        let wanted = [
            Command::Suspend(VenueId(1)),
            Command::Pause(of, PausedBy::Difference),
            Command::Kill(Kill { carried: true, ..kill }),
        ];
        let told: Vec<_> = earlier.standing_commands().iter().map(Slot::canonical).collect();
        assert_eq!(told, wanted.map(|command| Slot::command(command).canonical()));
    }

    #[test]
    fn what_is_held_of_an_instrument_that_takes_no_orders_is_told_with_whose_it_is() {
        use crate::domain::instrument::tests::sample;
        use crate::domain::{Market, Position, Price, Side};
        use crate::strategy::desk::DeskState;
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("run.journal");
        let mut instruments = ["BTCUSDT", "ETHUSDT"].map(|symbol| sample(Market::Spot, symbol)).to_vec();
        (instruments[1].lot, instruments[1].min_qty) = (Qty(10), Qty(10));
        let of = [0, 1].map(InstrumentId);
        let strategy = crate::journal::JournalStrategy {
            label: "mine".into(),
            name: "holds".into(),
            instruments: of.to_vec(),
        };
        let header = JournalHeader {
            instruments: instruments.clone(),
            strategies: vec![strategy],
            balances: Some(Vec::new()),
            ..JournalHeader::default()
        };
        let policy = crate::journal::SyncPolicy::Never;
        drop(crate::journal::JournalWriter::create(&path, &header, policy).expect("a new file"));
        let mut earlier = Earlier::read(&path, "").expect("it reads");
        let mut position = Position::default();
        position.apply(Side::Buy, Qty(1_500), Price(10_000), 0);
        // What a commission left of the other no order could close.
        let mut left = Position::default();
        left.apply(Side::Buy, Qty(9), Price(10_000), 0);
        let positions = vec![position, left];
        earlier.recovered.desks = vec![DeskState { positions, ..DeskState::default() }];
        let mut config = Config::embedded_default();
        config.instruments = InstrumentTable::new(instruments).expect("distinct");
        config.trading.standby = of.to_vec();
        let told = earlier.told_of_standby(&config);
        assert!(
            matches!(&told[..], [(name, why)] if name == "binance:spot:BTCUSDT" && why.contains("1.5 (mine) of it is held")),
            "{told:?}"
        );
        let told = earlier.told_of_unlisted(&config, &of.map(|of| (of, "it is not there".to_owned())));
        let bare = told.iter().map(|(_, why)| why.contains("(it is not there); 1.5 (mine) of it is held"));
        assert_eq!(bare.collect::<Vec<_>>(), [true, false], "{told:?}");
    }

    #[test]
    fn what_is_no_journal_is_refused_with_what_to_do() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        assert!(matches!(Earlier::read(dir.path(), "gina"), Err(RecoverError::NoJournal(_))));
        let path = dir.path().join("x.journal");
        assert!(matches!(Earlier::read(&path, "gina"), Err(RecoverError::Journal(_))));
    }
}
