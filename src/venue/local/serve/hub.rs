//! Who listens to which stream, and the forms a frame is sent in.
//!
//! Owns: the streams with listeners. Invariant: a frame is put into a form once, however many listeners want it so.

use super::{scan, websocket};
use crate::domain::Market;
use std::collections::HashMap;

/// How a connection wants its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Form {
    /// Wrapped with the stream's name.
    pub combined: bool,
    /// Times in microseconds.
    pub micros: bool,
    /// The way by which its address asks for streams.
    pub route: Route,
}

/// A way to streams. USD-M's addresses name one, and what has another is acknowledged there and never sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Route {
    /// The addresses of spot and COIN-M: to everything.
    #[default]
    Whole,
    /// `/public`, and what an address of USD-M without a way comes to.
    Public,
    /// `/market`.
    Market,
}

impl Route {
    /// The way of a path, and the rest of it.
    pub fn of(market: Market, path: &str) -> (Self, &str) {
        let below =
            |way: &str| path.strip_prefix(way).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        match (market, below("/public"), below("/market")) {
            (Market::UsdM, Some(rest), _) => (Self::Public, rest),
            (Market::UsdM, _, Some(rest)) => (Self::Market, rest),
            (Market::UsdM, ..) => (Self::Public, path),
            _ => (Self::Whole, path),
        }
    }

    pub fn leads_to(self, stream: &str) -> bool {
        let (_, channel) = stream.split_once('@').unwrap_or_default();
        let public = ["trade", "bookTicker"].contains(&channel) || channel.starts_with("depth");
        match self {
            Self::Whole => true,
            Self::Public => public,
            Self::Market => !public,
        }
    }
}

/// Streams with listeners.
#[derive(Default)]
pub(super) struct Hub {
    by_name: [HashMap<Box<str>, Vec<usize>>; 3],
}

impl Hub {
    /// Connection `token` listens from now on; true if it is the first to.
    pub fn subscribe(&mut self, market: Market, name: &str, token: usize) -> bool {
        let by_name = &mut self.by_name[market as usize];
        match by_name.get_mut(name) {
            Some(listeners) => {
                if !listeners.contains(&token) {
                    listeners.push(token);
                }
                false
            }
            None => {
                by_name.insert(name.into(), vec![token]);
                true
            }
        }
    }

    /// Connection `token` listens no more; true if nobody does.
    pub fn unsubscribe(&mut self, market: Market, name: &str, token: usize) -> bool {
        let by_name = &mut self.by_name[market as usize];
        let Some(listeners) = by_name.get_mut(name) else { return false };
        listeners.retain(|&listener| listener != token);
        let empty = listeners.is_empty();
        if empty {
            by_name.remove(name);
        }
        empty
    }

    /// The connections that listen to a stream.
    pub fn listeners(&self, market: Market, name: &[u8]) -> &[usize] {
        let name = std::str::from_utf8(name).unwrap_or_default();
        self.by_name[market as usize].get(name).map_or(&[], Vec::as_slice)
    }
}

/// One message in the forms asked for so far, each a whole WebSocket frame.
#[derive(Debug, Default)]
pub(super) struct Forms {
    frames: [Vec<u8>; 4],
    ready: [bool; 4],
    scratch: Vec<u8>,
}

impl Forms {
    /// Begins with another message.
    pub fn reset(&mut self) {
        self.ready = [false; 4];
    }

    /// `message`, in combined form, as a WebSocket frame in another.
    pub fn get(&mut self, form: Form, message: &[u8]) -> &[u8] {
        let at = usize::from(form.combined) + 2 * usize::from(form.micros);
        let frame = &mut self.frames[at];
        if !self.ready[at] {
            self.ready[at] = true;
            frame.clear();
            let payload = match scan::combined(message) {
                Some(parts) if !form.combined => parts.data,
                _ => message,
            };
            if form.micros {
                self.scratch.clear();
                scan::with_microseconds(payload, &mut self.scratch);
                websocket::write_text(frame, &self.scratch);
            } else {
                websocket::write_text(frame, payload);
            }
        }
        frame
    }
}
