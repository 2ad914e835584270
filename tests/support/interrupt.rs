//! Ctrl-C, for a program that is under way.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Sends SIGINT as soon as the program listens for it.
pub fn interrupt(child: &Child) {
    // Bit 1 of the signals that are caught is SIGINT's; until it is set, the signal would end the program.
    let caught = |text: String| {
        let mask = text.lines().find_map(|line| line.strip_prefix("SigCgt:"))?.trim().to_owned();
        Some(u64::from_str_radix(&mask, 16).ok()? & 2 != 0)
    };
    let status = format!("/proc/{}/status", child.id());
    let end = Instant::now() + Duration::from_secs(60);
    while !std::fs::read_to_string(&status).ok().and_then(caught).unwrap_or_default() {
        assert!(Instant::now() < end, "it does not listen for signals");
        std::thread::sleep(Duration::from_millis(5));
    }
    // The flag is there a moment after the way to end at once.
    std::thread::sleep(Duration::from_millis(500));
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(kill.success());
}
