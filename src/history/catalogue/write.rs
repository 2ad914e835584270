//! Changing a history: one process at a time, aside first, the catalogue last.

use super::entry::Line;
use super::fault::Overlap;
use super::{CATALOGUE_NAME, Catalogue, Entry, HistoryError, SEGMENTS, SeriesKind, SeriesName};
use crate::domain::Time;
use crate::journal::LockedFile;
use std::collections::HashSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const LOCK_NAME: &str = "lock";
const INCOMING: &str = "incoming";
const ENDING: &str = "seg";

/// A history that this process alone may change, until this is dropped.
#[derive(Debug)]
pub struct CatalogueWriter {
    catalogue: Catalogue,
    file: File,
    /// Holds the lock.
    _lock: LockedFile,
    written: u64,
}

impl CatalogueWriter {
    /// Opens the history in `dir`, made where there is none, and clears what a killed process left.
    ///
    /// # Errors
    /// [`HistoryError`] where another process writes, or the directory cannot be written to.
    pub fn open(dir: &Path) -> Result<Self, HistoryError> {
        fs::create_dir_all(dir.join(INCOMING)).map_err(HistoryError::io(dir))?;
        let path = dir.join(LOCK_NAME);
        let lock =
            OpenOptions::new().create(true).append(true).open(&path).map_err(HistoryError::io(&path))?;
        let lock = LockedFile::new(lock).map_err(|error| match error {
            TryLockError::WouldBlock => HistoryError::Locked(dir.display().to_string()),
            TryLockError::Error(error) => HistoryError::io(&path)(error),
        })?;
        let path = dir.join(CATALOGUE_NAME);
        let file =
            OpenOptions::new().create(true).append(true).open(&path).map_err(HistoryError::io(&path))?;
        let text = fs::read(&path).map_err(HistoryError::io(&path))?;
        // A line that was cut must not swallow the next one.
        let whole = text.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        file.set_len(whole as u64).map_err(HistoryError::io(&path))?;
        let writer = Self { catalogue: Catalogue::parse(dir, &text)?, file, _lock: lock, written: 0 };
        writer.sweep().map_err(HistoryError::io(dir))?;
        Ok(writer)
    }

    /// What the history has.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// A path aside for a segment that is being written.
    #[must_use]
    pub fn aside(&mut self) -> PathBuf {
        self.written += 1;
        self.catalogue.dir.join(INCOMING).join(format!("{}.{ENDING}", self.written))
    }

    /// Where a segment belongs, below the history's directory.
    #[must_use]
    pub fn place(series: &SeriesName, first: Time, id: &str) -> String {
        let plain =
            |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c.to_string() } else { escape(c) };
        let parts: Vec<String> =
            series.instrument.split(':').map(|part| part.chars().map(plain).collect::<String>()).collect();
        let stamp = jiff::Timestamp::from_nanosecond(i128::from(first.0)).unwrap_or_default();
        format!(
            "{SEGMENTS}/{}/{}-{}-{id}.{ENDING}",
            parts.join("/"),
            series.label(),
            stamp.strftime("%Y%m%dT%H%M%S")
        )
    }

    /// Adds an import whose segments lie aside at `aside`, in the same order.
    ///
    /// # Errors
    /// [`HistoryError`] where it overlaps with what is there, cannot be read together with it, or cannot be written; nothing of it is then in the history.
    pub fn add(&mut self, entry: Entry, aside: &[PathBuf]) -> Result<(), HistoryError> {
        self.check_overlap(&entry)?;
        self.catalogue.check_precision(&entry, aside)?;
        for (segment, from) in entry.segments.iter().zip(aside) {
            let to = self.catalogue.dir.join(&segment.file);
            rename(from, &to, &self.catalogue.dir).map_err(HistoryError::io(&to))?;
        }
        self.append(&Line::Add(entry.clone()))?;
        self.catalogue.entries.push(entry);
        Ok(())
    }

    /// Removes an import and what was made of it.
    ///
    /// # Errors
    /// [`HistoryError`] where there is none of this id, or it cannot be written.
    pub fn remove(&mut self, id: &str) -> Result<Entry, HistoryError> {
        let Some(at) = self.catalogue.entries.iter().position(|entry| entry.id == id) else {
            let known: Vec<&str> = self.catalogue.entries.iter().map(|entry| entry.id.as_str()).collect();
            return Err(HistoryError::Unknown { what: "import", name: id.into(), known: known.join(", ") });
        };
        self.append(&Line::Remove { id: id.into() })?;
        let entry = self.catalogue.entries.remove(at);
        for segment in &entry.segments {
            // What is left over is swept at the next opening.
            let _ = fs::remove_file(self.catalogue.dir.join(&segment.file));
        }
        Ok(entry)
    }

    fn append(&mut self, line: &Line) -> Result<(), HistoryError> {
        let path = self.catalogue.dir.join(CATALOGUE_NAME);
        let mut text = line.write().map_err(|error| HistoryError::io(&path)(error.into()))?;
        text.push(b'\n');
        let before = self.file.metadata().map_err(HistoryError::io(&path))?.len();
        let written = self.file.write_all(&text).and_then(|()| self.file.sync_all());
        if let Err(error) = written {
            // Half a line is nothing, but the next one must not be joined to it.
            let _ = self.file.set_len(before);
            return Err(HistoryError::io(&path)(error));
        }
        sync_dir(&self.catalogue.dir).map_err(HistoryError::io(&path))
    }

    fn check_overlap(&self, new: &Entry) -> Result<(), HistoryError> {
        for entry in &self.catalogue.entries {
            for segment in &new.segments {
                // What a capture has from streams and from answers is of one time.
                let apart_by_part = |old: &super::Segment| {
                    old.part.is_some() && segment.part.is_some() && old.part != segment.part
                };
                let same = |old: &&super::Segment| {
                    (&old.instrument, &old.series) == (&segment.instrument, &segment.series)
                        && !apart_by_part(old)
                };
                for old in entry.segments.iter().filter(same) {
                    let bars = segment.series_name().is_some_and(|name| name.kind == SeriesKind::Bars);
                    let (from, until) = (segment.first.max(old.first), segment.last.min(old.last));
                    // Files may touch at one moment; two bars may not end at one, nor may trades of one id.
                    let times = from < until
                        || (from == until
                            && (bars
                                || ((old.first, old.last) == (segment.first, segment.last)
                                    && !apart(old, segment))));
                    if times {
                        return Err(HistoryError::Overlap(Box::new(Overlap {
                            file: new.source.clone(),
                            series: format!("{} {}", segment.instrument, segment.series),
                            from: Time(from).to_string(),
                            until: Time(until).to_string(),
                            other: entry.source.clone(),
                            id: entry.id.clone(),
                        })));
                    }
                }
            }
        }
        Ok(())
    }

    /// Removes what no line of the catalogue names.
    fn sweep(&self) -> io::Result<()> {
        let dir = &self.catalogue.dir;
        let segments = self.catalogue.entries.iter().flat_map(|entry| &entry.segments);
        let known: HashSet<PathBuf> = segments.map(|segment| dir.join(&segment.file)).collect();
        let mut folders = vec![dir.join(INCOMING), dir.join(SEGMENTS)];
        let mut whole = 0;
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries?,
            };
            for entry in entries {
                let (path, kind) = entry.and_then(|e| Ok((e.path(), e.file_type()?)))?;
                if kind.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|e| e == ENDING) && !known.contains(&path) {
                    whole += usize::from(!path.starts_with(dir.join(INCOMING)));
                    fs::remove_file(path)?;
                }
            }
        }
        if whole > 0 {
            log::warn!(
                "{}: {whole} segments that no line of {CATALOGUE_NAME} has were removed: an import was killed in the end, \
                 or lines were lost",
                dir.display()
            );
        }
        Ok(())
    }
}

/// Whether ids tell that two segments, all of one moment, are of different trades.
fn apart(one: &super::Segment, other: &super::Segment) -> bool {
    let trades =
        one.series_name().is_some_and(|n| matches!(n.kind, SeriesKind::Trades | SeriesKind::AggTrades));
    let known = one.first_id > 0 && other.first_id > 0;
    trades && known && (one.last_id < other.first_id || other.last_id < one.first_id)
}

fn escape(c: char) -> String {
    let mut bytes = [0; 4];
    c.encode_utf8(&mut bytes).bytes().map(|b| format!("%{b:02X}")).collect()
}

/// Moves a finished segment to its place and makes that last.
fn rename(from: &Path, to: &Path, dir: &Path) -> io::Result<()> {
    let parent = to.parent().unwrap_or(dir);
    fs::create_dir_all(parent)?;
    fs::rename(from, to)?;
    // New directories are entries of their parents.
    let mut at = parent;
    loop {
        sync_dir(at)?;
        match at.parent() {
            Some(up) if at != dir => at = up,
            _ => return Ok(()),
        }
    }
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
