//! What the handle asks of the server, faults above all.

use super::super::exchange::SymbolStatus;
use super::connection::{Connection, Role};
use super::control::Command;
use super::fault::{Fault, RestFault, Trickle};
use super::server::{Doom, Server, wall_ms};
use super::websocket::{self, Close};
use crate::domain::Market;
use std::time::{Duration, Instant};

impl Server {
    pub(super) fn obey(&mut self, now: Instant) {
        while let Ok(command) = self.inbox.try_recv() {
            match command {
                Command::Inject(fault, done) => {
                    self.inject(fault, now);
                    self.flush_dirty(now);
                    self.bury();
                    // Whoever asked may have gone.
                    let _ = done.send(());
                }
                Command::Release => self.wait_for_clients = 0,
                Command::Book { market, symbol, levels, reply } => {
                    let _ = reply.send(self.exchange.book(market, &symbol, levels));
                }
                Command::Stats(reply) => {
                    self.count_now();
                    let _ = reply.send(self.stats.clone());
                }
                Command::Stop => self.stop = true,
            }
        }
    }

    /// Makes something go wrong.
    pub(super) fn inject(&mut self, fault: Fault, now: Instant) {
        match fault {
            Fault::Cut { market } => {
                let hit = self.clients(market);
                self.stats.fault("cut", hit.len() as u64);
                self.doomed.extend(hit.into_iter().map(|at| (at, Doom::Gone)));
            }
            Fault::CutOne { market } => {
                let mut hit = self.clients(market);
                let opened =
                    |at: &usize| self.connections[*at].as_ref()?.session.as_ref().map(|s| s.opened());
                hit.sort_by_key(opened);
                let role = |at: usize| self.connections[at].as_ref().map(|connection| connection.role);
                let mut seen = Vec::new();
                hit.retain(|at| {
                    !seen.contains(&role(*at)) && {
                        seen.push(role(*at));
                        true
                    }
                });
                self.stats.fault("cut-one", hit.len() as u64);
                self.doomed.extend(hit.into_iter().map(|at| (at, Doom::Gone)));
            }
            Fault::Stall { ms } => {
                self.stats.fault("stall", 1);
                self.faults.stalled_until = Some(now + Duration::from_millis(ms));
            }
            Fault::Stream { action, stream, nth, count, ms } => {
                self.faults.stream(action, stream, nth, count, ms);
            }
            Fault::Truncate => self.faults.truncate += 1,
            Fault::Huge { bytes } => {
                let hit = self.clients(None);
                self.stats.fault("huge", hit.len() as u64);
                self.forms.reset();
                let mut message = br#"{"stream":"huge","data":""#.to_vec();
                message.resize(bytes.clamp(32, 1 << 30) - 2, b'x');
                message.extend_from_slice(br#""}"#);
                for at in hit {
                    let Some(Some(connection)) = self.connections.get_mut(at) else { continue };
                    websocket::write_text(connection.out(), &message);
                    self.dirty.push(at);
                }
            }
            Fault::Trickle { ms, bytes_per_s } => {
                self.stats.fault("trickle", 1);
                let until = now + Duration::from_millis(ms);
                self.faults.trickle = Some(Trickle { until, bytes_per_s, next: now });
                self.sweep_faults(now);
            }
            Fault::NoUpgrade { count } => self.faults.no_upgrades += count,
            Fault::Rest { status, count, delay_ms, retry_after_s } => {
                let delay = Duration::from_millis(delay_ms);
                self.faults.rest(RestFault { status, delay, retry_after_s }, count);
            }
            Fault::Shutdown => {
                let hit = self.clients(None);
                self.stats.fault("shutdown", hit.len() as u64);
                let event = format!(r#"{{"e":"serverShutdown","E":{}}}"#, wall_ms());
                let message = format!(r#"{{"stream":"!serverShutdown","data":{event}}}"#);
                self.forms.reset();
                for at in hit {
                    let Some(Some(connection)) = self.connections.get_mut(at) else { continue };
                    if connection.api.is_some() {
                        let message = format!(r#"{{"event":{event}}}"#);
                        websocket::write_text(connection.out(), message.as_bytes());
                        self.dirty.push(at);
                        continue;
                    }
                    let form = connection.session.as_ref().map(|session| session.form).unwrap_or_default();
                    let bytes = self.forms.get(form, message.as_bytes());
                    connection.out().extend_from_slice(bytes);
                    self.dirty.push(at);
                }
            }
            Fault::Order { how, on, nth, count } => self.api.spoil(how, on, nth, count),
            Fault::CutOrders => {
                let cut = |c: &Connection| {
                    c.role == Role::Market(Market::Spot) && (c.api.is_some() || c.session.is_none())
                };
                let all = self.connections.iter().enumerate();
                let hit: Vec<usize> =
                    all.filter(|(_, c)| c.as_ref().is_some_and(cut)).map(|(at, _)| at).collect();
                self.stats.fault("cut-orders", hit.len() as u64);
                self.doomed.extend(hit.into_iter().map(|at| (at, Doom::Gone)));
            }
            Fault::Deaf { ms } => {
                self.stats.fault("deaf", 1);
                self.faults.deaf_until = Some(now + Duration::from_millis(ms));
            }
            Fault::Ban { status, seconds } => {
                self.stats.fault("ban", 1);
                let until = self.now().plus(Duration::from_secs(seconds));
                self.api.close_until(until, status == 418);
            }
            Fault::Skew { ms } => {
                self.stats.fault("skew", 1);
                self.skew_ms = ms;
            }
            Fault::Maintenance { ms } => {
                self.stats.fault("maintenance", 1);
                let until = self.now().plus(Duration::from_millis(ms));
                self.api.maintain_until(until);
            }
            Fault::FeesIn { asset, price } => {
                let now = self.now();
                let mut known = false;
                self.api.change(now, |exchange, _| known = exchange.take_fees_in(&asset, price));
                match known {
                    true => self.stats.fault("fees-in", 1),
                    false => log::error!("no asset {asset:?}"),
                }
            }
            Fault::Symbol { symbol, status } => {
                let found = self.api.exchange().symbol(&symbol).zip(SymbolStatus::from_label(&status));
                match found {
                    Some((id, status)) => {
                        self.stats.fault("symbol", 1);
                        self.set_status(id, &symbol, status);
                    }
                    None => log::error!("no symbol {symbol:?}, or no state {status:?}"),
                }
            }
            Fault::UserEvents { action, nth, count, ms } => self.faults.users(action, nth, count, ms),
            Fault::Expire => {
                let hit = self.clients(None);
                self.stats.fault("expire", hit.len() as u64);
                self.close_all(now);
            }
            Fault::Tls { mode } => match self.authority.config(mode) {
                Ok(config) => {
                    self.stats.fault("tls", 1);
                    (self.tls, self.tls_config) = (mode, config);
                }
                Err(error) => log::error!("{error}"),
            },
        }
    }

    /// Stream connections, of one market or all.
    pub(super) fn clients(&self, market: Option<Market>) -> Vec<usize> {
        let wanted = |connection: &Connection| {
            connection.session.is_some()
                && market.is_none_or(|market| connection.role == Role::Market(market))
        };
        let all = self.connections.iter().enumerate();
        all.filter(|(_, c)| c.as_ref().is_some_and(wanted)).map(|(at, _)| at).collect()
    }

    /// Closes every stream connection with code 1001.
    pub(super) fn close_all(&mut self, now: Instant) {
        for at in self.clients(None) {
            if let Some(Some(connection)) = self.connections.get_mut(at) {
                connection.close_websocket(Close::GOING_AWAY, now);
                self.dirty.push(at);
            }
        }
        self.next_sweep = now;
    }
}
