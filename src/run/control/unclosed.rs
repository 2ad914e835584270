//! Positions that a kill was to close and that stay open, since what would close them is refused, finds nobody to trade with, or
//! waits for a person: nobody may be looking at the log, and whoever asked for them to be closed takes them for closed.
//!
//! Owns: whose closing was refused how often, and when a person is told of it. That what is open is cancelled first costs a
//! closing order one or two refusals, and is nothing to tell; that nothing is sent at all is told at once, be it that a person is
//! to look, that an order of before has no answer, or that there is no way to send one. How long ago something was told is
//! reckoned by risk's own time: where no events come, as at the end of a run whose venue cannot be reached, risk tells
//! nothing, and what was so stays so.

use super::names::ScopeNames;
use super::request::UnclosedReply;
use crate::domain::{InstrumentId, Time};
use crate::risk::watch::Unclosed;
use crate::run::alerts::{Alert, Alerts};
use crate::venue::binance::client::refusal_words;

/// What is refused so often in a row does not close by itself.
const TOLD_AT: u64 = 5;
/// What came to nothing is asked for each few seconds alone: what was not for so long was let go of, where it was not closed.
const OVER_AFTER_NS: u64 = 15_000_000_000;
/// What is too little to be an order is asked for each minute alone.
const SMALL_OVER_AFTER_NS: u64 = 90_000_000_000;
/// That nothing is sent is told each second, for as long as it is so.
const UNSENT_OVER_AFTER_NS: u64 = 3_000_000_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct UnclosedPositions(Vec<One>);

#[derive(Debug)]
struct One {
    instrument: InstrumentId,
    why: Unclosed,
    /// Of what nothing is sent for, none.
    times: u64,
    last: Time,
}

impl One {
    fn stays(&self, now: Time) -> bool {
        let over_after = match self.why {
            Unclosed::Unlooked => return true,
            why if why.sends_nothing() => UNSENT_OVER_AFTER_NS,
            why if why.is_small() => SMALL_OVER_AFTER_NS,
            _ => OVER_AFTER_NS,
        };
        now.since(self.last) < over_after
    }
}

impl UnclosedPositions {
    /// An order that was to close a position was refused, ended without a trade, or is not sent.
    pub fn refused(
        &mut self,
        instrument: InstrumentId,
        why: Unclosed,
        names: &ScopeNames,
        alerts: &Alerts,
        at: Time,
    ) {
        self.0.retain(|one| one.stays(at));
        let known = |one: &One| one.instrument == instrument && one.why == Unclosed::Unlooked;
        if self.0.iter().any(known) {
            return;
        }
        if why == Unclosed::Unlooked {
            self.0.retain(|one| one.instrument != instrument);
            self.0.push(One { instrument, why, times: 0, last: at });
            return tell(
                instrument,
                &format!("its position is not closed: {}", words(why)),
                names,
                alerts,
                at,
            );
        }
        if why.sends_nothing() {
            return self.unsent(instrument, why, names, alerts, at);
        }
        // What is refused was sent, and has its answer. Of less than a lot, which is another strategy's, that says nothing.
        let is_over = |why: Unclosed| why.sends_nothing() && why != Unclosed::LessThanALot;
        self.0.retain(|one| one.instrument != instrument || !is_over(one.why));
        let refused = |one: &One| one.instrument == instrument && !one.why.sends_nothing();
        let index = self.0.iter().position(refused).unwrap_or_else(|| {
            self.0.push(One { instrument, why, times: 0, last: at });
            self.0.len() - 1
        });
        let one = &mut self.0[index];
        one.last = at;
        // That a part of it is too little says nothing of why it does not close.
        if !(why.is_small() && matches!(one.why, Unclosed::Refused(_))) {
            one.why = why;
        }
        one.times = one.times.saturating_add(1);
        if one.times == TOLD_AT {
            let told =
                format!("a kill is to close its position, and what would comes to nothing: {}", words(why));
            tell(instrument, &told, names, alerts, at);
        }
    }

    /// Nothing is sent for it: told once, and beside what was refused before.
    fn unsent(
        &mut self,
        instrument: InstrumentId,
        why: Unclosed,
        names: &ScopeNames,
        alerts: &Alerts,
        at: Time,
    ) {
        let known = |one: &&mut One| one.instrument == instrument && one.why == why;
        if let Some(one) = self.0.iter_mut().find(known) {
            one.last = at;
            return;
        }
        self.0.push(One { instrument, why, times: 0, last: at });
        let told = format!("a kill is to close its position, and it is not closed yet: {}", words(why));
        tell(instrument, &told, names, alerts, at);
    }

    /// The run ends, where risk came to `now`: what is not closed is told for the last time.
    pub fn tell_at_end(&self, names: &ScopeNames, now: Time) {
        for UnclosedReply { instrument, why, .. } in self.told(names, now) {
            log::error!("{instrument}: the run ends, and a kill has not closed its position: {why}");
        }
    }

    /// A person has looked at what the account has, or it is decided otherwise what becomes of it.
    pub fn looked_at(&mut self, instrument: InstrumentId) {
        self.0.retain(|one| one.instrument != instrument || one.why != Unclosed::Unlooked);
    }

    /// Nothing of it is left to close: whatever came to nothing before, it is closed.
    pub fn closed(&mut self, instrument: InstrumentId) {
        self.0.retain(|one| one.instrument != instrument);
    }

    /// What is refused, for who asks while risk is known to have come to `now`.
    pub fn told(&self, names: &ScopeNames, now: Time) -> Vec<UnclosedReply> {
        let is_told =
            |one: &One| one.times >= TOLD_AT || one.why == Unclosed::Unlooked || one.why.sends_nothing();
        let stays = self.0.iter().filter(|one| is_told(one) && one.stays(now));
        let told = |one: &One| UnclosedReply {
            instrument: names.of(one.instrument),
            why: words(one.why),
            times: one.times,
        };
        stays.map(told).collect()
    }

    /// Something was released: what is refused on is told again. What waits for a person is told once, and no longer where it
    /// is decided.
    pub fn forget(&mut self) {
        self.0.retain(|one| one.why == Unclosed::Unlooked);
    }
}

fn tell(instrument: InstrumentId, told: &str, names: &ScopeNames, alerts: &Alerts, at: Time) {
    let scope = names.of(instrument);
    log::error!("{scope}: {told}");
    alerts.raise(Alert::stopped(&scope, "not-closed", "kill switch", told, at));
}

fn words(why: Unclosed) -> String {
    match why {
        Unclosed::Refused(why) => format!("the venue says {}", refusal_words(why)),
        Unclosed::Denied(reason) => format!("risk says {}", reason.label()),
        Unclosed::Untraded => "the venue found nobody to trade with".to_owned(),
        Unclosed::Unanswered => "an order of before may still close it: what became of it is not known yet, the venue is asked, and \
                                 nothing else is sent until it has said"
            .to_owned(),
        Unclosed::Suspended => {
            "no orders are taken for it now, and nothing is sent: it is asked for once they are".to_owned()
        }
        Unclosed::NoMarket => "its price is not known on both sides, and nothing is sent without: it is asked for once it is"
            .to_owned(),
        Unclosed::LessThanALot => {
            "what is held is less than the smallest lot that the venue takes, and stays".to_owned()
        }
        Unclosed::Unlooked => "nothing is sent for the kill of an earlier run while the venue's numbers and ours differ: look, \
                               then `algo-trader ctl resume` has it closed; where it is closed by hand, or is to stay, \
                               `algo-trader ctl release` first, or it is closed a second time"
            .to_owned(),
    }
}
