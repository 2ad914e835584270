//! A signature as venues take it: text.

use super::Algorithm;
use base64ct::{Base64, Encoding};

/// Room for the text of any signature: base64 of the 512 bytes of RSA with 4096 bits.
pub const SIGNATURE_BYTES_MAX: usize = 684;

/// A signature's text in the caller's memory: lower-case hex of an HMAC, base64 of the others.
#[derive(Debug, Clone)]
pub struct SignatureText {
    bytes: [u8; SIGNATURE_BYTES_MAX],
    len: usize,
}

impl Default for SignatureText {
    fn default() -> Self {
        Self::new()
    }
}

impl SignatureText {
    /// Room for one, empty.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; SIGNATURE_BYTES_MAX], len: 0 }
    }

    /// The text: characters of hex or base64 alone. In a URL `+`, `/` and `=` are to be percent-encoded.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The text as such.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// Empties it.
    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// Writes `raw` in the form that `algorithm` has; leaves nothing if it does not fit, which no algorithm causes.
    #[inline]
    pub(super) fn set(&mut self, algorithm: Algorithm, raw: &[u8]) {
        self.len = match algorithm {
            Algorithm::HmacSha256 => {
                for (pair, byte) in self.bytes.chunks_exact_mut(2).zip(raw) {
                    pair.copy_from_slice(&HEX[usize::from(*byte)]);
                }
                (raw.len() * 2).min(SIGNATURE_BYTES_MAX)
            }
            Algorithm::Ed25519 | Algorithm::RsaSha256 => {
                Base64::encode(raw, &mut self.bytes).map_or(0, str::len)
            }
        };
    }
}

/// Both digits of every byte.
const HEX: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    table
};
