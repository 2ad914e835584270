//! What `doctor` promises, on made-up hosts: no knob of this machine is read or changed.

use algo_trader::cli::doctor;
use algo_trader::monitor::host::{Finding, HostFacts, Level, findings};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A `/proc` and `/sys` of files.
struct Host(TempDir);

impl Host {
    fn empty() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn with(files: &[(&str, &str)]) -> Self {
        Self::empty().and(files)
    }

    fn and(self, files: &[(&str, &str)]) -> Self {
        for (path, content) in files {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().expect("files are in directories")).expect("a directory");
            fs::write(path, content).expect("a file");
        }
        self
    }

    fn facts(&self) -> HostFacts {
        HostFacts::gather_from(self.0.path())
    }

    fn finding(&self, check: &str) -> Finding {
        let all = findings(&self.facts());
        all.into_iter().find(|finding| finding.check == check).unwrap_or_else(|| panic!("no check {check}"))
    }

    fn levels(&self, level: Level) -> Vec<&'static str> {
        findings(&self.facts()).iter().filter(|f| f.level == level).map(|f| f.check).collect()
    }
}

const LIMITS_HEAD: &str = "Limit                     Soft Limit           Hard Limit           Units     \n";

fn tuned() -> Host {
    let limits = format!(
        "{LIMITS_HEAD}Max open files            20000                20000                files     \n\
         Max locked memory         unlimited            unlimited            bytes     \n\
         Max realtime priority     99                   99                                   \n"
    );
    Host::with(&[
        (
            "proc/cmdline",
            "quiet root=/dev/secret isolcpus=managed_irq,domain,2-7 nohz_full=2-7 rcu_nocbs=2-7\n",
        ),
        ("proc/sys/kernel/osrelease", "6.8.0-rt\n"),
        (
            "proc/cpuinfo",
            "processor\t: 0\nmodel name\t: AMD EPYC 9575F\nflags\t\t: fpu tsc constant_tsc nonstop_tsc\n\nprocessor\t: 1\nflags\t\t: hypervisor\n",
        ),
        ("proc/self/status", "Name:\tx\nCpus_allowed_list:\t0-1\n"),
        ("proc/self/limits", &limits),
        ("proc/self/cgroup", "0::/trading/bot\n"),
        ("sys/fs/cgroup/trading/cpu.max", "max 100000\n"),
        ("sys/fs/cgroup/trading/cpuset.cpus.effective", "0-7\n"),
        ("proc/loadavg", "1.50 1.00 0.50 2/300 12345\n"),
        (
            "proc/meminfo",
            "MemTotal:  1000 kB\nSwapTotal: 0 kB\nHugePages_Total: 8\nHugePages_Free: 6\nHugepagesize: 2048 kB\n",
        ),
        ("proc/sys/vm/swappiness", "60\n"),
        ("proc/sys/kernel/sched_rt_runtime_us", "-1\n"),
        ("proc/sys/net/core/busy_read", "50\n"),
        ("proc/sys/net/core/busy_poll", "50\n"),
        ("proc/irq/24/smp_affinity_list", "0-1\n"),
        ("proc/irq/24/eth0-rx-0/handler", ""),
        ("proc/irq/25/smp_affinity_list", "0-7\n"),
        ("proc/irq/25/effective_affinity_list", "1\n"),
        ("proc/irq/25/eth0-tx-0/handler", ""),
        // Bound by the driver to the core whose I/O it serves.
        ("proc/irq/26/smp_affinity_list", "5\n"),
        ("proc/irq/26/nvme0q6/handler", ""),
        ("proc/812/comm", "chronyd\n"),
        ("sys/devices/system/cpu/online", "0-7\n"),
        ("sys/devices/system/cpu/isolated", "2-7\n"),
        ("sys/devices/system/cpu/nohz_full", "2-7\n"),
        ("sys/devices/system/cpu/smt/active", "0\n"),
        ("sys/devices/system/cpu/cpufreq/boost", "1\n"),
        ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n"),
        ("sys/devices/system/cpu/cpu7/cpufreq/scaling_governor", "performance\n"),
        ("sys/devices/system/cpu/vulnerabilities/meltdown", "Not affected\n"),
        ("sys/devices/system/cpu/vulnerabilities/spectre_v1", "Vulnerable\n"),
        ("sys/devices/system/node/online", "0\n"),
        ("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"),
        ("sys/devices/system/clocksource/clocksource0/available_clocksource", "tsc hpet acpi_pm\n"),
        ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
    ])
}

fn untuned() -> Host {
    let limits = format!(
        "{LIMITS_HEAD}Max locked memory         8388608              8388608              bytes     \n\
         Max realtime priority     0                    0                                    \n"
    );
    Host::with(&[
        ("proc/cmdline", "quiet\n"),
        ("proc/cpuinfo", "model name\t: X\nflags\t\t: fpu tsc constant_tsc hypervisor\n"),
        ("proc/self/status", "Cpus_allowed_list:\t0-3\n"),
        ("proc/self/limits", &limits),
        ("proc/self/cgroup", "4:cpu,cpuacct:/docker/abc\n0::/../..\n"),
        ("sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "150000\n"),
        ("sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us", "100000\n"),
        ("proc/loadavg", "9.00 1.00 0.50 2/300 12345\n"),
        ("proc/meminfo", "SwapTotal: 2097152 kB\n"),
        ("proc/sys/vm/swappiness", "60\n"),
        ("proc/sys/kernel/sched_rt_runtime_us", "950000\n"),
        ("proc/sys/net/core/busy_read", "0\n"),
        ("proc/sys/net/core/busy_poll", "0\n"),
        ("proc/irq/24/smp_affinity_list", "0-3\n"),
        ("proc/irq/24/eth0/handler", ""),
        ("proc/99/comm", "irqbalance\n"),
        ("sys/devices/system/cpu/online", "0-3\n"),
        ("sys/devices/system/cpu/isolated", "\n"),
        ("sys/devices/system/cpu/smt/active", "1\n"),
        ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n"),
        ("sys/devices/system/cpu/cpu3/cpufreq/scaling_governor", "powersave\n"),
        ("sys/devices/system/cpu/vulnerabilities/spectre_v2", "Mitigation: Retpolines\n"),
        ("sys/devices/system/node/online", "0-1\n"),
        ("sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n"),
        ("sys/devices/system/clocksource/clocksource0/available_clocksource", "tsc hpet\n"),
        ("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n"),
    ])
}

#[test]
fn a_tuned_host_has_nothing_to_change() {
    let host = tuned();
    assert_eq!(host.levels(Level::Problem), [""; 0]);
    assert_eq!(host.levels(Level::Advice), [""; 0]);
    assert_eq!(host.levels(Level::Unknown), [""; 0]);
}

#[test]
fn an_untuned_host_is_told_each_thing_and_how_to_change_it() {
    let host = untuned();
    assert_eq!(
        host.levels(Level::Problem),
        ["governor", "transparent-huge-pages", "clock-source", "tsc", "cpu-quota"]
    );
    assert_eq!(
        host.levels(Level::Advice),
        [
            "isolated-cores",
            "tickless-cores",
            "rcu-offload",
            "interrupts",
            "irqbalance",
            "smt",
            "load",
            "swap",
            "locked-memory",
            "numa",
            "real-time-priority",
            "real-time-throttle",
            "busy-poll",
            "hypervisor",
            "mitigations",
        ]
    );
    for finding in findings(&host.facts()) {
        if matches!(finding.level, Level::Advice | Level::Problem) {
            assert!(!(finding.fix.is_empty() && finding.persistent_fix.is_empty()), "{}", finding.check);
        }
    }
    let isolated = host.finding("isolated-cores");
    assert!(isolated.persistent_fix.contains("isolcpus=managed_irq,domain,1-3 nohz_full=1-3 rcu_nocbs=1-3"));
    assert_eq!(host.finding("cpu-quota").found, "1.50 cores per period of 100000 µs");
    assert_eq!(host.finding("swap").fix, "sysctl -w vm.swappiness=10");
    assert_eq!(host.finding("interrupts").found, "1 run on cores 1-3: eth0");
}

#[test]
fn an_interrupt_on_an_isolated_core_is_a_problem() {
    let host = tuned().and(&[("proc/irq/25/effective_affinity_list", "3\n")]);
    let finding = host.finding("interrupts");
    assert_eq!(finding.level, Level::Problem);
    assert_eq!(finding.found, "1 run on cores 2-7: eth0-tx-0");
    assert_eq!(finding.fix, "scripts/tune-host --apply --cores 2-7");
}

#[test]
fn an_isolated_core_outside_the_cpuset_is_a_problem() {
    let host = tuned().and(&[("sys/fs/cgroup/trading/bot/cpuset.cpus.effective", "0-3\n")]);
    assert_eq!(host.finding("allowed-cores").level, Level::Problem);
    assert_eq!(host.finding("allowed-cores").found, "0-3 of 0-7; isolated cores 4-7 are outside");
}

#[test]
fn a_quota_of_any_group_above_counts() {
    let host = tuned().and(&[
        ("sys/fs/cgroup/trading/bot/cpu.max", "400000 100000\n"),
        ("sys/fs/cgroup/cpu.max", "250000 100000\n"),
    ]);
    assert_eq!(host.facts().container.cpu_quota_cores, Some(2.5));
}

#[test]
fn facts_carry_no_private_part_of_the_command_line() {
    let facts = tuned().facts();
    assert_eq!(
        facts.kernel_parameters,
        ["isolcpus=managed_irq,domain,2-7", "nohz_full=2-7", "rcu_nocbs=2-7"]
    );
}

#[test]
fn an_empty_host_is_unknown_and_never_a_problem() {
    let host = Host::empty();
    assert_eq!(host.facts(), HostFacts::default());
    assert_eq!(host.levels(Level::Problem), [""; 0]);
    assert_eq!(host.levels(Level::Ok), [""; 0]);
}

#[test]
fn odd_content_is_passed_over() {
    let odd = [
        "",
        "\n",
        ":::\n",
        "\u{0}\u{fffd}",
        "-1",
        "99999999999999999999999",
        "a [b",
        "] [",
        "0-4294967295",
        "é é é",
    ];
    let paths: Vec<String> = paths_under(tuned().0.path());
    for content in odd {
        let host = Host::empty();
        let files: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), content)).collect();
        let host = host.and(&files);
        let mut out = Vec::new();
        doctor::report(&host.facts(), false, &mut out).expect("a Vec can be written to");
        doctor::report(&host.facts(), true, &mut out).expect("a Vec can be written to");
    }
    let binary = Host::empty();
    for path in &paths {
        let path = binary.0.path().join(path);
        fs::create_dir_all(path.parent().expect("files are in directories")).expect("a directory");
        fs::write(path, [0xff, 0xfe, b'[', 0, b'\n', 0x80]).expect("a file");
    }
    let _ = findings(&binary.facts());
    // Directories where files are expected.
    let directories = Host::empty();
    for path in &paths {
        fs::create_dir_all(directories.0.path().join(path)).expect("a directory");
    }
    let _ = findings(&directories.facts());
}

fn paths_under(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).expect("a directory").flatten() {
            if entry.path().is_dir() {
                open.push(entry.path());
            } else {
                let path = entry.path();
                let path = path.strip_prefix(root).expect("below the root");
                found.push(path.to_str().expect("our own names").to_owned());
            }
        }
    }
    found
}

#[test]
fn this_host_can_be_read() {
    let mut out = Vec::new();
    doctor::run(false, &mut out).expect("a Vec can be written to");
    let text = String::from_utf8(out).expect("UTF-8");
    println!("{text}");
    assert!(text.contains("Cores\n"));
}
