//! Carrying out what the state machines ask for, and handing them what the helpers found.

use super::feed::LiveFeed;
use super::fetcher::{Found, Wanted};
use super::sink::Sink;
use crate::domain::event::{DepthHead, Kline};
use crate::domain::{InstrumentId, Time};
use crate::net::websocket::{Connection, ConnectionError};
use crate::net::{SourceId, SourceInfo};
use crate::run::feed::Untold;
use crate::run::sequencer::Stopped;
use crate::venue::Decoded;
use crate::venue::binance::streams::{ASIDE, ConnectionId, FetchFailure, Request, SnapshotVerdict};
use std::net::SocketAddr;

impl LiveFeed {
    /// Does what a market's state machine asks for.
    pub(super) fn carry_out(
        &mut self,
        market: usize,
        now: Time,
        sink: &mut impl Sink,
    ) -> Result<(), Stopped> {
        // Carrying one out may bring forth more.
        let mut at = 0;
        while at < self.requests.len() {
            let request = std::mem::replace(
                &mut self.requests[at],
                Request::Interrupted { instrument: InstrumentId(0) },
            );
            at += 1;
            match request {
                Request::Connect { connection, target } => self.connect(market, connection, target, now),
                Request::Close { connection, error } => {
                    if let Some(error) = error {
                        self.ended(market, connection, &error);
                    }
                    if let Some(at) = self.sockets.find(market, connection) {
                        if let Some(Some(socket)) = self.sockets.all.get_mut(at) {
                            socket.connection.close();
                        }
                        self.forget(at);
                    }
                    self.markets[market].unresolved.retain(|(id, _)| *id != connection);
                }
                Request::Send { connection, text } => {
                    self.send(market, connection, now, |c| c.send_text(&text))
                }
                Request::Ping { connection } => self.send(market, connection, now, Connection::ping),
                Request::Fetch { instrument, path } => {
                    self.helpers.fetch(market, Wanted::Book(instrument), path);
                }
                Request::FetchBars { instrument, path, asked } => {
                    let of = Box::new(self.instruments.get(instrument).clone());
                    self.helpers.fetch(market, Wanted::Bars(of, asked), path);
                }
                Request::Interrupted { instrument } => {
                    sink.interrupted(instrument, now, self.clock.raw())?;
                }
            }
        }
        self.requests.clear();
        Ok(())
    }

    fn connect(&mut self, market: usize, id: ConnectionId, target: String, now: Time) {
        let endpoint = self.markets[market].endpoints.stream.clone();
        match self.helpers.resolve(market, id, &endpoint) {
            Some(addresses) => self.open(market, id, &target, &addresses, now),
            None => self.markets[market].unresolved.push((id, target)),
        }
    }

    fn open(&mut self, market: usize, id: ConnectionId, target: &str, addresses: &[SocketAddr], now: Time) {
        // Each attempt takes the next address.
        let Some(address) = addresses.get(id.number as usize % addresses.len().max(1)) else { return };
        let followed = &self.markets[market];
        let market_kind = followed.client.market();
        let source = SourceInfo {
            name: format!("binance {market_kind} connection {}", id.number),
            venue: "binance".into(),
            market: market_kind,
            symbol: None,
        };
        let endpoint = &followed.endpoints.stream;
        let begun =
            self.sockets.connect(id, market, source, endpoint, *address, target, &self.tls, self.settings);
        if let Err(error) = begun {
            self.failed(market, id, error, now);
        }
    }

    fn send(
        &mut self,
        market: usize,
        id: ConnectionId,
        now: Time,
        sends: impl FnOnce(&mut Connection) -> Result<(), ConnectionError>,
    ) {
        let Some(at) = self.sockets.find(market, id) else { return };
        let Some(Some(socket)) = self.sockets.all.get_mut(at) else { return };
        if let Err(error) = sends(&mut socket.connection) {
            self.lost(at, error, now);
        }
    }

    /// What a helper found.
    #[cold]
    pub(super) fn take(&mut self, found: Found, now: Time, sink: &mut impl Sink) -> Result<(), Stopped> {
        let market = match found {
            Found::Addresses { market, connection, addresses, problem } => {
                let unresolved = &mut self.markets[market].unresolved;
                let Some(at) = unresolved.iter().position(|(id, _)| *id == connection) else { return Ok(()) };
                let (_, target) = unresolved.swap_remove(at);
                if addresses.is_empty() {
                    self.failed(market, connection, ConnectionError::Resolve(problem), now);
                } else {
                    self.open(market, connection, &target, &addresses, now);
                }
                market
            }
            Found::Book { market, instrument, body, used_weight } => {
                self.book(market, instrument, &body, used_weight, now, sink)?;
                market
            }
            Found::Bars { market, instrument, bars, used_weight } => {
                self.bars(market, instrument, bars, used_weight, now, sink)?;
                market
            }
            Found::Failed { market, wanted: Wanted::Book(instrument), failure, problem } => {
                self.no_book(market, instrument, &failure, &problem, now);
                market
            }
            Found::Failed { market, wanted: Wanted::Bars(of, _), failure, problem } => {
                if let Some(then) = self.markets[market].client.bars_failed(&failure, now) {
                    log::warn!("bars of {} could not be fetched: {problem}; {then}", of.name());
                }
                market
            }
        };
        self.carry_out(market, now, sink)
    }

    /// A failure that lasts is told once; the counters have each.
    fn no_book(
        &mut self,
        market: usize,
        instrument: InstrumentId,
        failure: &FetchFailure,
        problem: &str,
        now: Time,
    ) {
        let client = &mut self.markets[market].client;
        let news = client.fetch_failed(instrument, failure, now, &mut self.requests);
        let level = if news { log::Level::Warn } else { log::Level::Debug };
        let name = &self.book_sources[instrument.index()].name;
        let aside = format!("; set aside, and asked for again every {} s", ASIDE.as_secs());
        let then = match failure {
            FetchFailure::Refused(_) => format!("{aside} (is it still traded?)"),
            FetchFailure::Unreadable(error) if failure.lasts() => format!("{}{aside}", error.advice()),
            _ => String::new(),
        };
        let level = if news && failure.lasts() { log::Level::Error } else { level };
        log::log!(level, "{name} could not be fetched: {problem}{then}");
    }

    /// Bars that were asked for are published, oldest first.
    fn bars(
        &mut self,
        market: usize,
        instrument: InstrumentId,
        mut bars: Vec<Kline>,
        used_weight: Option<u64>,
        now: Time,
        sink: &mut impl Sink,
    ) -> Result<(), Stopped> {
        let name = self.instruments.get(instrument).name();
        let lacking = self.markets[market].client.bars_came(&mut bars, used_weight, now);
        log::debug!("{name}: {} bars that were asked for", bars.len());
        if let Some(then) = lacking {
            log::warn!("a bar of {name} is not in the venue's answer; {then}");
        }
        bars.iter().try_for_each(|bar| sink.bar(bar, now, self.clock.raw()))
    }

    fn book(
        &mut self,
        market: usize,
        instrument: InstrumentId,
        body: &[u8],
        used_weight: Option<u64>,
        now: Time,
        sink: &mut impl Sink,
    ) -> Result<(), Stopped> {
        let read = self.clock.raw();
        let message = match self.decoding.decode(&self.book_sources[instrument.index()], body, 1) {
            Ok(message) => head_of(&message.decoded, instrument).map(|head| (message, head)),
            Err(Untold::Unread(error)) => {
                let failure = FetchFailure::Unreadable(error);
                self.no_book(market, instrument, &failure, &format!("it cannot be read: {error}"), now);
                return Ok(());
            }
            Err(Untold::OfNoUse) => None,
        };
        let Some((message, head)) = message else {
            self.no_book(market, instrument, &FetchFailure::Transient, "the answer is not its book", now);
            return Ok(());
        };
        let client = &mut self.markets[market].client;
        let verdict = client.fetched(instrument, head.last_id, used_weight, now, &mut self.requests);
        if verdict == SnapshotVerdict::Publish {
            let source = SourceId((self.markets.len() + instrument.index()) as u16);
            sink.frame(source, now, body);
            sink.publish(&mut self.decoding, &message, now, read)?;
        }
        Ok(())
    }
}

/// The head of what was fetched, if it is the book that was asked for.
fn head_of(fetched: &Decoded, instrument: InstrumentId) -> Option<DepthHead> {
    match fetched {
        Decoded::DepthSnapshot(head) if head.instrument == instrument => Some(*head),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_instruments_book_is_not_what_was_asked_for() {
        let (asked, other) = (InstrumentId(3), InstrumentId(4));
        let head = |instrument| DepthHead {
            instrument,
            first_id: 7,
            last_id: 7,
            prev_id: 0,
            venue_time: Time(0),
            bids: 1,
            asks: 1,
        };
        assert_eq!(head_of(&Decoded::DepthSnapshot(head(asked)), asked), Some(head(asked)));
        assert_eq!(head_of(&Decoded::DepthSnapshot(head(other)), asked), None);
        assert_eq!(head_of(&Decoded::DepthDiff(head(asked)), asked), None);
    }
}
