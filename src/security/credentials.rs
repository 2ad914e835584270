//! What a venue knows an account by.

use super::{ApiKey, KeyError, Secret, Signer, pem};

/// An API key and what signs for it. `Debug` shows neither key.
#[derive(Debug)]
pub struct Credentials {
    /// What the venue calls the account's key.
    pub api_key: ApiKey,
    /// The private half.
    pub signer: Signer,
}

impl Credentials {
    /// From two texts: the API key; and an HMAC secret, or a private key in PEM form.
    ///
    /// # Errors
    /// [`KeyError`] says what is wrong with which.
    pub fn new(api_key: &Secret, secret: &Secret) -> Result<Self, KeyError> {
        let text = api_key.expose();
        let text = std::str::from_utf8(text).map_err(|_| KeyError::BadApiKey { bytes: text.len() })?;
        let api_key = ApiKey::new(text)?;
        let signer = if pem::looks_like_pem(secret.expose()) {
            Signer::from_pem(secret)
        } else {
            Signer::hmac(secret)
        };
        Ok(Self { api_key, signer: signer? })
    }

    /// The API key alone of such a text as [`from_text`](Self::from_text) takes, or of itself; none where it is no key.
    #[must_use]
    pub fn api_key_of(text: &Secret) -> Option<ApiKey> {
        let line = text.expose().trim_ascii_start().split(|byte| *byte == b'\n').next()?;
        ApiKey::new(std::str::from_utf8(line).ok()?).ok()
    }

    /// From one text, as a file has it: the API key in the first line, the secret in the others.
    ///
    /// # Errors
    /// [`KeyError`] says what is wrong with which.
    pub fn from_text(whole: &Secret) -> Result<Self, KeyError> {
        let text = whole.expose().trim_ascii_start();
        let end = text.iter().position(|byte| *byte == b'\n').ok_or(KeyError::OneLine)?;
        let (api_key, secret) = (&text[..end], &text[end + 1..]);
        if secret.trim_ascii().is_empty() {
            return Err(KeyError::OneLine);
        }
        Self::new(&Secret::new(api_key), &Secret::new(secret))
    }
}
