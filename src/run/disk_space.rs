//! The room left on the disks that a live run writes to: told before it is used up, since a journal that cannot be written
//! stops the run, and what else cannot has gaps.
//!
//! A thread of its own asks every ten seconds. How long the room lasts is reckoned from how fast it went in the last ten
//! minutes, whoever took it.

use super::affinity::keep_to;
use super::alerts::{Alert, Alerts};
use super::config::Config;
use super::live::wall_clock;
use nix::sys::statvfs::statvfs;
use std::collections::VecDeque;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(10);
/// How far back the rate is taken from.
const WINDOW: Duration = Duration::from_secs(600);
/// A rate over less says nothing: files are made at the start.
const WINDOW_MIN: Duration = Duration::from_secs(60);
/// Room that has to last less is told, each time that it passes one of these.
const LASTS: [Duration; 3] =
    [Duration::from_secs(6 * 3_600), Duration::from_secs(3_600), Duration::from_secs(600)];
/// Room that is less is told whatever the rate, as the first and the last of [`LASTS`] are.
const FREE: [u64; 3] = [256 << 20, 64 << 20, 16 << 20];

/// Room by what a process without privileges may take, bytes.
fn free(path: &Path) -> Option<u64> {
    let stat = statvfs(path).ok()?;
    Some(stat.blocks_available().saturating_mul(stat.fragment_size()))
}

/// How the room of one disk goes.
#[derive(Debug, Default)]
struct Room {
    /// Over the window, oldest first.
    seen: VecDeque<(Instant, u64)>,
    /// How short it was told to be: so many of [`LASTS`].
    told: usize,
}

/// Room that runs short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Short {
    free: u64,
    /// How long it lasts, where it went at all.
    lasts: Option<Duration>,
}

impl Room {
    /// Takes in how much is free now; says so where it has become shorter than it was told to be.
    fn look(&mut self, now: Instant, free: u64) -> Option<Short> {
        while self.seen.front().is_some_and(|(at, _)| now.duration_since(*at) > WINDOW) {
            self.seen.pop_front();
        }
        self.seen.push_back((now, free));
        let lasts = self.lasts(now, free);
        let short = (0..LASTS.len())
            .rev()
            .find(|n| free < FREE[*n] || lasts.is_some_and(|lasts| lasts < LASTS[*n]))
            .map_or(0, |n| n + 1);
        let shorter = short > self.told;
        // What swings about a limit is told once: it has to be twice as much before it is told anew.
        if shorter || (self.knows_rate(now) && !self.is_within_twice(self.told, free, lasts)) {
            self.told = short;
        }
        shorter.then_some(Short { free, lasts })
    }

    /// Whether it was looked at for long enough to say how fast it goes.
    fn knows_rate(&self, now: Instant) -> bool {
        self.seen.front().is_some_and(|(from, _)| now.duration_since(*from) >= WINDOW_MIN)
    }

    /// Whether the room is not twice what the level `told` begins at.
    fn is_within_twice(&self, told: usize, free: u64, lasts: Option<Duration>) -> bool {
        told.checked_sub(1)
            .is_some_and(|n| free < 2 * FREE[n] || lasts.is_some_and(|lasts| lasts < 2 * LASTS[n]))
    }

    fn lasts(&self, now: Instant, free: u64) -> Option<Duration> {
        let (from, before) = *self.seen.front()?;
        let over = now.duration_since(from);
        let taken = before.saturating_sub(free);
        if !self.knows_rate(now) || taken == 0 {
            return None;
        }
        let seconds = free as f64 / taken as f64 * over.as_secs_f64();
        Duration::try_from_secs_f64(seconds).ok()
    }
}

impl std::fmt::Display for Short {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} MiB left", self.free >> 20)?;
        let lasts = match self.lasts.map(|lasts| lasts.as_secs() / 60) {
            None => return Ok(()),
            Some(0) => "less than a minute".to_owned(),
            Some(1) => "a minute".to_owned(),
            Some(minutes @ 2..120) => format!("{minutes} minutes"),
            Some(minutes) => format!("{} hours", minutes / 60),
        };
        write!(f, ", enough for {lasts} at the present rate")
    }
}

/// What the journal is to the run, without which it does not go on.
pub(super) const JOURNAL: &str = "journal";

/// What the log is to the run, and where, if it has a file. What is none, as a terminal or a pipe, takes no room.
pub(super) fn log_file(config: &Config) -> Option<(&'static str, PathBuf)> {
    let path = config.log.file.clone()?;
    let none = std::fs::metadata(&path).is_ok_and(|found| !found.is_file());
    (!none).then_some(("log", path))
}

/// One disk, by a directory on it.
struct Disk {
    dir: PathBuf,
    /// What of the run is on it: "journal, audit trail".
    holds: String,
    /// Whether the run stops once it is full.
    stops: bool,
    room: Room,
}

/// The disks that these files are on, each once: what a file is to the run, and where it is.
fn disks(files: &[(&str, PathBuf)]) -> Vec<Disk> {
    let mut disks: Vec<(u64, Disk)> = Vec::new();
    for (what, file) in files {
        // A directory that is not made yet will be on the disk of the one that it is made in.
        let within = file.ancestors().skip(1).map(|dir| match dir.as_os_str().is_empty() {
            true => Path::new("."),
            false => dir,
        });
        let exists = |dir: &Path| std::fs::metadata(dir).ok().map(|found| (dir.to_owned(), found.dev()));
        let Some((dir, device)) = within.into_iter().find_map(exists) else { continue };
        match disks.iter_mut().find(|(known, _)| *known == device) {
            Some((_, disk)) => {
                disk.holds.push_str(", ");
                disk.holds.push_str(what);
                disk.stops |= *what == JOURNAL;
            }
            None => {
                let (holds, stops) = ((*what).to_owned(), *what == JOURNAL);
                disks.push((device, Disk { dir, holds, stops, room: Room::default() }));
            }
        }
    }
    disks.into_iter().map(|(_, disk)| disk).collect()
}

/// See the module. Dropped, it goes on until the process ends.
pub(super) struct DiskWatch {
    over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl DiskWatch {
    /// Watches the disks of these files, whose directories need not exist yet: what each is to the run, and where it is. On
    /// these cores.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn start(files: &[(&str, PathBuf)], alerts: Alerts, cores: &[usize]) -> std::io::Result<Self> {
        Self::asking(files, alerts, cores, free)
    }

    /// The same, asking how much is free by this.
    fn asking(
        files: &[(&str, PathBuf)],
        alerts: Alerts,
        cores: &[usize],
        free: fn(&Path) -> Option<u64>,
    ) -> std::io::Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let (flag, cores, mut disks) = (Arc::clone(&over), cores.to_vec(), disks(files));
        let thread = std::thread::Builder::new().name("at-disks".into()).spawn(move || {
            keep_to(&cores);
            while !flag.load(Ordering::Acquire) {
                let now = Instant::now();
                disks.iter_mut().for_each(|disk| look(disk, now, free(&disk.dir), &alerts));
                std::thread::park_timeout(LOOK);
            }
        })?;
        Ok(Self { over, thread })
    }

    /// Ends it.
    pub fn finish(self) {
        self.over.store(true, Ordering::Release);
        self.thread.thread().unpark();
        if self.thread.join().is_err() {
            log::error!("the thread at-disks died; please report this");
        }
    }
}

fn look(disk: &mut Disk, now: Instant, free: Option<u64>, alerts: &Alerts) {
    let Some(short) = free.and_then(|free| disk.room.look(now, free)) else { return };
    let Disk { dir, holds, stops, .. } = disk;
    let scope = format!("the disk of {}", dir.display());
    let then = if *stops { "the run stops" } else { "the run goes on without what is to be written there" };
    log::warn!("{scope} ({holds}) has {short}; once it is full {then}: make room");
    let reason = format!("{holds}: {short}; once it is full {then}");
    alerts.raise(Alert::disk(&scope, &reason, wall_clock()));
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn told(looks: &[(u64, u64)]) -> Vec<Option<String>> {
        let begun = Instant::now();
        let mut room = Room::default();
        let mut look = |(s, mib): &(u64, u64)| room.look(begun + Duration::from_secs(*s), mib * MIB);
        looks.iter().map(|at| look(at).map(|short| short.to_string())).collect()
    }

    #[test]
    fn room_that_lasts_is_not_told_and_what_runs_short_is_told_once_a_step() {
        let said = |text: &str| Some(text.to_owned());
        // A megabyte a second: 100 GB last for more than a day, 20 GB for five hours and more, and so on.
        let at = |s: u64, left: u64| [(s, left + 60), (s + 60, left)];
        let looks: Vec<_> =
            [at(0, 100_000), at(10_000, 20_000), at(20_000, 19_000), at(30_000, 3_000), at(40_000, 500)]
                .concat();
        let told = told(&looks);
        assert_eq!(
            told,
            [
                None,
                None,
                None,
                said("20000 MiB left, enough for 5 hours at the present rate"),
                None,
                None,
                None,
                said("3000 MiB left, enough for 50 minutes at the present rate"),
                None,
                said("500 MiB left, enough for 8 minutes at the present rate"),
            ]
        );
    }

    #[test]
    fn a_disk_that_is_nearly_full_is_told_at_once_and_again_once_there_was_room() {
        let short = |mib: u64| Some(format!("{mib} MiB left"));
        // 300 is more than the limit, not twice it: what is below again is not told again. 600 is.
        let looks = [(0, 200), (10, 200), (60, 300), (70, 250), (80, 600), (90, 255), (100, 600), (110, 60)];
        let mut told = told(&looks);
        let last = "60 MiB left, enough for less than a minute at the present rate";
        assert_eq!(told.pop(), Some(Some(last.to_owned())));
        assert_eq!(told, [short(200), None, None, None, None, short(255), None]);
    }

    #[test]
    fn the_first_minute_says_nothing_of_the_rate() {
        assert_eq!(told(&[(0, 5_000), (10, 4_000), (50, 3_000)]), [None, None, None]);
        assert_eq!(
            told(&[(0, 5_000), (60, 3_000)])[1].as_deref(),
            Some("3000 MiB left, enough for a minute at the present rate")
        );
    }

    #[test]
    fn files_of_one_disk_are_one_disk_and_its_room_is_known() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = [
            ("journal", dir.path().join("a.journal")),
            ("audit trail", dir.path().join("made/later/a.journal.audit")),
        ];
        let disks = disks(&files);
        assert_eq!(disks.len(), 1);
        assert_eq!((disks[0].holds.as_str(), disks[0].dir.as_path()), ("journal, audit trail", dir.path()));
        assert!(free(dir.path()).is_some_and(|free| free > 0));
        assert!(disks[0].stops, "the journal is on it");
        let here = super::disks(&[("database", PathBuf::from("not/made/yet.db"))]);
        assert_eq!(here.first().map(|disk| (disk.dir.as_path(), disk.stops)), Some((Path::new("."), false)));
    }

    #[test]
    fn a_log_takes_room_where_it_is_a_file_or_is_to_be_one() {
        let dir = tempfile::tempdir().expect("a directory");
        let there = dir.path().join("run.log");
        std::fs::write(&there, "").expect("written");
        let mut config = Config::embedded_default();
        assert_eq!(log_file(&config), None);
        for (path, takes_room) in
            [(there, true), (dir.path().join("later.log"), true), ("/dev/null".into(), false)]
        {
            config.log.file = Some(path.clone());
            assert_eq!(log_file(&config), takes_room.then_some(("log", path)));
        }
    }

    #[test]
    fn a_disk_that_fills_up_is_an_alert_and_one_that_cannot_be_asked_is_none() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = [("journal", dir.path().join("a.journal")), ("database", PathBuf::from("/proc/a.db"))];
        let (alerts, told) = Alerts::heard_by_a_test();
        let free = |path: &Path| (!path.starts_with("/proc")).then_some(10 * MIB);
        let watch = DiskWatch::asking(&files, alerts, &[], free).expect("a thread");
        let alert = told.recv_timeout(Duration::from_secs(60)).expect("told at once").alert;
        let begun = Instant::now();
        watch.finish();
        assert!(begun.elapsed() < LOOK / 2, "the end of a run does not wait for the next look");
        assert_eq!(alert.scope, format!("the disk of {}", dir.path().display()));
        assert_eq!(alert.reason, "journal: 10 MiB left; once it is full the run stops");
        assert_eq!(told.iter().count(), 0);
    }
}
