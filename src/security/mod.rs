//! Secrets and what is made with them: API keys, signatures, their verification.
//!
//! Owns: every private key and shared secret of the process. Knows no venue, does no I/O, and has no cryptography of
//! its own: that is `ring`'s. Invariant: no secret is ever in a `Debug` or `Display` text, or in an error.

mod api_key;
mod credentials;
mod error;
mod pem;
mod secret;
mod signature;
mod signer;
mod verifier;

pub use api_key::{API_KEY_BYTES_MAX, ApiKey};
pub use credentials::Credentials;
pub use error::{KeyError, SignError, VerifyError};
pub use secret::Secret;
pub use signature::{SIGNATURE_BYTES_MAX, SignatureText};
pub use signer::{Algorithm, Signer};
pub use verifier::Verifier;
