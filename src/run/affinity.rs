//! Which cores a thread may run on. The pipeline's threads are pinned; all others keep to the housekeeping cores.
//!
//! A new thread inherits what its parent may use, so every thread that is started beside a pipeline says for itself
//! where it runs: a helper started by a pinned feed would otherwise share its core.

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use std::sync::OnceLock;

/// The cores this process may use. Asked once: after a thread was pinned it would be told its own core alone.
pub(super) fn available_cores() -> Vec<usize> {
    static CORES: OnceLock<Vec<usize>> = OnceLock::new();
    let ask = || core_affinity::get_core_ids().unwrap_or_default().iter().map(|c| c.id).collect();
    CORES.get_or_init(ask).clone()
}

/// Pins the calling thread. Where it is not allowed the thread runs where it may: slower, not wrong.
pub(super) fn pin(id: usize) {
    if !core_affinity::set_for_current(core_affinity::CoreId { id }) {
        log::warn!("could not pin a thread to core {id}; it runs wherever the kernel puts it");
    }
}

/// Keeps the calling thread to these cores; to none in particular where there are none.
pub(super) fn keep_to(cores: &[usize]) {
    let mut set = CpuSet::new();
    // A core beyond what the kernel's set holds is none that this process could use.
    let known = cores.iter().filter(|core| set.set(**core).is_ok()).count();
    if known > 0
        && let Err(error) = sched_setaffinity(Pid::from_raw(0), &set)
    {
        log::warn!("could not keep a thread to cores {cores:?} ({error}); it runs where its parent did");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sched::sched_getaffinity;

    fn mine() -> Vec<usize> {
        let set = sched_getaffinity(Pid::from_raw(0)).expect("a thread may ask where it may run");
        (0..CpuSet::count()).filter(|core| set.is_set(*core).unwrap_or(false)).collect()
    }

    #[test]
    fn a_thread_that_a_pinned_one_starts_can_leave_its_core() {
        let cores = available_cores();
        let (pinned, left) = std::thread::spawn(move || {
            pin(cores[0]);
            let pinned = mine();
            let child = std::thread::spawn(move || {
                assert_eq!(mine().len(), 1, "inherited");
                keep_to(&cores);
                (mine(), cores)
            });
            (pinned, child.join().expect("no panic"))
        })
        .join()
        .expect("no panic");
        assert_eq!(pinned, [left.1[0]]);
        assert_eq!(left.0, left.1);
    }
}
