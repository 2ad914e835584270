//! Bars from trades: by time, or by how much was traded.
//!
//! Owns: which trade is in which bar, by integers only.
//!
//! A *time* bar holds the trades of its interval by the venue's time. It closes when a trade of a later bar comes, or,
//! in a silent market, when the sequencer's time has passed its end by a grace, and the venue's has too: that of the last
//! trade, and what has passed since. So a host's clock that is ahead of the venue's closes none too soon. Bars without
//! trades are not made. A trade of an interval before the open bar's, or of one that has closed, is late: counted, and
//! in no bar. One dated more than a minute after the sequencer's time is in none either: taken at its word, it would make
//! all that follow it late, unless those that follow agree with it: then it is the host's clock that is wrong.
//!
//! *Tick*, *volume* and *dollar* bars close with the trade that brings their count, base volume or quote value to the
//! bar's size. A trade is never split: the one that fills a bar is in it whole, however far it goes beyond, and the
//! next bar begins at zero with the next trade. So a trade closes at most one bar, and each is in exactly one. They go
//! by the order of arrival; no time closes them and no trade is late.
//!
//! Of connections that bring the same trades one may be ahead when it joins, so that trades come after later ones: the
//! first and the last of a bar are so by their ids.
//!
//! A trade that came before, by its id, is counted and in no bar; of ids more than 256 back nobody can tell.
//!
//! *Incomplete* is a bar that lacks, or may lack, trades of its own: a time bar that was under way when the first trade came;
//! one in or right before which ids were passed over, or in which one came that is far from those before it, unless the next
//! shows it to be a mistake; after an interruption, or a trade that could not be read, the open one and the next, unless the
//! ids show that nothing was lost. It is counted and not handed out, unless the settings say so ([`IncompleteBars`]). Bars of
//! amounts have no beginning of their own: after an interruption with a loss the open one is dropped, and the next trade
//! begins another.

use super::message::Bar;
use super::trade_ids::{Link, TradeIds};
use crate::domain::bars::first_bar_ns;
use crate::domain::decimal::Scaled;
use crate::domain::event::Trade;
use crate::domain::{Instrument, InstrumentId, Time};
use serde::{Deserialize, Serialize};

const NANOS_PER_S: u64 = 1_000_000_000;
/// How far the venue's clock may be ahead of where the last trade had it, beside the sequencer's.
const AHEAD_NS_MAX: u64 = 60 * NANOS_PER_S;
/// Trades that are further ahead are believed once they agree for so long.
const AGREES_NS: u64 = NANOS_PER_S;

/// What makes a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BarSpec {
    /// So many seconds, 1 to 86,400, from multiples of that since 1970, UTC; or a week (604,800) from Monday.
    Time {
        /// The length.
        seconds: u32,
    },
    /// So many trades.
    Tick(u32),
    /// So much of the base asset (contracts, where an instrument counts those), in units of 10^-8.
    Volume(i64),
    /// So much of the quote asset, price times quantity, in units of 10^-8.
    Dollar(i64),
}

impl Default for BarSpec {
    fn default() -> Self {
        BarSpec::Time { seconds: 1 }
    }
}

impl BarSpec {
    /// Decimals of the amounts.
    pub const DECIMALS: u8 = 8;

    /// The first moment from `time` on at which a bar of these begins; none where trades end them.
    #[must_use]
    pub fn begins_from(self, time: Time) -> Option<Time> {
        let Self::Time { seconds } = self else { return None };
        let (length, offset) = (u64::from(seconds.max(1)) * NANOS_PER_S, first_bar_ns(seconds));
        Some(Time(offset + time.since(Time(offset)).div_ceil(length) * length))
    }
}

/// As the configuration has it: `time:60s`, `tick:100`.
impl std::fmt::Display for BarSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let amount = |value: i64| Scaled { value: value.into(), decimals: Self::DECIMALS };
        match self {
            BarSpec::Time { seconds } => write!(f, "time:{seconds}s"),
            BarSpec::Tick(trades) => write!(f, "tick:{trades}"),
            BarSpec::Volume(volume) => write!(f, "volume:{:#}", amount(*volume)),
            BarSpec::Dollar(value) => write!(f, "dollar:{:#}", amount(*value)),
        }
    }
}

/// What becomes of bars that lack, or may lack, some of their trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum IncompleteBars {
    /// They are counted, and nobody sees them: neither indicators nor strategies take a part for the whole.
    #[default]
    Withhold,
    /// They are counted, and handed out like any other.
    Give,
}

impl IncompleteBars {
    /// As the configuration names them.
    pub const ALL: &[(&str, Self)] = &[("withhold", Self::Withhold), ("give", Self::Give)];
}

/// What is added up, and how much of it fills a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Time { length_ns: u64, offset_ns: u64, grace_ns: u64 },
    Trades(i128),
    Volume(i128),
    Notional(i128),
}

/// Makes one instrument's bars of one kind.
#[derive(Debug, Clone)]
pub struct BarBuilder {
    instrument: InstrumentId,
    rule: Rule,
    bar: Option<Bar>,
    /// Of the open bar: trades, volume or value, in the instrument's units.
    sum: i128,
    /// The ids of its first and its last trade.
    ends: (u64, u64),
    /// When the open bar closes if no trade comes any more.
    closes_at: Time,
    closed_until: Time,
    late: u64,
    ahead: u64,
    /// By how much the last trade taken was dated ahead of the sequencer's time, ns.
    lead_ns: u64,
    /// Of trades that are dated too far ahead and agree: by how much, ns, and since when they come.
    leading: Option<(u64, Time)>,
    /// Whether the trade before this was dated too far ahead.
    left_out: bool,
    ids: TradeIds,
    /// From when on all trades are there, if that is known.
    known_from: Option<Time>,
    incomplete_bars: IncompleteBars,
    /// Whether the open bar lacks, or may lack, what will not come any more.
    partial: bool,
    /// How many ids were passed over in the open bar, or right before it, that have not come yet.
    lacks: u64,
    /// Whether it may lack some, as the next trade's id will tell.
    unsure: bool,
    incomplete: u64,
    /// Where the time bar began that was withheld last, until it is taken.
    missed: Option<Time>,
}

/// `amount` of 10^-8 in units of 10^-`decimals`, rounded up: a sum of whole units reaches one when it reaches the other.
fn target(amount: i64, decimals: u32) -> i128 {
    let (amount, own) = (i128::from(amount.max(1)), u32::from(BarSpec::DECIMALS));
    match decimals.checked_sub(own) {
        Some(finer) => amount.saturating_mul(10i128.saturating_pow(finer)),
        None => {
            let unit = 10i128.pow(own - decimals);
            (amount + unit - 1) / unit
        }
    }
}

impl BarBuilder {
    /// Bars of `instrument`. A time bar waits `grace_ns` nanoseconds after its end for late trades in a silent market.
    #[must_use]
    pub fn new(instrument: &Instrument, spec: BarSpec, grace_ns: u64) -> Self {
        let (price, qty) = (u32::from(instrument.price_decimals), u32::from(instrument.qty_decimals));
        let rule = match spec {
            BarSpec::Time { seconds } => Rule::Time {
                length_ns: u64::from(seconds.max(1)) * NANOS_PER_S,
                offset_ns: first_bar_ns(seconds),
                grace_ns,
            },
            BarSpec::Tick(trades) => Rule::Trades(trades.max(1).into()),
            BarSpec::Volume(amount) => Rule::Volume(target(amount, qty)),
            BarSpec::Dollar(amount) => Rule::Notional(target(amount, price + qty)),
        };
        Self {
            instrument: instrument.id,
            rule,
            bar: None,
            sum: 0,
            ends: (0, 0),
            closes_at: Time(0),
            closed_until: Time(0),
            late: 0,
            ahead: 0,
            lead_ns: 0,
            leading: None,
            left_out: false,
            ids: TradeIds::new(false),
            known_from: Some(Time(0)),
            incomplete_bars: IncompleteBars::Withhold,
            partial: false,
            lacks: 0,
            unsure: false,
            incomplete: 0,
            missed: None,
        }
    }

    /// The same of trades of which all are there from `known_from` on, or, without that, from an unknown moment on before the
    /// first; where they are `dense`, every number is the id of one.
    #[must_use]
    pub fn of_trades(self, known_from: Option<Time>, dense: bool) -> Self {
        Self { known_from, ids: TradeIds::new(dense), ..self }
    }

    /// The same where this becomes of bars that are incomplete.
    #[must_use]
    pub fn with_incomplete(self, incomplete_bars: IncompleteBars) -> Self {
        Self { incomplete_bars, ..self }
    }

    /// Trades that came after their time bar had closed, or after one of a later bar; they are in no bar.
    #[must_use]
    pub fn late(&self) -> u64 {
        self.late
    }

    /// Trades that are dated too far in the future to be believed; they are in no bar.
    #[must_use]
    pub fn ahead(&self) -> u64 {
        self.ahead
    }

    /// Bars that were incomplete.
    #[must_use]
    pub fn incomplete(&self) -> u64 {
        self.incomplete
    }

    /// Trades that are missing by their ids.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.ids.missing()
    }

    /// Trades that came again, by their ids; they are in no bar.
    #[must_use]
    pub fn repeated(&self) -> u64 {
        self.ids.repeated()
    }

    /// What brings the trades was interrupted: whether any are missing the next one tells.
    pub fn interrupted(&mut self) {
        self.ids.interrupted();
    }

    /// A trade came that could not be read: whether one is missing the next one tells.
    pub fn unread(&mut self) {
        self.ids.unread();
    }

    /// Where the time bar began that has been withheld since this was asked last, if one was.
    #[inline]
    pub fn take_missed(&mut self) -> Option<Time> {
        // Asked at each trade: nothing is written where there is nothing.
        if self.missed.is_some() { self.missed.take() } else { None }
    }

    /// Where the open bar begins, if one is open.
    #[must_use]
    pub fn open_since(&self) -> Option<Time> {
        self.bar.as_ref().map(|bar| bar.start)
    }

    /// When the open bar closes for want of trades, if one is open and time closes it.
    #[inline]
    #[must_use]
    pub fn closes_at(&self) -> Option<Time> {
        (self.bar.is_some() && matches!(self.rule, Rule::Time { .. })).then_some(self.closes_at)
    }

    /// The bar that time alone closes at `now`.
    #[inline]
    pub fn on_time(&mut self, now: Time) -> Option<Bar> {
        match self.closes_at() {
            Some(at) if now >= at => {
                self.partial |= self.ids.doubted();
                self.ids.fell_silent();
                self.close()
            }
            _ => None,
        }
    }

    /// The bar that this trade, at `now` by the sequencer, closes, if it does: the one before it by time, the one that it
    /// fills otherwise.
    #[inline]
    pub fn on_trade(&mut self, trade: &Trade, now: Time) -> Option<Bar> {
        let link = self.ids.take(trade.id);
        if link == Link::Again {
            return None;
        }
        let (added, target) = match self.rule {
            Rule::Time { length_ns, offset_ns, grace_ns } => {
                if !self.is_believed(trade.venue_time, now) {
                    (self.ahead, self.left_out) = (self.ahead + 1, true);
                    return None;
                }
                let link = if std::mem::take(&mut self.left_out) { Link::Lost } else { link };
                return self.on_timed(trade, now, link, (length_ns, offset_ns, grace_ns));
            }
            Rule::Trades(target) => (1, target),
            Rule::Volume(target) => (i128::from(trade.qty.0), target),
            Rule::Notional(target) => (trade.price.times(trade.qty).0, target),
        };
        if link != Link::Follows {
            self.note(link);
            if link == Link::Lost && self.partial && self.incomplete_bars == IncompleteBars::Withhold {
                self.close();
            }
        }
        self.add(trade, self.id_among(trade, link), trade.venue_time);
        self.sum = self.sum.saturating_add(added);
        if self.sum >= target { self.close() } else { None }
    }

    /// Whether a trade is dated so that its time bar can be it. One that is ahead by far is a mistake, and would make all that
    /// follow it late; where those that follow agree with it, it is the host's clock that is behind.
    #[inline]
    fn is_believed(&mut self, venue_time: Time, now: Time) -> bool {
        let lead_ns = venue_time.since(now);
        if lead_ns > self.lead_ns.saturating_add(AHEAD_NS_MAX) {
            let since = match self.leading {
                Some((before, since)) if before.abs_diff(lead_ns) <= AHEAD_NS_MAX => since,
                _ => now,
            };
            self.leading = Some((lead_ns, since));
            if now.since(since) < AGREES_NS {
                return false;
            }
        }
        (self.lead_ns, self.leading) = (lead_ns, None);
        true
    }

    /// What an id says of the open bar.
    fn note(&mut self, link: Link) {
        match link {
            Link::Behind => self.lacks = self.lacks.saturating_sub(1),
            Link::Skips(passed) if self.bar.is_some() => self.lacks = self.lacks.saturating_add(passed),
            Link::Lost => self.partial = self.bar.is_some(),
            Link::Strays => self.unsure = self.bar.is_some(),
            Link::Confirms => self.partial |= std::mem::take(&mut self.unsure),
            Link::Refutes => self.unsure = false,
            Link::First | Link::Follows | Link::Again | Link::Skips(_) => {}
        }
    }

    /// What it says of a time bar that begins with it at `start`.
    fn note_begun(&mut self, link: Link, start: Time) {
        match link {
            Link::First => self.partial = self.known_from.is_none_or(|from| start < from),
            Link::Skips(passed) => self.lacks = passed,
            Link::Lost => self.partial = true,
            Link::Strays => self.unsure = true,
            Link::Follows | Link::Behind | Link::Again | Link::Confirms | Link::Refutes => {}
        }
    }

    #[inline]
    fn on_timed(
        &mut self,
        trade: &Trade,
        now: Time,
        link: Link,
        (length_ns, offset_ns, grace_ns): (u64, u64, u64),
    ) -> Option<Bar> {
        let at = trade.venue_time.0;
        let open = self.bar.as_ref().map_or(self.closed_until, |bar| bar.start);
        let within = at.checked_sub(open.0).is_some_and(|since| since < length_ns) && open.0 >= offset_ns;
        let start = match self.bar {
            // Nearly every trade is in the open bar, and a division takes as long as all the rest.
            Some(_) if within => open,
            // Before the first Monday there is one short week.
            _ => Time(at.checked_sub(offset_ns).map_or(0, |since| at - since % length_ns)),
        };
        if link != Link::Follows {
            self.note(link);
        }
        if start < open {
            self.late += 1;
            return None;
        }
        let closed = if start > open { self.close() } else { None };
        if link != Link::Follows && self.bar.is_none() {
            self.note_begun(link, start);
        }
        self.add(trade, self.id_among(trade, link), start);
        let end = start.plus_nanos(length_ns);
        self.closes_at = end.max(now.plus_nanos(end.since(trade.venue_time))).plus_nanos(grace_ns);
        closed
    }

    /// By which id a trade stands among those of its bar: one that strays is taken as it comes.
    #[inline]
    fn id_among(&self, trade: &Trade, link: Link) -> u64 {
        match link {
            Link::Strays if self.bar.is_some() => self.ends.1,
            Link::Strays => 0,
            _ => trade.id,
        }
    }

    /// Takes the trade into the open bar, or into one that begins at `start`.
    #[inline]
    fn add(&mut self, trade: &Trade, id: u64, start: Time) {
        match &mut self.bar {
            Some(bar) => {
                bar.high = bar.high.max(trade.price);
                bar.low = bar.low.min(trade.price);
                if id >= self.ends.1 {
                    (bar.close, self.ends.1) = (trade.price, id);
                } else if id < self.ends.0 {
                    (bar.open, self.ends.0) = (trade.price, id);
                }
                bar.volume.0 = bar.volume.0.saturating_add(trade.qty.0);
                bar.trades = bar.trades.saturating_add(1);
            }
            None => {
                self.ends = (id, id);
                self.bar = Some(Bar {
                    instrument: self.instrument,
                    start,
                    open: trade.price,
                    high: trade.price,
                    low: trade.price,
                    close: trade.price,
                    volume: trade.qty,
                    trades: 1,
                });
            }
        }
    }

    fn close(&mut self) -> Option<Bar> {
        let bar = self.bar.take()?;
        self.sum = 0;
        if let Rule::Time { length_ns, .. } = self.rule {
            self.closed_until = bar.start.plus_nanos(length_ns);
        }
        let (partial, lacks) = (std::mem::take(&mut self.partial), std::mem::take(&mut self.lacks));
        if std::mem::take(&mut self.unsure) || partial || lacks > 0 {
            self.incomplete += 1;
            if self.incomplete_bars == IncompleteBars::Give {
                return Some(bar);
            }
            self.missed = matches!(self.rule, Rule::Time { .. }).then_some(bar.start);
            return None;
        }
        Some(bar)
    }
}

#[cfg(test)]
mod tests;
