//! WebSocket framing of the server's side (RFC 6455), apart from any socket.
//!
//! Owns: frame headers out, frames of clients in. Invariant: a client's frame that breaks the rules is told with the
//! close code for it, and nothing after it is read.

use std::io::Cursor;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame, FrameHeader};

/// The largest message a client may send: 1,024 stream names fit several times.
pub(super) const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// Why a connection is closed, as the close frame says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Close {
    pub code: u16,
    pub reason: &'static str,
}

impl Close {
    pub const GOING_AWAY: Self = Self { code: 1001, reason: "going away" };
    pub const PROTOCOL: Self = Self { code: 1002, reason: "protocol error" };
    pub const TOO_MANY: Self = Self { code: 1008, reason: "Too many requests" };
    pub const TOO_LARGE: Self = Self { code: 1009, reason: "message too big" };
}

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// A whole message, text or binary.
    Message(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close,
}

/// Appends a frame with this payload.
pub(super) fn write_frame(out: &mut Vec<u8>, opcode: OpCode, payload: &[u8]) {
    let header = FrameHeader { opcode, ..FrameHeader::default() };
    header.format(payload.len() as u64, out).expect("a vector takes every write");
    out.extend_from_slice(payload);
}

/// Appends a text frame.
pub(super) fn write_text(out: &mut Vec<u8>, payload: &[u8]) {
    write_frame(out, OpCode::Data(Data::Text), payload);
}

/// Appends a ping.
pub(super) fn write_ping(out: &mut Vec<u8>, payload: &[u8]) {
    write_frame(out, OpCode::Control(Control::Ping), payload);
}

/// Appends the pong to a ping.
pub(super) fn write_pong(out: &mut Vec<u8>, payload: &[u8]) {
    write_frame(out, OpCode::Control(Control::Pong), payload);
}

/// Appends a close frame.
pub(super) fn write_close(out: &mut Vec<u8>, close: Close) {
    let frame = Frame::close(Some(CloseFrame { code: close.code.into(), reason: close.reason.into() }));
    frame.format(out).expect("a vector takes every write");
}

/// Puts a client's frames together.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    /// Fragments of a message so far.
    message: Vec<u8>,
    fragmented: bool,
}

impl Assembler {
    /// Takes the next message or control frame from the front of `input`, where it is there whole.
    pub fn next(&mut self, input: &mut Vec<u8>) -> Result<Option<Incoming>, Close> {
        loop {
            let mut cursor = Cursor::new(&input[..]);
            let header = FrameHeader::parse(&mut cursor).map_err(|_| Close::PROTOCOL)?;
            let Some((header, length)) = header else { return Ok(None) };
            let Some(mask) = header.mask else { return Err(Close::PROTOCOL) };
            if header.rsv1 || header.rsv2 || header.rsv3 {
                return Err(Close::PROTOCOL);
            }
            let length = usize::try_from(length).map_err(|_| Close::TOO_LARGE)?;
            if length > MESSAGE_BYTES_MAX || self.message.len() + length > MESSAGE_BYTES_MAX {
                return Err(Close::TOO_LARGE);
            }
            let begin = header.len(length as u64);
            if input.len() < begin + length {
                return Ok(None);
            }
            let mut payload = input[begin..begin + length].to_vec();
            input.drain(..begin + length);
            for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
                *byte ^= mask;
            }
            if let Some(incoming) = self.take(&header, payload)? {
                return Ok(Some(incoming));
            }
        }
    }

    fn take(&mut self, header: &FrameHeader, payload: Vec<u8>) -> Result<Option<Incoming>, Close> {
        match header.opcode {
            OpCode::Control(_) if !header.is_final || payload.len() > 125 => Err(Close::PROTOCOL),
            OpCode::Control(Control::Ping) => Ok(Some(Incoming::Ping(payload))),
            OpCode::Control(Control::Pong) => Ok(Some(Incoming::Pong(payload))),
            OpCode::Control(Control::Close) => Ok(Some(Incoming::Close)),
            OpCode::Data(Data::Text | Data::Binary) if !self.fragmented => {
                if header.is_final {
                    return Ok(Some(Incoming::Message(payload)));
                }
                self.fragmented = true;
                self.message = payload;
                Ok(None)
            }
            OpCode::Data(Data::Continue) if self.fragmented => {
                self.message.extend_from_slice(&payload);
                self.fragmented = !header.is_final;
                Ok(header.is_final.then(|| Incoming::Message(std::mem::take(&mut self.message))))
            }
            _ => Err(Close::PROTOCOL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let mut frame = vec![first, 0x80 | payload.len() as u8];
        frame.extend_from_slice(&mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame
    }

    #[test]
    fn fragments_are_put_together_around_control_frames() {
        let mut input = [masked(0x01, b"SUB"), masked(0x89, b"hi"), masked(0x80, b"SCRIBE")].concat();
        let last = input.pop().expect("not empty");
        let mut assembler = Assembler::default();
        assert_eq!(assembler.next(&mut input), Ok(Some(Incoming::Ping(b"hi".to_vec()))));
        assert_eq!(assembler.next(&mut input), Ok(None), "the last byte is missing");
        input.push(last);
        assert_eq!(assembler.next(&mut input), Ok(Some(Incoming::Message(b"SUBSCRIBE".to_vec()))));
        assert!(input.is_empty());
    }

    #[test]
    fn what_breaks_the_rules_is_told_with_its_code() {
        let unmasked = vec![0x81, 1, b'x'];
        let mut huge = vec![0x81, 0xFF];
        huge.extend_from_slice(&(u64::MAX / 2).to_be_bytes());
        huge.extend_from_slice(&[0; 4]);
        let cases = [
            (unmasked, Close::PROTOCOL),
            (huge, Close::TOO_LARGE),
            (masked(0x80, b"nothing to continue"), Close::PROTOCOL),
            (masked(0xC1, b"reserved bit"), Close::PROTOCOL),
            (masked(0x09, b"a ping in fragments"), Close::PROTOCOL),
            (masked(0x83, b"reserved opcode"), Close::PROTOCOL),
        ];
        for (mut input, close) in cases {
            assert_eq!(Assembler::default().next(&mut input), Err(close));
        }
    }
}
