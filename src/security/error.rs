//! What can be wrong with keys and signatures. No message has a byte of a key in it.

use super::{API_KEY_BYTES_MAX, Algorithm};
use thiserror::Error;

/// Why a key is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Nothing but white space.
    #[error("the secret is empty: give the secret that the venue showed when the API key was made")]
    EmptySecret,
    /// A key file without a second line.
    #[error("a key file has the API key in its first line and the secret in the others")]
    OneLine,
    /// A byte that no venue puts into a secret.
    #[error("byte {at} of the secret is white space or no ASCII character: was more than the secret copied?")]
    BadSecret {
        /// Where, counted from 1.
        at: usize,
    },
    /// A key file where a shared secret was expected.
    #[error("this is a key in PEM form, not an HMAC secret: declare the key as Ed25519 or RSA")]
    PemForSecret,
    /// Not an API key.
    #[error(
        "an API key is 1 to {API_KEY_BYTES_MAX} letters and digits, and this one has {bytes} bytes or other characters"
    )]
    BadApiKey {
        /// How long it is.
        bytes: usize,
    },
    /// No `-----BEGIN …-----` with its `-----END …-----`.
    #[error("no key in PEM form: expected {expected:?} between -----BEGIN and -----END lines")]
    NotPem {
        /// The label looked for.
        expected: &'static str,
    },
    /// A key under a passphrase.
    #[error("the private key is encrypted: remove its passphrase, openssl pkcs8 -in KEY -out KEY.plain")]
    Encrypted,
    /// An older form of private keys.
    #[error(
        "the private key is not in PKCS#8 form: convert it, openssl pkcs8 -topk8 -nocrypt -in KEY -out KEY.p8"
    )]
    NotPkcs8,
    /// A public key where the private one is needed.
    #[error("this is the public key, which the venue has: give the private one")]
    PublicKey,
    /// A private key where the public one is needed.
    #[error("this is a private key: give the public one, openssl pkey -in KEY -pubout")]
    PrivateKey,
    /// Something else in PEM form.
    #[error("this PEM file holds something else than a key: expected {expected:?}")]
    OtherPem {
        /// The label looked for.
        expected: &'static str,
    },
    /// What stands between the lines is not base64.
    #[error("the key's base64 is damaged: copy the whole file, -----BEGIN and -----END lines included")]
    BadBase64,
    /// A kind of key that signs nothing here.
    #[error(
        "a key of another kind than Ed25519 and RSA: make one of these, openssl genpkey -algorithm ed25519"
    )]
    UnknownAlgorithm,
    /// An RSA key of a size that is not used.
    #[error("the RSA key has not 2048 to 4096 bits: make one of 2048, 3072 or 4096")]
    RsaSize,
    /// The right kind of key, but its numbers do not fit together or its encoding is cut.
    #[error("the {algorithm} key is damaged ({reason}): export it again")]
    Damaged {
        /// What it claims to be.
        algorithm: Algorithm,
        /// What is wrong in the words of the primitive.
        reason: &'static str,
    },
}

/// Why there is no signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignError {
    /// The primitive failed, which it does only when the system has no random numbers.
    #[error("the {0} signature could not be made: has the system no source of random numbers?")]
    Failed(Algorithm),
}

/// Why a signature is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum VerifyError {
    /// It is not even in the form of one: hex for HMAC, base64 for the others.
    #[error("not a signature: {0} has another form or length")]
    Form(Algorithm),
    /// It is one, of something else or by somebody else.
    #[error("the {0} signature is not of this text by this key")]
    Wrong(Algorithm),
}
