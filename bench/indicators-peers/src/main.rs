//! What an update of an indicator costs: ours, and those of `ta` and `yata`.
//!
//! `scripts/compare-indicators` runs it: `indicators-peers list` names the pairs, `indicators-peers LIBRARY INDICATOR
//! UPDATES` makes so many updates, to be counted, and `indicators-peers times` prints nanoseconds. Every library is given
//! the same bars, and its answer is kept from being optimised away. Our files are compiled as they are, without the rest of
//! the library, so that building this takes seconds.

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

use indicator::{BarValues, Indicator};
use std::hint::black_box;
use std::time::Instant;
use ta::Next;
use yata::core::{IndicatorConfig, IndicatorInstance, Method};
use yata::helpers::MA;

const BARS: usize = 4_096;

/// A bar as each library takes it.
#[derive(Clone, Copy)]
struct Bar {
    ours: BarValues,
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
        Bar { ours: BarValues { high, low, close, volume: 1.0 + draw(1_000) as f64 } }
    };
    (0..BARS).map(bar).collect()
}

/// Hands `updates` bars, again and again the same, to `step`.
fn each(bars: &[Bar], updates: usize, mut step: impl FnMut(&Bar)) {
    for bar in bars.iter().cycle().take(updates) {
        step(black_box(bar));
    }
}

type Run = fn(&[Bar], usize);

/// One indicator of one library.
struct Case {
    library: &'static str,
    indicator: &'static str,
    run: Run,
}

macro_rules! case {
    ($library:literal, $name:literal, $make:expr, |$i:ident, $bar:ident| $step:expr) => {
        Case {
            library: $library,
            indicator: $name,
            run: |bars, updates| {
                #[allow(clippy::redundant_closure_call, unused_mut)]
                let mut $i = ($make)(&bars[0]);
                each(bars, updates, |$bar| {
                    black_box($step);
                });
            },
        }
    };
}

const OK: &str = "the parameters are in range";

fn cases() -> Vec<Case> {
    use indicator as own;
    use ta::indicators as of_ta;
    use yata::indicators as of_yata;
    use yata::methods as method;
    vec![
        case!("none", "nothing", |_: &Bar| (), |i, bar| (&i, bar.ours.close)),
        case!("ours", "sma 20", |_: &Bar| own::Sma::new(20).expect(OK), |i, bar| i.update(bar.ours.close)),
        case!("ta", "sma 20", |_: &Bar| of_ta::SimpleMovingAverage::new(20).expect(OK), |i, bar| i
            .next(bar.ours.close)),
        case!("yata", "sma 20", |b: &Bar| method::SMA::new(20, &b.ours.close).expect(OK), |i, bar| i
            .next(&bar.ours.close)),
        case!("ours", "ema 20", |_: &Bar| own::Ema::new(20).expect(OK), |i, bar| i.update(bar.ours.close)),
        case!("ta", "ema 20", |_: &Bar| of_ta::ExponentialMovingAverage::new(20).expect(OK), |i, bar| i
            .next(bar.ours.close)),
        case!("yata", "ema 20", |b: &Bar| method::EMA::new(20, &b.ours.close).expect(OK), |i, bar| i
            .next(&bar.ours.close)),
        case!("ours", "wma 20", |_: &Bar| own::Wma::new(20).expect(OK), |i, bar| i.update(bar.ours.close)),
        case!("yata", "wma 20", |b: &Bar| method::WMA::new(20, &b.ours.close).expect(OK), |i, bar| i
            .next(&bar.ours.close)),
        case!("ours", "dema 20", |_: &Bar| own::Dema::new(20).expect(OK), |i, bar| i.update(bar.ours.close)),
        case!("yata", "dema 20", |b: &Bar| method::DEMA::new(20, &b.ours.close).expect(OK), |i, bar| i
            .next(&bar.ours.close)),
        case!("ours", "tema 20", |_: &Bar| own::Tema::new(20).expect(OK), |i, bar| i.update(bar.ours.close)),
        case!("yata", "tema 20", |b: &Bar| method::TEMA::new(20, &b.ours.close).expect(OK), |i, bar| i
            .next(&bar.ours.close)),
        case!("ours", "hma 20", |_: &Bar| own::Hma::new(20).expect(OK), |i, bar| i.update(bar.ours.close)),
        case!("yata", "hma 20", |b: &Bar| method::HMA::new(20, &b.ours.close).expect(OK), |i, bar| i
            .next(&bar.ours.close)),
        case!("ours", "rsi 14", |_: &Bar| own::Rsi::new(14).expect(OK), |i, bar| i.update(bar.ours.close)),
        case!("ta", "rsi 14", |_: &Bar| of_ta::RelativeStrengthIndex::new(14).expect(OK), |i, bar| i
            .next(bar.ours.close)),
        case!(
            "yata",
            "rsi 14",
            |b: &Bar| of_yata::RSI { ma: MA::RMA(14), ..Default::default() }.init(b).expect(OK),
            |i, bar| i.next(bar)
        ),
        case!("ours", "macd 12/26/9", |_: &Bar| own::Macd::new(12, 26, 9).expect(OK), |i, bar| i
            .update(bar.ours.close)),
        case!(
            "ta",
            "macd 12/26/9",
            |_: &Bar| of_ta::MovingAverageConvergenceDivergence::new(12, 26, 9).expect(OK),
            |i, bar| i.next(bar.ours.close)
        ),
        case!("yata", "macd 12/26/9", |b: &Bar| of_yata::MACD::default().init(b).expect(OK), |i, bar| i
            .next(bar)),
        case!("ours", "bollinger 20/2", |_: &Bar| own::Bollinger::new(20, 2_000).expect(OK), |i, bar| i
            .update(bar.ours.close)),
        case!("ta", "bollinger 20/2", |_: &Bar| of_ta::BollingerBands::new(20, 2.0).expect(OK), |i, bar| i
            .next(bar.ours.close)),
        case!(
            "yata",
            "bollinger 20/2",
            |b: &Bar| of_yata::BollingerBands::default().init(b).expect(OK),
            |i, bar| i.next(bar)
        ),
        case!("ours", "stddev 20", |_: &Bar| own::Stddev::new(20).expect(OK), |i, bar| i
            .update(bar.ours.close)),
        case!("ta", "stddev 20", |_: &Bar| of_ta::StandardDeviation::new(20).expect(OK), |i, bar| i
            .next(bar.ours.close)),
        case!("yata", "stddev 20", |b: &Bar| method::StDev::new(20, &b.ours.close).expect(OK), |i, bar| i
            .next(&bar.ours.close)),
        case!("ours", "linreg 14", |_: &Bar| own::Linreg::new(14).expect(OK), |i, bar| i
            .update(bar.ours.close)),
        case!("yata", "linreg 14", |b: &Bar| method::LinReg::new(14, &b.ours.close).expect(OK), |i, bar| i
            .next(&bar.ours.close)),
        case!("ours", "momentum 10", |_: &Bar| own::Momentum::new(10).expect(OK), |i, bar| i
            .update(bar.ours.close)),
        case!(
            "yata",
            "momentum 10",
            |b: &Bar| method::Momentum::new(10, &b.ours.close).expect(OK),
            |i, bar| i.next(&bar.ours.close)
        ),
        case!("ours", "roc 10", |_: &Bar| own::Roc::new(10).expect(OK), |i, bar| i.update(bar.ours.close)),
        case!("ta", "roc 10", |_: &Bar| of_ta::RateOfChange::new(10).expect(OK), |i, bar| i
            .next(bar.ours.close)),
        case!(
            "yata",
            "roc 10",
            |b: &Bar| method::RateOfChange::new(10, &b.ours.close).expect(OK),
            |i, bar| i.next(&bar.ours.close)
        ),
        case!("ours", "atr 14", |_: &Bar| own::Atr::new(14).expect(OK), |i, bar| i.update_bar(&bar.ours)),
        case!("ta", "atr 14", |_: &Bar| of_ta::AverageTrueRange::new(14).expect(OK), |i, bar| i.next(bar)),
        case!("ours", "adx 14", |_: &Bar| own::Adx::new(14).expect(OK), |i, bar| i.update_bar(&bar.ours)),
        case!(
            "yata",
            "adx 14",
            |b: &Bar| of_yata::AverageDirectionalIndex::default().init(b).expect(OK),
            |i, bar| i.next(bar)
        ),
        case!("ours", "cci 20", |_: &Bar| own::Cci::new(20).expect(OK), |i, bar| i.update_bar(&bar.ours)),
        case!("ta", "cci 20", |_: &Bar| of_ta::CommodityChannelIndex::new(20).expect(OK), |i, bar| i
            .next(bar)),
        case!("yata", "cci 20", |b: &Bar| method::CCI::new(20, &b.ours.close).expect(OK), |i, bar| i
            .next(&bar.ours.close)),
        case!("ours", "stochastic 14/3/3", |_: &Bar| own::Stochastic::new(14, 3, 3).expect(OK), |i, bar| i
            .update_bar(&bar.ours)),
        case!("ta", "stochastic 14/3/3", |_: &Bar| of_ta::SlowStochastic::new(14, 3).expect(OK), |i, bar| i
            .next(bar)),
        case!(
            "yata",
            "stochastic 14/3/3",
            |b: &Bar| of_yata::StochasticOscillator::default().init(b).expect(OK),
            |i, bar| i.next(bar)
        ),
        case!("ours", "donchian 20", |_: &Bar| own::Donchian::new(20).expect(OK), |i, bar| i
            .update_bar(&bar.ours)),
        case!(
            "yata",
            "donchian 20",
            |b: &Bar| of_yata::DonchianChannel::default().init(b).expect(OK),
            |i, bar| i.next(bar)
        ),
        case!("ours", "keltner 20/10/2", |_: &Bar| own::Keltner::new(20, 10, 2_000).expect(OK), |i, bar| i
            .update_bar(&bar.ours)),
        case!("ta", "keltner 20/10/2", |_: &Bar| of_ta::KeltnerChannel::new(20, 2.0).expect(OK), |i, bar| i
            .next(bar)),
        case!(
            "yata",
            "keltner 20/10/2",
            |b: &Bar| of_yata::KeltnerChannel::default().init(b).expect(OK),
            |i, bar| i.next(bar)
        ),
        case!("ours", "obv", |_: &Bar| own::Obv::default(), |i, bar| i.update_bar(&bar.ours)),
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
