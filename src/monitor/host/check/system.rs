//! Checks of clocks, scheduling limits, network and the machine itself.

use super::{Verdict, at_boot};
use crate::monitor::host::cpu_list;
use crate::monitor::host::facts::HostFacts;

const BUSY_POLL_US: u64 = 50;

pub(super) fn clock_source(facts: &HostFacts) -> Verdict {
    let clock = &facts.clock;
    let Some(source) = clock.source.as_deref() else {
        return Verdict::unknown("the kernel does not show it");
    };
    let available = format!("{source} (of {})", clock.available.join(", "));
    match source {
        // Read without a system call.
        "tsc" | "arch_sys_counter" => Verdict::ok(source),
        // Nearly as quick: the hypervisor's page corrects the TSC.
        "kvm-clock" | "hyperv_clocksource_tsc_page" if !clock.available.iter().any(|name| name == "tsc") => {
            Verdict::ok(source)
        }
        "kvm-clock" | "hyperv_clocksource_tsc_page" => use_tsc(Verdict::advice(available)),
        _ if clock.available.iter().any(|name| name == "tsc") => use_tsc(Verdict::problem(available)),
        _ => Verdict::problem(format!("{available}; the kernel does not trust the TSC here"))
            .persistent("look for 'clocksource' and 'TSC' in dmesg; another machine type may be needed"),
    }
}

fn use_tsc(verdict: Verdict) -> Verdict {
    verdict
        .fix("echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource")
        .persistent(at_boot("clocksource=tsc tsc=reliable"))
}

pub(super) fn tsc(facts: &HostFacts) -> Verdict {
    match (facts.cpu.constant_tsc, facts.cpu.nonstop_tsc) {
        (Some(true), Some(true)) => Verdict::ok("constant_tsc, nonstop_tsc"),
        (Some(constant), Some(nonstop)) => {
            let missing = [("constant_tsc", constant), ("nonstop_tsc", nonstop)];
            let names: Vec<&str> = missing.iter().filter(|(_, has)| !has).map(|(name, _)| *name).collect();
            Verdict::problem(format!("without {}", names.join(" and ")))
                .persistent("let the hypervisor show the invariant TSC to the guest, or use another machine")
        }
        _ => Verdict::unknown("the processor lists no such flags (not x86)"),
    }
}

pub(super) fn time_sync(facts: &HostFacts) -> Verdict {
    let daemons = &facts.clock.sync_daemons;
    if daemons.is_empty() {
        return Verdict::unknown("no time daemon seen; a host or hypervisor may set the time from outside")
            .fix("systemctl enable --now chrony (chronyd on Red Hat); then chronyc tracking")
            .persistent("the same");
    }
    Verdict::ok(format!("{} running", daemons.join(", ")))
}

pub(super) fn real_time_priority(facts: &HostFacts) -> Verdict {
    match facts.limits.rtprio.map(|limit| limit.soft) {
        None => Verdict::unknown("/proc/self/limits cannot be read"),
        Some(Some(0)) => Verdict::advice("not allowed; needed only where cores cannot be isolated")
            .fix("prlimit --rtprio=50 --pid $$ (as root, in the shell that starts the process)")
            .persistent(
                "LimitRTPRIO=50 in the systemd unit, or scripts/tune-host --apply for log-in sessions",
            ),
        Some(Some(priority)) => Verdict::ok(format!("up to {priority}")),
        Some(None) => Verdict::ok("unlimited"),
    }
}

pub(super) fn real_time_throttle(facts: &HostFacts) -> Verdict {
    match facts.limits.sched_rt_runtime_us {
        None => Verdict::unknown("the kernel does not show it"),
        Some(-1) => Verdict::ok("off"),
        Some(us) => {
            Verdict::advice(format!("real-time threads may run {us} µs of each period; matters only to them"))
                .sysctl("kernel.sched_rt_runtime_us=-1")
        }
    }
}

pub(super) fn cpu_quota(facts: &HostFacts) -> Verdict {
    let container = &facts.container;
    if let Some(cores) = container.cpu_quota_cores {
        let period_us = container.cpu_period_us.unwrap_or_default();
        return Verdict::problem(format!("{cores:.2} cores per period of {period_us} µs"))
            .fix("docker update --cpus=0 NAME, or systemctl set-property NAME CPUQuota= (no quota; give it cores instead)")
            .persistent("--cpuset-cpus=LIST in place of --cpus; on Kubernetes the static CPU manager with whole cores");
    }
    if facts.cpu.allowed.is_empty() {
        return Verdict::unknown("/proc cannot be read");
    }
    Verdict::ok("none")
}

pub(super) fn allowed_cores(facts: &HostFacts) -> Verdict {
    // Isolated cores are never in the set a process starts with, and it can be pinned to them nevertheless; outside
    // its cpuset it cannot.
    let (cpuset, online) = (&facts.container.cpuset, &facts.cpu.online);
    if cpuset.is_empty() || online.is_empty() {
        return Verdict::unknown("the process's cpuset cannot be read");
    }
    let found = format!("{} of {}", cpu_list::format(cpuset), cpu_list::format(online));
    let missing: Vec<usize> =
        facts.cpu.isolated.iter().filter(|core| !cpuset.contains(core)).copied().collect();
    // Nothing is pinned yet where this is asked: what is left out was left out by whoever started the process.
    let plain = |cores: &[usize]| -> Vec<usize> {
        cores.iter().filter(|core| !facts.cpu.isolated.contains(core)).copied().collect()
    };
    let (started, shared) = (plain(&facts.cpu.allowed), plain(cpuset));
    if missing.is_empty() && !started.is_empty() && started != shared {
        let few = cpu_list::format(&started);
        return Verdict::advice(format!(
            "{found}; this process was started on {few} alone, and plans with that"
        ))
        .fix("start it without taskset, or with taskset --cpu-list and all the cores that it is to have")
        .persistent("the same, where the service or the script is defined");
    }
    if missing.is_empty() {
        return Verdict::ok(found);
    }
    let isolated = cpu_list::format(&facts.cpu.isolated);
    Verdict::problem(format!("{found}; isolated cores {} are outside", cpu_list::format(&missing)))
        .fix(format!(
            "docker update --cpuset-cpus={isolated},… NAME, or systemctl set-property NAME AllowedCPUs="
        ))
        .persistent("the same, where the container or the unit is defined")
}

pub(super) fn busy_poll(facts: &HostFacts) -> Verdict {
    let network = &facts.network;
    let (Some(read), Some(poll)) = (network.busy_read_us, network.busy_poll_us) else {
        return Verdict::unknown("the kernel does not show it");
    };
    let found = format!("busy_read {read} µs, busy_poll {poll} µs");
    if read > 0 && poll > 0 {
        return Verdict::ok(found);
    }
    let settings =
        [format!("net.core.busy_read={BUSY_POLL_US}"), format!("net.core.busy_poll={BUSY_POLL_US}")];
    Verdict::advice(found)
        .fix(format!("sysctl -w {}", settings.join(" ")))
        .persistent(format!("printf '%s\\n' {} >> /etc/sysctl.d/90-algo-trader.conf", settings.join(" ")))
}

pub(super) fn hypervisor(facts: &HostFacts) -> Verdict {
    match facts.cpu.hypervisor {
        None => Verdict::unknown("the processor lists no flags (not x86)"),
        Some(false) => Verdict::ok("none: bare metal"),
        Some(true) => Verdict::advice("a virtual machine").persistent(
            "a bare-metal instance, or one with dedicated, unshared cores; judge the tail by many runs",
        ),
    }
}

pub(super) fn mitigations(facts: &HostFacts) -> Verdict {
    let states = &facts.cpu.vulnerabilities;
    let with = |word: &str| states.values().filter(|state| state.starts_with(word)).count();
    let (mitigated, vulnerable) = (with("Mitigation"), with("Vulnerable"));
    if facts.cpu.model.is_none() && states.is_empty() {
        return Verdict::unknown("the kernel does not show them");
    }
    let found = format!("{mitigated} mitigated, {vulnerable} vulnerable");
    if mitigated == 0 {
        return Verdict::ok(found);
    }
    Verdict::advice(found).persistent(format!(
        "only on a machine that runs nothing but trusted code: {}",
        at_boot("mitigations=off")
    ))
}
