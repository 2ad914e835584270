//! Doing what the client asked for: to sockets, to REST threads, to the ring.

use super::{Gateway, KeyState, OrderStamps};
use crate::domain::event::Report;
use crate::domain::order::ReportKind;
use crate::domain::{Qty, Slot, Time};
use crate::pipeline::Answer;
use crate::run::orders::rest::RestCall;
use crate::venue::binance::client::{HttpCall, HttpFailure, Input, Notice, Output, SessionId};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

impl Gateway {
    /// Does what the client asked for.
    #[inline]
    pub(super) fn carry_out(&mut self, now: Time, stamps: Option<OrderStamps>) {
        let mut out = std::mem::take(&mut self.out);
        let mut list = std::mem::take(&mut out.list);
        for output in list.drain(..) {
            match output {
                Output::SessionText { session, text } => self.send(session, out.text(&text), stamps),
                Output::Report(report) => self.report(&report),
                Output::Http(call) => self.call(&call, out.text(&call.target), now),
                Output::OpenSession(id) => {
                    if let Err(error) = self.parts.sessions.open(id) {
                        log::warn!("order session {}: {error}", id.0);
                        *self.outcome.endings.entry(error.label()).or_default() += 1;
                        self.failed.push(id);
                    }
                }
                Output::CloseSession(id) => {
                    self.parts.sessions.drop(id);
                }
                Output::Command(command) => self.answer(Slot::command(command)),
                Output::Rules(rules) => {
                    self.outcome.rules += 1;
                    self.answer(Slot::rules(&rules));
                }
                Output::MarketRules(rules) => {
                    self.outcome.rules += 1;
                    self.answer(Slot::market_rules(&rules));
                }
                Output::Halt(instrument) => {
                    self.outcome.halts += 1;
                    let name = self.parts.table.get(instrument).name();
                    log::error!(
                        "{name} takes no new orders, since the venue's numbers and ours differ: look, then let it trade \
                         by `algo-trader ctl resume {name}`"
                    );
                }
                Output::Notice(notice) => self.notice(&notice),
            }
        }
        out.list = list;
        out.clear();
        self.out = out;
        self.ours.extend(self.fresh.take());
        // What could not be sent, and what the client makes of that, comes after.
        while let Some(id) = self.failed.pop() {
            self.ask(now, Input::SessionClosed(id));
        }
        while let Some(id) = self.unsent.pop() {
            self.ask(now, Input::HttpReply { id, answer: Err(HttpFailure::NotSent) });
        }
    }

    /// Masks, seals and hands one message to the socket.
    #[inline]
    fn send(&mut self, id: SessionId, text: &[u8], stamps: Option<OrderStamps>) {
        let Some(at) = self.parts.sessions.find(id) else { return };
        let connection = &mut self.parts.sessions.all[at].connection;
        let clock = &self.parts.clock;
        let queued = connection.queue_text(text).and_then(|()| connection.seal());
        let sealed = clock.raw();
        match queued.and_then(|()| connection.flush()) {
            Ok(()) => {
                self.outcome.messages_sent += 1;
                self.outcome.bytes_sent += text.len() as u64;
                if let Some(stamps) = stamps {
                    let handed = clock.raw();
                    self.latencies.seal.record(clock.nanos(stamps.written, sealed));
                    self.latencies.socket.record(clock.nanos(sealed, handed));
                    self.latencies.whole.record(clock.nanos(stamps.caused, handed));
                }
            }
            Err(error) => {
                log::warn!("order session {}: {error}", id.0);
                *self.outcome.endings.entry(error.label()).or_default() += 1;
                self.lost_at.get_or_insert_with(Instant::now);
                self.parts.sessions.drop(id);
                self.failed.push(id);
            }
        }
    }

    fn call(&mut self, call: &HttpCall, target: &[u8], now: Time) {
        let left = Duration::from_nanos(call.deadline.0.saturating_sub(now.0));
        self.outcome.rest_calls += 1;
        let asked = self.parts.rest.call(RestCall {
            id: call.id.0,
            method: call.method,
            target: String::from_utf8_lossy(target).into_owned(),
            with_key: call.key,
            priority: call.priority,
            deadline: Instant::now() + left,
        });
        if !asked {
            self.outcome.rest_failed += 1;
            self.unsent.push(call.id);
        }
    }

    #[inline]
    fn report(&mut self, report: &Report) {
        self.outcome.reports += 1;
        match report.kind {
            ReportKind::Rejected | ReportKind::Canceled | ReportKind::Expired => {
                self.fresh.take_if(|(id, _)| *id == report.order);
                self.ours.remove(&report.order);
            }
            ReportKind::Fill => {
                if let Some(ours) = self.ours.get_mut(&report.order) {
                    ours.left = Qty(ours.left.0.saturating_sub(report.qty.0));
                    if ours.left.0 <= 0 {
                        self.ours.remove(&report.order);
                    }
                }
            }
            ReportKind::Accepted | ReportKind::CancelRejected => {}
            // A commission ends nothing; the others a spot account does not have.
            ReportKind::Commission | ReportKind::Funding | ReportKind::Liquidated => {}
        }
        self.answer(Slot::report(report));
    }

    #[inline]
    fn answer(&mut self, slot: Slot) {
        self.answer_count += 1;
        // Due at once, behind what came before: it has happened already.
        let answer = Answer { due: Time(0), cause_seq: 0, origin: 2, number: self.answer_count, slot };
        if self.waiting.is_empty() && self.parts.answers.events_room() > 0 {
            self.parts.answers.push(answer);
        } else {
            self.waiting.push_back(answer);
        }
    }

    /// Gives the ring what waited for room.
    pub(super) fn give(&mut self) -> bool {
        let mut worked = false;
        while !self.waiting.is_empty() && self.parts.answers.events_room() > 0 {
            let Some(answer) = self.waiting.pop_front() else { break };
            self.parts.answers.push(answer);
            worked = true;
        }
        worked
    }

    #[cold]
    fn notice(&mut self, notice: &Notice) {
        match notice {
            Notice::Trading => self.parts.control.trading.store(true, Ordering::Release),
            Notice::Paused(why) => self.parts.control.note_pause(*why),
            Notice::Key(problem) => self.parts.control.note_key(match problem.may_end() {
                true => KeyState::Refused,
                false => KeyState::Useless,
            }),
            Notice::KeyTaken => self.parts.control.note_key(KeyState::Taken),
            Notice::SessionReady(_) => {
                if let Some(lost) = self.lost_at {
                    self.outcome.reconnected_after.push(lost.elapsed());
                }
            }
            Notice::StreamGap => self.caught_up = false,
            Notice::GapClosed { .. } => self.caught_up = true,
            Notice::Reconciled if self.caught_up => {
                if let Some(lost) = self.lost_at.take() {
                    let took = lost.elapsed();
                    self.outcome.recovered_after.push(took);
                    log::info!("a lost session is made good after {took:.1?}");
                }
            }
            _ => {}
        }
        self.outcome.take(notice, &self.parts.table);
    }
}
