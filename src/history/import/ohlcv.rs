//! Bars in a CSV of anyone's: which column is which is told by its header or by `--columns`.
//!
//! A row's time is the start of its bar, UTC: seconds, ms, µs or ns since 1970 (told by how many digits), a date
//! (`2024-08-08`, `20240808`), or a moment (`2024-08-08 09:30`, `2024-08-08T09:30:00Z`).

use super::fault::{NameFault, RowFault};
use super::number::{Numbers, integer, is_number, shown};
use super::sink::{Sink, Spec};
use super::{Format, ImportOptions, Line, check_bar};
use crate::domain::Time;
use crate::history::catalogue::{SeriesKind, SeriesName, every_seconds};
use crate::history::segment::{GapRule, Num, Row};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const NAMES: [&str; 6] = ["time", "open", "high", "low", "close", "volume"];
/// Other words for the time and the volume, the first of them that is there being meant: beside a start, as in what `export`
/// writes, a plain time is something else.
const TIMES: &[&str] = &["open_time", "open time", "begin", "time", "timestamp", "date", "datetime"];
const VOLUMES: &[&str] = &["volume", "vol", "base_volume"];

/// Which column is which.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Columns {
    /// `(time, Date)`, `(open, 2)`: the name in the header, or the place from 1.
    pub given: Vec<(String, String)>,
    /// How long a bar is: `1m`, `1d`.
    pub every: Option<String>,
}

impl Columns {
    /// Reads `time=Date,open=Open` or `time=1,open=2`.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
        let pair = |part: &str| match part.split_once('=') {
            Some((name, column)) if NAMES.contains(&name) && !column.is_empty() => {
                Ok((name.into(), column.into()))
            }
            _ => Err(format!("{part:?} is not NAME=COLUMN with a name of {}", NAMES.join(", "))),
        };
        text.split(',').map(pair).collect()
    }
}

/// See the module.
pub(super) struct Ohlcv {
    options: ImportOptions,
    numbers: Numbers,
    every: String,
    seconds: u64,
    /// Place of each of [`NAMES`], the volume's where there is one.
    places: Option<[Option<usize>; 6]>,
    comma: u8,
    series: Option<usize>,
}

impl Ohlcv {
    pub fn new(options: &ImportOptions) -> Result<Self, NameFault> {
        let every = options
            .columns
            .every
            .clone()
            .ok_or(NameFault::Option("how long a bar is must be given: --every 1d"))?;
        let seconds = every_seconds(&every).ok_or(NameFault::Option(
            "a bar's length must be fixed and at most a year: --every 1d, 4h, 15m, 30s",
        ))?;
        if options.instrument.is_none() {
            return Err(NameFault::Option(
                "the file does not name its instrument: --instrument venue:market:SYMBOL",
            ));
        }
        let numbers = options.numbers();
        Ok(Self {
            options: options.clone(),
            numbers,
            every,
            seconds,
            places: None,
            comma: b',',
            series: None,
        })
    }

    /// A line's fields.
    fn fields<'a>(&self, line: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let comma = self.comma;
        line.split(move |&b| b == comma).map(|f| unquoted(f.trim_ascii()))
    }

    /// Finds the columns; says whether the line is a header.
    fn find(&mut self, line: &[u8]) -> Result<bool, RowFault> {
        let text = String::from_utf8_lossy(line);
        self.comma = [b',', b';', b'\t'].into_iter().find(|c| line.contains(c)).unwrap_or(b',');
        let header: Vec<String> = text
            .split(char::from(self.comma))
            .map(|name| unquoted(name.trim().as_bytes()))
            .map(shown_lower)
            .collect();
        let mut places = [None; 6];
        // Places from 1 where all are numbers; names otherwise.
        let listed = &self.options.columns.given;
        let by_place = !listed.is_empty() && listed.iter().all(|(_, column)| column.parse::<usize>().is_ok());
        for ((name, place), column) in NAMES.iter().zip(&mut places).zip(0..) {
            let given = listed.iter().find(|(of, _)| of == name).map(|(_, column)| column);
            *place = match given {
                Some(given) if by_place => {
                    given.parse().ok().and_then(|n: usize| n.checked_sub(1)).filter(|&n| n < header.len())
                }
                Some(given) => header.iter().position(|h| *h == given.to_lowercase()),
                None => {
                    let words = match column {
                        0 => TIMES,
                        5 => VOLUMES,
                        _ => std::slice::from_ref(name),
                    };
                    words.iter().find_map(|word| header.iter().position(|h| h == word))
                }
            };
            if place.is_none() && (column < 5 || given.is_some()) {
                return Err(NameFault::Option(
                    "the columns cannot be told from the first line: --columns time=Date,open=Open,high=High,low=Low,\
                     close=Close,volume=Volume, or their places from 1",
                )
                .into());
            }
        }
        self.places = Some(places);
        // Places alone do not say whether there is a header; one has neither a moment nor a number where they should be.
        let fields: Vec<&[u8]> = self.fields(line).collect();
        let text = |column: usize| places[column].and_then(|at| fields.get(at).copied()).unwrap_or_default();
        Ok(!(by_place && (moment(text(0)).is_ok() || is_number(text(1)))))
    }
}

impl Format for Ohlcv {
    fn line(&mut self, _: u64, line: &[u8], sink: &mut Sink<'_>) -> Result<Line, RowFault> {
        let places = match self.places {
            Some(places) => places,
            None => {
                if self.find(line)? {
                    return Ok(Line::Header);
                }
                self.places.unwrap_or_default()
            }
        };
        let series = match self.series {
            Some(series) => series,
            None => {
                let named = self.options.named("", None, "")?;
                let name = SeriesName {
                    every: Some(self.every.clone()),
                    ..SeriesName::new(&named.name, SeriesKind::Bars)
                };
                // Whether the instrument trades at all hours is not known.
                let spec = Spec { name, assets: named.assets, rule: GapRule::None, unique: true, part: None };
                *self.series.insert(sink.begin(spec)?)
            }
        };
        let fields: Vec<&[u8]> = self.fields(line).collect();
        let field = |at: usize| {
            let found = fields.len();
            let what = "those of the first line";
            places[at].map_or(Ok(&b""[..]), |at| {
                fields.get(at).copied().ok_or(RowFault::Columns { found, expected: at + 1, what })
            })
        };
        let open_time = moment(field(0)?)?;
        let mut prices = [Num::default(); 4];
        for (at, price) in prices.iter_mut().enumerate() {
            *price = self.numbers.price(NAMES[at + 1], field(at + 1)?)?;
        }
        check_bar(&prices)?;
        let volume = match field(5)? {
            b"" => Num::default(),
            text => self.numbers.qty("volume", text)?,
        };
        let end = open_time.plus_nanos(self.seconds * 1_000_000_000);
        let close_time = Time(end.0 - 1_000_000);
        let row = Row::Bar { prices, volume, turnover: 0, trades: 0, open_time, close_time, closed: true };
        sink.push(series, end, row)?;
        Ok(Line::Row)
    }

    fn rounded(&self) -> u64 {
        self.numbers.rounded
    }
}

fn unquoted(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\"").and_then(|t| t.strip_suffix(b"\"")).unwrap_or(text)
}

fn shown_lower(text: &[u8]) -> String {
    String::from_utf8_lossy(text).to_lowercase()
}

fn moment(text: &[u8]) -> Result<Time, RowFault> {
    let expected = "seconds, ms, µs or ns since 1970, or a moment such as 2024-08-08 09:30 (UTC)";
    let bad = || RowFault::Word { column: "time", text: shown(text), expected };
    let word = std::str::from_utf8(text).map_err(|_| bad())?;
    if text.iter().all(u8::is_ascii_digit) && text.len() != 8 {
        let unit = match text.len() {
            9 | 10 => 1_000_000_000,
            12 | 13 => 1_000_000,
            15 | 16 => 1_000,
            18 | 19 => 1,
            _ => return Err(bad()),
        };
        return integer("time", text)?.checked_mul(unit).map(Time).ok_or_else(bad);
    }
    let civil = |word: &str| word.parse::<DateTime>().ok().and_then(|at| TimeZone::UTC.to_timestamp(at).ok());
    let stamp = word.parse::<jiff::Timestamp>().ok().or_else(|| civil(word)).ok_or_else(bad)?;
    u64::try_from(stamp.as_nanosecond()).map(Time).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_the_same_in_every_spelling() {
        let expected = Time(1_723_075_200_000_000_000);
        for text in [
            "1723075200",
            "1723075200000",
            "1723075200000000",
            "1723075200000000000",
            "20240808",
            "2024-08-08",
            "2024-08-08 00:00",
            "2024-08-08T00:00:00",
            "2024-08-08T02:00:00+02:00",
            "2024-08-08 00:00:00Z",
        ] {
            assert_eq!(moment(text.as_bytes()), Ok(expected), "{text}");
        }
        for bad in ["", "08/08/2024", "17230752", "x", "2024-13-01", "1960-01-01"] {
            assert!(moment(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
