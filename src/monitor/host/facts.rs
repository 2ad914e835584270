//! What is known of the host. Plain data: every field can be absent, and says where it was read.

use serde::Serialize;
use std::collections::BTreeMap;

/// Everything [`HostFacts::gather`] could read. `None`, or an empty list, where the kernel does not show it.
///
/// Carries no name, address or serial number, so that a report can be shown to others.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct HostFacts {
    /// Kernel release, from `/proc/sys/kernel/osrelease`.
    pub kernel: Option<String>,
    /// The parameters of the kernel's command line that bear on latency, as given; others are left out.
    pub kernel_parameters: Vec<String>,
    /// Processors.
    pub cpu: Cpu,
    /// Interrupts.
    pub interrupts: Interrupts,
    /// Memory.
    pub memory: Memory,
    /// Clocks.
    pub clock: Clock,
    /// Limits of this process and of real-time threads.
    pub limits: Limits,
    /// Network.
    pub network: Network,
    /// Limits that a container or service manager sets.
    pub container: Container,
}

/// Processors.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Cpu {
    /// Model name, from `/proc/cpuinfo`.
    pub model: Option<String>,
    /// Cores that are online.
    pub online: Vec<usize>,
    /// Cores this process may run on (`Cpus_allowed_list`): of the whole process only while nothing is pinned yet.
    pub allowed: Vec<usize>,
    /// Cores kept from the scheduler (`isolcpus=`).
    pub isolated: Vec<usize>,
    /// Cores without a timer tick while one thread runs (`nohz_full=`).
    pub nohz_full: Vec<usize>,
    /// Cores whose RCU callbacks run elsewhere (`rcu_nocbs=`).
    pub rcu_nocbs: Vec<usize>,
    /// Frequency governor by core; empty where not exposed, as in most virtual machines.
    pub governors: BTreeMap<usize, String>,
    /// Whether sibling threads share cores.
    pub smt_active: Option<bool>,
    /// Whether the clock may rise above its base frequency.
    pub turbo: Option<bool>,
    /// Whether the processor says that a hypervisor runs it; `None` where it lists no flags.
    pub hypervisor: Option<bool>,
    /// Whether the time stamp counter has a constant rate; `None` where no flags are listed (not x86).
    pub constant_tsc: Option<bool>,
    /// Whether the time stamp counter goes on in deep idle states; `None` where no flags are listed (not x86).
    pub nonstop_tsc: Option<bool>,
    /// NUMA nodes online.
    pub numa_nodes: Vec<usize>,
    /// State of each known vulnerability that is not "Not affected".
    pub vulnerabilities: BTreeMap<String, String>,
    /// Load average over one minute: threads running or waiting.
    pub load_1m: Option<f64>,
}

/// Interrupts.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Interrupts {
    /// Each interrupt line, by number.
    pub lines: Vec<Irq>,
    /// Whether irqbalance runs, which moves them about by itself.
    pub irqbalance: bool,
}

/// One interrupt line.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Irq {
    /// Its number under `/proc/irq`.
    pub number: u32,
    /// Who handles it; empty for a line without a handler.
    pub handlers: Vec<String>,
    /// Cores it may be sent to.
    pub allowed: Vec<usize>,
    /// Cores it is sent to; empty where the kernel does not say.
    pub effective: Vec<usize>,
}

/// Memory.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Memory {
    /// Main memory, KiB.
    pub total_kib: Option<u64>,
    /// Swap, KiB; 0 is none.
    pub swap_total_kib: Option<u64>,
    /// Transparent huge pages: `always`, `madvise` or `never`.
    pub transparent_huge_pages: Option<String>,
    /// Huge pages reserved.
    pub huge_pages_total: Option<u64>,
    /// Huge pages reserved and free.
    pub huge_pages_free: Option<u64>,
    /// Size of one, KiB.
    pub huge_page_kib: Option<u64>,
    /// How readily memory is swapped out, 0–200.
    pub swappiness: Option<u64>,
}

/// Clocks.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Clock {
    /// The clock source in use.
    pub source: Option<String>,
    /// Those that could be.
    pub available: Vec<String>,
    /// Time daemons seen running; none seen proves nothing inside a container.
    pub sync_daemons: Vec<String>,
}

/// A soft and a hard limit; `None` is unlimited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// What holds.
    pub soft: Option<u64>,
    /// How far the process may raise it.
    pub hard: Option<u64>,
}

/// Limits of this process and of real-time threads.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Limits {
    /// Highest real-time priority the process may take; 0 is none.
    pub rtprio: Option<Limit>,
    /// Bytes it may lock into memory.
    pub memlock_bytes: Option<Limit>,
    /// Files and sockets it may have open.
    pub nofile: Option<Limit>,
    /// µs of each second that real-time threads may use; -1 is all.
    pub sched_rt_runtime_us: Option<i64>,
}

/// Network.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Network {
    /// µs a read on a socket polls the device for; 0 is off.
    pub busy_read_us: Option<u64>,
    /// µs `poll` and `select` poll the devices for; 0 is off.
    pub busy_poll_us: Option<u64>,
}

/// Limits that a container or service manager sets.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Container {
    /// Whether this looks like the inside of a container.
    pub detected: bool,
    /// Cores' worth of time per period, the least on the way to the root of the cgroups; `None` is no quota.
    pub cpu_quota_cores: Option<f64>,
    /// The period of that quota, µs: a process that used its quota up waits for the rest of it.
    pub cpu_period_us: Option<u64>,
    /// Cores the group's threads can be pinned to; empty where the kernel does not say.
    pub cpuset: Vec<usize>,
}

impl HostFacts {
    /// The cores to keep for busy-polling threads: the isolated ones, else all but the first (of more than four: but
    /// the first two), which are left to everything else. Empty on a single core.
    #[must_use]
    pub fn hot_cores(&self) -> Vec<usize> {
        if !self.cpu.isolated.is_empty() {
            return self.cpu.isolated.clone();
        }
        let housekeeping = if self.cpu.online.len() > 4 { 2 } else { 1 };
        self.cpu.online.iter().skip(housekeeping).copied().collect()
    }
}
