//! Whether orders are taken at all, and telling the ring where that changes: what cannot be sent is denied by risk, with
//! a reason that strategies see, instead of being refused here one by one.

use super::super::limits::{Cost, NotNow, Purpose, TooMuch};
use super::message::{Output, Outputs};
use super::notice::{LocalRefusal, Notice, Paused};
use super::reply::Reply;
use super::{OrderClient, RestUse};
use crate::domain::event::Command;
use crate::domain::{InstrumentTable, Market, Time, VenueId, kill};
use std::time::Duration;

/// After an order that found nothing to be sent by, none is tried for this long, unless a session is there sooner.
const CONNECTION_PAUSE: Duration = Duration::from_millis(250);

/// The part of a venue that orders are sent to: that which the table's spot instruments are of.
#[must_use]
pub fn trading_venue(table: &InstrumentTable) -> Option<VenueId> {
    let at = table.all().iter().position(|instrument| instrument.market == Market::Spot)?;
    kill::venues_of(table).get(at).copied()
}

impl OrderClient {
    /// Whether orders are taken now.
    ///
    /// # Errors
    /// Why not.
    #[inline(never)]
    pub fn trading(&self, now: Time) -> Result<(), Paused> {
        if self.stopped {
            Err(Paused::Stopped)
        } else if self.key_problem.is_some() {
            Err(Paused::Key)
        } else if !self.looks.is_started() {
            Err(if self.sessions.none_came() { Paused::NoSession } else { Paused::Starting })
        } else if !self.line.clock.trusted(now) {
            Err(Paused::Clock)
        } else if self.is_held(now) {
            Err(self.held.1)
        } else if self.settings.rest == RestUse::Never && self.sessions.route().is_none() {
            Err(Paused::NoConnection)
        } else {
            Ok(())
        }
    }

    /// An order could not be sent: none is tried for a while, and the ring is told, so that they are not refused here one
    /// by one.
    pub(super) fn hold_orders(&mut self, now: Time, cost: Cost, why: &LocalRefusal) {
        // What was refused may be used by orders that reduce: those are held back by a refusal of their own alone.
        if let LocalRefusal::Budget(why @ NotNow::UsedUp { .. }) = why
            && cost.purpose == Purpose::Order
            && self.line.budget.may_ask(Cost::EXIT, now).is_ok()
        {
            self.rationed = self.rationed.max(why.until(now));
            return;
        }
        let (until, paused) = match why {
            LocalRefusal::Budget(why @ (NotNow::UsedUp { .. } | NotNow::Blocked { .. })) => {
                (why.until(now), Paused::Limits)
            }
            LocalRefusal::NoConnection => (now.plus(CONNECTION_PAUSE), Paused::NoConnection),
            _ => return,
        };
        if until > self.held.0 {
            self.held = (until, paused);
        }
    }

    /// Whether an order that costs this may be tried.
    ///
    /// # Errors
    /// Where what is left is kept for others.
    pub(super) fn rations(&self, now: Time, cost: Cost) -> Result<(), LocalRefusal> {
        let kept = cost.purpose == Purpose::Order && now < self.rationed;
        if kept { Err(LocalRefusal::Rationed) } else { Ok(()) }
    }

    fn is_held(&self, now: Time) -> bool {
        let (until, why) = self.held;
        now < until && (why != Paused::NoConnection || self.sessions.route().is_none())
    }

    pub(super) fn tell_trading(&mut self, now: Time, out: &mut Outputs) {
        let trading = self.trading(now);
        self.told_held = self.is_held(now);
        if self.told != Some(trading) {
            self.told = Some(trading);
            out.notice(match trading {
                Ok(()) => Notice::Trading,
                Err(why) => Notice::Paused(why),
            });
        }
        // A client that is stopped ends with its run: there is nobody left to tell.
        let Some(venue) = self.venue.filter(|_| !self.stopped) else { return };
        let rationed = now < self.rationed;
        if self.told_rationed != rationed {
            self.told_rationed = rationed;
            if rationed {
                out.notice(Notice::Rationed { until: self.rationed });
            }
            let told = if rationed { Command::Ration(venue) } else { Command::Unration(venue) };
            out.push(Output::Command(told));
        }
        let suspended = trading.is_err();
        if self.told_suspended != suspended {
            self.told_suspended = suspended;
            let told = if suspended { Command::Suspend(venue) } else { Command::Reopen(venue) };
            out.push(Output::Command(told));
        }
    }

    pub(super) fn obey_ban(&mut self, now: Time, reply: &Reply, out: &mut Outputs) {
        if let Some(too_much) = reply.too_much() {
            self.too_much(now, too_much, out);
        }
    }

    fn too_much(&mut self, now: Time, too_much: TooMuch, out: &mut Outputs) {
        self.line.budget.refused(too_much, now);
        let until = self.line.budget.blocked_until();
        if until > self.held.0 {
            self.held = (until, Paused::Limits);
        }
        out.notice(Notice::TooMuch { status: too_much.status, until });
    }
}
