//! Ctrl-C and SIGTERM: the first ends the run cleanly, the second at once. A terminal that is closed ends it cleanly too.
//! SIGUSR1 stops everything that trades.

use signal_hook::SigId;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGXFSZ};
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The status of a process that a second signal ended.
const ENDED_AT_ONCE: i32 = 130;

/// Waits for the second signal as long as it is there.
#[derive(Debug)]
pub struct SecondSignal {
    signals: Vec<SigId>,
}

impl Drop for SecondSignal {
    fn drop(&mut self) {
        for signal in self.signals.drain(..) {
            signal_hook::low_level::unregister(signal);
        }
    }
}

/// Raised when the person asks for an end.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    flag: Arc<AtomicBool>,
}

impl Interrupt {
    /// Listens for the signals.
    ///
    /// # Errors
    /// Whatever the operating system says; the run can go on without.
    pub fn install() -> std::io::Result<Self> {
        let interrupt = Self::default();
        for signal in [SIGINT, SIGTERM] {
            // The order matters: the second signal finds the flag raised by the first.
            signal_hook::flag::register_conditional_shutdown(
                signal,
                ENDED_AT_ONCE,
                Arc::clone(&interrupt.flag),
            )?;
            signal_hook::flag::register(signal, Arc::clone(&interrupt.flag))?;
        }
        interrupt.hear_the_rest()?;
        Ok(interrupt)
    }

    /// The same, but before the second signal ends the process, `last` is done, by a thread that waits for it: what handles
    /// a signal may do next to nothing.
    ///
    /// # Errors
    /// Whatever the operating system says; the run can go on without.
    pub fn install_and_at_the_second(
        last: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<(Self, SecondSignal)> {
        let interrupt = Self::default();
        let (mut heard, told) = UnixStream::pair()?;
        let mut second = SecondSignal { signals: Vec::new() };
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&interrupt.flag))?;
            second.signals.push(signal_hook::low_level::pipe::register(signal, told.try_clone()?)?);
        }
        let wait = move || {
            // One byte a signal; none comes any more once they are let go of.
            if heard.read_exact(&mut [0; 2]).is_ok() {
                last();
                signal_hook::low_level::exit(ENDED_AT_ONCE);
            }
        };
        std::thread::Builder::new().name("second-signal".into()).spawn(wait)?;
        interrupt.hear_the_rest()?;
        Ok((interrupt, second))
    }

    fn hear_the_rest(&self) -> std::io::Result<()> {
        // A shell and the system may each say that the terminal is gone: the second is no wish to end at once. Under
        // `nohup` it is ignored, and stays so.
        if !is_ignored(SIGHUP) {
            signal_hook::flag::register(SIGHUP, Arc::clone(&self.flag))?;
        }
        // A file larger than a limit allows is an error of the write then, which is told, and not the end at once.
        signal_hook::flag::register(SIGXFSZ, Arc::default())?;
        Ok(())
    }

    /// Asks for an end, as a signal would.
    pub fn raise(&self) {
        self.flag.store(true, Ordering::Relaxed);
    }

    /// Whether an end was asked for.
    #[inline]
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }
}

/// SIGUSR1, heard from the beginning of a process on: a run may wait for days before there is anything that it could stop,
/// and would be ended by it meanwhile, to be started again by whoever looks after it.
#[derive(Debug, Clone, Default)]
pub struct KillSignal {
    flag: Arc<AtomicBool>,
    /// Whether it is the process's, and no test's.
    heard: bool,
}

impl KillSignal {
    /// Listens for the signal.
    ///
    /// # Errors
    /// Whatever the operating system says; the run can go on without.
    pub fn install() -> std::io::Result<Self> {
        let kill = Self { heard: true, ..Self::default() };
        signal_hook::flag::register(SIGUSR1, Arc::clone(&kill.flag))?;
        Ok(kill)
    }

    /// Comes, as the signal would.
    pub fn raise(&self) {
        self.flag.store(true, Ordering::Relaxed);
    }

    /// Whether it came and nobody has obeyed it yet, which whoever asks does.
    #[must_use]
    pub(in crate::run) fn take(&self) -> bool {
        self.flag.swap(false, Ordering::Relaxed)
    }

    /// Lets it end a run that has nothing by which it could be stopped and released, now too where it came already.
    ///
    /// # Errors
    /// Whatever the operating system says.
    pub(in crate::run) fn ends(&self, interrupt: &Interrupt) -> std::io::Result<()> {
        if self.heard {
            signal_hook::flag::register(SIGUSR1, Arc::clone(&interrupt.flag))?;
        }
        if self.take() {
            interrupt.raise();
        }
        Ok(())
    }
}

/// Whether this process was started with `signal` ignored.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 << (signal - 1) != 0)
}
