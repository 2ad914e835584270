//! A WebSocket client over TLS that never blocks: mio below, rustls in the middle, frames out.
//!
//! Owns: the bytes between the socket and whole messages. Answers pings, masks what it sends, and says in types how a
//! connection ended. Knows no venue and no clock: who waits how long for what is its owner's affair.

mod connection;
mod error;
mod frames;
mod mask;
mod secure;
mod stamp;
mod upgrade;

pub use connection::{Connection, ConnectionSettings, Incoming, Phase};
pub use error::ConnectionError;
pub use frames::{Frames, Opcode};
pub use mask::mask;
