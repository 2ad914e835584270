//! `[backtest]`: which history is run over, and how the simulated venue behaves on it.

use super::check::Checks;
use super::choices::choices;
use super::raw::{Given, RawBacktest};
use super::sections::{QUOTE_MAX, amount};
use crate::domain::Time;
use crate::domain::decimal::{POW10, Scaled};
use crate::domain::instrument::FeeRate;
use crate::execution::fills::{FeeTier, Queue, Slippage};
use crate::history::catalogue::SeriesKind;
use crate::history::catalogue::is_every;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Spanned;

choices! {
    /// What orders fill against.
    FillChoice {
        /// The most that is known of each instrument.
        Auto = "auto",
        /// Its bars.
        Bars = "bars",
        /// Its trades.
        Trades = "trades",
        /// Its trades and quotes.
        Quotes = "quotes",
        /// Its trades and depth.
        Depth = "depth",
    }
}

choices! {
    /// Which way a bar went from its open to its close.
    PathRule {
        /// To the side that is worse for the position first; without one, to the nearer extreme.
        Adverse = "adverse",
        /// To the side that is better for the position first; without one, to the nearer extreme.
        Favourable = "favourable",
        /// To the nearer extreme first.
        Nearest = "nearest",
        /// Open, high, low, close.
        HighFirst = "high-first",
        /// Open, low, high, close.
        LowFirst = "low-first",
    }
}

/// How long something takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LatencyChoice {
    /// So many ns.
    Constant(u64),
    /// Drawn from a histogram in this file, percentile text as latency reports have it, relative to the working
    /// directory.
    File(PathBuf),
    /// As long as the last event took, so many thousandths of it, and so many ns added.
    OfEvents(u32, i64),
}

impl LatencyChoice {
    /// The file that it is drawn from.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        if let Self::File(path) = self { Some(path) } else { None }
    }
}

/// The checked section.
#[derive(Debug, Clone, PartialEq)]
pub struct BacktestConfig {
    /// The history's directory, relative to the working directory.
    pub history: PathBuf,
    /// Series by label; empty: all of the strategies' instruments.
    pub series: Vec<String>,
    /// The first moment.
    pub from: Option<Time>,
    /// The first moment not any more.
    pub until: Option<Time>,
    /// How much before the first moment is watched, without orders.
    pub warm_up: Duration,
    /// What everything is worth at first, units of 10^-8 of the currency.
    pub balance: i64,
    /// Between points of equity.
    pub equity_seconds: u32,
    /// Decimals that quantities of an instrument have at least which the history alone knows.
    pub qty_decimals: u8,
    /// What orders fill against.
    pub fill: FillChoice,
    /// Which way a bar went.
    pub path: PathRule,
    /// The place in the queue.
    pub queue: Queue,
    /// How much worse than the last price an order trades.
    pub slippage: Slippage,
    /// Fees by tier; empty: the instruments' own.
    pub tiers: Vec<FeeTier>,
    /// From us to the venue; `None`: `[paper] order_latency_us`.
    pub order_latency: Option<LatencyChoice>,
    /// From the venue to us, of market data.
    pub data_latency: LatencyChoice,
    /// From the venue to us, of answers; `None`: `[pipeline] answer_delay_us`.
    pub answer_latency: Option<LatencyChoice>,
    /// What latencies are drawn by.
    pub seed: u64,
    /// Value of USD-M positions ÷ margin; 0: margin is not modelled.
    pub leverage: u32,
    /// Maintenance margin, hundredths of a per cent.
    pub maintenance_bps: u32,
    /// Funding of USD-M futures, of a position's value.
    pub funding_rate: FeeRate,
    /// Between two payments.
    pub funding_hours: u32,
    /// A file of rates as they were, relative to the working directory.
    pub funding_file: Option<PathBuf>,
}

impl BacktestConfig {
    pub(super) fn check(raw: &RawBacktest, checks: &mut Checks<'_>) -> Self {
        let (from, until) = (time(&raw.from, checks), time(&raw.until, checks));
        if let (Some(from), Some(until), Some(given)) = (from, until, &raw.until)
            && until <= from
        {
            checks.refuse(&given.span(), "must be later than from");
        }
        let history = raw.history.as_deref().filter(|dir| !dir.is_empty()).unwrap_or("history");
        let slippage = Slippage {
            bps: checks.integer(&raw.slippage_bps, 0..=5_000, 0),
            ticks: checks.integer(&raw.slippage_ticks, 0..=10_000, 0),
            impact_bps: checks.integer(&raw.impact_bps, 0..=10_000, 0),
        };
        Self {
            history: history.into(),
            series: series(raw, checks),
            from,
            until,
            warm_up: warm_up(raw, checks),
            balance: amount(checks, &raw.balance, 1, 100_000),
            equity_seconds: checks.integer(&raw.equity_seconds, 1..=604_800, 3_600),
            qty_decimals: checks.integer(&raw.qty_decimals, 0..=9, 0),
            fill: checks.choice(&raw.fill, FillChoice::ALL, FillChoice::Auto),
            path: checks.choice(&raw.path, PathRule::ALL, PathRule::Adverse),
            queue: queue(&raw.queue, checks),
            slippage,
            tiers: tiers(raw, checks),
            order_latency: latency(&raw.order_latency, checks),
            data_latency: latency(&raw.data_latency, checks).unwrap_or(LatencyChoice::Constant(0)),
            answer_latency: latency(&raw.answer_latency, checks),
            seed: checks.integer(&raw.seed, 0..=4_294_967_295, 1),
            leverage: checks.integer(&raw.leverage, 0..=125, 0),
            maintenance_bps: checks.integer(&raw.maintenance_bps, 1..=5_000, 50),
            funding_rate: rate(&raw.funding_rate, checks).unwrap_or_default(),
            funding_hours: checks.integer(&raw.funding_hours, 1..=24, 8),
            funding_file: raw.funding_file.as_deref().filter(|file| !file.is_empty()).map(Into::into),
        }
    }
}

impl BacktestConfig {
    /// The first moment that anything is read of: what it is warmed up by, and the run.
    #[must_use]
    pub fn read_from(&self) -> Option<Time> {
        Some(self.from?.minus(self.warm_up))
    }
}

/// A length such as `90d`; empty: none.
fn warm_up(raw: &RawBacktest, checks: &mut Checks<'_>) -> Duration {
    let Some(given) = raw.warm_up.as_ref().filter(|given| !given.get_ref().is_empty()) else {
        return Duration::ZERO;
    };
    let span = parse_span(given.get_ref());
    if span.is_none() {
        checks.refuse(&given.span(), SPAN_EXPECTED);
    }
    span.unwrap_or_default()
}

/// What [`parse_span`] expects, for messages.
pub const SPAN_EXPECTED: &str = "must be a length of time of at most a hundred years: 90d, 12h, 30m or 45s";

/// A length of time in days, hours, minutes or seconds: `90d`, `12h`, `30m`, `45s`; a hundred years at most, not none.
#[must_use]
pub fn parse_span(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let (_, seconds) = SPAN_UNITS.iter().find(|(name, _)| *name == unit)?;
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.parse::<u64>().ok().filter(|_| digits)?;
    let seconds = number.checked_mul(*seconds)?;
    (1..=SPAN_MAX).contains(&seconds).then(|| Duration::from_secs(seconds))
}

/// As [`parse_span`] reads it, in the longest unit that fits.
#[must_use]
pub fn span_label(span: Duration) -> String {
    let whole = SPAN_UNITS.iter().find(|(_, seconds)| span.as_secs().is_multiple_of(*seconds));
    whole.map_or_else(String::new, |(unit, seconds)| format!("{}{unit}", span.as_secs() / seconds))
}

/// Units and how many seconds they are, the longest first.
const SPAN_UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
const SPAN_MAX: u64 = 36_525 * 86_400;

/// The largest funding rate, either way, 5 %: more than a venue lets one be.
pub const FUNDING_MAX: FeeRate = FeeRate(POW10[FeeRate::DECIMALS as usize] / 20);

/// A fraction within that.
fn rate(given: &Given<String>, checks: &mut Checks<'_>) -> Option<FeeRate> {
    checks.decimal(given.as_ref()?, FeeRate::DECIMALS, -FUNDING_MAX.0..=FUNDING_MAX.0).map(FeeRate)
}

/// A day, `2024-08-08`, or a moment, `2024-08-08T12:00:00Z`; empty: none.
fn time(given: &Given<String>, checks: &mut Checks<'_>) -> Option<Time> {
    let given = given.as_ref().filter(|given| !given.get_ref().is_empty())?;
    let time = parse_time(given.get_ref());
    if time.is_none() {
        checks.refuse(
            &given.span(),
            "must be a day or a moment since 1970, UTC: 2024-08-08, 2024-08-08T12:00:00Z",
        );
    }
    time
}

/// The moment that a text names, in the form that `from` and `until` have.
#[must_use]
pub fn parse_time(text: &str) -> Option<Time> {
    let day = || text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    let stamp = text.parse::<jiff::Timestamp>().ok().or_else(|| day().map(|day| day.timestamp()))?;
    u64::try_from(stamp.as_nanosecond()).ok().map(Time)
}

fn series(raw: &RawBacktest, checks: &mut Checks<'_>) -> Vec<String> {
    let mut labels = Vec::new();
    for given in raw.series.iter().flat_map(|list| list.get_ref()) {
        let label = given.get_ref();
        let mut parts = label.split('-');
        let kind = parts.next().unwrap_or_default();
        let known = SeriesKind::ALL.iter().any(|k| k.label() == kind);
        if known && parts.all(|part| part == "adjusted" || is_every(part)) {
            labels.push(label.clone());
        } else {
            let expected = "must be a series as `algo-trader history list` names it: trades, quotes, bars-1m, \
                            bars-1d-adjusted, feed";
            checks.refuse(&given.span(), expected);
        }
    }
    labels
}

/// `risk-averse`, `power:3` or `log`.
fn queue(given: &Given<String>, checks: &mut Checks<'_>) -> Queue {
    let Some(given) = given else { return Queue::default() };
    let power = |text: &str| text.parse::<f64>().ok().filter(|n| (0.1..=10.0).contains(n)).map(Queue::Power);
    let queue = match given.get_ref().as_str() {
        "risk-averse" => Some(Queue::RiskAverse),
        "log" => Some(Queue::Log),
        text => text.strip_prefix("power:").and_then(power),
    };
    if queue.is_none() {
        checks.refuse(
            &given.span(),
            "must be risk-averse, log, or power: and a number from 0.1 to 10, such as power:3",
        );
    }
    queue.unwrap_or_default()
}

/// `[[backtest.tier]]`: from no volume on, each from more than the one above.
fn tiers(raw: &RawBacktest, checks: &mut Checks<'_>) -> Vec<FeeTier> {
    let mut tiers: Vec<FeeTier> = Vec::new();
    for (first, row) in std::iter::once(true).chain(std::iter::repeat(false)).zip(&raw.tier) {
        let (span, row) = (row.span(), row.get_ref());
        let what = "a decimal number in quotes";
        let volume = checks.require(&row.volume, &span, "volume", what).cloned();
        let volume = volume.and_then(|given| checks.decimal(&given, 8, 0..=QUOTE_MAX));
        let fee = "a fraction in quotes: \"0.001\" is 0.1 %";
        checks.require(&row.maker, &span, "maker", fee);
        checks.require(&row.taker, &span, "taker", fee);
        let (maker, taker) = (rate(&row.maker, checks), rate(&row.taker, checks));
        let (Some(volume), Some(maker), Some(taker)) = (volume, maker, taker) else { continue };
        let at = row.volume.as_ref().map_or_else(|| span.clone(), Spanned::span);
        match tiers.last() {
            // Without one the cheapest fees would hold from the first trade on.
            None if first && volume != 0 => {
                checks.refuse(
                    &at,
                    "must be \"0\" in the first [[backtest.tier]]: fees hold from the first trade on",
                );
            }
            Some(above) if volume <= above.volume => {
                let above = Scaled { value: above.volume.into(), decimals: 8 };
                checks.refuse(&at, format!("must be more than {above:#}, the volume of the tier above"));
            }
            _ => {}
        }
        tiers.push(FeeTier { volume, maker, taker });
    }
    tiers
}

/// `2ms`, `file:latency.hgrm`, `event`, `event*1.5`, `event+1270ms`; empty: none is given.
fn latency(given: &Given<String>, checks: &mut Checks<'_>) -> Option<LatencyChoice> {
    let given: &Spanned<String> = given.as_ref().filter(|given| !given.get_ref().is_empty())?;
    let choice = parse_latency(given.get_ref());
    if choice.is_none() {
        let expected = "must be a time such as \"250us\", \"2ms\" or \"1s\"; or \"file:\" and a histogram of ours \
                        (.hgrm); or \"event\", with a factor and an addition where wanted: \"event*1.5+200us\"";
        checks.refuse(&given.span(), expected);
    }
    choice
}

fn parse_latency(text: &str) -> Option<LatencyChoice> {
    if let Some(file) = text.strip_prefix("file:") {
        return (!file.is_empty()).then(|| LatencyChoice::File(file.into()));
    }
    let Some(rest) = text.strip_prefix("event") else {
        return parse_duration(text).map(LatencyChoice::Constant);
    };
    let at = rest.find(['+', '-']).unwrap_or(rest.len());
    let (factor, added) = rest.split_at(at);
    let per_mille = match factor.strip_prefix('*') {
        Some(factor) => {
            let factor = factor.parse::<f64>().ok().filter(|factor| (0.001..=1_000.0).contains(factor))?;
            (factor * 1_000.0).round() as u32
        }
        None if factor.is_empty() => 1_000,
        None => return None,
    };
    let plus_ns = match added.split_at_checked(1) {
        Some((sign, time)) => {
            let ns = i64::try_from(parse_duration(time)?).ok()?;
            if sign == "-" { -ns } else { ns }
        }
        None => 0,
    };
    Some(LatencyChoice::OfEvents(per_mille, plus_ns))
}

/// `250us` in ns; an hour at most.
fn parse_duration(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let unit = match &text[digits..] {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        _ => return None,
    };
    let ns = text[..digits].parse::<u64>().ok()?.checked_mul(unit)?;
    (ns <= 3_600_000_000_000).then_some(ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_read_in_each_of_their_forms() {
        let of = LatencyChoice::OfEvents;
        for (text, expected) in [
            ("250us", Some(LatencyChoice::Constant(250_000))),
            ("0s", Some(LatencyChoice::Constant(0))),
            ("file:a b.hgrm", Some(LatencyChoice::File("a b.hgrm".into()))),
            ("event", Some(of(1_000, 0))),
            ("event*1.5+200us", Some(of(1_500, 200_000))),
            ("event-3ms", Some(of(1_000, -3_000_000))),
            ("event+", None),
            ("event2", None),
            ("event*0", None),
            ("file:", None),
            ("2", None),
            ("3601s", None),
            ("-1s", None),
        ] {
            assert_eq!(parse_latency(text), expected, "{text}");
        }
    }

    #[test]
    fn days_and_moments_are_read() {
        assert_eq!(parse_time("1970-01-02"), Some(Time(86_400_000_000_000)));
        assert_eq!(parse_time("1970-01-01T00:00:01.5Z"), Some(Time(1_500_000_000)));
        assert_eq!((parse_time("1969-12-31"), parse_time("tomorrow")), (None, None));
    }
}
