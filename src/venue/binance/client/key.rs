//! The key: what the venue refuses it for, and whether it is taken again.
//!
//! Owns: whether orders are kept back for the key. A key that is wrong, or may do what it must not, stops them for as long
//! as the process runs. One that the venue refuses with −2015 may be as good as before in a minute: its list of addresses is
//! edited, this machine's address changes and changes back, the venue's own look-up fails. So a signed question is asked now
//! and then, and orders go on once it is answered and, where the key's rights are looked at, these are as they have to be.
//!
//! Invariant: nothing but an answer to that question lets orders go on, and it lets go of nothing that another reason holds.

use super::OrderClient;
use super::flight::Asked;
use super::look::{AGAIN, Routine};
use super::message::Outputs;
use super::notice::{KeyProblem, Notice};
use super::reply::Reply;
use crate::domain::Time;
use serde_json::Value;
use std::time::Duration;

/// How often the pause before the next question doubles at most: from a minute to sixteen.
const DOUBLINGS_MAX: u32 = 4;
/// While the key is refused so is every signed question: another one that went wrong is asked again after this.
const REFUSED_AGAIN: Duration = Duration::from_secs(5);

impl OrderClient {
    /// The venue refused a request for its key.
    pub(super) fn key_refused(&mut self, now: Time, reply: &Reply, out: &mut Outputs) {
        let refusal = reply.refusal();
        // A ban is answered so, too, as seen from outside the documentation; it ends by itself.
        let address = refusal.message.split_once("request ip: ").map(|(_, rest)| rest.trim().to_owned());
        let problem = match refusal.code {
            -2014 => KeyProblem::NotAKey,
            -1022 => KeyProblem::BadSignature,
            -2015 if self.key_taken => KeyProblem::RefusedNow { address },
            -2015 => KeyProblem::Refused { address },
            code => KeyProblem::Unauthorised { code },
        };
        self.stop_for_key(now, problem, out);
    }

    /// Takes no orders for this reason. The first one stays, but for one that may end: what does not end takes its place.
    pub(super) fn stop_for_key(&mut self, now: Time, problem: KeyProblem, out: &mut Outputs) {
        if self.key_problem.as_ref().is_some_and(|known| !known.may_end() || problem.may_end()) {
            return;
        }
        self.looks.key_rights = false;
        self.looks.key = match problem.may_end() {
            true => Routine { due: now.plus(self.key_pause()), under_way: false },
            false => Routine::NEVER,
        };
        out.notice(Notice::Key(problem.clone()));
        self.key_problem = Some(problem);
    }

    /// Longer, as often as the key was taken for good again and the next order refused for it: it may read, and not trade.
    fn key_pause(&self) -> Duration {
        self.settings.key_again.saturating_mul(1 << self.key_relapses.min(DOUBLINGS_MAX))
    }

    /// The answer to the question whether the key is taken again.
    pub(super) fn key_checked(&mut self, now: Time, reply: &Reply, out: &mut Outputs) {
        if !self.key_problem.as_ref().is_some_and(KeyProblem::may_end) {
            self.looks.key = Routine::NEVER;
            return;
        }
        let Ok(account) = &reply.result else {
            let what = Asked::Key.label();
            out.notice(Notice::QueryFailed { what, code: reply.code() });
            return self.check_key_later(now);
        };
        if account.get("canTrade").and_then(Value::as_bool) == Some(false) {
            return self.stop_for_key(now, KeyProblem::AccountMayNotTrade, out);
        }
        if self.settings.check_key && !self.looks.rights_unknowable {
            // That a key may read says nothing of what it may do beside.
            self.looks.key = Routine::NEVER;
            self.looks.key_rights = true;
            self.looks.rights = Routine { due: now, under_way: false };
        } else {
            self.take_key_again(out);
        }
    }

    fn check_key_later(&mut self, now: Time) {
        self.looks.key = Routine { due: now.plus(self.key_pause()), under_way: false };
    }

    fn take_key_again(&mut self, out: &mut Outputs) {
        self.looks.key = Routine::NEVER;
        self.key_problem = None;
        self.key_relapses = self.key_relapses.saturating_add(1);
        out.notice(Notice::KeyTaken);
    }

    /// The answer to the question what the key may do.
    pub(super) fn rights(&mut self, now: Time, reply: &Reply, out: &mut Outputs) {
        let again = std::mem::take(&mut self.looks.key_rights);
        let Ok(value) = &reply.result else {
            let what = Asked::Restrictions.label();
            out.notice(Notice::QueryFailed { what, code: reply.code() });
            // A venue that does not have this question says nothing against the key.
            let gone = matches!(reply.status, 404 | 410);
            self.looks.rights_known |= gone;
            self.looks.rights_unknowable |= gone;
            self.looks.rights = match gone || self.looks.rights_known {
                true => Routine::NEVER,
                false => Routine { due: now.plus(self.question_pause()), under_way: false },
            };
            match (again, gone) {
                (true, true) => self.take_key_again(out),
                (true, false) => self.check_key_later(now),
                (false, _) => {}
            }
            return;
        };
        let flag = |name: &str| value.get(name).and_then(Value::as_bool);
        match (flag("enableSpotAndMarginTrading"), flag("enableWithdrawals")) {
            // It was refused for just that, and may be allowed it again.
            (Some(false), _) if again => self.check_key_later(now),
            (Some(false), _) => self.stop_for_key(now, KeyProblem::MayNotTrade, out),
            (_, Some(true)) if !self.settings.allow_withdrawal_keys => {
                self.stop_for_key(now, KeyProblem::MayWithdraw, out);
            }
            _ if again && self.key_problem.as_ref().is_some_and(KeyProblem::may_end) => {
                self.take_key_again(out);
            }
            _ => {}
        }
        self.key_taken = true;
        self.looks.rights_known = true;
        self.looks.rights = Routine::NEVER;
    }

    /// Before a question that went wrong is asked again.
    pub(super) fn question_pause(&self) -> Duration {
        if self.key_problem.is_some() { REFUSED_AGAIN } else { AGAIN }
    }
}
