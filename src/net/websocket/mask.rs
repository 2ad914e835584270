//! Masks of a client's frames: four bytes each that nobody can guess, and the exclusive or with them.

use super::error::ConnectionError;
use crate::net::tls::TlsClient;

/// Bytes asked of the operating system at once: a mask each would be a system call a frame.
const POOL_BYTES: usize = 1_024;

/// Unguessable masks, each used once.
pub(super) struct Masks {
    tls: TlsClient,
    pool: [u8; POOL_BYTES],
    used: usize,
}

impl Masks {
    pub fn new(tls: &TlsClient) -> Self {
        Self { tls: tls.clone(), pool: [0; POOL_BYTES], used: POOL_BYTES }
    }

    #[inline]
    pub fn next(&mut self) -> Result<[u8; 4], ConnectionError> {
        if self.used == POOL_BYTES {
            self.tls.random(&mut self.pool)?;
            self.used = 0;
        }
        let at = self.used;
        self.used += 4;
        Ok([self.pool[at], self.pool[at + 1], self.pool[at + 2], self.pool[at + 3]])
    }
}

/// Masks, or unmasks, `payload`, whose first byte is the message's first.
#[inline]
pub fn mask(payload: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut words = payload.chunks_exact_mut(8);
    for word in &mut words {
        let mut eight = [0; 8];
        eight.copy_from_slice(word);
        word.copy_from_slice(&(u64::from_ne_bytes(eight) ^ wide).to_ne_bytes());
    }
    for (index, byte) in words.into_remainder().iter_mut().enumerate() {
        *byte ^= key[index % 4];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::TlsSettings;

    #[test]
    fn masking_is_the_exclusive_or_with_the_key_over_and_over() {
        let key = [1, 2, 4, 248];
        for length in 0..70 {
            let text: Vec<u8> = (0..length).map(|i| i as u8 ^ 0x5a).collect();
            let naive: Vec<u8> = text.iter().enumerate().map(|(i, b)| b ^ key[i % 4]).collect();
            let mut masked = text.clone();
            mask(&mut masked, key);
            assert_eq!(masked, naive, "{length} bytes");
            mask(&mut masked, key);
            assert_eq!(masked, text);
        }
    }

    #[test]
    fn no_mask_comes_twice_in_a_row_of_thousands() {
        let tls = TlsClient::new(&TlsSettings::default()).expect("defaults");
        let mut masks = Masks::new(&tls);
        let mut seen: Vec<[u8; 4]> = (0..2_000).map(|_| masks.next().expect("random")).collect();
        seen.sort_unstable();
        seen.dedup();
        // Of 2,000 random numbers of 32 bits two are equal once in two thousand tries, three never.
        assert!(seen.len() >= 1_999, "{}", seen.len());
    }
}
