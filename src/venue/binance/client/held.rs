//! The rules of instruments that the venue itself holds back, read again soon.
//!
//! While a symbol does not trade nothing of it is sent, not even what only reduces, so no refusal says that it trades again:
//! only its status does. What waits to be left would else be withheld for as long as the rules are read apart, while the
//! market runs. Owns: when those instruments alone are asked for. Invariant: an answer says nothing of any other.

use super::OrderClient;
use super::flight::Asked;
use super::instruments::Listed;
use super::line::Form;
use super::look::{INFO_WEIGHT, NO_SUCH_SYMBOL, Routine, SYMBOLS_NAMED_MAX, routine, target_of};
use super::message::Outputs;
use super::notice::Notice;
use super::reply::Reply;
use crate::domain::{InstrumentId, Time};
use std::time::Duration;

/// Between two readings while one is listed and does not trade: 4 % of the weight that there is.
const CLOSED_AGAIN: Duration = Duration::from_secs(5);
/// Between two questions for one that is not listed, which most likely never is again: one at a time, since the venue refuses
/// a list whole for it.
const GONE_AGAIN: Duration = Duration::from_secs(30);
/// The longest pause after questions that went wrong.
const FAILED_AGAIN_MAX: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug)]
pub(super) struct HeldRules {
    pub(super) routine: Routine,
    /// What was asked for last.
    asked: Vec<InstrumentId>,
    /// When one that is not listed is asked for next.
    gone_due: Time,
    /// Where the next question begins, of more than fit one.
    turn: usize,
    failures: u32,
}

impl Default for HeldRules {
    fn default() -> Self {
        Self { routine: Routine::NEVER, asked: Vec::new(), gone_due: Time(0), turn: 0, failures: 0 }
    }
}

impl OrderClient {
    /// Asks soon, where anything is held back by the venue's word; whatever is asked already stays.
    pub(super) fn watch_held(&mut self, now: Time) {
        let held = &mut self.held_rules;
        if !held.routine.under_way {
            let any = self.instruments.iter().any(|l| l.is_closed() || l.may_be_listed_again());
            let soon = held.routine.due.min(now.plus(CLOSED_AGAIN));
            held.routine = if any { Routine { due: soon, under_way: false } } else { Routine::NEVER };
        }
    }

    pub(super) fn poll_held(&mut self, now: Time, out: &mut Outputs) {
        if self.held_rules.routine.due > now || self.held_rules.routine.under_way {
            return;
        }
        let (ids, target) = self.held_question(now);
        self.held_rules.asked = ids;
        let Some(target) = target else {
            self.held_rules.routine = Routine::NEVER;
            return self.watch_held(now);
        };
        let sent = self.ask_http(now, Asked::HeldInfo, Form::Plain(&target), INFO_WEIGHT, out);
        self.held_rules.routine = routine(now, sent);
    }

    /// Whom to ask for: one that is not listed where that is due, else those that do not trade, a hundred at a time.
    fn held_question(&mut self, now: Time) -> (Vec<InstrumentId>, Option<String>) {
        let of = |which: fn(&Listed) -> bool| {
            let of = self.instruments.iter().filter(|l| which(l));
            of.map(|l| (l.instrument.id, l.instrument.symbol.as_str())).collect::<Vec<_>>()
        };
        let (closed, gone) = (of(Listed::is_closed), of(Listed::may_be_listed_again));
        let of_gone = !gone.is_empty() && self.held_rules.gone_due <= now;
        let (mut all, most) = if of_gone { (gone, 1) } else { (closed, SYMBOLS_NAMED_MAX) };
        // Each has its turn.
        let most = most.min(all.len());
        let begin = self.held_rules.turn.checked_rem(all.len()).unwrap_or(0);
        all.rotate_left(begin);
        all.truncate(most);
        let (ids, symbols): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        let target = target_of(&symbols);
        if of_gone {
            self.held_rules.gone_due = now.plus(GONE_AGAIN);
        }
        self.held_rules.turn = self.held_rules.turn.wrapping_add(most);
        (ids, target)
    }

    /// What was asked for, now that it is answered.
    pub(super) fn held_asked(&mut self) -> Vec<InstrumentId> {
        self.held_rules.failures = 0;
        std::mem::take(&mut self.held_rules.asked)
    }

    /// It was answered, and what it says is taken over.
    pub(super) fn held_read(&mut self, now: Time) {
        self.held_rules.routine = Routine::NEVER;
        self.watch_held(now);
    }

    /// It was refused, or not answered.
    pub(super) fn held_refused(&mut self, now: Time, reply: &Reply, out: &mut Outputs) {
        let asked = self.held_asked();
        if reply.code() == NO_SUCH_SYMBOL {
            match asked.as_slice() {
                [one] => self.instruments.not_listed(*one, out),
                // Which of them it is, a reading of everything finds out.
                _ => self.looks.doubt_info(now),
            }
            return self.held_read(now);
        }
        out.notice(Notice::QueryFailed { what: Asked::HeldInfo.label(), code: reply.code() });
        self.held_failed(now);
    }

    pub(super) fn held_failed(&mut self, now: Time) {
        let held = &mut self.held_rules;
        let pause = CLOSED_AGAIN.saturating_mul(1 << held.failures.min(8)).min(FAILED_AGAIN_MAX);
        held.failures = held.failures.saturating_add(1);
        held.routine = Routine { due: now.plus(pause), under_way: false };
    }
}
