//! Checks of memory: what can make the touch of a page slow.

use super::{Verdict, at_boot};
use crate::monitor::host::cpu_list;
use crate::monitor::host::facts::HostFacts;

/// More than this process ever uses; systemd's own default of 8 MiB is less than one ring.
const MEMLOCK_BYTES_MIN: u64 = 1 << 30;
const SWAPPINESS_MAX: u64 = 10;

pub(super) fn transparent_huge_pages(facts: &HostFacts) -> Verdict {
    match facts.memory.transparent_huge_pages.as_deref() {
        None => Verdict::unknown("the kernel has none, or does not show it"),
        Some("always") => Verdict::problem("always")
            .fix("echo madvise > /sys/kernel/mm/transparent_hugepage/enabled")
            .persistent(at_boot("transparent_hugepage=madvise")),
        Some(other) => Verdict::ok(other),
    }
}

pub(super) fn huge_pages(facts: &HostFacts) -> Verdict {
    let memory = &facts.memory;
    match (memory.huge_pages_total, memory.huge_pages_free, memory.huge_page_kib) {
        (Some(total), free, Some(kib)) => {
            let free = free.map_or_else(|| "?".to_owned(), |free| free.to_string());
            Verdict::ok(format!("{total} reserved, {free} free, of {kib} KiB"))
        }
        _ => Verdict::unknown("the kernel has none, or does not show it"),
    }
}

pub(super) fn swap(facts: &HostFacts) -> Verdict {
    match (facts.memory.swap_total_kib, facts.memory.swappiness) {
        (Some(0), _) => Verdict::ok("no swap"),
        (Some(kib), Some(swappiness)) => {
            let found = format!("{} MiB of swap, swappiness {swappiness}", kib / 1024);
            if swappiness <= SWAPPINESS_MAX {
                return Verdict::ok(found);
            }
            Verdict::advice(found).sysctl(&format!("vm.swappiness={SWAPPINESS_MAX}"))
        }
        _ => Verdict::unknown("/proc/meminfo cannot be read"),
    }
}

pub(super) fn locked_memory(facts: &HostFacts) -> Verdict {
    let Some(limit) = facts.limits.memlock_bytes else {
        return Verdict::unknown("/proc/self/limits cannot be read");
    };
    match limit.soft {
        None => Verdict::ok("unlimited"),
        Some(bytes) if bytes >= MEMLOCK_BYTES_MIN => Verdict::ok(format!("{} MiB", bytes >> 20)),
        Some(bytes) => Verdict::advice(format!("{} KiB may be locked", bytes >> 10))
            .fix("prlimit --memlock=unlimited --pid $$ (as root, in the shell that starts the process)")
            .persistent(
                "LimitMEMLOCK=infinity in the systemd unit, or scripts/tune-host --apply for log-in sessions",
            ),
    }
}

pub(super) fn numa(facts: &HostFacts) -> Verdict {
    let nodes = &facts.cpu.numa_nodes;
    match nodes.len() {
        0 => Verdict::unknown("the kernel does not show nodes"),
        1 => Verdict::ok("one node"),
        n => Verdict::advice(format!("{n} nodes: {}", cpu_list::format(nodes)))
            .fix("numactl --cpunodebind=N --membind=N algo-trader … (N: the network card's node, /sys/class/net/DEV/device/numa_node)")
            .persistent("NUMAPolicy=bind and NUMAMask=N in the systemd unit; choose busy cores on node N"),
    }
}
