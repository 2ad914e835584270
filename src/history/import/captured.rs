//! Raw frames, as recordings and captures have them, decoded as live.
//!
//! All that one instrument's feed brought is one series, in the order of receiving, so that a backtest sees what a live
//! run would have seen. An event's time is the receive time; where the recorder's clock went back it is held, as the
//! sequencer does.

use super::fault::{ImportError, RowFault};
use super::sink::{Sink, Spec};
use super::{ImportOptions, PROGRESS_ROWS, Progress, Rows};
use crate::domain::instrument::FeeRate;
use crate::domain::{Instrument, InstrumentId, InstrumentTable, Level, Market, Notional, Price, Qty, Time};
use crate::history::catalogue::{Part, SeriesKind, SeriesName};
use crate::history::recording::{Recording, RecordingName, RecordingOptions};
use crate::history::segment::{DepthRow, GapRule, Num, Row, RowKind, TURNOVER_DECIMALS};
use crate::net::FrameSource;
use crate::venue::binance::Decoder;
use crate::venue::{Decoded, LevelBuffer};
use std::path::Path;

/// Decimals that frames are decoded with: as many as Binance prints. What is stored has as many as are needed.
const DECIMALS: u8 = 8;

/// Reads the recording at `path` into `sink`.
pub(super) fn read(
    path: &Path,
    bytes_all: u64,
    options: &ImportOptions,
    sink: &mut Sink<'_>,
    rows: &mut Rows<'_>,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<u64, ImportError> {
    let name = name(path)?;
    let table = table(path, &name, options)?;
    let mut recording = Recording::open(&[path.to_owned()], &RecordingOptions::default())
        .map_err(|error| ImportError::Frames { problem: error.to_string() })?;
    let source = recording.sources().first().cloned();
    let Some(source) = source else { return Err(ImportError::file(path, "is no recording")) };
    let mut decoder = Decoder::new(&table);
    let mut buffer = LevelBuffer::new();
    let mut made =
        Made { part: part(&name), series: vec![None; table.len()], last: Time(0), levels: Vec::new() };
    let mut told = 0;
    loop {
        let frame = match recording.next_frame() {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(error) => return Err(ImportError::Frames { problem: error.to_string() }),
        };
        rows.rows += 1;
        let line = frame.line;
        let result = match decoder.decode(&source, frame.bytes, &mut buffer) {
            Ok(decoded) => made.put(frame.received, &decoded, &buffer.levels, &table, options, sink),
            Err(error) => Err(RowFault::Frame(error)),
        };
        if let Err(fault) = result {
            if let Some(error) = sink.failed.take() {
                return Err(error.into());
            }
            rows.bad(line, fault)?;
        }
        if rows.rows.is_multiple_of(PROGRESS_ROWS) {
            // How far the reader is in the packed file it does not say; a frame packs to about a tenth.
            let bytes = (recording.facts().bytes / 10).min(bytes_all);
            if !progress(Progress { rows: rows.rows, bytes, bytes_all }) {
                return Err(ImportError::Stopped { path: path.display().to_string() });
            }
        }
        told = lines_that_are_no_frames(&recording, told, rows)?;
    }
    lines_that_are_no_frames(&recording, told, rows)?;
    Ok(0)
}

fn lines_that_are_no_frames(
    recording: &Recording,
    told: usize,
    rows: &mut Rows<'_>,
) -> Result<usize, ImportError> {
    for problem in recording.problems().iter().skip(told) {
        rows.rows += 1;
        rows.bad(problem.line, RowFault::Line(problem.fault.to_string()))?;
    }
    Ok(recording.problems().len())
}

/// What the file's name says.
fn name(path: &Path) -> Result<RecordingName, ImportError> {
    RecordingName::parse(path).map_err(|fault| {
        let problem = format!(
            "{fault}: a recording is called <market>-<symbol>-<date>.gz, such as spot-btcusdt-20240808.gz"
        );
        ImportError::file(path, problem)
    })
}

/// Which part of a feed a capture's file has: its other part lies in other files of the same time.
fn part(name: &RecordingName) -> Option<Part> {
    name.part.map(|_| if name.symbol.is_some() { Part::Answers } else { Part::Streams })
}

/// The instruments of the file: the one it is named after, or those that are configured.
fn table(path: &Path, name: &RecordingName, options: &ImportOptions) -> Result<InstrumentTable, ImportError> {
    let bad = |problem: String| ImportError::file(path, problem);
    let instruments = match &name.symbol {
        Some(symbol) => {
            let named = options
                .named("binance", Some(name.market), symbol)
                .map_err(|fault| bad(fault.to_string()))?;
            vec![instrument(name.market, symbol, named.assets)]
        }
        None => {
            let of_market = options.configured.iter().filter(|i| i.market == name.market);
            of_market.map(|i| instrument(i.market, &i.symbol, (i.base.clone(), i.quote.clone()))).collect()
        }
    };
    if instruments.is_empty() {
        let problem = "has frames of many symbols: give the instrument files that name them (--config)";
        return Err(bad(problem.into()));
    }
    InstrumentTable::new(instruments).map_err(|error| bad(error.to_string()))
}

fn instrument(market: Market, symbol: &str, (base, quote): (String, String)) -> Instrument {
    Instrument {
        id: InstrumentId(0),
        venue: "binance".into(),
        market,
        symbol: symbol.into(),
        base,
        quote,
        price_decimals: DECIMALS,
        qty_decimals: DECIMALS,
        tick: Price(1),
        lot: Qty(1),
        min_qty: Qty(1),
        max_qty: Qty(i64::MAX),
        min_notional: Notional::ZERO,
        maker_fee: FeeRate(0),
        taker_fee: FeeRate(0),
    }
}

/// What was made of the frames so far.
struct Made {
    part: Option<Part>,
    series: Vec<Option<usize>>,
    last: Time,
    levels: Vec<(Num, Num)>,
}

impl Made {
    fn put(
        &mut self,
        received: Time,
        decoded: &Decoded,
        levels: &[Level],
        table: &InstrumentTable,
        options: &ImportOptions,
        sink: &mut Sink<'_>,
    ) -> Result<(), RowFault> {
        let (id, kind) = match decoded {
            Decoded::Trade(t) => (t.instrument, RowKind::Trade),
            Decoded::Quote(q) => (q.instrument, RowKind::Quote),
            Decoded::DepthDiff(h) => (h.instrument, RowKind::Diff),
            Decoded::DepthSnapshot(h) => (h.instrument, RowKind::Snapshot),
            Decoded::DepthPartial(h) => (h.instrument, RowKind::Partial),
            Decoded::Kline(k) => (k.instrument, RowKind::Bar),
            Decoded::Interrupted(id) => (*id, RowKind::Interrupted),
            Decoded::Ignored => return Ok(()),
            Decoded::UnknownInstrument => return Err(RowFault::UnknownInstrument),
        };
        let series = match self.series[id.index()] {
            Some(series) => series,
            None => self.begin(id, table, options, sink)?,
        };
        // The clock of the recorder may go back; the sequencer's time does not.
        self.last = self.last.max(received);
        let price = |price: Price| Num::new(price.0, DECIMALS);
        let qty = |qty: Qty| Num::new(qty.0, DECIMALS);
        let level = |level: Level| (price(level.price), qty(level.qty));
        let row = match decoded {
            Decoded::Trade(t) => Row::Trade {
                price: price(t.price),
                qty: qty(t.qty),
                id: t.id,
                venue_time: t.venue_time,
                aggressor: t.aggressor,
                aggregate: t.aggregate,
            },
            Decoded::Quote(q) => Row::Quote { bid: level(q.bid), ask: level(q.ask), update_id: q.update_id },
            Decoded::DepthDiff(head) | Decoded::DepthSnapshot(head) | Decoded::DepthPartial(head) => {
                self.levels.clear();
                self.levels.extend(levels.iter().map(|l| level(*l)));
                let row = DepthRow {
                    kind,
                    first_id: head.first_id,
                    last_id: head.last_id,
                    prev_id: head.prev_id,
                    venue_time: head.venue_time,
                    levels: &self.levels,
                    bids: head.bids as usize,
                };
                return sink.push_depth(series, self.last, &Row::Depth(row));
            }
            Decoded::Kline(k) => Row::Bar {
                prices: [k.open, k.high, k.low, k.close].map(price),
                volume: qty(k.volume),
                turnover: k.quote_volume.0 / 10i128.pow(u32::from(2 * DECIMALS - TURNOVER_DECIMALS)),
                trades: k.trades,
                open_time: k.open_time,
                close_time: k.close_time,
                closed: k.closed,
            },
            Decoded::Interrupted(_) => {
                let none = DepthRow {
                    kind,
                    first_id: 0,
                    last_id: 0,
                    prev_id: 0,
                    venue_time: self.last,
                    levels: &[],
                    bids: 0,
                };
                return sink.push_depth(series, self.last, &Row::Depth(none));
            }
            Decoded::Ignored | Decoded::UnknownInstrument => return Ok(()),
        };
        sink.push(series, self.last, row)
    }

    #[cold]
    fn begin(
        &mut self,
        id: InstrumentId,
        table: &InstrumentTable,
        options: &ImportOptions,
        sink: &mut Sink<'_>,
    ) -> Result<usize, RowFault> {
        let instrument = table.get(id);
        let name = options.instrument.clone().unwrap_or_else(|| instrument.name());
        let assets = (instrument.base.clone(), instrument.quote.clone());
        let name = SeriesName::new(&name, SeriesKind::Feed);
        let series =
            sink.begin(Spec { name, assets, rule: GapRule::Diffs, unique: false, part: self.part })?;
        self.series[id.index()] = Some(series);
        Ok(series)
    }
}
