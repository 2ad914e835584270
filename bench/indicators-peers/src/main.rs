//! What an update of an indicator costs: ours, and those of `ta` and `yata`.
//!
//! `scripts/compare-indicators` runs it: `indicators-peers list` names the pairs, `indicators-peers LIBRARY INDICATOR
//! UPDATES` makes so many updates, to be counted, and `indicators-peers times` prints nanoseconds. Every library is given
//! the same bars and puts its answers beside each other; both are kept from being optimised away. Our files are compiled as
//! they are, without the rest of the library, so that building this takes seconds.

#[allow(dead_code, missing_docs, unused_imports)]
#[path = "../../../src/market/indicator/mod.rs"]
mod indicator;

/// What of the domain our indicators know: a level of a book, of which nothing is measured here.
#[allow(dead_code)]
mod domain {
    #[derive(Clone, Copy)]
    pub struct Price(pub i64);
    #[derive(Clone, Copy)]
    pub struct Qty(pub i64);
    pub struct Notional(pub i128);
    #[derive(Clone, Copy)]
    pub struct Level {
        pub price: Price,
        pub qty: Qty,
    }
    impl Price {
        pub fn times(self, qty: Qty) -> Notional {
            Notional(i128::from(self.0) * i128::from(qty.0))
        }
    }
}

use indicator::{BarValues, Indicator, Usable};
use std::hint::black_box;
use std::time::Instant;
use ta::Next;
use yata::core::{IndicatorConfig, IndicatorInstance, Method};
use yata::helpers::MA;

const BARS: usize = 4_096;

/// A bar as each library takes it.
#[derive(Clone, Copy)]
struct Bar {
    ours: Usable<BarValues>,
}

/// As ours take them many at once.
struct Row<'a>(&'a [Bar]);

impl indicator::Bars for Row<'_> {
    fn bar(&self, n: usize) -> Usable<BarValues> {
        self.0[n].ours
    }

    fn several<const N: usize>(&self, first: usize) -> [Usable<BarValues>; N] {
        let bars = &self.0[first..first + N];
        std::array::from_fn(|n| bars[n].ours)
    }
}

impl ta::High for Bar {
    fn high(&self) -> f64 {
        self.ours.high
    }
}
impl ta::Low for Bar {
    fn low(&self) -> f64 {
        self.ours.low
    }
}
impl ta::Close for Bar {
    fn close(&self) -> f64 {
        self.ours.close
    }
}
impl ta::Volume for Bar {
    fn volume(&self) -> f64 {
        self.ours.volume
    }
}
impl yata::core::OHLCV for Bar {
    fn open(&self) -> f64 {
        self.ours.close
    }
    fn high(&self) -> f64 {
        self.ours.high
    }
    fn low(&self) -> f64 {
        self.ours.low
    }
    fn close(&self) -> f64 {
        self.ours.close
    }
    fn volume(&self) -> f64 {
        self.ours.volume
    }
}

fn walk() -> Vec<Bar> {
    let (mut state, mut cents) = (42u64, 27_500i64);
    let mut draw = |reach: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % reach) as i64
    };
    let bar = |_| {
        cents = (cents + draw(201) - 100).clamp(5_000, 50_000);
        let (high, low) = (cents + draw(60), cents - draw(60));
        let [close, high, low] = [cents, high, low].map(|price| price as f64 / 100.0);
        let bar = BarValues { high, low, close, volume: 1.0 + draw(1_000) as f64 };
        Bar { ours: Usable::new(bar).expect("they are prices") }
    };
    (0..BARS).map(bar).collect()
}

/// What an update of any of them answers, as it is kept.
trait Answer {
    /// Puts it in the first of these places.
    fn put(self, places: &mut Places);
}

type Places = [f64; indicator::OUTPUTS_MAX];

impl Answer for f64 {
    fn put(self, places: &mut Places) {
        places[0] = self;
    }
}

impl Answer for Option<indicator::Values> {
    fn put(self, places: &mut Places) {
        match self {
            Some(values) => places.iter_mut().zip(values.as_slice()).for_each(|(to, from)| *to = *from),
            None => places[0] = f64::NAN,
        }
    }
}

impl Answer for ta::indicators::MovingAverageConvergenceDivergenceOutput {
    fn put(self, places: &mut Places) {
        *places = [self.macd, self.signal, self.histogram];
    }
}

impl Answer for ta::indicators::BollingerBandsOutput {
    fn put(self, places: &mut Places) {
        *places = [self.average, self.upper, self.lower];
    }
}

impl Answer for ta::indicators::KeltnerChannelOutput {
    fn put(self, places: &mut Places) {
        *places = [self.average, self.upper, self.lower];
    }
}

/// Of what `yata` says besides, to buy or to sell, nothing is kept.
impl Answer for yata::core::IndicatorResult {
    fn put(self, places: &mut Places) {
        places.iter_mut().zip(self.values()).for_each(|(to, from)| *to = *from);
    }
}

/// Hands `updates` bars, again and again the same, to `take`, as many at once as there are, with room for their answers.
fn each(bars: &[Bar], updates: usize, mut take: impl FnMut(&[Bar], &mut [Places])) {
    let mut answers = vec![Places::default(); bars.len()];
    let mut left = updates;
    while left > 0 {
        let now = left.min(bars.len());
        take(black_box(&bars[..now]), &mut answers[..now]);
        black_box(&mut answers);
        left -= now;
    }
}

type Run = fn(&[Bar], usize);

/// One indicator of one library.
struct Case {
    library: &'static str,
    indicator: &'static str,
    run: Run,
}

/// Updates one by one.
macro_rules! one_by_one {
    ($make:expr, |$i:ident, $bar:ident| $step:expr) => {
        |bars, updates| {
            #[allow(clippy::redundant_closure_call, unused_mut)]
            let mut $i = ($make)(&bars[0]);
            each(bars, updates, |bars, answers| {
                for ($bar, places) in bars.iter().zip(answers) {
                    $step.put(places);
                }
            });
        }
    };
}

macro_rules! case {
    ($library:literal, $name:literal, $make:expr, |$i:ident, $bar:ident| $step:expr) => {
        vec![Case { library: $library, indicator: $name, run: one_by_one!($make, |$i, $bar| $step) }]
    };
}

/// One of ours: many updates at once, and one by one.
macro_rules! ours {
    ($name:literal, $make:expr) => {
        vec![
            Case {
                library: "ours",
                indicator: $name,
                run: |bars, updates| {
                    let mut i = $make.expect(OK);
                    each(bars, updates, |bars, answers| {
                        let mut first = 0;
                        while i.warm_up() > 0 && first < bars.len() {
                            i.advance_bar(&bars[first].ours).put(&mut answers[first]);
                            first += 1;
                        }
                        let (bars, places) = (&bars[first..], answers.as_flattened_mut());
                        let room = bars.len() * i.outputs();
                        i.advance_many(&Row(bars), &mut places[..room]);
                    });
                },
            },
            Case {
                library: "ours, singly",
                indicator: $name,
                run: one_by_one!(|_: &Bar| $make.expect(OK), |i, bar| i.advance_bar(&bar.ours)),
            },
        ]
    };
}

const OK: &str = "the parameters are in range";

fn cases() -> Vec<Case> {
    let all = cases_by_line();
    all.into_iter().flatten().collect()
}

fn cases_by_line() -> Vec<Vec<Case>> {
    use indicator as own;
    use ta::indicators as of_ta;
    use yata::indicators as of_yata;
    use yata::methods as method;
    vec![
        case!("none", "nothing", |_: &Bar| (), |_i, bar| bar.ours.close),
        ours!("sma 20", own::Sma::new(20)),
        case!("ta", "sma 20", |_: &Bar| of_ta::SimpleMovingAverage::new(20).expect(OK), |i, bar| i
            .next(bar.ours.close)),
        case!("yata", "sma 20", |b: &Bar| method::SMA::new(20, &b.ours.close).expect(OK), |i, bar| i
            .next(&bar.ours.close)),
        ours!("ema 20", own::Ema::new(20)),
        case!("ta", "ema 20", |_: &Bar| of_ta::ExponentialMovingAverage::new(20).expect(OK), |i, bar| i
            .next(bar.ours.close)),
        case!("yata", "ema 20", |b: &Bar| method::EMA::new(20, &b.ours.close).expect(OK), |i, bar| i
            .next(&bar.ours.close)),
        ours!("wma 20", own::Wma::new(20)),
        case!("yata", "wma 20", |b: &Bar| method::WMA::new(20, &b.ours.close).expect(OK), |i, bar| i
            .next(&bar.ours.close)),
        ours!("dema 20", own::Dema::new(20)),
        case!("yata", "dema 20", |b: &Bar| method::DEMA::new(20, &b.ours.close).expect(OK), |i, bar| i
            .next(&bar.ours.close)),
        ours!("tema 20", own::Tema::new(20)),
        case!("yata", "tema 20", |b: &Bar| method::TEMA::new(20, &b.ours.close).expect(OK), |i, bar| i
            .next(&bar.ours.close)),
        ours!("hma 20", own::Hma::new(20)),
        case!("yata", "hma 20", |b: &Bar| method::HMA::new(20, &b.ours.close).expect(OK), |i, bar| i
            .next(&bar.ours.close)),
        ours!("rsi 14", own::Rsi::new(14)),
        case!("ta", "rsi 14", |_: &Bar| of_ta::RelativeStrengthIndex::new(14).expect(OK), |i, bar| i
            .next(bar.ours.close)),
        case!(
            "yata",
            "rsi 14",
            |b: &Bar| of_yata::RSI { ma: MA::RMA(14), ..Default::default() }.init(b).expect(OK),
            |i, bar| i.next(bar)
        ),
        ours!("macd 12/26/9", own::Macd::new(12, 26, 9)),
        case!(
            "ta",
            "macd 12/26/9",
            |_: &Bar| of_ta::MovingAverageConvergenceDivergence::new(12, 26, 9).expect(OK),
            |i, bar| i.next(bar.ours.close)
        ),
        case!("yata", "macd 12/26/9", |b: &Bar| of_yata::MACD::default().init(b).expect(OK), |i, bar| i
            .next(bar)),
        ours!("bollinger 20/2", own::Bollinger::new(20, 2_000)),
        case!("ta", "bollinger 20/2", |_: &Bar| of_ta::BollingerBands::new(20, 2.0).expect(OK), |i, bar| i
            .next(bar.ours.close)),
        case!(
            "yata",
            "bollinger 20/2",
            |b: &Bar| of_yata::BollingerBands::default().init(b).expect(OK),
            |i, bar| i.next(bar)
        ),
        ours!("stddev 20", own::Stddev::new(20)),
        case!("ta", "stddev 20", |_: &Bar| of_ta::StandardDeviation::new(20).expect(OK), |i, bar| i
            .next(bar.ours.close)),
        case!("yata", "stddev 20", |b: &Bar| method::StDev::new(20, &b.ours.close).expect(OK), |i, bar| i
            .next(&bar.ours.close)),
        ours!("linreg 14", own::Linreg::new(14)),
        case!("yata", "linreg 14", |b: &Bar| method::LinReg::new(14, &b.ours.close).expect(OK), |i, bar| i
            .next(&bar.ours.close)),
        ours!("momentum 10", own::Momentum::new(10)),
        case!(
            "yata",
            "momentum 10",
            |b: &Bar| method::Momentum::new(10, &b.ours.close).expect(OK),
            |i, bar| i.next(&bar.ours.close)
        ),
        ours!("roc 10", own::Roc::new(10)),
        case!("ta", "roc 10", |_: &Bar| of_ta::RateOfChange::new(10).expect(OK), |i, bar| i
            .next(bar.ours.close)),
        case!(
            "yata",
            "roc 10",
            |b: &Bar| method::RateOfChange::new(10, &b.ours.close).expect(OK),
            |i, bar| i.next(&bar.ours.close)
        ),
        ours!("atr 14", own::Atr::new(14)),
        case!("ta", "atr 14", |_: &Bar| of_ta::AverageTrueRange::new(14).expect(OK), |i, bar| i.next(bar)),
        ours!("adx 14", own::Adx::new(14)),
        case!(
            "yata",
            "adx 14",
            |b: &Bar| of_yata::AverageDirectionalIndex::default().init(b).expect(OK),
            |i, bar| i.next(bar)
        ),
        ours!("cci 20", own::Cci::new(20)),
        case!("ta", "cci 20", |_: &Bar| of_ta::CommodityChannelIndex::new(20).expect(OK), |i, bar| i
            .next(bar)),
        case!("yata", "cci 20", |b: &Bar| method::CCI::new(20, &b.ours.close).expect(OK), |i, bar| i
            .next(&bar.ours.close)),
        ours!("stochastic 14/3/3", own::Stochastic::new(14, 3, 3)),
        case!("ta", "stochastic 14/3/3", |_: &Bar| of_ta::SlowStochastic::new(14, 3).expect(OK), |i, bar| i
            .next(bar)),
        case!(
            "yata",
            "stochastic 14/3/3",
            |b: &Bar| of_yata::StochasticOscillator::default().init(b).expect(OK),
            |i, bar| i.next(bar)
        ),
        ours!("donchian 20", own::Donchian::new(20)),
        case!(
            "yata",
            "donchian 20",
            |b: &Bar| of_yata::DonchianChannel::default().init(b).expect(OK),
            |i, bar| i.next(bar)
        ),
        ours!("keltner 20/10/2", own::Keltner::new(20, 10, 2_000)),
        case!("ta", "keltner 20/10/2", |_: &Bar| of_ta::KeltnerChannel::new(20, 2.0).expect(OK), |i, bar| i
            .next(bar)),
        case!(
            "yata",
            "keltner 20/10/2",
            |b: &Bar| of_yata::KeltnerChannel::default().init(b).expect(OK),
            |i, bar| i.next(bar)
        ),
        ours!("obv", Some(own::Obv::default())),
        case!("ta", "obv", |_: &Bar| of_ta::OnBalanceVolume::new(), |i, bar| i.next(bar)),
    ]
}

/// Nanoseconds an update, of the least disturbed of some rounds.
fn nanoseconds(bars: &[Bar], run: Run) -> f64 {
    const UPDATES: usize = 400_000;
    let rounds = (0..7).map(|_| {
        let begun = Instant::now();
        run(bars, UPDATES);
        begun.elapsed().as_nanos() as f64 / UPDATES as f64
    });
    rounds.fold(f64::INFINITY, f64::min)
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (bars, cases) = (walk(), cases());
    match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["list"] => cases.iter().for_each(|case| println!("{}\t{}", case.library, case.indicator)),
        ["times"] => {
            for case in &cases {
                println!("{}\t{}\t{:.2}", case.library, case.indicator, nanoseconds(&bars, case.run));
            }
        }
        [library, indicator, updates] => {
            let found = cases.iter().find(|case| case.library == *library && case.indicator == *indicator);
            match (found, updates.parse()) {
                (Some(case), Ok(updates)) => (case.run)(&bars, updates),
                _ => eprintln!("no such indicator, or no number; see `list`"),
            }
        }
        _ => eprintln!("usage: indicators-peers list | times | LIBRARY INDICATOR UPDATES"),
    }
}
