//! What a sweep runs: backtests of one configuration over the local history, each with some parameters set otherwise.
//!
//! Each run begins with nothing known but what it is warmed up by, as a backtest does. Runs share what is equal: events are read and decoded once, and each indicator over the bars of a stretch is computed once
//! ([`Kept`]), as far as memory goes.

use super::{Evaluate, EvaluateError, Evaluation, Setting, Space, Span, Task};
use crate::domain::Time;
use crate::domain::params::{
    ConfigProblem, ParamEntry, ParamKind, ParamSpec, ParamTable, ParamValue, not_known,
};
use crate::history::catalogue::{Segment, Series, SeriesName};
use crate::history::{Catalogue, HistoryEvents};
use crate::run::backtest::{BacktestError, BacktestOptions, Kept, Plan, Source, run_backtest};
use crate::run::config::{Config, LatencyChoice, StrategyConfig};
use crate::run::interrupt::Interrupt;
use crate::run::pipeline::{PipelineError, PipelineOptions};
use crate::statistics::outcome::{Conventions, equity, of_outcome};
use crate::strategy::{BUILT_IN, StrategySpec};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use thiserror::Error;

/// Why an axis is no parameter of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TargetError {
    /// No strategy of that label.
    #[error("{axis}: {label} {expected}")]
    Strategy {
        /// The axis, as written.
        axis: String,
        /// What stands before the point.
        label: String,
        /// What is expected.
        expected: String,
    },
    /// Several strategies, and none named.
    #[error("{axis}: which strategy's? write LABEL.{axis} with one of {labels}")]
    Ambiguous {
        /// The axis, as written.
        axis: String,
        /// The strategies.
        labels: String,
    },
    /// No parameter of that name.
    #[error("{axis}: {param} {expected}")]
    Param {
        /// The axis, as written.
        axis: String,
        /// What stands after the point.
        param: String,
        /// What is expected.
        expected: String,
    },
    /// A value that the parameter cannot have.
    #[error("{axis} = {value}: {expected}")]
    Value {
        /// The axis, as written.
        axis: String,
        /// The value.
        value: String,
        /// What is expected.
        expected: String,
    },
}

/// What an axis sets.
struct Target {
    strategy: usize,
    spec: &'static ParamSpec,
}

/// See the module.
pub struct Backtests<'a> {
    config: &'a Config,
    catalogue: &'a Catalogue,
    strategies: &'static [StrategySpec],
    interrupt: Interrupt,
    conventions: Conventions,
    targets: Vec<Target>,
    kept: Option<Arc<Kept>>,
    /// What runs said of books that were none in their ends, each with how many said it.
    blind: Mutex<BTreeMap<String, u64>>,
}

impl<'a> Backtests<'a> {
    /// Backtests of `config`, whose strategies are built in or in `strategies`. The axes of `space` are parameters:
    /// `LABEL.PARAMETER`, or `PARAMETER` where there is one strategy.
    ///
    /// # Errors
    /// [`TargetError`] for an axis or a value that is none.
    pub fn new(
        config: &'a Config,
        catalogue: &'a Catalogue,
        strategies: &'static [StrategySpec],
        space: &Space,
        interrupt: Interrupt,
        conventions: Conventions,
    ) -> Result<Self, TargetError> {
        let mut targets = Vec::new();
        for axis in space.axes() {
            let target = target(config, strategies, &axis.name)?;
            for value in &axis.values {
                let entry = entry(target.spec, value);
                let table = ParamTable { entries: vec![entry] };
                if let Err(problems) = table.check(std::slice::from_ref(target.spec), "") {
                    let expected =
                        problems.into_iter().map(|ConfigProblem { expected, .. }| expected).collect();
                    return Err(TargetError::Value {
                        axis: axis.name.clone(),
                        value: value.clone(),
                        expected,
                    });
                }
            }
            targets.push(target);
        }
        let b = &config.backtest;
        let kept = Some(Arc::new(Kept::new(b.read_from(), b.until, Kept::fitting_memory())));
        Ok(Self {
            config,
            catalogue,
            strategies,
            interrupt,
            conventions,
            targets,
            kept,
            blind: Mutex::default(),
        })
    }

    /// The same, sharing so many bytes at most; 0: nothing.
    #[must_use]
    pub fn sharing(mut self, bytes_max: usize) -> Self {
        let b = &self.config.backtest;
        self.kept = (bytes_max > 0).then(|| Arc::new(Kept::new(b.read_from(), b.until, bytes_max)));
        self
    }

    /// How much is shared, bytes.
    #[must_use]
    pub fn shared_bytes(&self) -> usize {
        self.kept.as_ref().map_or(0, |kept| kept.bytes())
    }

    /// What of the runs so far said that a book was none in their ends, and how many of them: such a run may have traded
    /// nothing for that alone.
    #[must_use]
    pub fn blind_books(&self) -> Vec<String> {
        let blind = self.blind.lock().unwrap_or_else(PoisonError::into_inner);
        blind.iter().map(|(told, runs)| format!("in {runs} of the runs {told}")).collect()
    }

    /// All that a result depends on but its parameters and span, for [`super::ResultsFile`].
    #[must_use]
    pub fn subject(&self) -> String {
        let c = self.config;
        let strategies: Vec<_> = c
            .strategies
            .iter()
            .map(|s| {
                let params: Vec<_> = s.params.entries.iter().map(|e| (&e.name, &e.value)).collect();
                (&s.name, &s.label, &s.instruments, params, &s.sizing, &s.hours)
            })
            .collect();
        // What a file became by factors is not told by its bytes and where the factors lay, but by what is kept of it.
        let made = |segment: &Segment| {
            let name = SeriesName::parse(&segment.instrument, &segment.series);
            let is_adjusted = name.is_some_and(|name| name.adjusted);
            is_adjusted.then(|| contents(&self.catalogue.dir().join(&segment.file)))
        };
        let data: Vec<_> = self
            .catalogue
            .entries()
            .iter()
            .map(|entry| {
                let adjusted: Vec<_> = entry.segments.iter().filter_map(made).collect();
                (&entry.sha256, &entry.taken_as, adjusted)
            })
            .collect();
        // The range is each run's own.
        let mut backtest = c.backtest.clone();
        (backtest.from, backtest.until) = (None, None);
        let latencies =
            [Some(&backtest.data_latency), backtest.order_latency.as_ref(), backtest.answer_latency.as_ref()];
        let files = latencies.into_iter().flatten().filter_map(LatencyChoice::file);
        let files: Vec<_> = files.chain(backtest.funding_file.as_deref()).map(contents).collect();
        // Strategies of one's own are in the program, and change without its version.
        let program = std::env::current_exe().map(|path| contents(&path));
        format!(
            "{} {program:?} {files:?} {:?} {} {backtest:?} {:?} {:?} {:?} {:?} {:?} {:?} {strategies:?} {data:?}",
            env!("CARGO_PKG_VERSION"),
            self.conventions,
            // Of the streams that a live run would ask for nothing else counts here: which trades of a feed are heard.
            c.venue.aggregates_alone(),
            c.hours,
            c.pipeline.answer_delay_us,
            c.risk,
            c.paper,
            c.market,
            c.instruments.all()
        )
    }

    /// What the configuration's range and the history's series make of a run without bounds.
    ///
    /// # Errors
    /// [`BacktestError`] where the history has not what the configuration names.
    pub fn whole(&self) -> Result<Span, BacktestError> {
        let plan = Plan::of_history(self.config, self.catalogue)?;
        let first = HistoryEvents::begin(self.catalogue, &plan.series, &self.config.instruments)?;
        let first = first.unwrap_or(Time(u64::MAX));
        let last = plan.series.iter().map(Series::last).max().unwrap_or_default();
        let b = &self.config.backtest;
        Ok(Span {
            from: b.from.map_or(first, |from| from.max(first)),
            until: b.until.map_or(last.plus_nanos(1), |until| until.min(last.plus_nanos(1))),
        })
    }
}

/// What a file holds, as its digest; `None` where it cannot be read, which the run will say.
fn contents(path: &Path) -> Option<[u8; 32]> {
    let mut file = File::open(path).ok()?;
    let (mut hash, mut part) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut part).ok()? {
            0 => return Some(hash.finalize().into()),
            read => hash.update(&part[..read]),
        }
    }
}

fn target(config: &Config, more: &'static [StrategySpec], axis: &str) -> Result<Target, TargetError> {
    let labels: Vec<&str> = config.strategies.iter().map(|s| s.label.as_str()).collect();
    let (label, param) = match (axis.rsplit_once('.'), &labels[..]) {
        (Some((label, param)), _) => (label, param),
        (None, [only]) => (*only, axis),
        (None, _) => {
            return Err(TargetError::Ambiguous { axis: axis.to_owned(), labels: labels.join(", ") });
        }
    };
    let no_strategy =
        |expected| TargetError::Strategy { axis: axis.to_owned(), label: label.to_owned(), expected };
    let found: Option<(usize, &StrategyConfig)> =
        config.strategies.iter().enumerate().find(|(_, s)| s.label == label);
    let (strategy, named) =
        found.ok_or_else(|| no_strategy(not_known("the label of a strategy", label, &labels)))?;
    let specs: Vec<&'static StrategySpec> = more.iter().chain(BUILT_IN).collect();
    let spec = specs.iter().find(|spec| spec.name == named.name).ok_or_else(|| {
        let known: Vec<&str> = specs.iter().map(|spec| spec.name).collect();
        no_strategy(not_known("a strategy", &named.name, &known))
    })?;
    let params: Vec<&str> = spec.params.iter().map(|spec| spec.name).collect();
    let spec = spec.params.iter().find(|spec| spec.name == param).ok_or_else(|| TargetError::Param {
        axis: axis.to_owned(),
        param: param.to_owned(),
        expected: not_known("a parameter of this strategy", param, &params),
    })?;
    Ok(Target { strategy, spec })
}

/// The value as a configuration would give it; what cannot be read stays text, which the check refuses.
fn entry(spec: &ParamSpec, value: &str) -> ParamEntry {
    let text = || ParamValue::Text(value.to_owned());
    let value = match spec.kind {
        ParamKind::Integer { .. } => value.parse().map_or_else(|_| text(), ParamValue::Integer),
        ParamKind::Float { .. } => value.parse().map_or_else(|_| text(), ParamValue::Float),
        ParamKind::Bool { .. } => value.parse().map_or_else(|_| text(), ParamValue::Bool),
        ParamKind::Decimal { .. } | ParamKind::Text { .. } => text(),
    };
    ParamEntry { name: spec.name.to_owned(), value, line: 0, column: 0 }
}

impl Evaluate for Backtests<'_> {
    fn evaluate(&self, settings: &[Setting<'_>], task: &Task) -> Result<Evaluation, EvaluateError> {
        let mut config = self.config.clone();
        for (setting, target) in settings.iter().zip(&self.targets) {
            if let Some(strategy) = config.strategies.get_mut(target.strategy) {
                let entries = &mut strategy.params.entries;
                entries.retain(|entry| entry.name != target.spec.name);
                entries.push(entry(target.spec, setting.value));
            }
        }
        let (b, span) = (&mut config.backtest, task.span);
        (b.from, b.until) = (Some(span.from), Some(span.until));
        if let Some(from) = task.watched_from {
            b.warm_up = b.warm_up.max(Duration::from_nanos(span.from.since(from)));
        }
        // Many runs cannot write one file.
        config.journal.path = None;
        let pipeline =
            PipelineOptions { epoch: 0, strategies: self.strategies, ..PipelineOptions::default() };
        let options = BacktestOptions {
            interrupt: self.interrupt.clone(),
            pipeline,
            kept: self.kept.clone(),
            ..BacktestOptions::default()
        };
        let ran = match run_backtest(&config, Source::History(self.catalogue), options) {
            Ok(_) if self.interrupt.is_raised() => {
                return Err(EvaluateError::Failed("interrupted".to_owned()));
            }
            Ok(ran) => ran,
            Err(BacktestError::Pipeline(
                why @ (PipelineError::Strategies(_) | PipelineError::Setup { .. }),
            )) => {
                return Err(EvaluateError::Refused(why.to_string()));
            }
            Err(why) => return Err(EvaluateError::Failed(why.to_string())),
        };
        for told in ran.summary.blind_books() {
            *self.blind.lock().unwrap_or_else(PoisonError::into_inner).entry(told).or_default() += 1;
        }
        let statistics = of_outcome(&ran.outcome, &self.conventions);
        let curve = if task.with_equity { equity(&ran.outcome) } else { Vec::new() };
        Ok(Evaluation { statistics, equity: curve.iter().map(|point| (point.time.0, point.value)).collect() })
    }
}
