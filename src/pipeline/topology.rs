//! The topology: which stages run on which thread, pinned where, waiting how. A value that a person can print.

use super::wait::Wait;
use std::fmt;
use thiserror::Error;

/// How stages are spread over threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threading {
    /// Feed and stages in one thread: no hops; lowest latency while the stages' work is small.
    Inline,
    /// Feed on one core, all stages on another.
    Shared,
    /// A thread a stage.
    Dedicated,
}

impl Threading {
    /// Every mode.
    pub const ALL: [Threading; 3] = [Threading::Inline, Threading::Shared, Threading::Dedicated];

    /// The name used in configuration.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Threading::Inline => "inline",
            Threading::Shared => "shared",
            Threading::Dedicated => "dedicated",
        }
    }

    /// The mode with this label.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.label() == label)
    }
}

/// A part of the pipeline that has to run somewhere, in chain order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads, decodes, sequences.
    Feed,
    /// Books, bars, indicators.
    Market,
    /// Strategies and the order manager.
    Strategy,
    /// Approves or denies.
    Risk,
    /// Order states, positions.
    Execution,
    /// Writes and hashes what happened, before the gateway acts.
    Journal,
    /// Hands orders over.
    Gateway,
}

impl Role {
    /// The stages, in chain order (the feed is no stage).
    pub const STAGES: [Role; 6] =
        [Role::Market, Role::Strategy, Role::Risk, Role::Execution, Role::Journal, Role::Gateway];

    /// The name in tables and configuration.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Role::Feed => "feed",
            Role::Market => "market",
            Role::Strategy => "strategy",
            Role::Risk => "risk",
            Role::Execution => "execution",
            Role::Journal => "journal",
            Role::Gateway => "gateway",
        }
    }
}

/// One thread of the topology.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadPlan {
    /// The thread's name, as the operating system shows it (at most 15 bytes).
    pub name: String,
    /// What runs on it, in chain order.
    pub roles: Vec<Role>,
    /// The core it is pinned to, if any.
    pub core: Option<usize>,
    /// How it waits.
    pub wait: Wait,
}

/// Cores asked for in the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CorePlan {
    /// For each role a core, where one was asked for.
    pub by_role: Vec<(Role, usize)>,
    /// For the thread that holds the sockets orders go out by.
    pub gateway_io: Option<usize>,
    /// For the threads beside the pipeline; none: chosen by what the pipeline leaves.
    pub housekeeping: Vec<usize>,
}

impl CorePlan {
    fn of(&self, roles: &[Role]) -> Option<usize> {
        // Where stages are in the feed's thread, they are where the feed is to be.
        let named = roles.iter().position(|role| *role == Role::Feed).map_or(roles, |at| &roles[at..=at]);
        named.iter().find_map(|role| self.by_role.iter().find(|(r, _)| r == role).map(|(_, core)| *core))
    }
}

/// What a topology is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopologyRequest {
    /// The mode; `None` chooses by the cores there are.
    pub threading: Option<Threading>,
    /// The waiting; `None` chooses by the cores there are.
    pub wait: Option<Wait>,
    /// Cores asked for.
    pub cores: CorePlan,
    /// The cores this process may use, in order.
    pub available: Vec<usize>,
    /// Whether the journal writes to a file, which makes system calls: with `shared` and `dedicated` that takes it away
    /// from the hot threads; with `inline` only where a core is asked for it.
    pub journal_to_file: bool,
    /// Allow more spinning threads than cores.
    pub oversubscribe: bool,
}

/// Why a topology is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TopologyError {
    /// Two busy-spinning threads on one core.
    #[error(
        "threads {a} and {b} would both spin on core {core}: each stalls the other for milliseconds; give them \
         different cores in [pipeline.cores], choose wait = \"yield\" or \"backoff\", or pass --oversubscribe"
    )]
    SharedCore {
        /// One.
        a: String,
        /// Another.
        b: String,
        /// The core.
        core: usize,
    },
    /// More spinning threads than cores.
    #[error(
        "{threads} spinning threads and {cores} cores: choose fewer (threading = \"shared\" has two, \"inline\" \
         one), wait = \"yield\" or \"backoff\", or pass --oversubscribe"
    )]
    TooManySpinning {
        /// Spinning threads.
        threads: usize,
        /// Cores this process may use.
        cores: usize,
    },
    /// A core that this process may not use.
    #[error(
        "core {core} was asked for {role} in [pipeline.cores], and this process may use only {available:?}"
    )]
    NoSuchCore {
        /// The core asked for.
        core: usize,
        /// What for.
        role: &'static str,
        /// What there is.
        available: Vec<usize>,
    },
}

/// Threads in chain order; the first one is the feed's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// The mode it came from.
    pub threading: Threading,
    /// The threads.
    pub threads: Vec<ThreadPlan>,
    /// Why this mode, in words.
    pub chosen_because: String,
    /// More threads spin than there are cores: they give their core up now and then.
    pub crowded: bool,
    /// The cores of everything that is not pinned: the store, REST calls, names, a journal without a core of its own.
    /// Those that no pinned thread has, or all where none is left over.
    pub housekeeping: Vec<usize>,
}

impl Topology {
    /// Makes and checks a topology.
    ///
    /// # Errors
    /// [`TopologyError`] where two spinning threads would share a core, or a core is not ours to use.
    pub fn plan(request: &TopologyRequest) -> Result<Self, TopologyError> {
        let cores = request.available.len().max(1);
        let (threading, mut because) = match request.threading {
            Some(mode) => (mode, "asked for".to_owned()),
            None if cores >= 8 => (Threading::Dedicated, format!("{cores} cores: a thread a stage")),
            None if cores >= 3 => {
                (Threading::Shared, format!("{cores} cores: feed on one, stages on another, one left over"))
            }
            None => (Threading::Inline, format!("{cores} cores: feed and stages in one thread, no hops")),
        };
        let wait = request.wait.unwrap_or(if cores >= 8 { Wait::Spin } else { Wait::Backoff });
        if request.wait.is_none() {
            because.push_str(&format!("; wait {}", wait.label()));
        }
        // Inline, a thread of its own would cost the feed a hop at every wait for the stages, and an order one more;
        // whoever gives the journal a core has one to spare for it.
        let core_for_journal = request.cores.of(&Role::STAGES[4..]).is_some();
        let journal_apart = request.journal_to_file && (threading != Threading::Inline || core_for_journal);
        let groups = groups(threading, journal_apart);
        let mut free = request.free(&groups).into_iter();
        let mut threads = Vec::new();
        for roles in groups {
            let asked = request.cores.of(&roles);
            if let Some(core) = asked {
                request.must_have(core, roles[0].label())?;
            }
            // A journal thread writes to files: it stays off the hot cores unless told otherwise. Without a core of its
            // own it must not spin; orders pass through it, so it does not sleep either unless the others do.
            let hot = roles[0] != Role::Journal || !request.journal_to_file;
            let core = asked.or_else(|| if hot && cores > 1 { free.next() } else { None });
            let wait = if hot || asked.is_some() || wait != Wait::Spin { wait } else { Wait::Yield };
            threads.push(ThreadPlan { name: format!("at-{}", roles[0].label()), roles, core, wait });
        }
        let crowded = threads.iter().filter(|t| t.wait == Wait::Spin).count() > cores;
        let housekeeping = request.housekeeping(&threads)?;
        let topology = Self { threading, threads, chosen_because: because, crowded, housekeeping };
        if !request.oversubscribe {
            topology.refuse_shared_cores(cores)?;
        }
        Ok(topology)
    }

    fn refuse_shared_cores(&self, cores: usize) -> Result<(), TopologyError> {
        let spinning: Vec<_> = self.threads.iter().filter(|t| t.wait == Wait::Spin).collect();
        for (index, a) in spinning.iter().enumerate() {
            for b in &spinning[index + 1..] {
                if let (Some(core), true) = (a.core, a.core == b.core) {
                    return Err(TopologyError::SharedCore { a: a.name.clone(), b: b.name.clone(), core });
                }
            }
        }
        if spinning.len() > cores {
            return Err(TopologyError::TooManySpinning { threads: spinning.len(), cores });
        }
        Ok(())
    }
}

impl TopologyRequest {
    /// The cores for threads that none was asked for: before those that were asked for beside the pipeline, those that nobody
    /// asked for, and only where neither are there, any.
    fn free(&self, groups: &[Vec<Role>]) -> Vec<usize> {
        let taken: Vec<_> = groups.iter().filter_map(|roles| self.cores.of(roles)).collect();
        let beside =
            |core: &usize| self.cores.gateway_io == Some(*core) || self.cores.housekeeping.contains(core);
        let left = self.available.iter().copied().filter(|core| !taken.contains(core));
        let (last, first): (Vec<_>, Vec<_>) = left.partition(beside);
        let free = [first, last].concat();
        if free.is_empty() { self.available.clone() } else { free }
    }

    fn must_have(&self, core: usize, role: &'static str) -> Result<(), TopologyError> {
        if self.available.contains(&core) {
            return Ok(());
        }
        Err(TopologyError::NoSuchCore { core, role, available: self.available.clone() })
    }

    fn housekeeping(&self, threads: &[ThreadPlan]) -> Result<Vec<usize>, TopologyError> {
        let asked = &self.cores.housekeeping;
        if !asked.is_empty() {
            asked.iter().try_for_each(|core| self.must_have(*core, "housekeeping"))?;
            return Ok(asked.clone());
        }
        let hot = |core: &usize| threads.iter().any(|thread| thread.core == Some(*core));
        let left: Vec<_> = self.available.iter().copied().filter(|core| !hot(core)).collect();
        Ok(if left.is_empty() { self.available.clone() } else { left })
    }
}

/// Which roles share a thread, in chain order.
fn groups(threading: Threading, journal_apart: bool) -> Vec<Vec<Role>> {
    let stages = Role::STAGES;
    match (threading, journal_apart) {
        (Threading::Inline, false) => vec![[&[Role::Feed][..], &stages[..]].concat()],
        (Threading::Inline, true) => {
            vec![[&[Role::Feed][..], &stages[..4]].concat(), stages[4..].to_vec()]
        }
        (Threading::Shared, false) => vec![vec![Role::Feed], stages.to_vec()],
        (Threading::Shared, true) => vec![vec![Role::Feed], stages[..4].to_vec(), stages[4..].to_vec()],
        (Threading::Dedicated, _) => {
            let mut groups = vec![vec![Role::Feed]];
            groups.extend(stages[..4].iter().map(|s| vec![*s]));
            groups.push(stages[4..].to_vec());
            groups
        }
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "topology: {} ({})", self.threading.label(), self.chosen_because)?;
        for thread in &self.threads {
            let roles: Vec<_> = thread.roles.iter().map(|r| r.label()).collect();
            let core = thread.core.map_or("not pinned".to_owned(), |c| format!("core {c}"));
            writeln!(
                f,
                "  {:<13} {:<10} {:<8} {}",
                thread.name,
                core,
                thread.wait.label(),
                roles.join(" → ")
            )?;
        }
        let cores: Vec<_> = self.housekeeping.iter().map(usize::to_string).collect();
        let cores = if cores.is_empty() { "any".to_owned() } else { cores.join(", ") };
        writeln!(f, "  what is not pinned, and the store, REST calls and names: cores {cores}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(threading: Option<Threading>, wait: Option<Wait>, cores: usize) -> TopologyRequest {
        TopologyRequest {
            threading,
            wait,
            cores: CorePlan::default(),
            available: (0..cores).collect(),
            journal_to_file: false,
            oversubscribe: false,
        }
    }

    #[test]
    fn every_mode_runs_every_stage_once_in_chain_order() {
        for threading in Threading::ALL {
            for journal_to_file in [false, true] {
                let plan = Topology::plan(&TopologyRequest {
                    journal_to_file,
                    ..request(Some(threading), Some(Wait::Yield), 2)
                })
                .expect("yielding threads may share cores");
                let roles: Vec<_> = plan.threads.iter().flat_map(|t| t.roles.clone()).collect();
                assert_eq!(roles[0], Role::Feed);
                assert_eq!(roles[1..], Role::STAGES);
                assert!(plan.threads.iter().all(|t| t.name.len() <= 15));
            }
        }
    }

    #[test]
    fn a_journal_that_writes_leaves_the_hot_threads_but_not_the_only_one() {
        let plan = |threading, cores: &[(Role, usize)]| {
            let mut request = request(Some(threading), Some(Wait::Spin), 8);
            (request.journal_to_file, request.cores.by_role) = (true, cores.to_vec());
            Topology::plan(&request).expect("enough cores").threads
        };
        assert_eq!(plan(Threading::Inline, &[]).len(), 1, "no hop between a stage and an order");
        let apart = plan(Threading::Inline, &[(Role::Journal, 5)]);
        assert_eq!(apart[1].roles, [Role::Journal, Role::Gateway]);
        assert_eq!((apart[1].core, apart[1].wait), (Some(5), Wait::Spin));
        let shared = plan(Threading::Shared, &[]);
        assert_eq!(shared[2].roles, [Role::Journal, Role::Gateway]);
        assert_eq!((shared[2].core, shared[2].wait), (None, Wait::Yield), "it may meet others on its core");
    }

    #[test]
    fn the_default_follows_the_cores_there_are() {
        let mode = |cores| Topology::plan(&request(None, None, cores)).expect("a default is valid").threading;
        assert_eq!(mode(1), Threading::Inline);
        assert_eq!(mode(2), Threading::Inline);
        assert_eq!(mode(4), Threading::Shared);
        assert_eq!(mode(16), Threading::Dedicated);
    }

    #[test]
    fn housekeeping_keeps_off_the_pinned_cores() {
        let mut request = request(Some(Threading::Shared), Some(Wait::Spin), 4);
        request.journal_to_file = true;
        let plan = |request: &TopologyRequest| Topology::plan(request).map(|plan| plan.housekeeping);
        assert_eq!(plan(&request), Ok(vec![2, 3]), "feed and stages have the first two");
        request.cores.by_role = vec![(Role::Feed, 3), (Role::Journal, 1)];
        assert_eq!(plan(&request), Ok(vec![2]), "the stages got core 0");
        request.cores.housekeeping = vec![1, 2];
        assert_eq!(plan(&request), Ok(vec![1, 2]), "what was asked for");
        request.cores.housekeeping = vec![9];
        assert!(matches!(
            plan(&request),
            Err(TopologyError::NoSuchCore { core: 9, role: "housekeeping", .. })
        ));
        request = TopologyRequest { available: vec![0, 1], ..request };
        request.cores = CorePlan::default();
        assert_eq!(plan(&request), Ok(vec![0, 1]), "none is left over");
    }

    #[test]
    fn what_is_chosen_keeps_off_the_cores_that_were_asked_for() {
        let plan = |threading, cores: usize, by_role: &[(Role, usize)], beside: &[usize]| {
            let mut request = request(Some(threading), Some(Wait::Spin), cores);
            request.cores.by_role = by_role.to_vec();
            request.cores.gateway_io = beside.first().copied();
            request.cores.housekeeping = beside.iter().skip(1).copied().collect();
            Topology::plan(&request)
                .map(|plan| plan.threads.iter().map(|thread| thread.core).collect::<Vec<_>>())
        };
        let on = |cores: &[usize]| Ok(cores.iter().copied().map(Some).collect());
        use Threading::{Dedicated, Shared};
        assert_eq!(plan(Shared, 4, &[(Role::Feed, 0)], &[]), on(&[0, 1]));
        assert_eq!(plan(Shared, 2, &[(Role::Market, 0)], &[]), on(&[1, 0]));
        assert_eq!(plan(Dedicated, 8, &[(Role::Market, 3)], &[]), on(&[0, 3, 1, 2, 4, 5]));
        // Those beside the pipeline too, as long as there are others.
        assert_eq!(plan(Shared, 4, &[], &[0, 1]), on(&[2, 3]));
        assert_eq!(plan(Shared, 4, &[(Role::Feed, 3)], &[0, 1, 2]), on(&[3, 0]));
        // None is left that two could not meet on.
        let met = plan(Shared, 1, &[(Role::Feed, 0)], &[]);
        assert!(matches!(met, Err(TopologyError::TooManySpinning { .. })), "{met:?}");
    }

    #[test]
    fn spinning_threads_do_not_share_a_core() {
        let too_many = Topology::plan(&request(Some(Threading::Dedicated), Some(Wait::Spin), 2));
        assert_eq!(too_many.err(), Some(TopologyError::TooManySpinning { threads: 6, cores: 2 }));
        let mut same = request(Some(Threading::Shared), Some(Wait::Spin), 4);
        same.cores.by_role = vec![(Role::Feed, 1), (Role::Market, 1)];
        assert!(matches!(Topology::plan(&same), Err(TopologyError::SharedCore { core: 1, .. })));
        same.oversubscribe = true;
        assert!(Topology::plan(&same).is_ok());
        let mut missing = request(Some(Threading::Shared), Some(Wait::Yield), 2);
        missing.cores.by_role = vec![(Role::Risk, 7)];
        assert!(matches!(Topology::plan(&missing), Err(TopologyError::NoSuchCore { core: 7, .. })));
    }
}
