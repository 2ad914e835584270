//! Keys: a wrong one is refused with what is wrong and what to do; a right one is never seen.

#[path = "support/vectors.rs"]
mod vectors;

use algo_trader::security::{
    Algorithm, ApiKey, Credentials, KeyError, Secret, SignatureText, Signer, Verifier, VerifyError,
};
use proptest::prelude::*;
use vectors::{text, vectors};

fn pem(secret: &str) -> KeyError {
    Signer::from_pem(&Secret::new(secret)).expect_err("no key of ours")
}

fn hmac(secret: &str) -> Result<Signer, KeyError> {
    Signer::hmac(&Secret::new(secret))
}

/// A new Ed25519 key as PEM files: private, public.
fn ed25519() -> (String, String) {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
    (pair.serialize_pem(), pair.public_key_pem())
}

fn block(label: &str, body: &str) -> String {
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

/// What stands between the lines of a PEM file.
fn body(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with("-----")).collect()
}

#[test]
fn hmac_is_that_of_the_rfc() {
    let mut signature = SignatureText::new();
    // RFC 4231, test case 2; a file's line break at the end is not part of the secret.
    hmac("Jefe\n").expect("a secret").sign(b"what do ya want for nothing?", &mut signature).expect("HMAC");
    assert_eq!(signature.as_str(), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

#[test]
fn a_secret_that_is_none_is_refused() {
    assert_eq!(hmac(" \n").err(), Some(KeyError::EmptySecret));
    assert_eq!(hmac(" ab cd").err(), Some(KeyError::BadSecret { at: 4 }));
    assert_eq!(hmac("abc\u{e9}").err(), Some(KeyError::BadSecret { at: 4 }));
    assert_eq!(hmac(&ed25519().0).err(), Some(KeyError::PemForSecret));
    assert_eq!(Verifier::hmac(&Secret::new("\n")).err(), Some(KeyError::EmptySecret));
    for bad in ["", "with space", "semi;colon", "qu\"ote", &"x".repeat(129)] {
        assert_eq!(ApiKey::new(bad).err(), Some(KeyError::BadApiKey { bytes: bad.len() }));
    }
    assert_eq!(ApiKey::new(" aZ09-_\n").map(|key| key.as_str().to_owned()), Ok("aZ09-_".to_owned()));
}

#[test]
fn a_key_file_of_another_kind_is_refused_with_what_to_do() {
    let (private, public) = ed25519();
    assert_eq!(pem(""), KeyError::NotPem { expected: "PRIVATE KEY" });
    assert_eq!(pem("5bdcc146bf60754e"), KeyError::NotPem { expected: "PRIVATE KEY" });
    assert_eq!(pem(private.split("-----END").next().expect("a half")), {
        KeyError::NotPem { expected: "PRIVATE KEY" }
    });
    assert_eq!(pem(&public), KeyError::PublicKey);
    assert_eq!(Verifier::from_pem(&private).err(), Some(KeyError::PrivateKey));
    assert_eq!(pem(&block("ENCRYPTED PRIVATE KEY", "AAAA")), KeyError::Encrypted);
    assert_eq!(pem(&block("RSA PRIVATE KEY", "AAAA")), KeyError::NotPkcs8);
    assert_eq!(pem(&block("EC PRIVATE KEY", "AAAA")), KeyError::NotPkcs8);
    assert_eq!(pem(&block("CERTIFICATE", "AAAA")), KeyError::OtherPem { expected: "PRIVATE KEY" });
    assert_eq!(pem(&block("PRIVATE KEY", "A*AA")), KeyError::BadBase64);
    assert_eq!(pem(&block("PRIVATE KEY", "")), KeyError::UnknownAlgorithm);
    let curve = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
    assert_eq!(pem(&curve.serialize_pem()), KeyError::UnknownAlgorithm);
    let told = KeyError::NotPkcs8.to_string();
    assert!(told.contains("openssl pkcs8 -topk8"), "{told}");
}

#[test]
fn a_damaged_key_is_refused() {
    let cut = |body: &str| body[..body.len() / 2 / 4 * 4].to_owned();
    let (private, public) = ed25519();
    let damaged = |algorithm| KeyError::Damaged { algorithm, reason: "InvalidEncoding" };
    let half = pem(&block("PRIVATE KEY", &cut(&body(&private))));
    assert_eq!(half, damaged(Algorithm::Ed25519));
    let half = Verifier::from_pem(&block("PUBLIC KEY", &cut(&body(&public))));
    assert_eq!(half.err(), Some(damaged(Algorithm::Ed25519)));
    let Some(all) = vectors() else { return };
    let half = pem(&block("PRIVATE KEY", &cut(&body(text(&all, "/rsa/privateKeyPem")))));
    assert_eq!(half, damaged(Algorithm::RsaSha256));
    let half = Verifier::from_pem(&block("PUBLIC KEY", &cut(&body(text(&all, "/rsa/publicKeyPem")))));
    assert_eq!(half.err(), Some(damaged(Algorithm::RsaSha256)));
}

#[test]
fn a_signature_in_no_form_of_one_is_told_from_a_wrong_one() {
    let verifier = Verifier::hmac(&Secret::new("Jefe")).expect("a secret");
    let form = Err(VerifyError::Form(Algorithm::HmacSha256));
    for bad in ["0", "0g", "é", &"00".repeat(700)] {
        assert_eq!(verifier.verify(b"", bad.as_bytes()), form, "{bad}");
    }
    assert_eq!(verifier.verify(b"", b"00"), Err(VerifyError::Wrong(Algorithm::HmacSha256)));
    let verifier = Verifier::from_pem(&ed25519().1).expect("a public key");
    for bad in ["A", "****", &"AAAA".repeat(400)] {
        assert_eq!(verifier.verify(b"", bad.as_bytes()), Err(VerifyError::Form(Algorithm::Ed25519)), "{bad}");
    }
    assert_eq!(verifier.verify(b"", b"AAAA"), Err(VerifyError::Wrong(Algorithm::Ed25519)));
}

#[test]
fn what_a_new_key_signs_verifies_by_its_public_half_alone() {
    let ((private, public), (_, other)) = (ed25519(), ed25519());
    let signer = Signer::from_pem(&Secret::new(private)).expect("a private key");
    let mut signature = SignatureText::new();
    signer.sign(b"timestamp=1", &mut signature).expect("a signature");
    let verified = |pem: &str| {
        Verifier::from_pem(pem).expect("a public key").verify(b"timestamp=1", signature.as_bytes())
    };
    assert_eq!(verified(&public), Ok(()));
    assert_eq!(verified(&other), Err(VerifyError::Wrong(Algorithm::Ed25519)));
}

/// Every text that can be got of things made from `secret`.
fn seen(secret: &str) -> Vec<String> {
    let held = Secret::new(secret);
    let mut texts = vec![format!("{held:?} {held} {held:#?}")];
    let signers = [Signer::hmac(&held), Signer::from_pem(&held)];
    for signer in signers {
        texts.push(match signer {
            Ok(signer) => {
                let api_key = ApiKey::new("anything").expect("an API key");
                let credentials = Credentials { api_key, signer };
                format!("{credentials:?} {credentials:#?}")
            }
            Err(error) => format!("{error} {error:?}"),
        });
    }
    texts.push(match Verifier::hmac(&held) {
        Ok(verifier) => format!("{verifier:?}"),
        Err(error) => format!("{error} {error:?}"),
    });
    texts.push(match ApiKey::new(secret) {
        Ok(key) => format!("{key:?} {key} {key:#?}"),
        Err(error) => format!("{error} {error:?}"),
    });
    texts
}

proptest! {
    #[test]
    fn no_part_of_a_secret_is_ever_in_a_text(
        // Digits and signs of which no message of ours has five in a row.
        secret in "[0-9~^|{}]{16,64}",
        form in 0..4usize,
    ) {
        let file = match form {
            0 => secret.clone(),
            1 => block("PRIVATE KEY", &secret),
            2 => block(&secret, "AAAA"),
            _ => format!("{secret} {secret}"),
        };
        for text in seen(&file) {
            for part in secret.as_bytes().windows(5) {
                let part = std::str::from_utf8(part).expect("ASCII");
                prop_assert!(!text.contains(part), "{} has {}", text, part);
            }
        }
    }
}

proptest! {
    #[test]
    fn an_api_key_shows_its_first_characters_at_most(key in "[A-Za-z0-9]{1,128}") {
        let held = ApiKey::new(&key).expect("an API key");
        let signer = hmac("Jefe").expect("a secret");
        let shown = format!("{held}");
        prop_assert!(shown.chars().count() <= 5 && (key.len() >= 16 || shown == "…"), "{}", shown);
        let credentials = Credentials { api_key: held, signer };
        prop_assert_eq!(
            format!("{credentials:?}"),
            format!("Credentials {{ api_key: ApiKey({shown}), signer: Signer(HMAC-SHA256, hidden) }}")
        );
    }
}

#[test]
fn no_part_of_a_key_file_is_ever_in_a_text() {
    let (private, _) = ed25519();
    let (whole, halved) = (body(&private), private.replace('\n', " \n "));
    for file in [&private, &halved, &private[..private.len() - 40].to_owned()] {
        for text in seen(file) {
            for part in whole.as_bytes().windows(8) {
                assert!(!text.contains(std::str::from_utf8(part).expect("ASCII")), "{text}");
            }
        }
    }
}
