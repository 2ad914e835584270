//! Latencies between us and the venue: constant, drawn from a recorded histogram, or told by each event.
//!
//! An event stands in the ring at the time at which we had it. What the venue did, it did earlier by the latency of its
//! data; so an order that leaves us at *t* and takes *o* meets the market that we see at *t* + *o* + *d*, and what
//! happens to it there is told to us *a* after it happened, at *t* + *o* + *a*.

use crate::domain::{InstrumentId, Time};
use crate::venue::local::rng::Rng;

/// One way's latency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Latency {
    /// Always this, ns.
    Constant(u64),
    /// Drawn anew each time from what was measured: latencies in ns, and how many were at most as long, rising.
    Measured(Vec<(u64, u64)>),
    /// As long as the instrument's last trade took from the venue, by its own clock and ours, so many thousandths of it and so many
    /// ns added (which may be less than none, for clocks that differ); never below zero.
    OfEvents {
        /// Thousandths.
        per_mille: u32,
        /// Added, ns.
        plus_ns: i64,
    },
}

impl Default for Latency {
    fn default() -> Self {
        Latency::Constant(0)
    }
}

impl Latency {
    /// Reads a histogram in HdrHistogram's percentile text, as our latency reports have it: microseconds.
    ///
    /// # Errors
    /// The number of the line that is none of a histogram's; zero where there is no line at all.
    pub fn from_percentiles(text: &str) -> Result<Self, usize> {
        let mut points: Vec<(u64, u64)> = Vec::new();
        for (line, number) in text.lines().zip(1..) {
            let mut words = line.split_whitespace();
            let Some(first) = words.next() else { continue };
            if first == "Value" || first.starts_with("#[") {
                continue;
            }
            let micros: f64 = first.parse().map_err(|_| number)?;
            let _quantile: f64 = words.next().and_then(|w| w.parse().ok()).ok_or(number)?;
            let count: u64 = words.next().and_then(|w| w.parse().ok()).ok_or(number)?;
            let sound = (0.0..=1e12).contains(&micros) && points.last().is_none_or(|last| last.1 <= count);
            if !sound {
                return Err(number);
            }
            if count > points.last().map_or(0, |last| last.1) {
                points.push(((micros * 1_000.0).round() as u64, count));
            }
        }
        if points.is_empty() { Err(0) } else { Ok(Latency::Measured(points)) }
    }

    fn draw(&self, rng: &mut Rng, event_ns: i64) -> u64 {
        match self {
            Latency::Constant(ns) => *ns,
            Latency::Measured(points) => {
                let all = points.last().map_or(0, |last| last.1);
                let rank = rng.below(all) + 1;
                let at = points.partition_point(|point| point.1 < rank);
                points.get(at).map_or(0, |point| point.0)
            }
            Latency::OfEvents { per_mille, plus_ns } => {
                let scaled = i128::from(event_ns) * i128::from(*per_mille) / 1_000 + i128::from(*plus_ns);
                u64::try_from(scaled.max(0)).unwrap_or(u64::MAX)
            }
        }
    }
}

/// Latencies of all ways, and where they are drawn from.
#[derive(Debug, Clone)]
pub struct Latencies {
    /// From us to the venue.
    pub order: Latency,
    /// From the venue to us, of market data.
    pub data: Latency,
    /// From the venue to us, of answers.
    pub answer: Latency,
    order_rng: Rng,
    data_rng: Rng,
    answer_rng: Rng,
    /// By instrument: how long its last trade that says so took, ns; less than nothing where clocks differ. What is read
    /// beside it says nothing of its way.
    event_ns: Vec<i64>,
}

impl Latencies {
    /// These, drawn by `seed`.
    #[must_use]
    pub fn new(order: Latency, data: Latency, answer: Latency, seed: u64) -> Self {
        let rng = |stream| Rng::new(seed, stream);
        let (order_rng, data_rng, answer_rng) = (rng(1), rng(2), rng(3));
        Self { order, data, answer, order_rng, data_rng, answer_rng, event_ns: Vec::new() }
    }

    /// Notes how long a trade took that happened at `venue_time` and was here at `now`.
    #[inline]
    pub fn saw(&mut self, instrument: InstrumentId, venue_time: Time, now: Time) {
        if venue_time.0 == 0 {
            return;
        }
        if self.event_ns.len() <= instrument.index() {
            self.event_ns.resize(instrument.index() + 1, 0);
        }
        self.event_ns[instrument.index()] = now.0.wrapping_sub(venue_time.0) as i64;
    }

    fn event_ns(&self, instrument: InstrumentId) -> i64 {
        self.event_ns.get(instrument.index()).copied().unwrap_or_default()
    }

    /// When an order that leaves now meets its market, as it will stand in the ring.
    pub fn arrival(&mut self, instrument: InstrumentId, now: Time) -> Time {
        let event_ns = self.event_ns(instrument);
        let order = self.order.draw(&mut self.order_rng, event_ns);
        now.plus_nanos(order).plus_nanos(self.data.draw(&mut self.data_rng, event_ns))
    }

    /// When an answer to what happens now is here: `floor_ns` after now or later.
    pub fn answer(&mut self, instrument: InstrumentId, now: Time, floor_ns: u64) -> Time {
        let event_ns = self.event_ns(instrument);
        let data = self.data.draw(&mut self.data_rng, event_ns);
        let answer = self.answer.draw(&mut self.answer_rng, event_ns);
        now.plus_nanos(answer.saturating_sub(data).max(floor_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BTC: InstrumentId = InstrumentId(0);

    #[test]
    fn a_constant_latency_adds_up_over_the_ways() {
        let constant = Latency::Constant;
        let mut ways = Latencies::new(constant(300), constant(20), constant(50), 1);
        assert_eq!(ways.arrival(BTC, Time(1_000)), Time(1_320));
        assert_eq!(
            (ways.answer(BTC, Time(2_000), 10), ways.answer(BTC, Time(2_000), 40)),
            (Time(2_030), Time(2_040))
        );
    }

    #[test]
    fn what_was_measured_is_drawn_as_often_as_it_was_measured() {
        let text = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n       1.000 0.250000000000 1 1.33\n \
                    2.500 0.750000000000 3 4.00\n 9.000 1.000000000000 4\n#[Mean = 1, StdDeviation = 2]\n";
        let latency = Latency::from_percentiles(text).expect("a histogram");
        assert_eq!(latency, Latency::Measured(vec![(1_000, 1), (2_500, 3), (9_000, 4)]));
        let mut rng = Rng::new(7, 0);
        let mut counts = [0; 3];
        for _ in 0..40_000 {
            let drawn = latency.draw(&mut rng, 0);
            counts[[1_000, 2_500, 9_000].iter().position(|v| *v == drawn).expect("one of them")] += 1;
        }
        let near = |count: i32, expected: i32| (count - expected).abs() < 600;
        assert!(near(counts[0], 10_000) && near(counts[1], 20_000) && near(counts[2], 10_000), "{counts:?}");
        assert_eq!(Latency::from_percentiles("Value\n1.0 x 3"), Err(2));
        assert_eq!(Latency::from_percentiles(""), Err(0));
    }

    #[test]
    fn an_event_tells_its_latency_and_none_is_below_zero() {
        let of_events = |per_mille, plus_ns| Latency::OfEvents { per_mille, plus_ns };
        let mut ways = Latencies::new(of_events(2_000, 5), of_events(1_000, -100), Latency::Constant(0), 1);
        ways.saw(BTC, Time(900), Time(930));
        ways.saw(InstrumentId(1), Time(900), Time(999));
        assert_eq!(ways.arrival(BTC, Time(1_000)), Time(1_065));
        ways.saw(BTC, Time(900), Time(800));
        assert_eq!(ways.arrival(BTC, Time(1_000)), Time(1_000));
    }
}
