//! Which bars a live run asks the venues for.
//!
//! Owns: how many of before the run.

use crate::domain::InstrumentTable;
use crate::domain::missed::BarNews;
use crate::market::indicator::Indicator;
use crate::market::request::IndicatorBody;
use crate::market::{BarSpec, IndicatorRequest};
use crate::run::config::{FetchBars, MarketConfig};
use crate::strategy::stage::Seat;
use crossbeam_channel::{Receiver, Sender, bounded};

/// An average that weighs what is long ago less has forgotten it after some four times its warm-up: what it began with is then
/// 2 % of what it is.
const SETTLES_AFTER: usize = 4;
/// Bars that were withheld and wait for the feed. More are not asked for: they are missing as where nothing is asked.
const NEWS_WAITING_MAX: usize = 1_024;

/// What a live feed is to ask for.
pub struct BarsWanted {
    /// The length of a bar.
    pub seconds: u32,
    /// How many of before the run, by instrument.
    pub past: Vec<u32>,
    /// Bars that were withheld, and which were the first.
    pub news: Receiver<BarNews>,
}

impl BarsWanted {
    /// By the configuration; also where the market stage tells of bars that it withheld. None where nothing is asked.
    pub(super) fn new(
        market: &MarketConfig,
        table: &InstrumentTable,
        seats: &[Seat],
        requests: &[IndicatorRequest],
    ) -> Option<(Self, Sender<BarNews>)> {
        let (BarSpec::Time { seconds }, true) = (market.bar, market.fetch_bars != FetchBars::Off) else {
            return None;
        };
        let mut past = vec![0; table.len()];
        for id in seats.iter().flat_map(|seat| &seat.instruments) {
            past[id.index()] = match market.fetch_bars {
                FetchBars::Past(bars) => bars,
                FetchBars::Auto | FetchBars::Off => 0,
            };
        }
        if market.fetch_bars == FetchBars::Auto {
            let built = |request: &IndicatorRequest| match &request.body {
                IndicatorBody::Closes(key) => key.build().ok().map(|built| built.warm_up()),
                IndicatorBody::Imbalance { .. } => None,
            };
            let of_indicators = requests.iter().filter_map(|r| Some((r.instrument, built(r)?)));
            let of_sizers = seats.iter().flat_map(|seat| {
                let sizer = seat.desk.sizer.as_ref();
                seat.instruments.iter().filter_map(move |id| Some((*id, sizer?.warm_up(*id))))
            });
            for (id, bars) in of_indicators.chain(of_sizers) {
                let bars = u32::try_from(bars.saturating_mul(SETTLES_AFTER)).unwrap_or(u32::MAX);
                past[id.index()] = past[id.index()].max(bars.min(FetchBars::PAST_MAX));
            }
        }
        let (told, news) = bounded(NEWS_WAITING_MAX);
        Some((Self { seconds, past, news }, told))
    }
}
