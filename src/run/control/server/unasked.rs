//! What a person is told who asks nothing: by the log and as an alert, once when it begins and once when it is over.

use super::super::data_watch::DataNews;
use super::super::request::MarketDataReply;
use super::super::stages::StagesNews;
use super::Server;
use crate::domain::Time;
use crate::run::alerts::Alert;
use crate::run::live::wall_clock;
use std::sync::PoisonError;

impl Server {
    /// Tells a person that the venue refuses the key, and that it takes it again: until somebody acts nothing is traded.
    pub(super) fn watch_key(&mut self) {
        let Some(orders) = &self.links.orders else { return };
        let key = orders.key();
        if key == self.key {
            return;
        }
        self.key = key;
        let now = wall_clock();
        let alert = key.problem().map_or_else(|| Alert::key_taken(now), |why| Alert::key_refused(why, now));
        match key.problem() {
            Some(why) => log::error!("no order is sent: {why}"),
            None => log::warn!("the venue takes the key again, and orders are sent"),
        }
        self.links.alerts.raise(alert);
    }

    /// What is wrong with the market data.
    pub(super) fn data_problems(&self, now: Time) -> Vec<MarketDataReply> {
        let risk = self.links.watch.snapshot();
        let risk = risk.lock().unwrap_or_else(PoisonError::into_inner);
        self.market_data.problems(&risk, now)
    }

    /// Tells of market data that is lost, or back.
    pub(super) fn watch_data(&mut self) {
        let now = wall_clock();
        let alert = match self.data_watch.look(&self.data_problems(now), now) {
            Some(DataNews::Lost(why)) => {
                log::error!("{why}");
                Alert::data_lost(&why, now)
            }
            Some(DataNews::Back(how)) => {
                log::warn!("the market data is back: {how}");
                Alert::data_back(&how, now)
            }
            None => return,
        };
        self.links.alerts.raise(alert);
    }

    /// Tells of stages that hang, or do not keep up.
    pub(super) fn watch_stages(&mut self) {
        match self.stages_watch.look(self.links.vitals.stages_behind().as_ref()) {
            Some(StagesNews::Behind(told)) => {
                log::error!("{told}");
                self.links.alerts.raise(Alert::stages_behind(&told, wall_clock()));
            }
            Some(StagesNews::CaughtUp) => log::warn!("the stages have handled what waited for them"),
            None => {}
        }
    }
}
