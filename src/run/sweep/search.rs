//! Running tasks on any number of threads.

use super::{Evaluate, EvaluateError, Evaluation, Point, ResultsFile, Space, Span, SweepError};
use crate::domain::Time;
use crate::run::interrupt::Interrupt;
use crossbeam_channel::unbounded;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// One run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Task {
    /// Its parameters.
    pub point: Point,
    /// What it covers.
    pub span: Span,
    /// From when on the market is watched without orders, to warm up what the run begins with; `None`: as runs are otherwise.
    pub watched_from: Option<Time>,
    /// Whether its equity curve is wanted.
    pub with_equity: bool,
}

impl Task {
    /// A run for its figures alone, with nothing said of what comes before it.
    #[must_use]
    pub fn of(point: Point, span: Span) -> Self {
        Self { point, span, watched_from: None, with_equity: false }
    }
}

/// One run with its result.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// The run.
    pub task: Task,
    /// What it gave.
    pub result: Result<Evaluation, EvaluateError>,
}

/// How far a search is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Runs with a result, those of an earlier time among them.
    pub done: usize,
    /// Of those, the ones that were there already.
    pub earlier: usize,
    /// All runs.
    pub total: usize,
}

/// How a search is run.
pub struct Search<'a> {
    /// Runs one set of parameters.
    pub evaluate: &'a dyn Evaluate,
    /// The parameters.
    pub space: &'a Space,
    /// Threads; at least one runs.
    pub workers: usize,
    /// Where results are kept.
    pub results: Option<&'a mut ResultsFile>,
    /// Set from outside, it ends the search after the runs under way.
    pub stop: &'a Interrupt,
    /// Told of each result.
    pub progress: &'a mut dyn FnMut(Progress),
}

/// Runs every task once and gives the results in the order of the tasks. A task whose result is kept already is not
/// run.
///
/// # Errors
/// [`SweepError::Interrupted`] with what there is if stopped, [`SweepError::Io`] if results could not be kept.
pub fn search(search: &mut Search<'_>, tasks: &[Task]) -> Result<Vec<Done>, SweepError> {
    let kept = |task: &Task| search.results.as_ref().and_then(|results| results.get(task)).cloned();
    let mut results: Vec<Option<Result<Evaluation, EvaluateError>>> = tasks.iter().map(kept).collect();
    let missing: Vec<usize> = (0..tasks.len()).filter(|&n| results[n].is_none()).collect();
    let earlier = tasks.len() - missing.len();
    let mut done = earlier;
    let mut fault = None;
    let (next, abort) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, receiver) = unbounded();
    let (evaluate, space, stop) = (search.evaluate, search.space, search.stop);
    let work = |sender: crossbeam_channel::Sender<_>| {
        while !stop.is_raised() && !abort.load(Ordering::Relaxed) {
            // The one thing workers share: who takes a task does not change what comes of it.
            let Some(&n) = missing.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
            let task = &tasks[n];
            let result = evaluate.evaluate(&space.settings(task.point), task);
            if sender.send((n, result)).is_err() {
                break;
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..search.workers.max(1).min(missing.len()) {
            let sender = sender.clone();
            scope.spawn(|| work(sender));
        }
        drop(sender);
        for (n, result) in &receiver {
            // A run that was cut short has no result.
            if stop.is_raised() && matches!(result, Err(EvaluateError::Failed(_))) {
                continue;
            }
            if let Some(file) = &mut search.results
                && fault.is_none()
                && let Err(error) = file.add(tasks[n], &result)
            {
                abort.store(true, Ordering::Relaxed);
                fault = Some(error);
            }
            results[n] = Some(result);
            done += 1;
            (search.progress)(Progress { done, earlier, total: tasks.len() });
        }
    });
    if let Some(fault) = fault {
        return Err(fault);
    }
    let total = tasks.len();
    let done = tasks.iter().zip(results).filter_map(|(&task, result)| Some(Done { task, result: result? }));
    let done: Vec<Done> = done.collect();
    if done.len() < total { Err(SweepError::Interrupted { done, total }) } else { Ok(done) }
}
