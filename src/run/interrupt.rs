//! Ctrl-C and SIGTERM: the first ends the run cleanly, the second at once. A terminal that is closed ends it cleanly too.

use signal_hook::consts::{SIGHUP, SIGXFSZ};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            // The order matters: the second signal finds the flag raised by the first.
            signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&interrupt.flag))?;
            signal_hook::flag::register(signal, Arc::clone(&interrupt.flag))?;
        }
        // A shell and the system may each say that the terminal is gone: the second is no wish to end at once. Under
        // `nohup` it is ignored, and stays so.
        if !is_ignored(SIGHUP) {
            signal_hook::flag::register(SIGHUP, Arc::clone(&interrupt.flag))?;
        }
        // A file larger than a limit allows is an error of the write then, which is told, and not the end at once.
        signal_hook::flag::register(SIGXFSZ, Arc::default())?;
        Ok(interrupt)
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

/// Whether this process was started with `signal` ignored.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 << (signal - 1) != 0)
}
