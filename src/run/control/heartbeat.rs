//! The file by which an engine shows that it lives: how it is written, and what whoever watches it makes of it.
//!
//! A beat is one line, as long as every other, written over the one before: a file that is made empty first stays so where
//! the disk is full, and an engine that lives would seem dead. One that cannot be read is no sign of life and none of
//! death: the last that could be read counts.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

/// Digits of the largest number.
const DIGITS: usize = 20;

/// Writes a beat: how many there were, and of how many events.
pub(super) fn write(path: &Path, beats: u64, events: u64) -> io::Result<()> {
    // To be read by a watchdog of another user; to be written by nobody else, whatever the umask leaves.
    let file = File::options().write(true).create(true).truncate(false).mode(0o644).open(path)?;
    file.write_all_at(format!("{beats:>DIGITS$} {events:>DIGITS$}\n").as_bytes(), 0)
}

/// The line of a beat; none where no file is there.
fn read(path: &Path) -> Result<Option<String>, String> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().next().unwrap_or_default();
    let mut numbers = line.split_whitespace().map(str::parse::<u64>);
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(_)), Some(Ok(_)), None) => Ok(Some(line.to_owned())),
        _ if bytes.is_empty() => Err("it is empty; is the disk full?".to_owned()),
        _ => Err("it holds no heartbeat".to_owned()),
    }
}

/// Whether another beat than `before` is there now.
pub(super) fn beats_since(path: &Path, before: &str) -> bool {
    read(path).is_ok_and(|now| now.is_some_and(|now| now != before))
}

/// What is known of an engine's heart, by this process's own clock.
#[derive(Debug, Default)]
pub(super) struct Heart {
    last: Option<(String, Instant)>,
    /// Why the file cannot be read, where it cannot.
    pub problem: Option<String>,
}

impl Heart {
    /// Looks at the file; says what is to be told of it.
    pub fn look(&mut self, path: &Path) -> Option<String> {
        match read(path) {
            Ok(None) => (self.last, self.problem) = (None, None),
            Ok(Some(line)) => {
                self.problem = None;
                if self.last.as_ref().is_none_or(|(before, _)| *before != line) {
                    self.last = Some((line, Instant::now()));
                }
            }
            Err(problem) => {
                // A run that made the file and never got a beat into it is no living one.
                self.last.get_or_insert_with(|| (String::new(), Instant::now()));
                let told = self.problem.replace(problem.clone());
                return told.is_none().then_some(problem);
            }
        }
        None
    }

    /// The beat that the engine stopped at, and how long ago; none where it was not so long, or no run goes on.
    pub fn stopped(&self, after: Duration) -> Option<(&str, Duration)> {
        let (beat, since) = self.last.as_ref()?;
        let elapsed = since.elapsed();
        (elapsed >= after).then_some((beat, elapsed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: Duration = Duration::from_secs(3_600);

    fn beat(heart: &Heart) -> Option<String> {
        heart.stopped(Duration::ZERO).map(|(beat, _)| beat.to_owned())
    }

    #[test]
    fn a_beat_is_written_over_the_one_before_and_the_file_keeps_its_length() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x.heartbeat");
        let mut before = None;
        for (beats, events) in [(0, 0), (9, 99), (u64::MAX, u64::MAX), (10, 7)] {
            write(&path, beats, events).expect("a good disk");
            let (text, length) = (read(&path), std::fs::metadata(&path).expect("there").len());
            let numbers = text.expect("it reads").expect("there");
            let numbers: Vec<u64> =
                numbers.split_whitespace().map(|n| n.parse().expect("a number")).collect();
            assert_eq!(numbers, [beats, events]);
            assert_eq!(*before.get_or_insert(length), length);
        }
        // Nothing of the file is cut first: what stands behind the line stays.
        File::options().write(true).open(&path).and_then(|file| file.set_len(100)).expect("ours");
        write(&path, 11, 8).expect("a good disk");
        assert_eq!(std::fs::metadata(&path).expect("there").len(), 100);
        assert!(beats_since(&path, "10 7"));
    }

    #[test]
    fn what_cannot_be_read_is_no_beat_and_the_last_one_counts() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x.heartbeat");
        let mut heart = Heart::default();
        assert_eq!((heart.look(&path), beat(&heart)), (None, None), "no run goes on");
        write(&path, 1, 5).expect("a good disk");
        assert_eq!(heart.look(&path), None);
        let first = beat(&heart).expect("it beat");
        assert!(heart.stopped(NEVER).is_none());
        for unread in ["", "12", "x y\n", "1 2 3\n"] {
            std::fs::write(&path, unread).expect("ours");
            assert_eq!(heart.look(&path).is_some(), unread.is_empty(), "told once");
            assert_eq!(beat(&heart).as_ref(), Some(&first), "{unread:?}");
            assert!(heart.problem.is_some() && !beats_since(&path, &first));
        }
        // The beat that it stopped at is no other one for having been unread meanwhile, and the next one is.
        write(&path, 1, 5).expect("a good disk");
        assert_eq!(
            (heart.look(&path), beat(&heart), heart.problem.is_some()),
            (None, Some(first.clone()), false)
        );
        write(&path, 2, 6).expect("a good disk");
        heart.look(&path);
        assert!(beats_since(&path, &first) && beat(&heart) != Some(first));
        std::fs::remove_file(&path).expect("ours");
        assert_eq!((heart.look(&path), beat(&heart)), (None, None), "it ended in order");
    }
}
