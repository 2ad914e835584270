//! From the feed to the listeners.
//!
//! Owns: the pumping of due frames, what faults do to them, and the bounds on what waits for a client.

use super::derived::Made;
use super::exchange::Taken;
use super::fault::{Held, StreamAction};
use super::options::{AtEnd, Pace};
use super::scan;
use super::server::{Doom, Server, wall};
use crate::domain::Market;
use std::time::Instant;

/// Frames of one turn of the loop, at most: sockets are looked at in between.
const TURN_FRAMES: usize = 512;
/// Between looks at the backlogs, frames.
const LOOK_EVERY: usize = 16;
/// At full speed the feed waits while more than this waits for a client, bytes.
const HIGH_WATER: usize = 256 * 1024;

impl Server {
    /// Whether the feed runs at full speed, somebody listens, and every listener has room.
    pub(super) fn can_pump_at_max(&self) -> bool {
        self.pace == Pace::Max && self.feed.due().is_some() && self.listeners_have_room()
    }

    fn listeners_have_room(&self) -> bool {
        let mut listen = false;
        for connection in self.connections.iter().flatten() {
            let Some(session) = &connection.session else { continue };
            if connection.backlog() >= HIGH_WATER {
                return false;
            }
            listen |= !session.streams.is_empty() && !connection.is_closing();
        }
        listen
    }

    /// Sends every frame that is due.
    pub(super) fn pump(&mut self, now: Instant) {
        self.release_held(now);
        if self.feed.is_waiting() {
            if self.listening_clients() < self.wait_for_clients {
                return;
            }
            self.feed.start(now, wall());
        }
        for turn in 0..TURN_FRAMES {
            if self.feed.due().is_none_or(|due| due > now) {
                break;
            }
            if self.pace == Pace::Max && turn % LOOK_EVERY == 0 && !self.listeners_have_room() {
                break;
            }
            let Some(frame) = self.feed.take() else { break };
            self.publish(frame.source, &frame.bytes, now);
            self.feed.recycle(frame);
        }
        if self.feed.is_ended() && !self.end_told {
            self.end_told = true;
            for (market, made) in self.exchange.finish() {
                self.deliver_made(market, &made, now);
            }
            self.held.iter_mut().for_each(|held| held.until = Some(now));
            self.release_held(now);
            if self.at_end == AtEnd::Close {
                self.close_all(now);
            }
        }
    }

    fn listening_clients(&self) -> usize {
        let sessions = self.connections.iter().flatten().filter_map(|connection| connection.session.as_ref());
        sessions.filter(|session| !session.streams.is_empty()).count()
    }

    /// Takes a frame in, and sends it with what is made of it.
    fn publish(&mut self, source: usize, frame: &[u8], now: Instant) {
        let Some(info) = self.feed.sources.get(source) else { return };
        let market = info.market;
        let mut made = std::mem::take(&mut self.made);
        match self.exchange.take(market, info.symbol.as_deref(), frame, &mut made) {
            Taken::Snapshot => self.stats.snapshots += 1,
            Taken::Unknown => self.stats.unknown_frames += 1,
            Taken::Stream => {
                self.stats.frames += 1;
                self.deliver(market, frame, now);
                self.deliver_made(market, &made, now);
            }
        }
        self.made = made;
        self.let_meet(source, frame, now);
    }

    fn deliver_made(&mut self, market: Market, made: &Made, now: Instant) {
        let mut begin = 0;
        for &end in &made.ends {
            self.deliver(market, &made.bytes[begin..end], now);
            begin = end;
        }
        self.stats.frames_made += made.ends.len() as u64;
    }

    /// Sends a frame, in combined form, to the listeners of its stream, unless a fault says otherwise.
    fn deliver(&mut self, market: Market, frame: &[u8], now: Instant) {
        let Some(name) = scan::combined(frame).map(|parts| parts.name) else { return };
        if self.faults.streams_are_well() && self.held.is_empty() {
            return self.send(market, name, frame, now);
        }
        if self.hub.listeners(market, name).is_empty() {
            return;
        }
        if self.faults.truncate > 0 {
            self.faults.truncate -= 1;
            return self.send_half(market, name, frame, now);
        }
        let held = self.held.iter_mut().position(|held| held.market == market && *held.name == *name);
        match (held, self.faults.next_on(name)) {
            (_, Some((StreamAction::Drop, _))) => self.stats.fault("drop", 1),
            (Some(at), _) if self.held[at].until.is_some() => self.held[at].frames.push(frame.to_vec()),
            (Some(at), _) => {
                // Reordered: this one first, then those before it.
                let held = self.held.swap_remove(at);
                self.send(market, name, frame, now);
                held.frames.iter().for_each(|frame| self.send(market, name, frame, now));
            }
            (None, None) => self.send(market, name, frame, now),
            (None, Some((StreamAction::Duplicate, _))) => {
                self.stats.fault("duplicate", 1);
                self.send(market, name, frame, now);
                self.send(market, name, frame, now);
            }
            (None, Some((action, delay))) => {
                let delayed = action == StreamAction::Delay;
                self.stats.fault(if delayed { "delay" } else { "reorder" }, 1);
                let until = delayed.then(|| now + delay);
                self.held.push(Held { market, name: name.into(), frames: vec![frame.to_vec()], until });
            }
        }
    }

    /// Sends what was delayed long enough.
    fn release_held(&mut self, now: Instant) {
        while let Some(at) = self.held.iter().position(|held| held.until.is_some_and(|until| until <= now)) {
            let held = self.held.swap_remove(at);
            held.frames.iter().for_each(|frame| self.send(held.market, &held.name, frame, now));
        }
    }

    fn send(&mut self, market: Market, name: &[u8], frame: &[u8], now: Instant) {
        let stalled = self.faults.stalled_until.is_some();
        self.forms.reset();
        for &at in self.hub.listeners(market, name) {
            let Some(Some(connection)) = self.connections.get_mut(at) else { continue };
            if connection.is_closing() {
                continue;
            }
            let form = connection.session.as_ref().map(|session| session.form).unwrap_or_default();
            let bytes = self.forms.get(form, frame);
            connection.out().extend_from_slice(bytes);
            connection.batched += 1;
            self.stats.frames_sent += 1;
            self.stats.bytes_sent += bytes.len() as u64;
            if connection.batched >= self.batch && !connection.blocked && !stalled {
                if let Err(broken) = connection.flush(now) {
                    self.doomed.push((at, broken.into()));
                }
            } else if connection.batched == 1 {
                self.dirty.push(at);
            }
            if connection.backlog() > self.limits.queue_bytes && !stalled {
                self.doomed.push((at, Doom::Slow));
            }
        }
    }

    /// Sends half a frame and ends the connections.
    fn send_half(&mut self, market: Market, name: &[u8], frame: &[u8], now: Instant) {
        self.forms.reset();
        for &at in self.hub.listeners(market, name) {
            let Some(Some(connection)) = self.connections.get_mut(at) else { continue };
            let form = connection.session.as_ref().map(|session| session.form).unwrap_or_default();
            let bytes = self.forms.get(form, frame);
            connection.out().extend_from_slice(&bytes[..bytes.len() / 2]);
            connection.close_after_flush(now);
            self.dirty.push(at);
            self.stats.fault("truncate", 1);
        }
        self.sweep_soon(now);
    }
}
