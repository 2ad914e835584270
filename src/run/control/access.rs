//! Who comes to the control socket and what they ask for, for the audit trail.

use super::request::ControlRequest;
use crate::audit::Body;
use crate::run::users;
use mio::net::UnixStream;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

/// Who is at the other end of a connection, as the kernel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer {
    pub process: i32,
    pub user: u32,
}

impl Peer {
    /// Of this connection; none where the kernel does not say.
    pub fn of(stream: &UnixStream) -> Option<Self> {
        let told = getsockopt(stream, PeerCredentials).ok()?;
        Some(Self { process: told.pid(), user: told.uid() })
    }
}

/// The record of one request: by whom, of what, and whether it was done. An operator is who they say they are; whose
/// process it was is the kernel's word, and stands beside it.
pub(super) fn asked(peer: Option<Peer>, request: Option<&ControlRequest>, done: &Result<(), String>) -> Body {
    let mut came = "over the control socket".to_owned();
    if let Some(via) = request.and_then(ControlRequest::via) {
        came += &format!(" from the {via}");
    }
    if let Some(peer) = peer {
        came += &format!(", process {} of {}", peer.process, users::name_and_number(peer.user));
    }
    let user = || peer.map_or_else(|| "unknown".to_owned(), |peer| users::name(peer.user));
    let (who, what, reason) = match request {
        Some(ControlRequest::Kill { scope, flatten, operator, reason, .. }) => {
            let flatten = if *flatten { " and close positions" } else { "" };
            (operator.clone(), format!("kill {scope}{flatten}"), Some(reason))
        }
        Some(ControlRequest::Release { scope, operator, reason, .. }) => {
            (operator.clone(), format!("release {scope}"), Some(reason))
        }
        Some(ControlRequest::Pause { instrument, operator, reason }) => {
            (operator.clone(), format!("pause {instrument}"), Some(reason))
        }
        Some(ControlRequest::Resume { instrument, operator, reason }) => {
            (operator.clone(), format!("resume {instrument}"), Some(reason))
        }
        Some(ControlRequest::Status) => (user(), "status".to_owned(), None),
        Some(ControlRequest::Metrics) => (user(), "metrics".to_owned(), None),
        None => (user(), "something that is no request".to_owned(), None),
    };
    record(who, what, reason.map(String::as_str), &came, done)
}

/// The same of what did not come over the socket: a signal, a file, surveillance.
pub(super) fn came(who: &str, what: String, reason: &str, done: &Result<(), String>) -> Body {
    record(who.to_owned(), what, Some(reason), "inside the process", done)
}

fn record(who: String, what: String, reason: Option<&str>, came: &str, done: &Result<(), String>) -> Body {
    let mut detail = came.to_owned();
    if let Some(reason) = reason {
        detail += &format!("; reason: {reason}");
    }
    if let Err(why) = done {
        detail += &format!("; refused: {why}");
    }
    Body::Access { who, what, allowed: done.is_ok(), detail }
}
