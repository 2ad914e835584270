//! Lines of one file: found, checked and indexed a chunk at a time.
//!
//! Owns: the line format, and the limit on a line's length. Does not know of other files. Invariant: a chunk holds
//! whole lines only, in the file's order; each line is either in the index or counted as malformed.

use super::fault::{FileFault, LineFault, panic_text};
use super::unpack::{Input, UnpackError, Unpacker};
use crate::domain::Time;
use crate::net::SourceError;
use crossbeam_channel::Sender;
use memchr::{memchr, memchr_iter};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The longest line that is read, bytes without its end: far above any frame a venue sends.
pub const LINE_BYTES_MAX: usize = 16 << 20;

/// Unpacked bytes a chunk holds, unless one line is longer.
const CHUNK_BYTES: usize = 128 << 10;

/// Digits of a receive time: any moment from 2001 to 2286 in nanoseconds. Fixed, so that times in another unit are
/// seen for what they are.
pub(super) const TIME_DIGITS: usize = 19;

// A line that lies in one chunk is never too long, and places in a chunk fit 32 bits.
const _: () = assert!(CHUNK_BYTES <= LINE_BYTES_MAX && LINE_BYTES_MAX + CHUNK_BYTES < u32::MAX as usize);

/// What a reader of lines keeps to.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    pub(super) chunk_bytes: usize,
    pub(super) line_bytes_max: usize,
    /// Set when nobody wants more.
    pub(super) stop: Arc<AtomicBool>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { chunk_bytes: CHUNK_BYTES, line_bytes_max: LINE_BYTES_MAX, stop: Arc::default() }
    }
}

/// What was met while reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) lines: u64,
    pub(super) bytes: u64,
    pub(super) malformed: u64,
    pub(super) backwards: u64,
    pub(super) torn: u64,
}

impl Counts {
    pub(super) fn add(&mut self, other: &Counts) {
        self.lines += other.lines;
        self.bytes += other.bytes;
        self.malformed += other.malformed;
        self.backwards += other.backwards;
        self.torn += other.torn;
    }
}

/// Where a frame lies in its chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) received: Time,
    /// Line number in the file, from 1.
    pub(super) line: u64,
    pub(super) start: u32,
    pub(super) len: u32,
}

/// Whole lines and their index; reused.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    /// All initialised, so that it can be unpacked into; only what `lines` points to has a meaning.
    bytes: Vec<u8>,
    pub(super) lines: Vec<Line>,
    pub(super) counts: Counts,
    /// The first few malformed lines.
    pub(super) problems: Vec<(u64, LineFault)>,
    /// Set in the last chunk of a file.
    pub(super) end: Option<Result<(), SourceError>>,
}

impl Chunk {
    pub(super) fn frame(&self, line: &Line) -> &[u8] {
        &self.bytes[line.start as usize..][..line.len as usize]
    }

    fn reset(&mut self, chunk_bytes: usize) {
        if self.bytes.len() != chunk_bytes {
            // New, or grown for one long line: room for that is not kept.
            self.bytes = vec![0; chunk_bytes];
        }
        self.lines.clear();
        self.counts = Counts::default();
        self.problems.clear();
        self.end = None;
    }

    fn fault(&mut self, line: u64, fault: LineFault) {
        self.counts.malformed += 1;
        if self.problems.len() < super::PROBLEMS_KEPT {
            self.problems.push((line, fault));
        }
    }
}

/// Reads the lines of one file.
pub(super) struct LineReader {
    path: String,
    unpacker: Unpacker,
    limits: Limits,
    /// The beginning of a line whose end is not in the chunk before.
    tail: Vec<u8>,
    /// In the middle of a line that is too long.
    skipping: bool,
    /// The last line's number and receive time.
    line: u64,
    received: Time,
}

impl LineReader {
    pub(super) fn new(path: String, input: Input, limits: Limits) -> Result<Self, SourceError> {
        match Unpacker::new(input) {
            Ok(unpacker) => Ok(Self {
                path,
                unpacker,
                limits,
                tail: Vec::new(),
                skipping: false,
                line: 0,
                received: Time(0),
            }),
            Err(error) => Err(SourceError::Io { path, error }),
        }
    }

    /// Fills `chunk` with the next lines; the file's last chunk has its `end` set.
    pub(super) fn fill(&mut self, chunk: &mut Chunk) {
        // The tail is shorter than a chunk: a chunk ends with the first read that ends a line.
        chunk.reset(self.limits.chunk_bytes);
        chunk.bytes[..self.tail.len()].copy_from_slice(&self.tail);
        // `start`: of the line not ended yet. `filled`: end of what was read.
        let (mut start, mut filled) = (0, self.tail.len());
        self.tail.clear();
        loop {
            if start > 0 && filled >= self.limits.chunk_bytes {
                break;
            }
            if filled == chunk.bytes.len() && !self.grow(chunk) {
                filled = 0;
            }
            let room = chunk.bytes.len().min(filled + self.limits.chunk_bytes);
            match self.unpack(&mut chunk.bytes[filled..room]) {
                Ok(0) => {
                    if start < filled && !self.skipping {
                        self.index(chunk, start, filled);
                    }
                    if let Some(bytes) = self.unpacker.torn() {
                        chunk.counts.torn += 1;
                        chunk.problems.push((self.line, LineFault::Torn { bytes }));
                    }
                    chunk.end = Some(Ok(()));
                    return;
                }
                Ok(n) => {
                    chunk.counts.bytes += n as u64;
                    (start, filled) = self.split(chunk, start, filled, filled + n);
                }
                Err(error) => {
                    chunk.end = Some(Err(error));
                    return;
                }
            }
        }
        self.tail.extend_from_slice(&chunk.bytes[start..filled]);
    }

    /// Makes room for a line that fills the chunk; false if it is too long, and then counts it and begins to skip it.
    fn grow(&mut self, chunk: &mut Chunk) -> bool {
        // One more than a line may have, for its end.
        let len_max = self.limits.line_bytes_max + 1;
        let len = chunk.bytes.len();
        if len < len_max {
            let len = (len * 2).min(len_max);
            chunk.bytes.reserve_exact(len - chunk.bytes.len());
            chunk.bytes.resize(len, 0);
            return true;
        }
        self.line += 1;
        chunk.counts.lines += 1;
        chunk.fault(self.line, LineFault::TooLong);
        self.skipping = true;
        false
    }

    /// Indexes the lines that end in `filled..end`; gives the new start of the unended line and end of what is kept.
    fn split(&mut self, chunk: &mut Chunk, mut start: usize, filled: usize, end: usize) -> (usize, usize) {
        let mut from = filled;
        if self.skipping {
            let Some(at) = memchr(b'\n', &chunk.bytes[from..end]) else { return (0, 0) };
            self.skipping = false;
            from += at + 1;
            start = from;
        }
        // The index grows while the bytes are scanned: taken out so that the borrows do not meet.
        let bytes = std::mem::take(&mut chunk.bytes);
        for at in memchr_iter(b'\n', &bytes[from..end]) {
            self.index_bytes(chunk, &bytes, start, from + at);
            start = from + at + 1;
        }
        chunk.bytes = bytes;
        (start, end)
    }

    fn index(&mut self, chunk: &mut Chunk, start: usize, end: usize) {
        let bytes = std::mem::take(&mut chunk.bytes);
        self.index_bytes(chunk, &bytes, start, end);
        chunk.bytes = bytes;
    }

    #[inline]
    fn index_bytes(&mut self, chunk: &mut Chunk, bytes: &[u8], start: usize, end: usize) {
        self.line += 1;
        chunk.counts.lines += 1;
        let line = &bytes[start..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let received = match parse_time(line) {
            Some(received) if line.len() > TIME_DIGITS + 1 => received,
            Some(_) => return chunk.fault(self.line, LineFault::NoFrame),
            None => return chunk.fault(self.line, LineFault::NoTime),
        };
        chunk.counts.backwards += u64::from(received < self.received);
        self.received = received;
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        chunk.lines.push(Line {
            received,
            line: self.line,
            start: offset(start + TIME_DIGITS + 1),
            len: offset(line.len() - TIME_DIGITS - 1),
        });
    }

    fn unpack(&mut self, out: &mut [u8]) -> Result<usize, SourceError> {
        if self.limits.stop.load(Ordering::Relaxed) {
            return Ok(0);
        }
        self.unpacker.read(out).map_err(|error| error.of(&self.path, self.line))
    }
}

impl UnpackError {
    /// As the error of the file at `path`, met after `lines` whole lines.
    pub(super) fn of(self, path: &str, lines: u64) -> SourceError {
        match self {
            Self::Io(error) => SourceError::Io { path: path.into(), error },
            Self::Truncated => FileFault::Truncated { lines }.of(path),
            Self::Corrupt(what) => FileFault::Corrupt { lines, what }.of(path),
            Self::TrailingData => FileFault::TrailingData { lines }.of(path),
        }
    }
}

/// The receive time at the beginning of a line: 19 digits, then a space or the line's end.
#[inline]
pub(super) fn parse_time(line: &[u8]) -> Option<Time> {
    let (digits, rest) = line.split_first_chunk::<TIME_DIGITS>()?;
    if rest.first().is_some_and(|&byte| byte != b' ') {
        return None;
    }
    // 19 digits stay below 2^64.
    let (mut nanos, mut all_digits) = (0u64, true);
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        all_digits &= digit <= 9;
        nanos = nanos.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    all_digits.then_some(Time(nanos))
}

/// A chunk to fill, and where to send it once filled.
pub(super) struct Job {
    pub(super) reader: LineReader,
    pub(super) chunk: Chunk,
    pub(super) done: Sender<Job>,
}

impl Job {
    /// Fills the chunk and sends it on. A panic becomes the end of the file, so that whoever waits for it is told.
    pub(super) fn run(mut self) {
        let filled = catch_unwind(AssertUnwindSafe(|| self.reader.fill(&mut self.chunk)));
        if let Err(panic) = filled {
            let fault = FileFault::Panicked { what: panic_text(&*panic) };
            self.chunk = Chunk { end: Some(Err(fault.of(&self.reader.path))), ..Chunk::default() };
        }
        // Refused only if nobody merges any more.
        let done = self.done.clone();
        let _ = done.send(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::bounded;
    use proptest::prelude::*;
    use std::io::{Cursor, Read};
    use std::sync::atomic::AtomicU64;

    struct Outcome {
        frames: Vec<(Time, u64, Vec<u8>)>,
        counts: Counts,
        problems: Vec<(u64, LineFault)>,
        bytes_held_max: usize,
    }

    fn reader(input: Input, chunk_bytes: usize, line_bytes_max: usize) -> LineReader {
        let limits = Limits { chunk_bytes, line_bytes_max, ..Limits::default() };
        LineReader::new("spot-x-20240808".into(), input, limits).expect("memory can be read")
    }

    fn read(text: &[u8], chunk_bytes: usize, line_bytes_max: usize) -> Outcome {
        let mut reader = reader(Box::new(Cursor::new(text.to_vec())), chunk_bytes, line_bytes_max);
        let (mut chunk, mut frames, mut counts) = (Chunk::default(), Vec::new(), Counts::default());
        let (mut problems, mut bytes_held_max) = (Vec::new(), 0);
        while chunk.end.is_none() {
            reader.fill(&mut chunk);
            frames.extend(
                chunk.lines.iter().map(|line| (line.received, line.line, chunk.frame(line).to_vec())),
            );
            counts.add(&chunk.counts);
            problems.extend_from_slice(&chunk.problems);
            bytes_held_max = bytes_held_max.max(chunk.bytes.capacity() + reader.tail.capacity());
        }
        assert!(matches!(chunk.end, Some(Ok(()))));
        Outcome { frames, counts, problems, bytes_held_max }
    }

    #[test]
    fn lines_that_are_not_frames_are_counted_with_their_place() {
        let text = b"1723161253000000000 {}\n\nhello\n1723161253000000001\n1723161253000000002 \r\n\
            1723161253000 {}\n17231612530000000001 {}\n-723161253000000000 {}\n1723161253000000003\t{}\n\
            1723161252999999999 \xff\xfe\r\n1723161253000000004  [ ]";
        for chunk_bytes in [32, 64, 4096] {
            let read = read(text, chunk_bytes, 4096);
            let frames: Vec<_> =
                read.frames.iter().map(|(_, line, frame)| (*line, frame.as_slice())).collect();
            assert_eq!(frames, [(1, b"{}".as_slice()), (10, b"\xff\xfe"), (11, b" [ ]")]);
            let (time, frame) = (LineFault::NoTime, LineFault::NoFrame);
            let faults =
                [(2, time), (3, time), (4, frame), (5, frame), (6, time), (7, time), (8, time), (9, time)];
            assert_eq!(read.problems, faults);
            let counts = Counts { lines: 11, bytes: text.len() as u64, malformed: 8, backwards: 1, torn: 0 };
            assert_eq!(read.counts, counts);
        }
    }

    #[test]
    fn the_longest_line_is_read_and_a_longer_one_skipped_without_holding_it() {
        let line = |len: usize| [b"1723161253000000000 ".as_slice(), &vec![b'x'; len - 20]].concat();
        let text = [line(1000), line(1001), line(100_000), line(30), line(1001)].join(&b'\n');
        let read = read(&text, 64, 1000);
        let lens: Vec<_> = read.frames.iter().map(|(_, line, frame)| (*line, frame.len() + 20)).collect();
        assert_eq!(lens, [(1, 1000), (4, 30)]);
        assert_eq!(read.problems, [2, 3, 5].map(|line| (line, LineFault::TooLong)));
        assert_eq!((read.counts.lines, read.counts.malformed), (5, 3));
        assert!(read.bytes_held_max <= 1001 + 2 * 64, "{} bytes held", read.bytes_held_max);
    }

    #[test]
    fn a_panic_while_filling_ends_the_file_with_an_error() {
        struct Panics;
        impl Read for Panics {
            fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
                assert!(out.len() != 64, "broken disk driver");
                out[..2].copy_from_slice(b"17");
                Ok(2)
            }
        }
        let (done, filled) = bounded(1);
        Job { reader: reader(Box::new(Panics), 66, 1000), chunk: Chunk::default(), done }.run();
        let end = filled.recv().expect("a job is always sent on").chunk.end;
        let error = end.expect("the file is over").expect_err("it panicked").to_string();
        assert!(error.contains("spot-x-20240808") && error.contains("broken disk driver"), "{error}");
    }

    #[test]
    fn a_reader_in_an_endless_line_ends_when_told_to_stop() {
        struct Endless(Arc<AtomicU64>);
        impl Read for Endless {
            fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
                self.0.fetch_add(1, Ordering::Relaxed);
                out.fill(b'x');
                Ok(out.len())
            }
        }
        let reads = Arc::new(AtomicU64::new(0));
        let mut reader = reader(Box::new(Endless(Arc::clone(&reads))), 64, 1000);
        let stop = reader.limits.stop.clone();
        let thread = std::thread::spawn(move || {
            let mut chunk = Chunk::default();
            reader.fill(&mut chunk);
            chunk.counts.malformed
        });
        // Far beyond the longest line that is kept.
        while reads.load(Ordering::Relaxed) < 100 {
            assert!(!thread.is_finished());
            std::thread::yield_now();
        }
        stop.store(true, Ordering::Relaxed);
        assert_eq!(thread.join().expect("no panic"), 1);
    }

    proptest! {
        /// Against the plain way: split the whole text at line ends.
        #[test]
        fn chunks_of_any_size_give_the_same_lines(
            lines in prop::collection::vec("(17231612530000000[0-9]{2} ?)?[a-z{}]{0,90}\r?", 0..40),
            chunk_bytes in 16usize..100,
            final_newline: bool,
        ) {
            let mut text = lines.join("\n");
            if final_newline {
                text.push('\n');
            }
            let read = read(text.as_bytes(), chunk_bytes, 100);
            let mut expected = Vec::new();
            let mut malformed = 0;
            for (line, number) in text.split_terminator('\n').zip(1u64..) {
                let trimmed = line.strip_suffix('\r').unwrap_or(line);
                match trimmed.split_once(' ') {
                    Some((time, frame)) if line.len() <= 100 && time.len() == 19 && !frame.is_empty() => {
                        let time = Time(time.parse().expect("made of digits"));
                        expected.push((time, number, frame.as_bytes().to_vec()));
                    }
                    _ => malformed += 1,
                }
            }
            prop_assert_eq!(read.frames, expected);
            prop_assert_eq!(read.counts.malformed, malformed);
            prop_assert_eq!(read.counts.bytes, text.len() as u64);
        }
    }
}
