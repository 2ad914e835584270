//! What the benchmarks share: arguments, medians, the host's name.

#![allow(dead_code, reason = "each user takes a part")]

/// The value after `name` on the command line; empty if `name` comes last.
pub fn argument(name: &str) -> Option<String> {
    let mut args = std::env::args().skip_while(|arg| arg != name);
    args.next().map(|_| args.next().unwrap_or_default())
}

/// [`argument`] as a number.
pub fn number(name: &str, default: usize) -> usize {
    argument(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} takes a number")))
}

/// Whether `--json` was given.
pub fn wants_json() -> bool {
    std::env::args().any(|arg| arg == "--json")
}

/// One measurement in several rounds.
#[derive(Debug, Clone, Default)]
pub struct Rounds(Vec<f64>);

impl Rounds {
    /// Adds a round.
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    /// The smallest: what it costs while the machine is not disturbed.
    pub fn min(&self) -> f64 {
        self.0[0]
    }
}

/// The processor and how many cores this process may use.
pub fn host() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|l| l.starts_with("model name")).and_then(|l| l.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{}, {cores} cores", model.unwrap_or("unknown processor"))
}

/// What a target says of a figure.
pub fn verdict(value: f64, target: f64) -> &'static str {
    if value <= target { "met" } else { "MISSED" }
}
