//! The bytes of a recording file: gzip unpacked, plain text as it is.
//!
//! Owns: telling the two apart, and what becomes of a stream that is cut or corrupt. Invariant: every byte that could
//! be unpacked before an error is handed out before the error is; but of a capture's file, whose members are blocks,
//! whole blocks only, each checked before its first byte is handed out.

use super::block::{BLOCK_BYTES_MAX, HEADER_BYTES, is_block};
use flate2::{Decompress, FlushDecompress, Status};
use std::io::{self, ErrorKind, Read};

/// Packed bytes read at once.
const INPUT_BYTES: usize = 64 * 1024;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// The largest window deflate has, as a power of two; gzip files do not state theirs.
const WINDOW_BITS: u8 = 15;

/// Why unpacking ended before the end.
#[derive(Debug)]
pub(super) enum UnpackError {
    Io(io::Error),
    Truncated,
    Corrupt(String),
    TrailingData,
}

/// Where an unpacker gets its bytes.
pub(super) type Input = Box<dyn Read + Send>;

/// Unpacks one file.
///
/// Drives [`Decompress`] itself rather than through flate2's readers: those throw away what a call unpacked before it
/// met the error, which may be all the frames of a small file.
pub(super) struct Unpacker {
    input: Input,
    buffer: Box<[u8]>,
    /// What of `buffer` is not used yet.
    start: usize,
    end: usize,
    /// `None` for plain text.
    gzip: Option<Decompress>,
    /// Between the first byte of a gzip member and its last.
    in_member: bool,
    /// What the unpacker said was wrong, while what came before it is handed out.
    failed: Option<String>,
    /// Of a capture's file: the block being handed out.
    block: Option<Block>,
}

/// One block, unpacked and checked.
#[derive(Default)]
struct Block {
    /// All initialised, so that it can be unpacked into.
    bytes: Vec<u8>,
    filled: usize,
    /// What of it is handed out.
    taken: usize,
    /// Packed bytes of the block read so far.
    packed: u64,
    /// Set at the end of a file that ends amid a block.
    torn: Option<u64>,
}

impl Unpacker {
    /// Reads the first bytes of `input` to see what it is.
    pub(super) fn new(input: Input) -> io::Result<Self> {
        let buffer = vec![0; INPUT_BYTES].into_boxed_slice();
        let mut unpacker =
            Self { input, buffer, start: 0, end: 0, gzip: None, in_member: false, failed: None, block: None };
        while unpacker.end < HEADER_BYTES {
            match read_some(&mut unpacker.input, &mut unpacker.buffer[unpacker.end..])? {
                0 => break,
                n => unpacker.end += n,
            }
        }
        if unpacker.end == 0 {
            unpacker.block = Some(Block { torn: Some(0), ..Block::default() });
        }
        if unpacker.buffer[..unpacker.end].starts_with(&GZIP_MAGIC) {
            unpacker.gzip = Some(Decompress::new_gzip(WINDOW_BITS));
            unpacker.block = is_block(&unpacker.buffer[..unpacker.end]).then(Block::default);
        }
        Ok(unpacker)
    }

    /// Fills the beginning of `out`, which has room; 0 is the end.
    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, UnpackError> {
        if self.block.is_some() {
            return self.read_blocks(out);
        }
        if self.gzip.is_some() { self.read_gzip(out) } else { self.read_plain(out) }
    }

    /// Packed bytes of a block that was not finished, where a capture was cut: known once `read` gave 0. Of a file
    /// without a byte it is 0 of them.
    pub(super) fn torn(&self) -> Option<u64> {
        self.block.as_ref().and_then(|block| block.torn)
    }

    fn read_blocks(&mut self, out: &mut [u8]) -> Result<usize, UnpackError> {
        // Taken out while it is filled, so that the borrows do not meet.
        let mut block = self.block.take().unwrap_or_default();
        let mut filled = Ok(true);
        while block.taken == block.filled && matches!(filled, Ok(true)) {
            (block.taken, block.filled, block.packed) = (0, 0, 0);
            filled = self.fill_block(&mut block);
            if !matches!(filled, Ok(true)) {
                block.filled = 0;
            }
        }
        if matches!(filled, Err(UnpackError::Truncated)) {
            block.torn = Some(block.packed);
            filled = Ok(false);
        }
        let n = out.len().min(block.filled - block.taken);
        out[..n].copy_from_slice(&block.bytes[block.taken..block.taken + n]);
        block.taken += n;
        self.block = Some(block);
        filled.map(|_| n)
    }

    /// Unpacks the next block; false if the file ends before it.
    fn fill_block(&mut self, block: &mut Block) -> Result<bool, UnpackError> {
        loop {
            if self.start == self.end {
                self.start = 0;
                self.end = read_some(&mut self.input, &mut self.buffer).map_err(UnpackError::Io)?;
            }
            if !self.in_member && !self.next_member()? {
                if self.end == 0 {
                    return Ok(false);
                }
                continue;
            }
            if block.filled == block.bytes.len() {
                if block.filled >= BLOCK_BYTES_MAX {
                    return Err(UnpackError::Corrupt("a block of more than 64 MiB".into()));
                }
                block.bytes.resize((block.filled * 2).max(INPUT_BYTES), 0);
            }
            let (at_end, start) = (self.end == 0, self.start);
            let n = self.decompress(&mut block.bytes[block.filled..])?;
            block.filled += n;
            block.packed += (self.start - start) as u64;
            if !self.in_member {
                return Ok(true);
            }
            if n == 0 && at_end {
                return Err(UnpackError::Truncated);
            }
        }
    }

    fn read_plain(&mut self, out: &mut [u8]) -> Result<usize, UnpackError> {
        if self.start == self.end {
            return read_some(&mut self.input, out).map_err(UnpackError::Io);
        }
        let n = out.len().min(self.end - self.start);
        out[..n].copy_from_slice(&self.buffer[self.start..self.start + n]);
        self.start += n;
        Ok(n)
    }

    fn read_gzip(&mut self, out: &mut [u8]) -> Result<usize, UnpackError> {
        loop {
            if self.start == self.end {
                self.start = 0;
                self.end = read_some(&mut self.input, &mut self.buffer).map_err(UnpackError::Io)?;
            }
            if !self.in_member && !self.next_member()? {
                if self.end == 0 {
                    return Ok(0);
                }
                continue;
            }
            // With no input left this still hands out what the unpacker holds back.
            let at_end = self.end == 0;
            match self.decompress(out) {
                Ok(0) if at_end && self.in_member => return Err(UnpackError::Truncated),
                Ok(0) => {}
                result => return result,
            }
        }
    }

    /// Whether another member follows in the buffer; zeros between members are padding, as gzip itself has it.
    fn next_member(&mut self) -> Result<bool, UnpackError> {
        let rest = &self.buffer[self.start..self.end];
        self.start += rest.iter().take_while(|&&byte| byte == 0).count();
        if self.start == self.end {
            return Ok(false);
        }
        if self.buffer[self.start] != GZIP_MAGIC[0] {
            return Err(UnpackError::TrailingData);
        }
        self.in_member = true;
        Ok(true)
    }

    /// One step of the unpacker; 0 if it needs more input or a member has ended.
    fn decompress(&mut self, out: &mut [u8]) -> Result<usize, UnpackError> {
        let Some(gzip) = &mut self.gzip else { return Ok(0) };
        if let Some(error) = self.failed.take() {
            return Err(UnpackError::Corrupt(error));
        }
        let (read, written) = (gzip.total_in(), gzip.total_out());
        let result = gzip.decompress(&self.buffer[self.start..self.end], out, FlushDecompress::None);
        let n = usize::try_from(gzip.total_out() - written).unwrap_or(out.len());
        self.start += usize::try_from(gzip.total_in() - read).unwrap_or(0);
        match result {
            Ok(Status::StreamEnd) => {
                gzip.reset(true);
                self.in_member = false;
            }
            Ok(Status::Ok | Status::BufError) => {}
            // What came before the error goes first.
            Err(error) if n > 0 => self.failed = Some(error.to_string()),
            Err(error) => return Err(UnpackError::Corrupt(error.to_string())),
        }
        Ok(n)
    }
}

fn read_some(input: &mut Input, out: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(out) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::{Cursor, Write};

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).expect("memory takes all");
        encoder.finish().expect("memory takes all")
    }

    fn text() -> Vec<u8> {
        (0..20_000u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_string().into_bytes()).collect()
    }

    /// All that could be unpacked, in steps of `step` bytes, and how it ended.
    fn unpack(packed: Vec<u8>, step: usize) -> (Vec<u8>, Option<UnpackError>) {
        let mut unpacker = Unpacker::new(Box::new(Cursor::new(packed))).expect("memory can be read");
        let (mut all, mut out) = (Vec::new(), vec![0; step]);
        loop {
            match unpacker.read(&mut out) {
                Ok(0) => return (all, None),
                Ok(n) => all.extend_from_slice(&out[..n]),
                Err(error) => return (all, Some(error)),
            }
        }
    }

    #[test]
    fn gzip_members_padding_and_plain_text_are_read_in_any_steps() {
        let text = text();
        let mut members = gzip(&text[..1000]);
        members.extend([0; 700]);
        members.extend(gzip(b""));
        members.extend(gzip(&text[1000..]));
        members.extend([0; 3]);
        for packed in [text.clone(), gzip(&text), members] {
            for step in [1, 7, 4096, 1 << 20] {
                let (all, error) = unpack(packed.clone(), step);
                assert!(error.is_none(), "{error:?}");
                assert!(all == text, "step {step}");
            }
        }
    }

    #[test]
    fn a_cut_stream_gives_all_before_the_cut_in_any_steps() {
        let text = text();
        let packed = gzip(&text);
        for cut in [2, 9, 11, packed.len() / 2, packed.len() - 8, packed.len() - 1] {
            let (all, error) = unpack(packed[..cut].to_vec(), 1 << 20);
            assert!(matches!(error, Some(UnpackError::Truncated)), "{cut}: {error:?}");
            assert!(text.starts_with(&all));
            assert!(all.len() * 10 >= text.len() * (cut * 9 / packed.len()), "{cut}: {}", all.len());
            assert_eq!(unpack(packed[..cut].to_vec(), 3).0, all);
        }
    }

    #[test]
    fn of_a_capture_whole_blocks_are_read_and_a_torn_last_one_is_told() {
        let text = text();
        let mut packer = super::super::block::BlockPacker::new(6);
        let (mut packed, mut ends) = (Vec::new(), vec![0]);
        for part in text.chunks(30_000) {
            packed.extend_from_slice(packer.pack(part));
            ends.push(packed.len());
        }
        let blocks = ends.len() - 1;
        for cut in (4..packed.len()).step_by(997).chain(ends[1..].iter().copied()) {
            let whole = ends[1..].iter().filter(|&&end| end <= cut).count();
            let mut unpacker =
                Unpacker::new(Box::new(Cursor::new(packed[..cut].to_vec()))).expect("memory can be read");
            let (mut all, mut out) = (Vec::new(), vec![0; 4_096]);
            loop {
                match unpacker.read(&mut out).expect("a cut is no error here") {
                    0 => break,
                    n => all.extend_from_slice(&out[..n]),
                }
            }
            assert!(all == text[..(whole * 30_000).min(text.len())], "cut at {cut}");
            let rest = (cut - ends[whole]) as u64;
            assert_eq!(unpacker.torn(), (rest > 0).then_some(rest), "cut at {cut}");
            assert_eq!(unpacker.read(&mut out).expect("the end is the end every time"), 0);
        }
        // Damage before the end is damage, and nothing of the block it is in comes out.
        for at in [ends[2] + 40, ends[3] - 2] {
            let mut bad = packed.clone();
            bad[at] ^= 0x55;
            let (all, error) = unpack(bad, 4_096);
            assert!(matches!(error, Some(UnpackError::Corrupt(_) | UnpackError::TrailingData)), "{error:?}");
            assert!(all == text[..2 * 30_000], "{at}: {} bytes of {blocks} blocks", all.len());
        }
    }

    #[test]
    fn corrupt_streams_give_what_came_before_and_an_error() {
        let text = text();
        let mut bad_sum = gzip(&text);
        let at = bad_sum.len() - 6;
        bad_sum[at] ^= 1;
        let (all, error) = unpack(bad_sum, 1 << 20);
        assert!(matches!(error, Some(UnpackError::Corrupt(_))), "{error:?}");
        assert!(all == text);

        let mut trailing = gzip(&text);
        trailing.extend(b"hello");
        let (all, error) = unpack(trailing, 1 << 20);
        assert!(matches!(error, Some(UnpackError::TrailingData)), "{error:?}");
        assert!(all == text);

        // A block type that does not exist, right after a stored block of 5 bytes.
        let stored = [&gzip(b"")[..10], &[0, 5, 0, 250, 255], b"hello", &[7]].concat();
        let (all, error) = unpack(stored, 1 << 20);
        assert!(matches!(error, Some(UnpackError::Corrupt(_))), "{error:?}");
        assert_eq!(all, b"hello");
    }
}
