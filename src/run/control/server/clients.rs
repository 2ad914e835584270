//! Connections to the control socket: who may have one, what is read of a request, and how its answer leaves.
//!
//! A request is one line and has one answer. Nobody holds the thread up: what is not said yet, and what the socket does not
//! take yet, waits for the next round.

use super::super::access::{self, Peer};
use super::super::request::{ControlReply, ControlRequest};
use super::{CLIENTS, Server};
use mio::net::UnixStream;
use mio::{Interest, Token};
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

/// A connection that says nothing is closed.
const PATIENCE: Duration = Duration::from_secs(5);
/// Whoever asks how it stands after so long a silence is recorded anew.
const ASKS_ON: Duration = Duration::from_secs(60);
/// Processes that are remembered as asking; those of more are recorded more often than need be.
const ASKING_MAX: usize = 64;
/// The longest request.
const REQUEST_BYTES_MAX: usize = 4_096;

pub(super) struct Client {
    stream: UnixStream,
    peer: Option<Peer>,
    text: Vec<u8>,
    since: Instant,
    /// What of its answer did not fit the socket yet.
    unsent: Vec<u8>,
}

impl Client {
    /// Whether nothing came of it yet.
    fn is_silent(&self) -> bool {
        self.text.is_empty() && self.unsent.is_empty()
    }
}

impl Server {
    pub(super) fn accept(&mut self) {
        while let Ok((mut stream, _)) = self.listener.accept() {
            let Some(free) = self.room() else {
                self.turned_away.1 += 1;
                let (told, count) = self.turned_away;
                if told.is_none_or(|at| at.elapsed() >= PATIENCE) {
                    log::warn!("too many ask at once; {count} were turned away since this was told last");
                    self.turned_away = (Some(Instant::now()), 0);
                }
                self.note(access::asked(Peer::of(&stream), None, &Err("too many ask at once".to_owned())));
                continue;
            };
            let token = Token(CLIENTS + free);
            if self.poll.registry().register(&mut stream, token, Interest::READABLE).is_ok() {
                let peer = Peer::of(&stream);
                self.clients[free] = Some(Client {
                    stream,
                    peer,
                    text: Vec::new(),
                    since: Instant::now(),
                    unsent: Vec::new(),
                });
            }
        }
    }

    /// A place for one more: that of whoever has said nothing for longest, where all are taken.
    fn room(&mut self) -> Option<usize> {
        let free = |clients: &[Option<Client>]| clients.iter().position(Option::is_none);
        if let Some(free) = free(&self.clients) {
            return Some(free);
        }
        let mut silent: Vec<(Instant, usize)> = Vec::new();
        for (at, client) in self.clients.iter().enumerate() {
            silent.extend(client.as_ref().filter(|c| c.is_silent()).map(|c| (c.since, at)));
        }
        silent.sort_unstable();
        for (_, at) in silent {
            // What it said may be there, unread.
            self.serve(at);
            let client = self.clients[at].take_if(|client| client.is_silent());
            if let Some(client) = client {
                self.note(access::asked(client.peer, None, &Err("not a request: others came".to_owned())));
            }
            if self.clients[at].is_none() {
                return Some(at);
            }
        }
        None
    }

    /// Reads what a connection says, and answers once it is a line.
    pub(super) fn serve(&mut self, at: usize) {
        let Some(Some(client)) = self.clients.get_mut(at) else { return };
        // It was answered; what else it says is not heard.
        if !client.unsent.is_empty() {
            return;
        }
        let mut room = [0; 1_024];
        let ended = loop {
            match client.stream.read(&mut room) {
                Ok(0) => break true,
                Ok(n) => client.text.extend_from_slice(&room[..n]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break true,
            }
            if client.text.len() > REQUEST_BYTES_MAX {
                break true;
            }
        };
        let line = client.text.iter().position(|byte| *byte == b'\n');
        if line.is_none() && ended && !client.text.is_empty() {
            // Too long, or gone before it was said: whoever came is in the trail all the same.
            let (peer, long) = (client.peer, client.text.len() > REQUEST_BYTES_MAX);
            let why = match long {
                true => format!("not a request: longer than {REQUEST_BYTES_MAX} bytes"),
                false => "not a request: cut short".to_owned(),
            };
            self.note(access::asked(peer, None, &Err(why.clone())));
            let reply = ControlReply { error: Some(why), ..ControlReply::default() };
            let mut line = serde_json::to_vec(&reply).unwrap_or_default();
            line.push(b'\n');
            if let Some(Some(client)) = self.clients.get_mut(at) {
                // Whoever has gone does not read it.
                let _ = client.stream.write_all(&line);
            }
            self.clients[at] = None;
            return;
        }
        if let Some(end) = line {
            let (text, peer) = (client.text[..end].to_vec(), client.peer);
            let reply = self.answer(&text, peer);
            let mut line = serde_json::to_vec(&reply).unwrap_or_default();
            line.push(b'\n');
            if let Some(Some(client)) = self.clients.get_mut(at) {
                client.unsent = line;
            }
            self.send_rest(at);
        } else if ended {
            self.clients[at] = None;
        }
    }

    /// Hands over what is left of answers.
    pub(super) fn send_on(&mut self) {
        for at in 0..self.clients.len() {
            if self.clients[at].as_ref().is_some_and(|client| !client.unsent.is_empty()) {
                self.send_rest(at);
            }
        }
    }

    /// Hands over what is left of an answer, as far as the socket takes it; what has all of it is let go.
    fn send_rest(&mut self, at: usize) {
        let Some(Some(client)) = self.clients.get_mut(at) else { return };
        while !client.unsent.is_empty() {
            match client.stream.write(&client.unsent) {
                Ok(n) if n > 0 => drop(client.unsent.drain(..n)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // Whoever has gone does not read it.
                _ => break,
            }
        }
        self.clients[at] = None;
    }

    pub(super) fn close_silent(&mut self) {
        for at in 0..self.clients.len() {
            let silent = self.clients[at].take_if(|client| client.since.elapsed() > PATIENCE);
            if let Some(client) = silent
                && client.unsent.is_empty()
            {
                self.note(access::asked(client.peer, None, &Err("not a request: never finished".to_owned())));
            }
        }
    }

    /// Records a request, unless that was done already, or the same process asks how it stands again.
    pub(super) fn note_request(
        &mut self,
        peer: Option<Peer>,
        request: Option<&ControlRequest>,
        done: &Result<(), String>,
    ) {
        let asks = matches!(request, Some(ControlRequest::Status | ControlRequest::Metrics));
        if asks && peer.is_some_and(|peer| self.asks_again(peer)) {
            return;
        }
        let recorded_before =
            matches!(request, Some(ControlRequest::Release { .. } | ControlRequest::Resume { .. }));
        if recorded_before && done.is_ok() {
            return;
        }
        self.note(access::asked(peer, request, done));
    }

    /// Whether this process asked how it stands a moment ago. It is remembered as one that asks.
    fn asks_again(&mut self, peer: Peer) -> bool {
        self.asking.retain(|(_, at)| at.elapsed() < ASKS_ON);
        let known = self.asking.iter().position(|(known, _)| *known == peer);
        let oldest = (self.asking.len() >= ASKING_MAX).then_some(0);
        if let Some(at) = known.or(oldest) {
            self.asking.remove(at);
        }
        self.asking.push((peer, Instant::now()));
        known.is_some()
    }
}
