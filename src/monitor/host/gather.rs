//! Reads `/proc` and `/sys` into [`HostFacts`]. What is not there, or makes no sense, is left out.

use super::cpu_list;
use super::facts::{Clock, Container, Cpu, HostFacts, Interrupts, Irq, Limit, Limits, Memory, Network};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// No file read here is longer on any host; what is, is cut.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Kernel parameters that bear on latency. The rest of the command line is nobody's business.
const PARAMETERS: &[&str] = &[
    "amd_pstate",
    "clocksource",
    "default_hugepagesz",
    "hugepages",
    "hugepagesz",
    "idle",
    "intel_idle.max_cstate",
    "intel_pstate",
    "irqaffinity",
    "isolcpus",
    "mitigations",
    "nmi_watchdog",
    "nohz",
    "nohz_full",
    "nosmt",
    "nosoftlockup",
    "nowatchdog",
    "preempt",
    "processor.max_cstate",
    "rcu_nocb_poll",
    "rcu_nocbs",
    "skew_tick",
    "transparent_hugepage",
    "tsc",
];
/// Names as `/proc/PID/comm` has them, cut to 15 characters.
const TIME_DAEMONS: &[&str] = &["chronyd", "ntpd", "ntpsec", "phc2sys", "ptp4l", "systemd-timesyn"];

impl HostFacts {
    /// Reads this host. Call it before any thread is pinned: afterwards [`Cpu::allowed`] may show one core.
    #[must_use]
    pub fn gather() -> HostFacts {
        Self::gather_from(Path::new("/"))
    }

    /// Reads the host whose `proc` and `sys` are under `root`.
    #[must_use]
    pub fn gather_from(root: &Path) -> HostFacts {
        let tree = Tree { root };
        let command_line = tree.text("proc/cmdline").unwrap_or_default();
        let processes = tree.processes();
        let cpu = tree.cpu(&command_line);
        HostFacts {
            kernel: tree.text("proc/sys/kernel/osrelease"),
            kernel_parameters: command_line
                .split_whitespace()
                .filter(|word| PARAMETERS.contains(&parameter_name(word)))
                .map(str::to_owned)
                .collect(),
            cpu,
            interrupts: tree.interrupts(&processes),
            memory: tree.memory(),
            clock: tree.clock(&processes),
            limits: tree.limits(),
            network: Network {
                busy_read_us: tree.number("proc/sys/net/core/busy_read"),
                busy_poll_us: tree.number("proc/sys/net/core/busy_poll"),
            },
            container: tree.container(),
        }
    }
}

fn parameter_name(word: &str) -> &str {
    word.split_once('=').map_or(word, |(name, _)| name)
}

fn parameter<'a>(command_line: &'a str, name: &str) -> Option<&'a str> {
    command_line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

/// `key : value` of the first line with that key.
fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim())
    })
}

struct Tree<'a> {
    root: &'a Path,
}

impl Tree<'_> {
    fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        let mut bytes = Vec::new();
        File::open(self.root.join(path)).ok()?.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    fn number<T: std::str::FromStr>(&self, path: impl AsRef<Path>) -> Option<T> {
        self.text(path)?.parse().ok()
    }

    fn cores(&self, path: impl AsRef<Path>) -> Vec<usize> {
        self.text(path).map_or_else(Vec::new, |list| cpu_list::parse(&list))
    }

    /// Names in a directory, sorted; those that are not UTF-8 are passed over.
    fn names(&self, path: impl AsRef<Path>) -> Vec<String> {
        let entries = fs::read_dir(self.root.join(path)).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_unstable();
        names
    }

    fn processes(&self) -> Vec<String> {
        let pids = self.names("proc").into_iter().filter(|name| name.bytes().all(|b| b.is_ascii_digit()));
        pids.filter_map(|pid| self.text(format!("proc/{pid}/comm"))).collect()
    }

    fn cpu(&self, command_line: &str) -> Cpu {
        let info = self.text("proc/cpuinfo").unwrap_or_default();
        let flags: Option<Vec<&str>> = field(&info, "flags").map(|flags| flags.split_whitespace().collect());
        let has = |flag| flags.as_ref().map(|flags| flags.contains(&flag));
        let status = self.text("proc/self/status").unwrap_or_default();
        let online = self.cores("sys/devices/system/cpu/online");
        let rcu_nocbs = match parameter(command_line, "rcu_nocbs") {
            Some("all") => online.clone(),
            list => cpu_list::parse(list.unwrap_or_default()),
        };
        Cpu {
            model: field(&info, "model name").map(str::to_owned),
            allowed: cpu_list::parse(field(&status, "Cpus_allowed_list").unwrap_or_default()),
            isolated: self.cores("sys/devices/system/cpu/isolated"),
            nohz_full: self.cores("sys/devices/system/cpu/nohz_full"),
            rcu_nocbs,
            governors: self.governors(&online),
            smt_active: self.number::<u8>("sys/devices/system/cpu/smt/active").map(|active| active != 0),
            turbo: self.turbo(),
            hypervisor: has("hypervisor"),
            constant_tsc: has("constant_tsc"),
            nonstop_tsc: has("nonstop_tsc"),
            numa_nodes: self.cores("sys/devices/system/node/online"),
            vulnerabilities: self.vulnerabilities(),
            load_1m: self.text("proc/loadavg").and_then(|text| text.split_whitespace().next()?.parse().ok()),
            online,
        }
    }

    fn governors(&self, online: &[usize]) -> BTreeMap<usize, String> {
        let path = |core| format!("sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor");
        online.iter().filter_map(|&core| Some((core, self.text(path(core))?))).collect()
    }

    fn turbo(&self) -> Option<bool> {
        let off: Option<u8> = self.number("sys/devices/system/cpu/intel_pstate/no_turbo");
        let on: Option<u8> = self.number("sys/devices/system/cpu/cpufreq/boost");
        off.map(|off| off == 0).or(on.map(|on| on != 0))
    }

    fn vulnerabilities(&self) -> BTreeMap<String, String> {
        let directory = "sys/devices/system/cpu/vulnerabilities";
        let states = self.names(directory).into_iter().filter_map(|name| {
            let state = self.text(format!("{directory}/{name}"))?;
            (state != "Not affected").then_some((name, state))
        });
        states.collect()
    }

    fn interrupts(&self, processes: &[String]) -> Interrupts {
        let numbers = self.names("proc/irq").into_iter().filter_map(|name| name.parse().ok());
        let mut lines: Vec<Irq> = numbers.map(|number| self.irq(number)).collect();
        lines.sort_unstable_by_key(|irq| irq.number);
        Interrupts { lines, irqbalance: processes.iter().any(|name| name == "irqbalance") }
    }

    fn irq(&self, number: u32) -> Irq {
        let directory = PathBuf::from(format!("proc/irq/{number}"));
        // A handler shows as a directory in its line's directory.
        let is_directory = |name: &String| self.root.join(&directory).join(name).is_dir();
        Irq {
            number,
            handlers: self.names(&directory).into_iter().filter(is_directory).collect(),
            allowed: self.cores(directory.join("smp_affinity_list")),
            effective: self.cores(directory.join("effective_affinity_list")),
        }
    }

    fn memory(&self) -> Memory {
        let info = self.text("proc/meminfo").unwrap_or_default();
        let amount = |key| field(&info, key)?.split_whitespace().next()?.parse().ok();
        // The one in use is in brackets: `always [madvise] never`.
        let chosen = |text: String| Some(text.split_once('[')?.1.split_once(']')?.0.to_owned());
        Memory {
            total_kib: amount("MemTotal"),
            swap_total_kib: amount("SwapTotal"),
            transparent_huge_pages: self.text("sys/kernel/mm/transparent_hugepage/enabled").and_then(chosen),
            huge_pages_total: amount("HugePages_Total"),
            huge_pages_free: amount("HugePages_Free"),
            huge_page_kib: amount("Hugepagesize"),
            swappiness: self.number("proc/sys/vm/swappiness"),
        }
    }

    fn clock(&self, processes: &[String]) -> Clock {
        let directory = "sys/devices/system/clocksource/clocksource0";
        let available = self.text(format!("{directory}/available_clocksource")).unwrap_or_default();
        let is_daemon = |name: &&&str| processes.iter().any(|process| process == **name);
        Clock {
            source: self.text(format!("{directory}/current_clocksource")),
            available: available.split_whitespace().map(str::to_owned).collect(),
            sync_daemons: TIME_DAEMONS.iter().filter(is_daemon).map(|&name| name.to_owned()).collect(),
        }
    }

    fn limits(&self) -> Limits {
        let table = self.text("proc/self/limits").unwrap_or_default();
        Limits {
            rtprio: limit(&table, "Max realtime priority"),
            memlock_bytes: limit(&table, "Max locked memory"),
            nofile: limit(&table, "Max open files"),
            sched_rt_runtime_us: self.number("proc/sys/kernel/sched_rt_runtime_us"),
        }
    }

    fn container(&self) -> Container {
        let membership = self.text("proc/self/cgroup").unwrap_or_default();
        let marked = ["docker", "kubepods", "containerd", "libpod", "lxc"];
        let detected = [".dockerenv", "run/.containerenv"].iter().any(|file| self.root.join(file).exists())
            || marked.iter().any(|mark| membership.contains(mark));
        let groups: Vec<Group> = membership.lines().filter_map(Group::parse).collect();
        let quotas =
            groups.iter().flat_map(|group| group.ancestors("cpu")).filter_map(|path| self.quota(&path));
        let least = quotas.min_by(|a, b| a.0.total_cmp(&b.0));
        let cpuset =
            groups.iter().flat_map(|group| group.ancestors("cpuset")).find_map(|path| self.cpuset(&path));
        Container {
            detected,
            cpu_quota_cores: least.map(|quota| quota.0),
            cpu_period_us: least.map(|quota| quota.1),
            cpuset: cpuset.unwrap_or_default(),
        }
    }

    /// A group's quota: cores, and period in µs. `cpu.max` is version 2 of cgroups, the others are version 1.
    fn quota(&self, group: &Path) -> Option<(f64, u64)> {
        let (quota_us, period_us): (u64, u64) = match self.text(group.join("cpu.max")) {
            Some(text) => {
                let (quota_us, period_us) = text.split_once(' ')?;
                (quota_us.parse().ok()?, period_us.parse().ok()?)
            }
            None => {
                (self.number(group.join("cpu.cfs_quota_us"))?, self.number(group.join("cpu.cfs_period_us"))?)
            }
        };
        (period_us > 0).then(|| (quota_us as f64 / period_us as f64, period_us))
    }

    fn cpuset(&self, group: &Path) -> Option<Vec<usize>> {
        let files = ["cpuset.cpus.effective", "cpuset.effective_cpus"];
        files.iter().map(|file| self.cores(group.join(file))).find(|cores| !cores.is_empty())
    }
}

/// One line of `/proc/self/cgroup`: `ID:CONTROLLERS:PATH`, with no controllers for version 2.
struct Group {
    controllers: String,
    path: PathBuf,
}

impl Group {
    fn parse(line: &str) -> Option<Self> {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        // In a cgroup namespace the path may climb above what is mounted (`/../..`): only names are followed.
        let names = Path::new(path).components().filter(|part| matches!(part, Component::Normal(_)));
        Some(Self { controllers: controllers.to_owned(), path: names.collect() })
    }

    /// Where this group and those above it are mounted, if it has `controller`.
    fn ancestors(&self, controller: &str) -> Vec<PathBuf> {
        if !self.controllers.is_empty() && !self.controllers.split(',').any(|name| name == controller) {
            return Vec::new();
        }
        let mount = Path::new("sys/fs/cgroup").join(&self.controllers);
        self.path.ancestors().map(|group| mount.join(group)).collect()
    }
}

/// A row of `/proc/self/limits`: its name, then soft and hard.
fn limit(table: &str, name: &str) -> Option<Limit> {
    let row = table.lines().find_map(|line| line.strip_prefix(name))?;
    let mut values = row.split_whitespace().map(|word| match word {
        "unlimited" => Some(None),
        number => number.parse().ok().map(Some),
    });
    Some(Limit { soft: values.next()??, hard: values.next()?? })
}
