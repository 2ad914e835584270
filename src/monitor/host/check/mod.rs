//! The checks: one table, each row a question about the host, its answer and the exact change.
//!
//! A level says how much it matters to a busy-polling trading process, not to computers in general: `Problem` is what
//! is certain to show in the tail of the latencies or in the time stamps, and can be changed.

mod cores;
mod memory;
mod system;

use super::facts::HostFacts;
use serde::Serialize;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Could be better; whether to change it is a choice.
    Advice,
    /// Certain to spoil latency or time stamps.
    Problem,
    /// The host does not show it.
    Unknown,
}

/// What one check says of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check's name.
    pub check: &'static str,
    /// What it is about.
    pub group: &'static str,
    /// How it came out.
    pub level: Level,
    /// What was found.
    pub found: String,
    /// Why it matters.
    pub why: &'static str,
    /// The exact command for this boot; empty where nothing needs doing or only a boot can do it.
    pub fix: String,
    /// The exact setting that survives a boot; empty where nothing needs doing.
    pub persistent_fix: String,
}

/// One row of the table.
pub struct Check {
    /// Short name, stable: scripts may look for it.
    pub name: &'static str,
    /// Heading it is shown under.
    pub group: &'static str,
    /// Why it matters.
    pub doc: &'static str,
    run: fn(&HostFacts) -> Verdict,
}

/// What a check's function answers.
struct Verdict {
    level: Level,
    found: String,
    fix: String,
    persistent_fix: String,
}

impl Verdict {
    fn new(level: Level, found: impl Into<String>) -> Self {
        Self { level, found: found.into(), fix: String::new(), persistent_fix: String::new() }
    }

    fn ok(found: impl Into<String>) -> Self {
        Self::new(Level::Ok, found)
    }

    fn advice(found: impl Into<String>) -> Self {
        Self::new(Level::Advice, found)
    }

    fn problem(found: impl Into<String>) -> Self {
        Self::new(Level::Problem, found)
    }

    fn unknown(found: impl Into<String>) -> Self {
        Self::new(Level::Unknown, found)
    }

    fn fix(self, command: impl Into<String>) -> Self {
        Self { fix: command.into(), ..self }
    }

    fn persistent(self, setting: impl Into<String>) -> Self {
        Self { persistent_fix: setting.into(), ..self }
    }

    /// A kernel setting that both a command and a file of `/etc/sysctl.d` can change.
    fn sysctl(self, setting: &str) -> Self {
        self.fix(format!("sysctl -w {setting}"))
            .persistent(format!("echo '{setting}' >> /etc/sysctl.d/90-algo-trader.conf"))
    }
}

/// Every check, in the order they are shown.
pub static CHECKS: &[Check] = &[
    Check {
        name: "cores",
        group: "Cores",
        doc: "Each busy-polling thread needs a core to itself; journal, store and control plane need one more.",
        run: cores::count,
    },
    Check {
        name: "isolated-cores",
        group: "Cores",
        doc: "On a core that is not isolated the scheduler runs other threads too, each time for milliseconds.",
        run: cores::isolated,
    },
    Check {
        name: "tickless-cores",
        group: "Cores",
        doc: "The timer tick interrupts a busy thread 100 to 1,000 times a second, for microseconds each.",
        run: cores::tickless,
    },
    Check {
        name: "rcu-offload",
        group: "Cores",
        doc: "RCU callbacks are kernel work that otherwise runs on the core that queued it.",
        run: cores::rcu,
    },
    Check {
        name: "interrupts",
        group: "Cores",
        doc: "A device's interrupt takes the core from the thread on it and empties part of its caches.",
        run: cores::interrupts,
    },
    Check {
        name: "irqbalance",
        group: "Cores",
        doc: "irqbalance moves interrupts every ten seconds and may put them back on the busy cores.",
        run: cores::irqbalance,
    },
    Check {
        name: "governor",
        group: "Cores",
        doc: "A governor that lowers the clock makes the first work after a quiet moment slow.",
        run: cores::governor,
    },
    Check {
        name: "turbo",
        group: "Cores",
        doc: "Turbo is faster and less even: the clock depends on heat and on what other cores do.",
        run: cores::turbo,
    },
    Check {
        name: "smt",
        group: "Cores",
        doc: "Sibling threads share one core's execution units and caches: each slows the other.",
        run: cores::smt,
    },
    Check {
        name: "load",
        group: "Cores",
        doc: "With more threads to run than cores, someone waits; measurements of such a host say little.",
        run: cores::load,
    },
    Check {
        name: "transparent-huge-pages",
        group: "Memory",
        doc: "Set to always, a page fault may compact memory first, and khugepaged moves pages in use.",
        run: memory::transparent_huge_pages,
    },
    Check {
        name: "huge-pages",
        group: "Memory",
        doc: "Reserved huge pages save TLB misses, for programs that ask for them; not needed by default.",
        run: memory::huge_pages,
    },
    Check {
        name: "swap",
        group: "Memory",
        doc: "Touching a page that was swapped out takes milliseconds.",
        run: memory::swap,
    },
    Check {
        name: "locked-memory",
        group: "Memory",
        doc: "Only locked memory is certain never to be swapped out or reclaimed.",
        run: memory::locked_memory,
    },
    Check {
        name: "numa",
        group: "Memory",
        doc: "Memory of another node takes about twice as long to reach.",
        run: memory::numa,
    },
    Check {
        name: "clock-source",
        group: "Clock",
        doc: "From the TSC the time is read in some 20 ns without a system call; other sources take microseconds.",
        run: system::clock_source,
    },
    Check {
        name: "tsc",
        group: "Clock",
        doc: "Stamps taken from a TSC that changes its rate or stops are not times.",
        run: system::tsc,
    },
    Check {
        name: "time-sync",
        group: "Clock",
        doc: "Venues refuse requests with a wrong time, and venue times can be compared only with a right one.",
        run: system::time_sync,
    },
    Check {
        name: "real-time-priority",
        group: "Scheduling",
        doc: "A real-time priority keeps ordinary threads off a core that could not be isolated.",
        run: system::real_time_priority,
    },
    Check {
        name: "real-time-throttle",
        group: "Scheduling",
        doc: "A real-time thread that spins is stopped for the rest of each second once its share is used up. \
              Without the throttle, one that never sleeps starves whatever else is on its core.",
        run: system::real_time_throttle,
    },
    Check {
        name: "cpu-quota",
        group: "Scheduling",
        doc: "A group whose quota is used up stands still until the next period: tens of milliseconds.",
        run: system::cpu_quota,
    },
    Check {
        name: "allowed-cores",
        group: "Scheduling",
        doc: "Threads can be pinned only to cores of the process's own set.",
        run: system::allowed_cores,
    },
    Check {
        name: "busy-poll",
        group: "Network",
        doc: "With busy polling a read takes packets from the network card itself instead of waiting for its interrupt.",
        run: system::busy_poll,
    },
    Check {
        name: "hypervisor",
        group: "Machine",
        doc: "A hypervisor can stop a core at any time, for as long as it likes, and the guest does not see it.",
        run: system::hypervisor,
    },
    Check {
        name: "mitigations",
        group: "Machine",
        doc: "Mitigations make each system call and context switch dearer; without them, code that runs on this host \
              may read its secrets.",
        run: system::mitigations,
    },
];

/// Runs every check, in the order of [`CHECKS`].
#[must_use]
pub fn findings(facts: &HostFacts) -> Vec<Finding> {
    let finding = |check: &Check| {
        let Verdict { level, found, fix, persistent_fix } = (check.run)(facts);
        Finding { check: check.name, group: check.group, level, found, why: check.doc, fix, persistent_fix }
    };
    CHECKS.iter().map(finding).collect()
}

/// How to give the kernel a parameter at boot.
fn at_boot(parameters: &str) -> String {
    format!("add to GRUB_CMDLINE_LINUX in /etc/default/grub: {parameters}; then update-grub and reboot")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_distinct_and_groups_are_together() {
        let names: HashSet<_> = CHECKS.iter().map(|check| check.name).collect();
        assert_eq!(names.len(), CHECKS.len());
        let groups = CHECKS.chunk_by(|a, b| a.group == b.group).count();
        assert_eq!(groups, CHECKS.iter().map(|check| check.group).collect::<HashSet<_>>().len());
    }

    #[test]
    fn of_a_host_that_shows_nothing_nothing_is_claimed() {
        for finding in findings(&HostFacts::default()) {
            assert_eq!(finding.level, Level::Unknown, "{}: {}", finding.check, finding.found);
        }
    }
}
