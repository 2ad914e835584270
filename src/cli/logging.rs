//! The program's log: on standard error, and in a file where one is configured.
//!
//! Invariant: nothing that is told ends whoever tells it. Where the one or the other cannot be written, as on a full disk, the
//! run goes on, and with it the threads that listen to operators.

use crate::journal::private_file;
use crate::run::Config;
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Of the lines that are about the log itself.
const TARGET: &str = module_path!();

/// Starts the log, by the configuration: on standard error, and never on standard output, which is for results.
pub fn start_log(config: &Config) {
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
    let shown = Shown { on_terminal: std::io::stderr().is_terminal() };
    dispatch = dispatch.chain(fern::Output::call(move |record| shown.tell(*record.args())));
    if let Some(path) = &config.log.file {
        // It names orders and fills, as the journal does.
        match private_file().append(true).create(true).open(path) {
            Ok(file) => {
                let file = Mutex::new(LogFile::new(path.clone(), file));
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
    let _ = dispatch.apply();
}

/// How lines are shown on standard error.
#[derive(Debug, Clone, Copy)]
struct Shown {
    on_terminal: bool,
}

impl Shown {
    fn tell(self, line: fmt::Arguments<'_>) {
        // A line of progress may stand on a terminal: what is told takes its place.
        let over = if self.on_terminal { "\r\x1b[K" } else { "" };
        // By way of ours, which goes on where nobody reads.
        eprintln!("{over}{line}");
    }
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
        let (path, missing) = (self.path.display(), self.missing);
        let end = if self.torn { "\n" } else { "" };
        let gap = match missing {
            0 => String::new(),
            _ => format!("WARN  {TARGET}: {missing} lines are missing here: they could not be written\n"),
        };
        let text = format!("{end}{gap}{line}\n");
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
        let mut log = LogFile::new("run.log".into(), Disk { room: 10, has: Vec::new() });
        assert_eq!(log.put("one"), None);
        let told = log.put("two, torn").expect("news");
        assert!(told.contains("cannot log to run.log: ") && told.contains("until it can be"), "{told}");
        assert_eq!((log.put("three"), log.put("four")), (None, None), "told once");
        log.out.room = 1_000;
        let told = log.put("five").expect("news");
        assert!(told.ends_with("run.log is written again; 3 lines are missing in it"), "{told}");
        assert_eq!(log.put("six"), None);
        let has = String::from_utf8(log.out.has.clone()).expect("text");
        let lines: Vec<&str> = has.lines().collect();
        assert_eq!((lines[0], lines[1], lines[3], lines[4]), ("one", "two, t", "five", "six"), "{has}");
        assert!(lines[2].starts_with("WARN ") && lines[2].contains(": 3 lines are missing here"), "{has}");
        // A disk that has no room for more than that is one that cannot be written.
        log.out.room = 0;
        assert!(log.put("seven").is_some_and(|told| told.contains("cannot log")));
        log.out.room = 20;
        assert_eq!(log.put("eight"), None);
        log.out.room = 1_000;
        assert!(log.put("nine").is_some_and(|told| told.contains("2 lines are missing")));
    }
}
