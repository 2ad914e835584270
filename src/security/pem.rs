//! Keys in PEM form (RFC 7468), decoded in constant time and into memory that is overwritten afterwards.

use super::KeyError;
use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

/// The label of a private key in PKCS#8 form.
pub(super) const PRIVATE: &str = "PRIVATE KEY";
/// The label of a public key in SPKI form.
pub(super) const PUBLIC: &str = "PUBLIC KEY";

/// Whether `text` starts as a PEM file does.
pub(super) fn looks_like_pem(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(b"-----BEGIN ")
}

/// The DER of the first block in `text`, which must be labelled `expected`.
pub(super) fn decode(text: &[u8], expected: &'static str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let none = KeyError::NotPem { expected };
    let (_, rest) = cut(text, b"-----BEGIN ").ok_or(none)?;
    let (label, rest) = cut(rest, b"-----").ok_or(none)?;
    if label != expected.as_bytes() {
        return Err(match label {
            b"ENCRYPTED PRIVATE KEY" => KeyError::Encrypted,
            b"RSA PRIVATE KEY" | b"EC PRIVATE KEY" | b"OPENSSH PRIVATE KEY" => KeyError::NotPkcs8,
            b"PUBLIC KEY" | b"RSA PUBLIC KEY" => KeyError::PublicKey,
            b"PRIVATE KEY" => KeyError::PrivateKey,
            _ => KeyError::OtherPem { expected },
        });
    }
    let (body, rest) = cut(rest, b"-----END ").ok_or(none)?;
    if !rest.starts_with(expected.as_bytes()) {
        return Err(none);
    }
    let mut characters = Zeroizing::new(Vec::with_capacity(body.len()));
    characters.extend(body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()));
    let mut der = Zeroizing::new(vec![0; characters.len()]);
    let length = Base64::decode(&characters[..], &mut der).map_err(|_| KeyError::BadBase64)?.len();
    der.truncate(length);
    Ok(der)
}

/// What stands before and after the first `mark`.
fn cut<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(mark.len()).position(|window| window == mark)?;
    Some((&text[..at], &text[at + mark.len()..]))
}
