//! Fetching a venue's history: its REST interface is asked for what the local history lacks.
//!
//! Owns: the order of calls, of one market after another series by series. What to ask for and how rows are kept is in
//! `history/fetched`; limits and failures are `caller`'s. Invariant: whenever it ends, by whatever, what was
//! received is in the history at the next start, once.

mod caller;
mod error;

pub use caller::{CallCounts, CallSettings, Waiting};
pub use error::FetchError;

use crate::domain::{Market, Time};
use crate::history::CatalogueWriter;
use crate::history::catalogue::Segment;
use crate::history::fetched::{
    self, FetchKind, FetchedRow, FetchedSeries, Recovered, Spool, SpoolError, Stretch, missing,
};
use crate::net::{Endpoint, TlsClient};
use crate::run::interrupt::Interrupt;
use crate::venue::binance::exchange_info::RateLimit;
use caller::Caller;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// What is fetched, from where.
#[derive(Debug, Clone)]
pub struct FetchRequest {
    /// The history's directory.
    pub dir: PathBuf,
    /// Spot or USD-M.
    pub market: Market,
    /// Its REST interface.
    pub endpoint: Endpoint,
    /// The venue's names of them.
    pub symbols: Vec<String>,
    /// What of each.
    pub kinds: Vec<FetchKind>,
    /// The first moment.
    pub from: Time,
    /// The first moment not any more; now where not given, or where it is later.
    pub until: Option<Time>,
    /// Rows asked for at once.
    pub page_rows: usize,
    /// How calls are made.
    pub calls: CallSettings,
}

/// How far it is.
#[derive(Debug, Clone, Copy)]
pub struct FetchProgress<'a> {
    /// Which series, from 1; 0 before the first.
    pub number: usize,
    /// How many there are.
    pub series: usize,
    /// Its name.
    pub name: &'a str,
    /// How much of all time asked for is done, 0 to 1, those parts not counted that were there already.
    pub part: f64,
    /// Rows received.
    pub rows: u64,
    /// Calls made.
    pub calls: u64,
    /// Why nothing is asked just now, and for how much longer.
    pub waiting: Option<(Waiting, Duration)>,
}

/// What became of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedOutcome {
    /// `binance:spot:BTCUSDT bars-1m`.
    pub name: String,
    /// Rows received.
    pub rows: u64,
    /// Imports made of them.
    pub imports: u64,
    /// Stretches that the history lacked.
    pub stretches: u64,
    /// Time of its first event in the history, and of its last; zero where it has none.
    pub span: (Time, Time),
    /// Places in it where something is missing.
    pub gaps: u64,
}

/// What became of all.
#[derive(Debug, Default)]
pub struct FetchOutcome {
    /// What an earlier process had left.
    pub recovered: Recovered,
    /// Each series that was begun.
    pub series: Vec<FetchedOutcome>,
    /// What it cost.
    pub counts: CallCounts,
    /// Why it ended early.
    pub error: Option<FetchError>,
}

/// Fetches. `progress` is told after each answer and while it waits.
///
/// Whatever goes wrong is in the outcome, beside what was done until then.
pub fn fetch_history(
    request: &FetchRequest,
    tls: &TlsClient,
    interrupt: &Interrupt,
    progress: &mut dyn FnMut(&FetchProgress<'_>),
) -> FetchOutcome {
    let mut outcome = FetchOutcome::default();
    if request.market == Market::CoinM {
        outcome.error = Some(FetchError::Market(request.market));
        return outcome;
    }
    let caller =
        Caller::new(request.market, request.endpoint.clone(), tls, request.calls.clone(), interrupt.clone());
    let mut run = Run { request, caller, at: At::default(), progress };
    let done = CatalogueWriter::open(&request.dir)
        .map_err(FetchError::from)
        .and_then(|mut history| run.all(&mut history, &mut outcome));
    outcome.counts = run.caller.counts();
    outcome.error = done.err();
    outcome
}

/// Where a run is.
#[derive(Debug, Clone, Default)]
struct At {
    number: usize,
    name: String,
    rows: u64,
    /// ms that are done of those that were lacking, of this series.
    done_ms: u64,
    all_ms: u64,
}

struct Run<'a> {
    request: &'a FetchRequest,
    caller: Caller,
    at: At,
    progress: &'a mut dyn FnMut(&FetchProgress<'_>),
}

impl Run<'_> {
    fn all(&mut self, history: &mut CatalogueWriter, outcome: &mut FetchOutcome) -> Result<(), FetchError> {
        outcome.recovered = fetched::recover(history)?;
        let now = self.get(&self.path("/time"), 1, server_time)?;
        self.caller.set_clock(now);
        for symbol in &self.request.symbols {
            let (base, quote, limits) = self.symbol(symbol)?;
            self.caller.learn(&limits);
            for &kind in &self.request.kinds {
                let (base, quote) = (base.clone(), quote.clone());
                let series =
                    FetchedSeries { market: self.request.market, symbol: symbol.clone(), base, quote, kind };
                let (done, error) = self.series(&series, history);
                outcome.series.push(done);
                error?;
            }
        }
        Ok(())
    }

    fn path(&self, call: &str) -> String {
        format!("{}{call}", FetchedSeries::prefix(self.request.market))
    }

    /// The assets of a symbol, and the venue's limits.
    fn symbol(&mut self, symbol: &str) -> Result<(String, String, Vec<RateLimit>), FetchError> {
        let plain =
            |b: u8| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") };
        let encoded: String = symbol.bytes().map(plain).collect();
        // Futures list every symbol, whatever is asked for.
        let weight = if self.request.market == Market::Spot { 20 } else { 1 };
        let path = self.path(&format!("/exchangeInfo?symbol={encoded}"));
        let found = self.get(&path, weight, |body| -> Result<_, String> {
            let document: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
            let limits: Vec<RateLimit> =
                document["rateLimits"].as_array().into_iter().flatten().filter_map(RateLimit::read).collect();
            let rows = document["symbols"].as_array().ok_or("it lists no symbols")?;
            let row = rows.iter().find(|row| row["symbol"] == symbol);
            let asset = |name: &str| row.and_then(|row| row[name].as_str()).map(str::to_owned);
            Ok((asset("baseAsset").zip(asset("quoteAsset")), limits))
        })?;
        match found {
            (Some((base, quote)), limits) => Ok((base, quote, limits)),
            (None, _) => Err(FetchError::Refused {
                path,
                status: 200,
                text: format!("{symbol} is not listed"),
                remedy: "; symbols are written as BTCUSDT",
            }),
        }
    }

    fn get<T, E: std::fmt::Display>(
        &mut self,
        path: &str,
        weight: u32,
        read: impl Fn(&[u8]) -> Result<T, E>,
    ) -> Result<T, FetchError> {
        let (at, series) = (&self.at, self.request.symbols.len() * self.request.kinds.len());
        let calls = self.caller.counts().calls;
        let progress = &mut *self.progress;
        self.caller.get(path, weight, read, &mut |why, left| {
            progress(&at.told(series, calls, Some((why, left))));
        })
    }

    fn tell(&mut self) {
        let series = self.request.symbols.len() * self.request.kinds.len();
        (self.progress)(&self.at.told(series, self.caller.counts().calls, None));
    }

    fn series(
        &mut self,
        series: &FetchedSeries,
        history: &mut CatalogueWriter,
    ) -> (FetchedOutcome, Result<(), FetchError>) {
        let name = series.name();
        let mut done = FetchedOutcome {
            name: name.to_string(),
            rows: 0,
            imports: 0,
            stretches: 0,
            span: (Time(0), Time(0)),
            gaps: 0,
        };
        self.at =
            At { number: self.at.number + 1, name: done.name.clone(), rows: self.at.rows, ..At::default() };
        let mut result = self.stretches(series, history, &mut done);
        if let Some(found) = history.catalogue().series().iter().find(|found| found.name == name) {
            (done.span, done.gaps) = ((found.first(), found.last()), found.gaps.unwrap_or(0));
        }
        if result.is_ok() && self.caller.is_stopped() {
            result = Err(FetchError::Stopped);
        }
        (done, result)
    }

    fn stretches(
        &mut self,
        series: &FetchedSeries,
        history: &mut CatalogueWriter,
        done: &mut FetchedOutcome,
    ) -> Result<(), FetchError> {
        let now = self.caller.venue_now();
        let until = self.request.until.map_or(now, |until| until.min(now));
        let (from_ms, until_ms) = (self.request.from.0 / 1_000_000, until.0 / 1_000_000);
        if from_ms >= until_ms {
            let (from, until) = (self.request.from.to_string(), until.to_string());
            return Err(FetchError::Range { from, until });
        }
        let segments = segments(history, series);
        let stretches = missing(series, &segments, from_ms, until_ms);
        self.at.all_ms = stretches.iter().map(|stretch| stretch.until_ms - stretch.from_ms).sum();
        done.stretches = stretches.len() as u64;
        for stretch in stretches {
            let before = self.at.done_ms;
            let mut spool = None;
            let fetched = self.stretch(series, stretch, history, &mut spool, done);
            // What has come is kept, whatever went wrong.
            let kept = commit(history, spool, done);
            fetched.and(kept)?;
            self.at.done_ms = before + (stretch.until_ms - stretch.from_ms);
        }
        self.tell();
        Ok(())
    }

    fn stretch(
        &mut self,
        series: &FetchedSeries,
        mut stretch: Stretch,
        history: &mut CatalogueWriter,
        spool: &mut Option<Spool>,
        done: &mut FetchedOutcome,
    ) -> Result<(), FetchError> {
        let rows = self.request.page_rows;
        let before = self.at.done_ms;
        let begun_ms = stretch.from_ms;
        loop {
            let (target, weight) = (series.target(&stretch, rows), series.weight(rows));
            let (page, beyond) = self.get(&target, weight, |body| fetched::read(series, &stretch, body))?;
            for part in page.chunk_by(|a, b| series.part(a.from_ms) == series.part(b.from_ms)) {
                keep(series, part, history, spool, done)?;
            }
            self.at.rows += page.len() as u64;
            let Some(last) = page.last() else { return Ok(()) };
            stretch.from_ms = last.until_ms;
            if series.kind == FetchKind::AggTrades {
                stretch.from_id = Some(last.id + 1);
            }
            self.at.done_ms = before + stretch.from_ms.saturating_sub(begun_ms);
            self.tell();
            // A page that is not full says nothing: the next one, which is empty, does.
            if beyond || stretch.from_ms >= stretch.until_ms {
                return Ok(());
            }
        }
    }
}

/// Takes rows of one import: into the file that is open, or into a new one where that is of another import.
fn keep(
    series: &FetchedSeries,
    rows: &[FetchedRow],
    history: &mut CatalogueWriter,
    spool: &mut Option<Spool>,
    done: &mut FetchedOutcome,
) -> Result<(), FetchError> {
    let Some(first) = rows.first() else { return Ok(()) };
    if spool.as_ref().is_some_and(|spool| spool.part() != series.part(first.from_ms)) {
        commit(history, spool.take(), done)?;
    }
    let open = match spool {
        Some(open) => open,
        None => spool.insert(Spool::begin(history.catalogue().dir(), series, first)?),
    };
    open.push(rows)?;
    done.rows += rows.len() as u64;
    Ok(())
}

fn commit(
    history: &mut CatalogueWriter,
    spool: Option<Spool>,
    done: &mut FetchedOutcome,
) -> Result<(), FetchError> {
    let Some(spool) = spool.filter(|spool| spool.rows() > 0) else { return Ok(()) };
    spool.commit(history).map_err(|error: SpoolError| FetchError::Spool(error))?;
    done.imports += 1;
    Ok(())
}

fn segments(history: &CatalogueWriter, series: &FetchedSeries) -> Vec<Segment> {
    let name = series.name();
    let all = history.catalogue().entries().iter().flat_map(|entry| &entry.segments);
    all.filter(|segment| segment.series_name().as_ref() == Some(&name)).cloned().collect()
}

fn server_time(body: &[u8]) -> Result<Time, String> {
    let document: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    document["serverTime"].as_u64().map(Time::from_millis).ok_or_else(|| "it says no time".into())
}

impl At {
    fn told(&self, series: usize, calls: u64, waiting: Option<(Waiting, Duration)>) -> FetchProgress<'_> {
        let of_this = if self.all_ms == 0 { 0.0 } else { self.done_ms as f64 / self.all_ms as f64 };
        let whole = self.number.saturating_sub(1) as f64 + of_this.min(1.0);
        FetchProgress {
            number: self.number,
            series,
            name: &self.name,
            part: whole / series.max(1) as f64,
            rows: self.rows,
            calls,
            waiting,
        }
    }
}
