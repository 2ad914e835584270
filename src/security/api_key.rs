//! The public half of a venue's credentials: not a secret, but nothing to spread.

use super::{KeyError, Secret};
use std::fmt;

/// The longest API key taken; Binance's have 64 characters.
pub const API_KEY_BYTES_MAX: usize = 128;

/// Characters that `Debug` and `Display` show: enough to tell one's own keys apart.
const SHOWN: usize = 4;

/// An API key: 1 to [`API_KEY_BYTES_MAX`] of `[A-Za-z0-9_-]`, so that it can stand in a header, a JSON string and a
/// query as it is. `Debug` and `Display` show no more than its first characters.
pub struct ApiKey(Secret);

impl ApiKey {
    /// The key in `text`, whose white space at both ends is passed over.
    ///
    /// # Errors
    /// [`KeyError::BadApiKey`] where it is empty, too long, or has another character.
    pub fn new(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        let known = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let good = (1..=API_KEY_BYTES_MAX).contains(&text.len()) && text.as_bytes().iter().all(known);
        if good { Ok(Self(Secret::new(text))) } else { Err(KeyError::BadApiKey { bytes: text.len() }) }
    }

    /// The characters, for a request.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.expose()
    }

    /// The characters as text, for a header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.0.expose()).unwrap_or_default()
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.as_str();
        // Of a short key the first characters would be most of it.
        write!(f, "{}…", if text.len() < 4 * SHOWN { "" } else { &text[..SHOWN] })
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({self})")
    }
}
