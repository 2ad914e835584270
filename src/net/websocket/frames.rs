//! From decrypted bytes to whole messages, in room that is used again and again.
//!
//! Headers are read by tungstenite; payloads are handed out where they lie. A message in pieces is put together apart.

use super::error::ConnectionError;
use std::io::Cursor;
use std::ops::Range;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// Text, not yet known to be UTF-8: the decoder finds out.
    Text,
    /// Bytes.
    Binary,
    /// To be answered with the same payload.
    Ping,
    /// An answer.
    Pong,
    /// The end, with a code.
    Close,
}

/// See the module.
#[derive(Debug)]
pub struct Frames {
    bytes: Vec<u8>,
    start: usize,
    /// Pieces of the message under way.
    pieces: Vec<u8>,
    /// What the message under way is.
    open: Option<Opcode>,
    message_bytes_max: u64,
}

/// Where a message lies.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Bytes(Range<usize>),
    Pieces,
}

/// Room kept for ordinary traffic; what one huge message took is given back.
const ROOM: usize = 256 << 10;

impl Frames {
    /// Empty, for messages of at most `message_bytes_max`.
    #[must_use]
    pub fn new(message_bytes_max: u64) -> Self {
        Self { bytes: Vec::with_capacity(ROOM), start: 0, pieces: Vec::new(), open: None, message_bytes_max }
    }

    /// Adds decrypted bytes.
    #[inline]
    pub fn extend(&mut self, bytes: &[u8]) {
        if self.start == self.bytes.len() {
            self.clear_bytes();
        } else if self.bytes.len() + bytes.len() > self.bytes.capacity() && self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Bytes not yet handed out.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Passes over the first `count` pending bytes.
    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.bytes.len());
    }

    /// Whether a message is there in part.
    #[must_use]
    pub fn partial(&self) -> bool {
        self.start < self.bytes.len() || self.open.is_some()
    }

    /// The next whole message, if there is one.
    ///
    /// # Errors
    /// [`ConnectionError`] where the protocol is broken or a message is over the limit.
    #[inline]
    pub fn next_message(&mut self) -> Result<Option<(Opcode, &[u8])>, ConnectionError> {
        let Some((opcode, place)) = self.advance()? else { return Ok(None) };
        Ok(Some((opcode, self.payload(&place))))
    }

    /// What lies at `place`, until more bytes are added.
    #[inline]
    pub(super) fn payload(&self, place: &Place) -> &[u8] {
        match place {
            Place::Bytes(range) => &self.bytes[range.clone()],
            Place::Pieces => &self.pieces,
        }
    }

    /// The next whole message: what it is and where it lies.
    #[inline]
    pub(super) fn advance(&mut self) -> Result<Option<(Opcode, Place)>, ConnectionError> {
        loop {
            let mut cursor = Cursor::new(&self.bytes[self.start..]);
            let parsed = FrameHeader::parse(&mut cursor)
                .map_err(|_| ConnectionError::Protocol("an unknown opcode"))?;
            let Some((header, length)) = parsed else { return Ok(None) };
            let head = cursor.position() as usize;
            if header.rsv1 || header.rsv2 || header.rsv3 {
                return Err(ConnectionError::Protocol("a reserved bit is set"));
            }
            if header.mask.is_some() {
                return Err(ConnectionError::Protocol("a server's frame is masked"));
            }
            // What was put together of an earlier message lies there still.
            let begun = if self.open.is_some() { self.pieces.len() as u64 } else { 0 };
            let whole = length.saturating_add(begun);
            if whole > self.message_bytes_max {
                return Err(ConnectionError::FrameTooLarge { bytes: whole, max: self.message_bytes_max });
            }
            // Below the limit, so it fits.
            let length = length as usize;
            let begin = self.start + head;
            let control = matches!(header.opcode, OpCode::Control(_));
            if control && (length > 125 || !header.is_final) {
                return Err(ConnectionError::Protocol("a control frame is too long or in pieces"));
            }
            if self.bytes.len() - begin < length {
                // All its room at once, instead of in doublings.
                let missing = length - (self.bytes.len() - begin);
                if missing > self.bytes.capacity() - self.bytes.len() {
                    self.bytes.drain(..self.start);
                    self.start = 0;
                    self.bytes.reserve(missing);
                }
                return Ok(None);
            }
            let range = begin..begin + length;
            self.start = range.end;
            match header.opcode {
                OpCode::Control(Control::Ping) => return Ok(Some((Opcode::Ping, Place::Bytes(range)))),
                OpCode::Control(Control::Pong) => return Ok(Some((Opcode::Pong, Place::Bytes(range)))),
                OpCode::Control(_) => return Ok(Some((Opcode::Close, Place::Bytes(range)))),
                OpCode::Data(Data::Continue) => {
                    let Some(opcode) = self.open else {
                        return Err(ConnectionError::Protocol("a continuation of nothing"));
                    };
                    self.pieces.extend_from_slice(&self.bytes[range]);
                    if header.is_final {
                        self.open = None;
                        return Ok(Some((opcode, Place::Pieces)));
                    }
                }
                OpCode::Data(data) => {
                    if self.open.is_some() {
                        return Err(ConnectionError::Protocol("a message begins inside another"));
                    }
                    let opcode = if data == Data::Text { Opcode::Text } else { Opcode::Binary };
                    self.pieces.clear();
                    if header.is_final {
                        return Ok(Some((opcode, Place::Bytes(range))));
                    }
                    self.open = Some(opcode);
                    self.pieces.extend_from_slice(&self.bytes[range]);
                }
            }
        }
    }

    fn clear_bytes(&mut self) {
        self.bytes.clear();
        self.start = 0;
        if self.bytes.capacity() > 16 * ROOM {
            self.bytes.shrink_to(ROOM);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tungstenite::protocol::frame::Frame;

    fn encoded(frame: Frame) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame.format(&mut bytes).expect("a vector takes all");
        bytes
    }

    fn text(payload: &str, last: bool) -> Vec<u8> {
        encoded(Frame::message(payload.as_bytes().to_vec(), OpCode::Data(Data::Text), last))
    }

    fn all(frames: &mut Frames) -> Vec<(Opcode, Vec<u8>)> {
        let mut found = Vec::new();
        while let Some((opcode, payload)) = frames.next_message().expect("good frames") {
            found.push((opcode, payload.to_vec()));
        }
        found
    }

    #[test]
    fn messages_come_out_whole_however_the_bytes_are_cut() {
        let long = "x".repeat(70_000);
        let mut wire = Vec::new();
        let mut expected = Vec::new();
        for payload in ["", "a", "hello", &"y".repeat(200), &long] {
            wire.extend(text(payload, true));
            expected.push((Opcode::Text, payload.as_bytes().to_vec()));
        }
        // In pieces, with a ping between them.
        wire.extend(text("one ", false));
        wire.extend(encoded(Frame::ping(b"p".to_vec())));
        wire.extend(encoded(Frame::message(b"two".to_vec(), OpCode::Data(Data::Continue), true)));
        expected.push((Opcode::Ping, b"p".to_vec()));
        expected.push((Opcode::Text, b"one two".to_vec()));
        for step in [1, 2, 3, 7, 1_000, wire.len()] {
            let mut frames = Frames::new(1 << 20);
            let mut found = Vec::new();
            for chunk in wire.chunks(step) {
                frames.extend(chunk);
                found.extend(all(&mut frames));
            }
            assert!(found == expected, "in steps of {step}");
            assert!(!frames.partial());
        }
    }

    #[test]
    fn the_limit_is_of_each_message_by_itself() {
        let pieces = |a: usize, b: usize| {
            let end = encoded(Frame::message(vec![b'b'; b], OpCode::Data(Data::Continue), true));
            [text(&"a".repeat(a), false), end].concat()
        };
        let mut frames = Frames::new(1_000);
        for wire in [pieces(600, 400), text(&"c".repeat(1_000), true), pieces(1, 999), pieces(999, 1)] {
            frames.extend(&wire);
            assert_eq!(all(&mut frames).len(), 1);
        }
        frames.extend(&pieces(600, 401));
        let too_large = ConnectionError::FrameTooLarge { bytes: 1_001, max: 1_000 };
        assert_eq!(frames.next_message().err(), Some(too_large));
    }

    #[test]
    fn what_breaks_the_protocol_is_told() {
        let fails = |wire: &[u8]| {
            let mut frames = Frames::new(1_000);
            frames.extend(wire);
            loop {
                match frames.next_message() {
                    Ok(Some(_)) => {}
                    Ok(None) => return None,
                    Err(error) => return Some(error),
                }
            }
        };
        assert_eq!(
            fails(&[0x81, 0x80, 0, 0, 0, 0]),
            Some(ConnectionError::Protocol("a server's frame is masked"))
        );
        assert_eq!(fails(&[0xc1, 0]), Some(ConnectionError::Protocol("a reserved bit is set")));
        assert_eq!(fails(&[0x83, 0]), Some(ConnectionError::Protocol("an unknown opcode")));
        assert_eq!(fails(&[0x80, 0]), Some(ConnectionError::Protocol("a continuation of nothing")));
        assert!(fails(&[0x09, 0]).is_some(), "a ping in pieces");
        let twice = [text("a", false), text("b", true)].concat();
        assert_eq!(fails(&twice), Some(ConnectionError::Protocol("a message begins inside another")));
        assert_eq!(
            fails(&text(&"z".repeat(1_001), true)),
            Some(ConnectionError::FrameTooLarge { bytes: 1_001, max: 1_000 })
        );
        // The announced size is enough: nobody waits for the bytes.
        let huge = [0x81, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert!(matches!(fails(&huge), Some(ConnectionError::FrameTooLarge { .. })));
    }
}
