//! What happens because time passes: pings, lifetimes, slow clients, late answers, the ends of stalls and trickles.

use super::fault::TRICKLE_EVERY;
use super::options::Pace;
use super::requests;
use super::server::{Doom, Server, wall_ms};
use super::session::Overdue;
use super::websocket::{self, Close};
use std::time::{Duration, Instant};

/// The longest wait: timers that nobody set early are looked at so often.
const SWEEP_MAX: Duration = Duration::from_millis(250);
/// A connection that is no stream is dropped when it asked nothing for so long.
const IDLE_MAX: Duration = Duration::from_secs(120);

impl Server {
    /// Timers: pings, lifetimes, slow clients, late answers, stalls and trickles.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.sweep_faults(now);
        self.release_users(now);
        if now < self.next_sweep {
            return;
        }
        let shortest = self.liveness.ping_every.min(self.liveness.pong_within).min(self.liveness.lifetime);
        self.next_sweep = now + (shortest / 8).clamp(Duration::from_millis(1), SWEEP_MAX);
        let mut answered = Vec::new();
        for at in 0..self.connections.len() {
            let Some(connection) = &mut self.connections[at] else { continue };
            if let Some(late) = connection.late.take_if(|late| late.due <= now) {
                connection.out().extend_from_slice(&late.bytes);
                if late.last {
                    connection.close_after_flush(now);
                }
                self.dirty.push(at);
                answered.push(at);
            } else if let Some(late) = &connection.late {
                self.next_sweep = self.next_sweep.min(late.due);
            }
            if connection.is_finished(now) {
                connection.transport().close();
                self.doomed.push((at, Doom::Gone));
                continue;
            }
            if connection.is_closing() {
                self.next_sweep = self.next_sweep.min(now + Duration::from_millis(5));
                continue;
            }
            let waits = connection.backlog() > 0 && now - connection.progress > self.limits.slow_patience;
            let held_back = self.faults.stalled_until.is_some() || connection.allowance.is_some();
            if waits && !held_back && self.pace == Pace::Max {
                self.doomed.push((at, Doom::Slow));
                continue;
            }
            let idle = connection.late.is_none() && now - connection.progress > IDLE_MAX;
            let Some(session) = &mut connection.session else {
                if idle {
                    self.doomed.push((at, Doom::Gone));
                }
                continue;
            };
            match session.overdue(now, &self.liveness) {
                Some(Overdue::Pong) => {
                    self.stats.cut_silent += 1;
                    self.doomed.push((at, Doom::Gone));
                    continue;
                }
                Some(Overdue::Lifetime) => {
                    self.stats.cut_old += 1;
                    connection.close_websocket(Close::GOING_AWAY, now);
                    self.dirty.push(at);
                    continue;
                }
                None => {}
            }
            if let Some(payload) = session.ping(now, wall_ms(), &self.liveness) {
                websocket::write_ping(connection.out(), payload.as_bytes());
                self.dirty.push(at);
            }
        }
        // What was asked while an answer was held back.
        answered.into_iter().for_each(|at| requests::process(self, at, now));
    }

    pub(super) fn sweep_faults(&mut self, now: Instant) {
        while let Some(at) = self.planned.iter().position(|(at, _)| *at <= now) {
            let (_, fault) = self.planned.remove(at);
            log::info!("fault: {fault:?}");
            self.inject(fault, now);
        }
        if self.faults.deaf_until.take_if(|until| *until <= now).is_some() {
            (0..self.connections.len()).for_each(|at| self.ready(at, now));
        }
        if self.faults.stalled_until.is_some_and(|until| until <= now) {
            self.faults.stalled_until = None;
            self.flush_all(now);
        }
        let Some(trickle) = &mut self.faults.trickle else { return };
        if trickle.next > now {
            return;
        }
        trickle.next = now + TRICKLE_EVERY;
        let (over, portion) = (trickle.until <= now, trickle.bytes_per_s.div_ceil(100).max(1) as usize);
        for connection in self.connections.iter_mut().flatten().filter(|c| c.session.is_some()) {
            connection.allowance = if over { None } else { Some(portion) };
        }
        if over {
            self.faults.trickle = None;
        }
        self.flush_all(now);
    }
}
