//! The program's log: on standard error, and in a file where one is configured. Each line begins with its moment, but where
//! systemd's journal has that already.
//!
//! Invariant: nothing that is told ends whoever tells it. Where the one or the other cannot be written, as on a full disk, the
//! run goes on, and with it the threads that listen to operators.

use crate::journal::private_file;
use crate::run::Config;
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Of the lines that are about the log itself.
const TARGET: &str = module_path!();

/// Starts the log, by the configuration, of a process that does `what`: on standard error, and never on standard output, which
/// is for results.
pub fn start_log(config: &Config, what: &str) {
    let mut dispatch = fern::Dispatch::new().level(config.log.level).format(|out, message, record| {
        out.finish(format_args!("{:<5} {}: {message}", record.level(), record.target()))
    });
    // What they log in detail is requests and headers, with the key and signatures among them.
    let others = config.log.level.min(log::LevelFilter::Warn);
    for library in ["mio", "rusqlite", "rustls", "tungstenite", "ureq", "ureq_proto", "webpki", "postgres"] {
        dispatch = dispatch.level_for(library, others);
    }
    for (module, level) in &config.log.modules {
        dispatch = dispatch.level_for(format!("algo_trader::{module}"), *level);
    }
    let shown = Shown::on_standard_error();
    dispatch = dispatch.chain(fern::Output::call(move |record| shown.tell(*record.args())));
    let mut kept = None;
    if let Some(path) = &config.log.file {
        // It names orders and fills, as the journal does. Whoever cuts it meanwhile, to keep it small, has what comes next at its
        // new end.
        match private_file().append(true).create(true).open(path) {
            Ok(file) => {
                let file = Arc::new(Mutex::new(LogFile::new(path.clone(), file)));
                kept = Some(Arc::clone(&file));
                dispatch =
                    dispatch.chain(fern::Output::call(move |record| put(&file, *record.args(), shown)));
            }
            Err(error) => shown.tell(format_args!(
                "ERROR {TARGET}: cannot log to {}: {error}; standard error only",
                path.display()
            )),
        }
    }
    // Only a second call in one process fails, and then the first one's settings stand.
    if dispatch.apply().is_ok()
        && let Some(file) = kept
    {
        // Whatever the level is: one run follows another there.
        let (version, process, by) = (env!("CARGO_PKG_VERSION"), std::process::id(), &config.file);
        let begins =
            format_args!("INFO  {TARGET}: algo-trader {version}, process {process}: {what}, by {by}");
        put(&file, begins, shown);
    }
}

/// The moment of a line, before it.
fn moment() -> String {
    format!("{:.3} ", jiff::Timestamp::now())
}

/// How lines are shown on standard error.
#[derive(Debug, Clone, Copy)]
struct Shown {
    on_terminal: bool,
    /// Elsewhere than in systemd's journal, which has the moments itself.
    with_moments: bool,
}

impl Shown {
    fn on_standard_error() -> Self {
        let stderr = std::io::stderr();
        let in_journal = std::env::var("JOURNAL_STREAM").is_ok_and(|named| is_stream(&named, stderr.as_fd()));
        Self { on_terminal: stderr.is_terminal(), with_moments: !in_journal }
    }

    fn tell(self, line: fmt::Arguments<'_>) {
        // A line of progress may stand on a terminal: what is told takes its place.
        let over = if self.on_terminal { "\r\x1b[K" } else { "" };
        let moment = if self.with_moments { moment() } else { String::new() };
        // By way of ours, which goes on where nobody reads.
        eprintln!("{over}{moment}{line}");
    }
}

/// Whether `of` is the stream that systemd named, by device and inode: who sends what a unit tells elsewhere hands that name
/// on all the same.
fn is_stream(named: &str, of: BorrowedFd<'_>) -> bool {
    let found = of.try_clone_to_owned().and_then(|of| File::from(of).metadata());
    found.is_ok_and(|found| named == format!("{}:{}", found.dev(), found.ino()))
}

/// Writes a line into the file. That it cannot be written, and that it can again, is told on standard error.
fn put(file: &Mutex<LogFile<File>>, line: fmt::Arguments<'_>, shown: Shown) {
    let line = line.to_string();
    // The lock is held until that is told, so that the one comes before the other.
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(told) = file.put(&line) {
        shown.tell(format_args!("{told}"));
    }
}

/// The file that has the log too.
struct LogFile<W> {
    path: PathBuf,
    out: W,
    /// Lines that could not be written since the last one that was.
    missing: u64,
    /// Its last line has no end.
    torn: bool,
}

impl<W: Write> LogFile<W> {
    const fn new(path: PathBuf, out: W) -> Self {
        Self { path, out, missing: 0, torn: false }
    }

    /// Writes a line, and before it how many are missing there. Says what became of that, where it is news.
    fn put(&mut self, line: &str) -> Option<String> {
        // Under the lock, so that moments never go back in a file.
        let (moment, path, missing) = (moment(), self.path.display(), self.missing);
        let end = if self.torn { "\n" } else { "" };
        let gap = match missing {
            0 => String::new(),
            _ => format!(
                "{moment}WARN  {TARGET}: {missing} lines are missing here: they could not be written\n"
            ),
        };
        let text = format!("{end}{gap}{moment}{line}\n");
        match (written(&mut self.out, text.as_bytes(), &mut self.torn), missing) {
            (Ok(()), 0) => None,
            (Ok(()), _) => {
                self.missing = 0;
                Some(format!("WARN  {TARGET}: {path} is written again; {missing} lines are missing in it"))
            }
            (Err(error), _) => {
                self.missing += 1;
                let why = "standard error only, until it can be written again";
                (missing == 0).then(|| format!("ERROR {TARGET}: cannot log to {path}: {error}; {why}"))
            }
        }
    }
}

/// Writes all of a text. Of one that cannot be written whole a part may be there: `torn` says whether that has its end.
fn written(out: &mut impl Write, mut text: &[u8], torn: &mut bool) -> std::io::Result<()> {
    while !text.is_empty() {
        match out.write(text) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(bytes) => {
                *torn = text[bytes - 1] != b'\n';
                text = &text[bytes..];
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with so much room.
    struct Disk {
        room: usize,
        has: Vec<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
            let bytes = text.len().min(self.room);
            if bytes == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            self.room -= bytes;
            self.has.extend_from_slice(&text[..bytes]);
            Ok(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_log_that_cannot_be_written_says_so_once_and_what_is_missing_once_it_can_be_again() {
        // A line's moment has 25 characters.
        let mut log = LogFile::new("run.log".into(), Disk { room: 25 + 4 + 25 + 6, has: Vec::new() });
        assert_eq!(log.put("one"), None);
        let told = log.put("two, torn").expect("news");
        assert!(told.contains("cannot log to run.log: ") && told.contains("until it can be"), "{told}");
        assert_eq!((log.put("three"), log.put("four")), (None, None), "told once");
        log.out.room = 1_000;
        let told = log.put("five").expect("news");
        assert!(told.ends_with("run.log is written again; 3 lines are missing in it"), "{told}");
        assert_eq!(log.put("six"), None);
        let has = String::from_utf8(log.out.has.clone()).expect("text");
        let lines: Vec<&str> = has.lines().map(|line| &line[25..]).collect();
        assert_eq!((lines[0], lines[1], lines[3], lines[4]), ("one", "two, t", "five", "six"), "{has}");
        assert!(lines[2].starts_with("WARN ") && lines[2].contains(": 3 lines are missing here"), "{has}");
        // A disk that has no room for more than that is one that cannot be written.
        log.out.room = 0;
        assert!(log.put("seven").is_some_and(|told| told.contains("cannot log")));
        log.out.room = 40;
        assert_eq!(log.put("eight"), None);
        log.out.room = 1_000;
        assert!(log.put("nine").is_some_and(|told| told.contains("2 lines are missing")));
    }
}
