//! Bars that are asked for by REST (`klines`): of which of the venue's intervals, how, and what the answer says.
//!
//! Facts: intervals begin at multiples of their length since 1970, UTC, a week's on Monday; 1,000 rows an answer on spot, 1,500
//! on futures; on COIN-M none of more than 200 days (error -4088); a row is an array of twelve, oldest first, and one without
//! trades repeats the last price (source: the venue's "Kline/Candlestick Data" pages, spot, USD-M and COIN-M editions).

use super::number::{parse_decimal, parse_truncated};
use crate::domain::bars::{WEEK_S, first_bar_ns};
use crate::domain::decimal::DecimalError;
use crate::domain::event::{BarOrigin, Kline};
use crate::domain::{Instrument, Market, Notional, Price, Qty, Time};
use crate::venue::DecodeError;
use serde::Deserialize;
use serde::de::IgnoredAny;

const NANOS_PER_S: u64 = 1_000_000_000;
const NANOS_PER_MS: u64 = 1_000_000;
/// COIN-M refuses questions for more than 200 days.
const COINM_NS_MAX: u64 = 200 * 86_400 * NANOS_PER_S;

/// Intervals, s, and what the venue calls them, the longest first. Those of three days and of a month begin at no multiple of a
/// bar's length.
const INTERVALS: [(u32, &str); 13] = [
    (86_400, "1d"),
    (43_200, "12h"),
    (28_800, "8h"),
    (21_600, "6h"),
    (14_400, "4h"),
    (7_200, "2h"),
    (3_600, "1h"),
    (1_800, "30m"),
    (900, "15m"),
    (300, "5m"),
    (180, "3m"),
    (60, "1m"),
    (1, "1s"),
];

/// Bars of one length, made of the venue's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Klines {
    market: Market,
    label: &'static str,
    /// The venue's bars in one of ours.
    rows: u32,
    seconds: u32,
}

impl Klines {
    /// Bars of so many seconds; none where the venue has no interval that they are made of, as futures have none of a second,
    /// or where one of them is more than an answer has.
    #[must_use]
    pub fn new(market: Market, seconds: u32) -> Option<Self> {
        let there = |base: u32| base >= 60 || market == Market::Spot;
        let divides = |(base, _): &&(u32, &str)| seconds > 0 && seconds.is_multiple_of(*base) && there(*base);
        let (base, label) = match seconds {
            WEEK_S => (WEEK_S, "1w"),
            _ => *INTERVALS.iter().find(divides)?,
        };
        let klines = Self { market, label, rows: seconds / base, seconds };
        (klines.bars_max() > 0).then_some(klines)
    }

    /// The most bars that one answer can have: one at least.
    #[must_use]
    pub fn bars_max(&self) -> u64 {
        let rows = if self.market == Market::Spot { 1_000 } else { 1_500 };
        let bars = rows / u64::from(self.rows);
        match self.market {
            Market::CoinM => bars.min(COINM_NS_MAX / self.length_ns()),
            Market::Spot | Market::UsdM => bars,
        }
    }

    /// The length of a bar, ns.
    #[must_use]
    pub fn length_ns(&self) -> u64 {
        u64::from(self.seconds) * NANOS_PER_S
    }

    /// Where the bar that holds this moment begins.
    #[must_use]
    pub fn start_of(&self, at: Time) -> Time {
        let offset = first_bar_ns(self.seconds);
        Time(at.0.checked_sub(offset).map_or(0, |since| at.0 - since % self.length_ns()))
    }

    /// How many bars there can be from one start to another.
    fn bars(&self, from: Time, until: Time) -> u64 {
        until.since(from) / self.length_ns()
    }

    /// The path of the question for the bars from one start to another, without the one that begins there.
    #[must_use]
    pub fn path(&self, symbol: &str, from: Time, until: Time) -> String {
        let base = match self.market {
            Market::Spot => "/api/v3",
            Market::UsdM => "/fapi/v1",
            Market::CoinM => "/dapi/v1",
        };
        let (begin, end) = (from.0 / NANOS_PER_MS, (until.0 / NANOS_PER_MS).saturating_sub(1));
        let (label, limit) = (self.label, self.rows(from, until));
        format!(
            "{base}/klines?symbol={symbol}&interval={label}&startTime={begin}&endTime={end}&limit={limit}"
        )
    }

    fn rows(&self, from: Time, until: Time) -> u64 {
        self.bars(from, until).clamp(1, self.bars_max()) * u64::from(self.rows)
    }

    /// What that question weighs.
    #[must_use]
    pub fn weight(&self, from: Time, until: Time) -> u32 {
        match (self.market, self.rows(from, until)) {
            (Market::Spot, _) => 2,
            (_, ..100) => 1,
            (_, ..500) => 2,
            (_, ..=1_000) => 5,
            _ => 10,
        }
    }

    /// The bars of an answer, oldest first, of the past all of them. One without trades is none, as where they are made of
    /// trades.
    ///
    /// # Errors
    /// [`DecodeError`] where it is no such answer, or its numbers are none of this instrument.
    pub fn read(
        &self,
        of: &Instrument,
        body: &[u8],
        from: Time,
        until: Time,
    ) -> Result<Vec<Kline>, DecodeError> {
        let rows: Vec<Row<'_>> = serde_json::from_slice(body).map_err(|_| DecodeError::Json)?;
        let mut bars: Vec<Kline> = Vec::with_capacity(rows.len() / self.rows as usize + 1);
        for row in &rows {
            let opened = Time::from_millis(row.0);
            if row.8 == 0 || opened < from || opened >= until {
                continue;
            }
            let row = self.kline(of, row)?;
            match bars.last_mut() {
                Some(bar) if bar.open_time == row.open_time => join(bar, &row),
                Some(bar) if bar.open_time > row.open_time => {
                    return Err(DecodeError::Impossible("openTime"));
                }
                _ => bars.push(row),
            }
        }
        Ok(bars)
    }

    /// One row, as the bar that it is of.
    fn kline(&self, of: &Instrument, row: &Row<'_>) -> Result<Kline, DecodeError> {
        let number =
            |field: &'static str, text: &str, decimals: u8| match parse_decimal(text.as_bytes(), decimals) {
                Ok(value) if value >= 0 => Ok(value),
                Ok(_) => Err(DecodeError::Impossible(field)),
                Err(error) => Err(DecodeError::Number { field, error }),
            };
        let price = |field, text| match number(field, text, of.price_decimals)? {
            0 => Err(DecodeError::Impossible(field)),
            price => Ok(Price(price)),
        };
        // More than can be counted is the most that can, as where bars are made of trades: it must not cost the prices.
        let volume = match number("volume", row.5, of.qty_decimals) {
            Err(DecodeError::Number { error: DecimalError::Overflow, .. }) if !row.5.starts_with('-') => {
                i64::MAX
            }
            volume => volume?,
        };
        let quote_volume = match parse_truncated(row.7.as_bytes(), of.notional_decimals()) {
            Err(DecimalError::Overflow) => i128::MAX,
            value => value.map_err(|error| DecodeError::Number { field: "quoteVolume", error })?,
        };
        let (open, close) = (price("open", row.1)?, price("close", row.4)?);
        let (high, low) = (price("high", row.2)?, price("low", row.3)?);
        if high < open.max(close) || low > open.min(close) {
            return Err(DecodeError::Impossible("high"));
        }
        let open_time = self.start_of(Time::from_millis(row.0));
        Ok(Kline {
            instrument: of.id,
            open,
            high,
            low,
            close,
            volume: Qty(volume),
            open_time,
            close_time: Time(open_time.0 + self.length_ns() - NANOS_PER_MS),
            trades: row.8,
            quote_volume: Notional(quote_volume),
            closed: true,
            origin: BarOrigin::Past,
        })
    }
}

/// A row; the last three are of no use: what takers bought, and nothing.
#[derive(Deserialize)]
struct Row<'a>(
    u64,
    #[serde(borrow)] &'a str,
    &'a str,
    &'a str,
    &'a str,
    &'a str,
    IgnoredAny,
    &'a str,
    u64,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
);

/// Takes the row that comes next into a bar.
fn join(bar: &mut Kline, next: &Kline) {
    bar.high = bar.high.max(next.high);
    bar.low = bar.low.min(next.low);
    bar.close = next.close;
    bar.volume.0 = bar.volume.0.saturating_add(next.volume.0);
    bar.quote_volume.0 = bar.quote_volume.0.saturating_add(next.quote_volume.0);
    bar.trades = bar.trades.saturating_add(next.trades);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instrument::tests::sample;

    const S: u64 = 1_000_000_000;

    #[test]
    fn bars_are_made_of_the_longest_interval_that_divides_them() {
        let of = |market, seconds| Klines::new(market, seconds).map(|k| (k.label, k.rows, k.bars_max()));
        assert_eq!(of(Market::Spot, 1), Some(("1s", 1, 1_000)));
        assert_eq!(of(Market::Spot, 45), Some(("1s", 45, 22)));
        assert_eq!(of(Market::Spot, 999), Some(("1s", 999, 1)));
        assert_eq!(of(Market::Spot, 1_001), None, "more rows than an answer has");
        assert_eq!(of(Market::UsdM, 45), None, "futures have no seconds");
        assert_eq!(of(Market::UsdM, 60), Some(("1m", 1, 1_500)));
        assert_eq!(of(Market::UsdM, 600), Some(("5m", 2, 750)));
        assert_eq!(of(Market::UsdM, 86_400), Some(("1d", 1, 1_500)));
        assert_eq!(of(Market::CoinM, 3_600), Some(("1h", 1, 1_500)));
        assert_eq!(of(Market::CoinM, 86_400), Some(("1d", 1, 200)), "200 days at most");
        assert_eq!(of(Market::CoinM, 604_800), Some(("1w", 1, 28)));
        assert_eq!(of(Market::CoinM, 201 * 86_400), None);
        assert_eq!(of(Market::Spot, 5 * 3_600), Some(("1h", 5, 200)));
        assert_eq!(of(Market::Spot, 604_800), Some(("1w", 1, 1_000)));
        let week = Klines::new(Market::Spot, 604_800).expect("there is one");
        // 2024-08-08 was a Thursday; Monday was the 5th.
        assert_eq!(week.start_of(Time(1_723_075_200 * S)), Time(1_722_816_000 * S));
    }

    #[test]
    fn of_any_length_there_is_a_question_that_can_be_asked_or_none() {
        let beyond =
            [60, 3_600, 86_400, 604_800].into_iter().flat_map(|unit| (1..=2_000).map(move |n| n * unit));
        let until = Time(1_723_075_200 * S);
        for seconds in (0..=86_400).chain(beyond).chain([u32::MAX]) {
            for market in [Market::Spot, Market::UsdM, Market::CoinM] {
                let Some(klines) = Klines::new(market, seconds) else { continue };
                assert!(klines.bars_max() >= 1, "{market} {seconds}");
                for from in [Time(0), Time(until.0.saturating_sub(klines.length_ns())), until] {
                    assert!(klines.weight(from, until) > 0, "{market} {seconds}");
                    assert!(klines.path("BTCUSDT", from, until).contains("&limit="), "{market} {seconds}");
                }
            }
        }
    }

    #[test]
    fn a_question_weighs_what_its_market_says() {
        let minute = |market| Klines::new(market, 60).expect("there is one");
        let asked = |market, bars: u64| {
            let (from, until) = (Time(1_723_075_200 * S), Time((1_723_075_200 + 60 * bars) * S));
            (minute(market).path("BTCUSDT", from, until), minute(market).weight(from, until))
        };
        let spot =
            "/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=1723075200000&endTime=1723075319999&limit=2";
        assert_eq!(asked(Market::Spot, 2), (spot.to_owned(), 2));
        assert_eq!(asked(Market::Spot, 5_000).1, 2);
        let weights = [99, 100, 499, 500, 1_000, 1_001].map(|bars| asked(Market::UsdM, bars).1);
        assert_eq!(weights, [1, 2, 2, 5, 5, 10]);
        assert!(asked(Market::CoinM, 9_000).0.starts_with("/dapi/v1/klines?"), "another path");
        assert!(asked(Market::CoinM, 9_000).0.ends_with("limit=1500"), "no more than there can be");
    }

    fn row(minute: u64, [open, high, low, close]: [&str; 4], volume: &str, trades: u64) -> String {
        let at = 1_723_075_200_000 + minute * 60_000;
        let end = at + 59_999;
        format!(r#"[{at},"{open}","{high}","{low}","{close}","{volume}",{end},"3.5",{trades},"1","2","0"]"#)
    }

    #[test]
    fn rows_become_bars_and_those_without_trades_none() {
        let mut of = sample(Market::UsdM, "BTCUSDT");
        (of.price_decimals, of.qty_decimals) = (1, 3);
        let two = Klines::new(Market::UsdM, 120).expect("there is one");
        let begin = Time(1_723_075_200 * S);
        let until = Time(begin.0 + 600 * S);
        let rows = [
            row(0, ["10.0", "12.0", "9.0", "11.0"], "1.5", 3),
            row(1, ["11.0", "11.5", "8.0", "8.5"], "0.5", 2),
            // Nobody traded: the price before is repeated.
            row(2, ["8.5", "8.5", "8.5", "8.5"], "0", 0),
            row(3, ["8.0", "8.0", "7.0", "7.5"], "2", 1),
            row(4, ["7.5", "7.5", "7.5", "7.5"], "0", 0),
            row(5, ["7.5", "7.5", "7.5", "7.5"], "0", 0),
            // More than can be counted, as of coins of which there are very many.
            row(6, ["7.5", "7.5", "7.5", "7.5"], "9300000000000000", 1),
            row(7, ["7.5", "7.5", "7.5", "7.5"], "2", 1),
            // Not asked for.
            row(10, ["7.5", "7.5", "7.5", "7.5"], "1", 1),
        ];
        let bars = two.read(&of, format!("[{}]", rows.join(",")).as_bytes(), begin, until).expect("bars");
        let seen: Vec<_> = bars
            .iter()
            .map(|b| {
                (b.open_time.since(begin) / S, b.open.0, b.high.0, b.low.0, b.close.0, b.volume.0, b.trades)
            })
            .collect();
        let counted = [(0, 100, 120, 80, 85, 2_000, 5), (120, 80, 80, 70, 75, 2_000, 1)];
        assert_eq!(seen, [counted[0], counted[1], (360, 75, 75, 75, 75, i64::MAX, 2)]);
        assert_eq!(bars[0].close_time, Time(begin.0 + 120 * S - 1_000_000));
        assert!(bars.iter().all(|b| b.closed && b.origin == BarOrigin::Past));
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let mut of = sample(Market::UsdM, "BTCUSDT");
        (of.price_decimals, of.qty_decimals) = (1, 3);
        let minute = Klines::new(Market::UsdM, 60).expect("there is one");
        let (begin, until) = (Time(1_723_075_200 * S), Time(1_723_075_800 * S));
        let read = |text: &str| minute.read(&of, text.as_bytes(), begin, until);
        let good = ["10.0", "12.0", "9.0", "11.0"];
        assert_eq!(read("[]"), Ok(Vec::new()));
        for text in ["", "{}", "[[]]", "[1]", r#"{"code":-1121,"msg":"Invalid symbol."}"#, "\u{fffd}"] {
            assert_eq!(read(text), Err(DecodeError::Json), "{text}");
        }
        let one = |prices, volume: &str| read(&format!("[{}]", row(0, prices, volume, 1)));
        assert!(one(good, "1").is_ok());
        assert!(matches!(
            one(["10.05", "12.0", "9.0", "11.0"], "1"),
            Err(DecodeError::Number { field: "open", .. })
        ));
        assert_eq!(one(["0", "12.0", "9.0", "11.0"], "1"), Err(DecodeError::Impossible("open")));
        assert_eq!(one(["10.0", "10.5", "9.0", "11.0"], "1"), Err(DecodeError::Impossible("high")));
        assert_eq!(one(good, "-1"), Err(DecodeError::Impossible("volume")));
        let below = one(good, "-9300000000000000");
        assert!(matches!(below, Err(DecodeError::Number { field: "volume", .. })), "{below:?}");
        let backwards = format!("[{},{}]", row(1, good, "1", 1), row(0, good, "1", 1));
        assert_eq!(read(&backwards), Err(DecodeError::Impossible("openTime")));
    }
}
