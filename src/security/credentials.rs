//! What a venue knows an account by.

use super::{ApiKey, Signer};

/// An API key and what signs for it. `Debug` shows neither key.
#[derive(Debug)]
pub struct Credentials {
    /// What the venue calls the account's key.
    pub api_key: ApiKey,
    /// The private half.
    pub signer: Signer,
}
