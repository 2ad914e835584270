//! One answer of `aggTrades` or `klines`: its rows, as lines of the venue's dumps.
//!
//! Prices and quantities stay the text that they are. Invariant: what is not in order, or not what was asked for, is an
//! error, never a row.

use super::plan::Stretch;
use super::series::{FetchKind, FetchedSeries};
use crate::domain::Market;
use crate::net::said;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// What is quoted of an answer that cannot be used, characters.
const SHOWN: usize = 100;
/// Digits of a number before its point, and behind it: more than any the venue has.
const WHOLE_DIGITS_MAX: usize = 18;
/// See [`WHOLE_DIGITS_MAX`].
const FRACTION_DIGITS_MAX: usize = 20;

/// A row of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedRow {
    /// The trade's moment, or the bar's beginning, ms.
    pub from_ms: u64,
    /// Where the next row may begin: the trade's moment again, or the bar's end, exclusive, ms.
    pub until_ms: u64,
    /// The trade's id; 0 for a bar.
    pub id: u64,
    /// The line, without its end.
    pub line: String,
}

/// What is wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Not what this call answers with: it may have been cut on the way.
    #[error("the answer is not a list of rows as documented: {0}")]
    Shape(String),
    /// Rows that were not asked for, or that go back.
    #[error("the answer's rows are out of order, or not those asked for (at {0})")]
    Order(u64),
}

#[derive(Deserialize)]
struct AggTrade<'a> {
    a: u64,
    #[serde(borrow)]
    p: &'a str,
    q: &'a str,
    f: u64,
    l: u64,
    #[serde(rename = "T")]
    time: u64,
    m: bool,
}

/// Open time, prices, volume, close time, quote volume, trades, two of takers, one more.
type Kline<'a> =
    (u64, &'a str, &'a str, &'a str, &'a str, &'a str, u64, &'a str, u64, &'a str, &'a str, IgnoredAny);

/// The rows of `body` that lie in `stretch`, and whether what follows would lie beyond it.
///
/// # Errors
/// [`PageError`].
pub fn read(
    series: &FetchedSeries,
    stretch: &Stretch,
    body: &[u8],
) -> Result<(Vec<FetchedRow>, bool), PageError> {
    let shape = |error: serde_json::Error| PageError::Shape(said(error.to_string().as_bytes(), SHOWN));
    let mut rows = match series.kind {
        FetchKind::AggTrades => {
            let rows: Vec<AggTrade<'_>> = serde_json::from_slice(body).map_err(shape)?;
            rows.iter().map(|row| trade(series.market, row)).collect::<Result<Vec<_>, _>>()?
        }
        FetchKind::Klines(_) => {
            let rows: Vec<Kline<'_>> = serde_json::from_slice(body).map_err(shape)?;
            rows.iter().map(bar).collect::<Result<Vec<_>, _>>()?
        }
    };
    let wanted = |row: &FetchedRow| match stretch.from_id {
        Some(id) => row.id >= id,
        None => row.from_ms >= stretch.from_ms,
    };
    let rising = |pair: &[FetchedRow]| match series.kind {
        FetchKind::AggTrades => pair[0].id < pair[1].id && pair[0].from_ms <= pair[1].from_ms,
        FetchKind::Klines(_) => pair[0].until_ms <= pair[1].from_ms,
    };
    let wrong = rows.iter().find(|row| !wanted(row)).map(|row| row.from_ms);
    let wrong = wrong.or_else(|| rows.windows(2).find(|pair| !rising(pair)).map(|pair| pair[1].from_ms));
    if let Some(at) = wrong {
        return Err(PageError::Order(at));
    }
    let inside = |row: &FetchedRow| match series.kind {
        FetchKind::AggTrades => {
            row.from_ms < stretch.until_ms && stretch.until_id.is_none_or(|until| row.id < until)
        }
        FetchKind::Klines(_) => row.until_ms <= stretch.until_ms,
    };
    let kept = rows.iter().take_while(|row| inside(row)).count();
    let beyond = kept < rows.len();
    rows.truncate(kept);
    Ok((rows, beyond))
}

fn trade(market: Market, row: &AggTrade<'_>) -> Result<FetchedRow, PageError> {
    plain(&[row.p, row.q])?;
    // Spot's dumps have one column more, which says nothing any more.
    let best = if market == Market::Spot { ",true" } else { "" };
    let line = format!("{},{},{},{},{},{},{}{best}", row.a, row.p, row.q, row.f, row.l, row.time, row.m);
    Ok(FetchedRow { from_ms: row.time, until_ms: row.time, id: row.a, line })
}

fn bar(row: &Kline<'_>) -> Result<FetchedRow, PageError> {
    let (open_ms, open, high, low, close, volume, close_ms, quote, trades, base_taken, quote_taken, _) = row;
    plain(&[open, high, low, close, volume, quote, base_taken, quote_taken])?;
    let line = format!(
        "{open_ms},{open},{high},{low},{close},{volume},{close_ms},{quote},{trades},{base_taken},{quote_taken},0"
    );
    if close_ms < open_ms {
        return Err(PageError::Order(*open_ms));
    }
    Ok(FetchedRow { from_ms: *open_ms, until_ms: close_ms + 1, id: 0, line })
}

/// What is not a number would move the columns, or begin a line; and one that the import could not take is asked for again
/// rather than spooled. The venue writes plain decimals.
fn plain(numbers: &[&str]) -> Result<(), PageError> {
    let good = |text: &&&str| {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits =
            |part: &str, most| (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        digits(whole, WHOLE_DIGITS_MAX) && digits(fraction, FRACTION_DIGITS_MAX)
    };
    match numbers.iter().find(|text| !good(text)) {
        Some(text) => Err(PageError::Shape(format!("{:?} is not a number", said(text.as_bytes(), SHOWN)))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::series::Interval;
    use super::*;

    fn series(market: Market, kind: FetchKind) -> FetchedSeries {
        FetchedSeries { market, symbol: "BNBBTC".into(), base: "BNB".into(), quote: "BTC".into(), kind }
    }

    const ALL: Stretch = Stretch { from_ms: 0, until_ms: u64::MAX, from_id: None, until_id: None };
    // The documentation's own rows, the first with a second one after it.
    const TRADES: &str = r#"[{"a":26129,"p":"0.01633102","q":"4.70443515","f":27781,"l":27781,"T":1498793709153,"m":true,"M":true},
        {"a":26130,"p":"0.01633103","q":"1","f":27782,"l":27790,"T":1498793709153,"m":false,"M":true}]"#;
    const KLINES: &str = r#"[[1499040000000,"0.01634790","0.80000000","0.01575800","0.01577100","148976.11427815",1499644799999,"2434.19055334",308,"1756.87402397","28.46694368","0"]]"#;

    #[test]
    fn rows_become_lines_of_the_venues_dumps() {
        let (rows, beyond) =
            read(&series(Market::Spot, FetchKind::AggTrades), &ALL, TRADES.as_bytes()).expect("good");
        let lines: Vec<&str> = rows.iter().map(|row| row.line.as_str()).collect();
        assert_eq!(
            lines,
            [
                "26129,0.01633102,4.70443515,27781,27781,1498793709153,true,true",
                "26130,0.01633103,1,27782,27790,1498793709153,false,true"
            ]
        );
        assert!(!beyond);
        let until = Stretch { until_id: Some(26_130), ..ALL };
        let (rows, beyond) =
            read(&series(Market::UsdM, FetchKind::AggTrades), &until, TRADES.as_bytes()).expect("good");
        assert_eq!((rows.len(), beyond), (1, true));
        assert!(rows[0].line.ends_with(",1498793709153,true"), "{}", rows[0].line);
        let week = FetchKind::Klines(Interval::from_label("1w").expect("a length"));
        let (rows, _) = read(&series(Market::Spot, week), &ALL, KLINES.as_bytes()).expect("good");
        assert_eq!((rows[0].from_ms, rows[0].until_ms), (1_499_040_000_000, 1_499_644_800_000));
        assert!(rows[0].line.ends_with(",1499644799999,2434.19055334,308,1756.87402397,28.46694368,0"));
        // A bar that is not over is not taken.
        let until = Stretch { until_ms: 1_499_644_799_999, ..ALL };
        assert_eq!(read(&series(Market::Spot, week), &until, KLINES.as_bytes()), Ok((Vec::new(), true)));
    }

    #[test]
    fn what_was_not_asked_for_goes_back_or_is_cut_is_refused() {
        let trades = series(Market::Spot, FetchKind::AggTrades);
        let from = Stretch { from_id: Some(26_130), ..ALL };
        assert_eq!(read(&trades, &from, TRADES.as_bytes()), Err(PageError::Order(1_498_793_709_153)));
        let from = Stretch { from_ms: 1_498_793_709_154, ..ALL };
        assert!(matches!(read(&trades, &from, TRADES.as_bytes()), Err(PageError::Order(_))));
        let back = TRADES.replace("26130", "26129");
        assert!(matches!(read(&trades, &ALL, back.as_bytes()), Err(PageError::Order(_))));
        for cut in 0..TRADES.len() {
            assert!(
                matches!(read(&trades, &ALL, &TRADES.as_bytes()[..cut]), Err(PageError::Shape(_))),
                "{cut}"
            );
        }
        let moved = TRADES.replace("4.70443515", "4,7");
        assert!(matches!(read(&trades, &ALL, moved.as_bytes()), Err(PageError::Shape(_))));
        // What the import could not take is asked for again, and none of it is quoted at length.
        let long = "7".repeat(200_000);
        for bad in ["1e400", "-5", "1-2", "", ".", "1.", "1.2.3", "NaN", &long] {
            let odd = TRADES.replace("4.70443515", bad);
            let told = read(&trades, &ALL, odd.as_bytes()).expect_err(bad).to_string();
            assert!(told.contains("is not a number") && told.len() < 300, "{bad:.20}: {told:.300}");
        }
    }
}
