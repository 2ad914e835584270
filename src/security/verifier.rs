//! Verifying signatures: what a venue does, and so what the local one and the tests do.

use super::signer::algorithm_of;
use super::{Algorithm, KeyError, SIGNATURE_BYTES_MAX, Secret, VerifyError, pem};
use base64ct::{Base64, Encoding};
use ring::hmac;
use ring::signature::{ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use std::fmt;

/// Bytes of an Ed25519 public key.
const ED25519_BYTES: usize = 32;

/// What tells whether a signature is good.
pub struct Verifier(Key);

enum Key {
    Hmac(hmac::Key),
    Ed25519(UnparsedPublicKey<Vec<u8>>),
    Rsa(UnparsedPublicKey<Vec<u8>>),
}

impl Verifier {
    /// Verifies HMACs under `secret`, whose white space at both ends is passed over.
    ///
    /// # Errors
    /// [`KeyError::EmptySecret`] where nothing is left.
    pub fn hmac(secret: &Secret) -> Result<Self, KeyError> {
        let bytes = secret.expose().trim_ascii();
        if bytes.is_empty() {
            return Err(KeyError::EmptySecret);
        }
        Ok(Self(Key::Hmac(hmac::Key::new(hmac::HMAC_SHA256, bytes))))
    }

    /// Verifies by the public key in `text`: PEM with SPKI, Ed25519 or RSA.
    ///
    /// # Errors
    /// [`KeyError`] where it is not that.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let der = pem::decode(text.as_bytes(), pem::PUBLIC)?;
        let algorithm = algorithm_of(&der).ok_or(KeyError::UnknownAlgorithm)?;
        let damaged = KeyError::Damaged { algorithm, reason: "InvalidEncoding" };
        let key = public_key(&der).ok_or(damaged)?.to_vec();
        match algorithm {
            Algorithm::Ed25519 if key.len() == ED25519_BYTES => {
                Ok(Self(Key::Ed25519(UnparsedPublicKey::new(&ED25519, key))))
            }
            Algorithm::RsaSha256 => {
                Ok(Self(Key::Rsa(UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key))))
            }
            _ => Err(damaged),
        }
    }

    /// How the signatures it takes are made.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self.0 {
            Key::Hmac(_) => Algorithm::HmacSha256,
            Key::Ed25519(_) => Algorithm::Ed25519,
            Key::Rsa(_) => Algorithm::RsaSha256,
        }
    }

    /// Whether `signature` is of `payload` by this key: hex in either case for HMAC, base64 for the others, already
    /// decoded where it came percent-encoded. HMACs are compared in constant time.
    ///
    /// # Errors
    /// [`VerifyError`] where it is not.
    pub fn verify(&self, payload: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
        let algorithm = self.algorithm();
        let (form, wrong) = (VerifyError::Form(algorithm), VerifyError::Wrong(algorithm));
        let mut room = [0; SIGNATURE_BYTES_MAX];
        let verified = match &self.0 {
            Key::Hmac(key) => hmac::verify(key, payload, unhex(signature, &mut room).ok_or(form)?),
            Key::Ed25519(key) | Key::Rsa(key) => {
                key.verify(payload, Base64::decode(signature, &mut room).map_err(|_| form)?)
            }
        };
        verified.map_err(|_| wrong)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({})", self.algorithm())
    }
}

fn unhex<'a>(text: &[u8], room: &'a mut [u8]) -> Option<&'a [u8]> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|value| value as u8);
    let bytes = room.get_mut(..text.len() / 2).filter(|_| text.len().is_multiple_of(2))?;
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// The bit string in `SEQUENCE { SEQUENCE { algorithm }, BIT STRING }`.
fn public_key(der: &[u8]) -> Option<&[u8]> {
    let (whole, rest) = element(der, 0x30)?;
    let (_, bits) = element(whole, 0x30)?;
    let (bits, after) = element(bits, 0x03)?;
    let (unused, key) = bits.split_first()?;
    (*unused == 0 && rest.is_empty() && after.is_empty()).then_some(key)
}

/// The contents of the element at the start of `der`, which has this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let [found, length, rest @ ..] = der else { return None };
    if *found != tag {
        return None;
    }
    let (length, rest) = match (*length, rest) {
        (short @ ..=0x7F, rest) => (usize::from(short), rest),
        (0x81, [length, rest @ ..]) => (usize::from(*length), rest),
        (0x82, [high, low, rest @ ..]) => (usize::from(*high) << 8 | usize::from(*low), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}
