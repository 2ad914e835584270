//! Signing with a venue's three kinds of keys.

use super::{KeyError, Secret, SignError, SignatureText, pem};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use std::fmt;

/// The largest RSA signature, bytes: 4096 bits.
const RSA_BYTES_MAX: usize = 512;

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256 under a shared secret; hex.
    HmacSha256,
    /// Ed25519; base64.
    Ed25519,
    /// RSA with PKCS#1 v1.5 padding and SHA-256; base64.
    RsaSha256,
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HmacSha256 => "HMAC-SHA256",
            Self::Ed25519 => "Ed25519",
            Self::RsaSha256 => "RSA-SHA256",
        })
    }
}

/// A private key, ready to sign: its schedule is computed once, here.
///
/// What it is made from is overwritten when that is dropped; the state that `ring` derives from it is not, since `ring`
/// gives no way to.
pub struct Signer(Key);

/// The keys that sign. RSA's is a thousand bytes and the slowest by far, so it lives elsewhere.
enum Key {
    Hmac(hmac::Key),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>, SystemRandom),
}

impl Signer {
    /// Signs by HMAC under `secret`, whose white space at both ends is passed over: files end in a line break.
    ///
    /// # Errors
    /// [`KeyError`] where it is empty, has white space inside, or is a key file.
    pub fn hmac(secret: &Secret) -> Result<Self, KeyError> {
        if pem::looks_like_pem(secret.expose()) {
            return Err(KeyError::PemForSecret);
        }
        let whole = secret.expose();
        let bytes = whole.trim_ascii();
        if bytes.is_empty() {
            return Err(KeyError::EmptySecret);
        }
        if let Some(at) = bytes.iter().position(|byte| !byte.is_ascii_graphic()) {
            let skipped = whole.len() - whole.trim_ascii_start().len();
            return Err(KeyError::BadSecret { at: skipped + at + 1 });
        }
        Ok(Self(Key::Hmac(hmac::Key::new(hmac::HMAC_SHA256, bytes))))
    }

    /// Signs by the private key in `text`: PEM with PKCS#8, Ed25519 or RSA of 2048 to 4096 bits, without passphrase.
    ///
    /// # Errors
    /// [`KeyError`] says what it is instead, and how to make it fit.
    pub fn from_pem(text: &Secret) -> Result<Self, KeyError> {
        let der = pem::decode(text.expose(), pem::PRIVATE)?;
        let damaged = |algorithm| move |reason| KeyError::Damaged { algorithm, reason };
        match algorithm_of(&der) {
            Some(Algorithm::Ed25519) => {
                // Files of OpenSSL do not hold the public key, which the stricter reader compares.
                let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der);
                let key = key.map_err(reason).map_err(damaged(Algorithm::Ed25519))?;
                Ok(Self(Key::Ed25519(key)))
            }
            Some(_) => match RsaKeyPair::from_pkcs8(&der).map_err(reason) {
                Ok(key) if key.public().modulus_len() <= RSA_BYTES_MAX => {
                    Ok(Self(Key::Rsa(Box::new(key), SystemRandom::new())))
                }
                Ok(_) | Err("TooSmall" | "TooLarge") => Err(KeyError::RsaSize),
                Err(reason) => Err(damaged(Algorithm::RsaSha256)(reason)),
            },
            None => Err(KeyError::UnknownAlgorithm),
        }
    }

    /// How it signs.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self.0 {
            Key::Hmac(_) => Algorithm::HmacSha256,
            Key::Ed25519(_) => Algorithm::Ed25519,
            Key::Rsa(..) => Algorithm::RsaSha256,
        }
    }

    /// The public key that verifies, as `ring` takes it: 32 bytes of Ed25519, DER of PKCS#1 for RSA; HMAC has none.
    #[must_use]
    pub fn public_key(&self) -> Option<&[u8]> {
        match &self.0 {
            Key::Hmac(_) => None,
            Key::Ed25519(key) => Some(key.public_key().as_ref()),
            Key::Rsa(key, _) => Some(key.public_key().as_ref()),
        }
    }

    /// Signs `payload`, replacing what is in `out`. The same payload always gives the same signature. Allocates
    /// nothing with HMAC and Ed25519; RSA's arithmetic does.
    ///
    /// # Errors
    /// [`SignError`] where RSA gets no random numbers to blind with; `out` is then empty.
    #[inline]
    pub fn sign(&self, payload: &[u8], out: &mut SignatureText) -> Result<(), SignError> {
        out.clear();
        match &self.0 {
            Key::Hmac(key) => out.set(Algorithm::HmacSha256, hmac::sign(key, payload).as_ref()),
            Key::Ed25519(key) => out.set(Algorithm::Ed25519, key.sign(payload).as_ref()),
            Key::Rsa(key, random) => {
                let mut raw = [0; RSA_BYTES_MAX];
                let raw = &mut raw[..key.public().modulus_len().min(RSA_BYTES_MAX)];
                key.sign(&RSA_PKCS1_SHA256, random, payload, raw)
                    .map_err(|_| SignError::Failed(Algorithm::RsaSha256))?;
                out.set(Algorithm::RsaSha256, raw);
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({}, hidden)", self.algorithm())
    }
}

/// The reasons of `ring`, which are words of its own and name no byte of a key.
fn reason(rejected: ring::error::KeyRejected) -> &'static str {
    const KNOWN: [&str; 7] = [
        "InconsistentComponents",
        "InvalidComponent",
        "InvalidEncoding",
        "PublicKeyIsMissing",
        "TooLarge",
        "TooSmall",
        "VersionNotSupported",
    ];
    let text = rejected.to_string();
    KNOWN.into_iter().find(|known| text == *known).unwrap_or("not accepted")
}

/// What the algorithm's identifier near the start of a PKCS#8 or SPKI structure says.
pub(super) fn algorithm_of(der: &[u8]) -> Option<Algorithm> {
    const ED25519: &[u8] = &[0x06, 0x03, 0x2B, 0x65, 0x70];
    const RSA: &[u8] = &[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];
    // Before it stand two headers and perhaps a version, at most 12 bytes.
    let head = &der[..der.len().min(24)];
    let names = |identifier: &[u8]| head.windows(identifier.len()).any(|window| window == identifier);
    match (names(ED25519), names(RSA)) {
        (true, _) => Some(Algorithm::Ed25519),
        (_, true) => Some(Algorithm::RsaSha256),
        _ => None,
    }
}
