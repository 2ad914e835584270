//! Bytes that must not be seen: never printed, never copied by accident, overwritten when done with.

use std::fmt;
use zeroize::Zeroizing;

/// A shared secret, or a private key as text.
///
/// Neither `Debug` nor `Display` shows anything of it, its length included. It is not `Clone`, so that there is one
/// place to look after, and its memory is overwritten when it is dropped.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes `bytes` over; they are not copied.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes themselves: for a primitive to take in, for nothing else.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}
