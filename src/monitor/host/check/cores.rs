//! Checks of the cores: how many, how undisturbed, how evenly clocked.

use super::{Verdict, at_boot};
use crate::monitor::host::cpu_list;
use crate::monitor::host::facts::{HostFacts, Irq};
use std::collections::BTreeSet;

/// Feed, stages and housekeeping on a core each, and one to spare.
const CORES_COMFORTABLE: usize = 4;
const NOT_EXPOSED: &str = "not exposed by this kernel or virtual machine";

pub(super) fn count(facts: &HostFacts) -> Verdict {
    let cores = &facts.cpu.online;
    let found = format!("{} online: {}", cores.len(), cpu_list::format(cores));
    match cores.len() {
        0 => Verdict::unknown("the list of cores cannot be read"),
        1 => Verdict::problem(found)
            .persistent("use a machine with at least two cores, or threading = \"inline\""),
        n if n < CORES_COMFORTABLE => Verdict::advice(found)
            .persistent("use threading = \"shared\" or \"inline\", or a machine with four cores or more"),
        _ => Verdict::ok(found),
    }
}

pub(super) fn isolated(facts: &HostFacts) -> Verdict {
    let cpu = &facts.cpu;
    if cpu.online.is_empty() {
        return Verdict::unknown(NOT_EXPOSED);
    }
    let list = cpu_list::format(&facts.hot_cores());
    match (cpu.isolated.is_empty(), list.is_empty()) {
        (false, _) => Verdict::ok(list),
        (true, true) => Verdict::advice("none, and with one core there can be none"),
        (true, false) => Verdict::advice("none").persistent(at_boot(&boot_parameters(&list))),
    }
}

fn boot_parameters(list: &str) -> String {
    format!("isolcpus=managed_irq,domain,{list} nohz_full={list} rcu_nocbs={list}")
}

pub(super) fn tickless(facts: &HostFacts) -> Verdict {
    let cpu = &facts.cpu;
    needed_on_isolated(facts, &[&cpu.nohz_full], |list| format!("nohz_full={list}"))
}

pub(super) fn rcu(facts: &HostFacts) -> Verdict {
    let cpu = &facts.cpu;
    // The kernel takes the callbacks off tickless cores by itself.
    needed_on_isolated(facts, &[&cpu.rcu_nocbs, &cpu.nohz_full], |list| format!("rcu_nocbs={list}"))
}

fn needed_on_isolated(facts: &HostFacts, have: &[&[usize]], parameter: fn(&str) -> String) -> Verdict {
    let cpu = &facts.cpu;
    if cpu.online.is_empty() {
        return Verdict::unknown(NOT_EXPOSED);
    }
    let wanted = facts.hot_cores();
    let missing: Vec<usize> =
        wanted.iter().filter(|&core| !have.iter().any(|cores| cores.contains(core))).copied().collect();
    let list = cpu_list::format(&wanted);
    if wanted.is_empty() {
        return Verdict::advice("none, and with one core there can be none");
    }
    if missing.is_empty() {
        return Verdict::ok(list);
    }
    let found = if cpu.isolated.is_empty() {
        "no core".to_owned()
    } else {
        format!("not on isolated cores {}", cpu_list::format(&missing))
    };
    Verdict::advice(found).persistent(at_boot(&parameter(&list)))
}

pub(super) fn interrupts(facts: &HostFacts) -> Verdict {
    let lines = &facts.interrupts.lines;
    if lines.is_empty() || facts.cpu.online.is_empty() {
        return Verdict::unknown("/proc/irq cannot be read, as in many containers");
    }
    let hot = facts.hot_cores();
    let handled = |irq: &&Irq| !irq.handlers.is_empty();
    let on_hot: Vec<&Irq> = lines.iter().filter(handled).filter(|irq| may_hit(irq, &hot)).collect();
    if on_hot.is_empty() {
        return Verdict::ok(format!("none of {} lines run on cores {}", lines.len(), cpu_list::format(&hot)));
    }
    let list = cpu_list::format(&hot);
    let names: BTreeSet<&str> = on_hot.iter().flat_map(|irq| &irq.handlers).map(String::as_str).collect();
    let shown: Vec<&str> = names.iter().take(4).copied().collect();
    let more = names.len().saturating_sub(shown.len());
    let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
    let found = format!("{} run on cores {list}: {}{tail}", on_hot.len(), shown.join(", "));
    // Without isolated cores nobody has said yet which cores must be quiet.
    let verdict =
        if facts.cpu.isolated.is_empty() { Verdict::advice(found) } else { Verdict::problem(found) };
    let housekeeping: Vec<usize> =
        facts.cpu.online.iter().filter(|core| !hot.contains(core)).copied().collect();
    verdict
        .fix(format!("scripts/tune-host --apply --cores {list}"))
        .persistent(at_boot(&format!("irqaffinity={}", cpu_list::format(&housekeeping))))
}

/// A line that can reach a hot core. NVMe queues are bound to cores by the driver and fire only for I/O submitted
/// there: nothing can, or need, be done about those.
fn may_hit(irq: &Irq, hot: &[usize]) -> bool {
    let managed = irq.handlers.iter().all(|name| name.starts_with("nvme"));
    let cores = if irq.effective.is_empty() { &irq.allowed } else { &irq.effective };
    !managed && cores.iter().any(|core| hot.contains(core))
}

pub(super) fn irqbalance(facts: &HostFacts) -> Verdict {
    if facts.interrupts.irqbalance {
        return Verdict::advice("running").fix("systemctl stop irqbalance").persistent(
            "systemctl disable --now irqbalance (or set IRQBALANCE_BANNED_CPULIST in /etc/default/irqbalance)",
        );
    }
    if facts.interrupts.lines.is_empty() {
        return Verdict::unknown("not seen; inside a container the host's would not be visible");
    }
    Verdict::ok("not running")
}

pub(super) fn governor(facts: &HostFacts) -> Verdict {
    let governors = &facts.cpu.governors;
    let kinds: BTreeSet<&str> = governors.values().map(String::as_str).collect();
    let found = kinds.iter().copied().collect::<Vec<_>>().join(", ");
    if governors.is_empty() {
        return Verdict::unknown(format!(
            "{NOT_EXPOSED}; the clock is the hypervisor's or the firmware's business"
        ));
    }
    if kinds.iter().all(|&kind| kind == "performance") {
        return Verdict::ok(found);
    }
    let all = "/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor";
    Verdict::problem(found).fix(format!("echo performance | tee {all}")).persistent(
        "cpupower frequency-set -g performance from a systemd unit, or a tuned profile (tuned-adm profile latency-performance)",
    )
}

pub(super) fn turbo(facts: &HostFacts) -> Verdict {
    match facts.cpu.turbo {
        None => Verdict::unknown(NOT_EXPOSED),
        Some(true) => Verdict::ok("on: fastest; switch it off where even timing matters more than speed"),
        Some(false) => Verdict::ok("off: even; switch it on where speed matters more than even timing"),
    }
}

pub(super) fn smt(facts: &HostFacts) -> Verdict {
    match facts.cpu.smt_active {
        None => Verdict::unknown(NOT_EXPOSED),
        Some(false) => Verdict::ok("off"),
        Some(true) => Verdict::advice("on")
            .fix("echo off > /sys/devices/system/cpu/smt/control (or leave the siblings of busy cores idle)")
            .persistent(at_boot("nosmt")),
    }
}

pub(super) fn load(facts: &HostFacts) -> Verdict {
    let (Some(load), cores @ 1..) = (facts.cpu.load_1m, facts.cpu.online.len()) else {
        return Verdict::unknown("/proc/loadavg cannot be read");
    };
    let found = format!("{load:.2} over one minute, {cores} cores");
    if load > cores as f64 {
        return Verdict::advice(found)
            .fix("ps -eo pcpu,psr,comm --sort=-pcpu | head (and stop what need not run)");
    }
    Verdict::ok(found)
}
