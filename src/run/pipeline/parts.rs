//! Parts that threads share or are joined by: the lanes between stages, and the books that a thread keeps; and what a
//! risk stage has whatever rules it runs.

use crate::domain::{InstrumentId, Wallets};
use crate::journal::Resumed;
use crate::pipeline::topology::Role;
use crate::pipeline::{LaneReceiver, LaneSender, Stop, Topology, lane, lane_within_thread};
use crate::risk::watch::WatchSender;
use crate::risk::{Carried, RiskStage, RuleList};
use crate::run::config::Config;
use crate::venue::binance::filters::Filters;

/// Makes lanes as long as the threads of their ends ask for.
pub(super) struct Lanes<'a> {
    pub topology: &'a Topology,
    pub lane_slots: usize,
    pub stop: &'a Stop,
}

impl Lanes<'_> {
    pub fn lane<T>(
        &self,
        name: &'static str,
        ends: [Role; 2],
        per_event_max: usize,
    ) -> (LaneSender<T>, LaneReceiver<T>) {
        let together = self.topology.threads.iter().any(|t| ends.iter().all(|end| t.roles.contains(end)));
        if together {
            lane_within_thread(name, per_event_max, self.stop)
        } else {
            lane(name, self.lane_slots.max(per_event_max * 8), per_event_max, self.stop)
        }
    }
}

/// Which books a thread keeps: those that any of its stages needs, each once.
pub(super) struct BooksOf {
    pub market: Vec<bool>,
    pub strategy: Vec<bool>,
    pub gateway: Vec<bool>,
    /// What a score values by.
    pub execution: Vec<bool>,
}

impl BooksOf {
    /// Whether any stage looks at the book of an instrument.
    pub fn any(&self, instrument: InstrumentId) -> bool {
        let by_stage = [&self.market, &self.strategy, &self.gateway, &self.execution];
        by_stage.into_iter().any(|of| of[instrument.index()])
    }

    pub fn wants(&self, roles: &[Role], instrument: InstrumentId) -> bool {
        roles.iter().any(|role| match role {
            Role::Market => self.market[instrument.index()],
            Role::Strategy => self.strategy[instrument.index()],
            Role::Gateway => self.gateway[instrument.index()],
            Role::Execution => self.execution[instrument.index()],
            Role::Feed | Role::Risk | Role::Journal => false,
        })
    }
}

/// What a risk stage has beside its limits and lanes.
pub(super) struct RiskFurniture<'a> {
    pub config: &'a Config,
    pub wallets: Wallets,
    pub filters: Vec<Filters>,
    pub resumed: &'a Resumed,
    pub carried: Option<&'a Carried>,
    pub watch: Option<WatchSender>,
    /// By instrument, in a simulation.
    pub of_bars: Option<Vec<bool>>,
    /// See [`PipelineOptions`](super::PipelineOptions).
    pub bares_what_waits: bool,
}

impl RiskFurniture<'_> {
    pub fn put_into<R: RuleList>(self, risk: RiskStage<R>) -> RiskStage<R> {
        let risk = risk
            .with_setup(&self.config.risk.setup)
            .with_hours(self.config.trading_hours())
            .with_wallets(self.wallets)
            .with_filters(self.filters)
            .resuming(&self.resumed.desks)
            .carrying(self.carried)
            .with_waiting_bared(self.bares_what_waits)
            .with_watch(self.watch);
        match self.of_bars {
            Some(of_bars) => risk.with_bars(of_bars),
            None => risk,
        }
    }
}
