//! Blocks: the gzip members that a capture's file is made of, each whole in itself.
//!
//! Owns: how a block is packed, and the mark in its header by which a capture's file is known. Invariant: a block
//! holds whole lines, and any tool that reads gzip reads a file of blocks.

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// A gzip header with an extra field (RFC 1952, 2.3.1.1) of ours: subfield `AT`, one byte, the format's version.
const HEADER: [u8; 17] = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 5, 0, b'A', b'T', 1, 0, 1];

/// Bytes of a file after which [`is_block`] can tell.
pub(super) const HEADER_BYTES: usize = HEADER.len();

/// The most a block may unpack to: a block's limit and one frame, both 16 MiB at most, with room to spare. More is
/// damage, and is not held in memory.
pub(super) const BLOCK_BYTES_MAX: usize = 64 << 20;

/// Whether a file that begins like this is a capture's; of a file cut amid its first header what is there must do.
pub(super) fn is_block(begin: &[u8]) -> bool {
    // Below four bytes any gzip file begins like this.
    begin.starts_with(&HEADER) || (begin.len() >= 4 && HEADER.starts_with(begin))
}

/// Packs blocks; its room is reused.
pub(in crate::history) struct BlockPacker {
    deflate: Compress,
    packed: Vec<u8>,
}

impl BlockPacker {
    /// `level` as gzip has it, 1 to 9.
    pub(in crate::history) fn new(level: u32) -> Self {
        Self { deflate: Compress::new(Compression::new(level.clamp(1, 9)), false), packed: Vec::new() }
    }

    /// The block of these lines.
    pub(in crate::history) fn pack(&mut self, lines: &[u8]) -> &[u8] {
        self.deflate.reset();
        self.packed.clear();
        self.packed.extend_from_slice(&HEADER);
        self.packed.reserve(lines.len() / 4);
        loop {
            let read = usize::try_from(self.deflate.total_in()).unwrap_or(lines.len());
            let step = self.deflate.compress_vec(&lines[read..], &mut self.packed, FlushCompress::Finish);
            match step {
                Ok(Status::StreamEnd) => break,
                // Nothing but want of room keeps it from ending.
                _ => self.packed.reserve(lines.len() / 8 + 1_024),
            }
        }
        let mut crc = Crc::new();
        crc.update(lines);
        self.packed.extend_from_slice(&crc.sum().to_le_bytes());
        // The length modulo 2^32, as the format has it.
        self.packed.extend_from_slice(&(lines.len() as u32).to_le_bytes());
        &self.packed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::MultiGzDecoder;
    use std::io::Read;

    #[test]
    fn any_gzip_reader_reads_blocks_one_after_another() {
        let mut packer = BlockPacker::new(6);
        let noise: Vec<u8> = (0..300_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let mut file = Vec::new();
        for lines in [b"one\n".as_slice(), b"", &noise, b"two\n"] {
            file.extend_from_slice(packer.pack(lines));
        }
        assert!(is_block(&file));
        let mut all = Vec::new();
        MultiGzDecoder::new(&file[..]).read_to_end(&mut all).expect("good gzip");
        assert!(all == [b"one\n".as_slice(), &noise, b"two\n"].concat());
    }
}
