//! Signatures and requests equal Binance's own examples.

#[path = "support/vectors.rs"]
mod vectors;

use algo_trader::security::{Secret, SignatureText, Verifier, VerifyError};
use algo_trader::venue::binance::request::{
    Auth, Name, Params, RecvWindow, RestRequest, Timing, WsParams, WsRequest,
};
use serde_json::Value;
use vectors::{credentials, list, signer, text, vectors};

/// Key kind and list of every vector whose key is known.
const SIGNED: [(&str, &str); 6] = [
    ("hmac", "/hmac/rest"),
    ("hmac", "/hmac/ws"),
    ("hmac", "/hmac/derived"),
    ("ed25519", "/ed25519/docsVerified"),
    ("ed25519", "/ed25519/derived"),
    ("rsa", "/rsa/derived"),
];

/// A venue's side of the key.
fn verifier(all: &Value, kind: &str) -> Verifier {
    let made = match kind {
        "hmac" => Verifier::hmac(&Secret::new(text(all, "/hmac/secretKey"))),
        "rsa" => Verifier::from_pem(text(all, "/rsa/publicKeyPem")),
        _ => {
            let body = text(all, "/ed25519/publicKeySpkiB64");
            Verifier::from_pem(&format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"))
        }
    };
    made.expect("a good key")
}

#[test]
fn every_vector_is_signed_as_given_and_verifies() {
    let Some(all) = vectors() else { return };
    let mut count = 0;
    for (kind, place) in SIGNED {
        let (signer, verifier) = (signer(&all, kind), verifier(&all, kind));
        let mut signature = SignatureText::new();
        for vector in list(&all, place) {
            let (payload, wanted) = (text(vector, "/payload").as_bytes(), text(vector, "/signature"));
            signer.sign(payload, &mut signature).expect("a signature");
            assert_eq!(signature.as_str(), wanted, "{place}: {vector}");
            assert_eq!(verifier.verify(payload, wanted.as_bytes()), Ok(()));
            let other = [payload, b"0"].concat();
            assert_eq!(
                verifier.verify(&other, wanted.as_bytes()),
                Err(VerifyError::Wrong(verifier.algorithm()))
            );
            if kind == "hmac" {
                assert_eq!(verifier.verify(payload, wanted.to_uppercase().as_bytes()), Ok(()));
            }
            count += 1;
        }
    }
    assert_eq!(count, 33, "a vector was added or lost");
    let public = signer(&all, "ed25519").public_key().map(hex);
    assert_eq!(public.as_deref(), Some(text(&all, "/ed25519/publicKeyHex")));
}

#[test]
fn examples_of_unknown_keys_are_no_signatures_of_ours() {
    let Some(all) = vectors() else { return };
    let verifiers = [verifier(&all, "ed25519"), verifier(&all, "rsa")];
    for vector in list(&all, "/docsUnverifiable/items") {
        for verifier in &verifiers {
            let (payload, signature) = (text(vector, "/payload"), text(vector, "/signature"));
            assert!(verifier.verify(payload.as_bytes(), signature.as_bytes()).is_err(), "{vector}");
        }
    }
}

#[test]
fn queries_are_built_and_signed_as_the_rest_examples() {
    let Some(all) = vectors() else { return };
    let mut built = 0;
    for (kind, place) in SIGNED.into_iter().filter(|(_, place)| !place.ends_with("/ws")) {
        let credentials = credentials("key", signer(&all, kind));
        for vector in list(&all, place) {
            let (payload, signature) = (text(vector, "/payload"), text(vector, "/signature"));
            let note = vector.get("note").and_then(Value::as_str).unwrap_or_default();
            if ["FIX", "WS", "session.logon", "split"].iter().any(|other| note.starts_with(other)) {
                continue;
            }
            let encoded = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
            if let Some(given) = vector.get("signaturePercentEncoded").and_then(Value::as_str) {
                assert_eq!(encoded, given);
            }
            let wanted = format!("{payload}&signature={encoded}");
            let mut rest = RestRequest::new();
            assert_eq!(rest.sign_query(payload.as_bytes(), None, &credentials), Ok(&*wanted));
            if let Some(cut) = payload.strip_suffix("&recvWindow=5000") {
                let window = RecvWindow::from_millis(5_000);
                assert_eq!(rest.sign_query(cut.as_bytes(), window, &credentials), Ok(&*wanted));
            } else {
                let (timing, pairs) = taken_apart(payload);
                let query = rest.write_with(timing, &credentials, |params| {
                    pairs.iter().for_each(|(name, value)| params.text(*name, value));
                    Ok(())
                });
                assert_eq!(query, Ok(&*wanted));
            }
            built += 1;
        }
    }
    assert_eq!(built, 10, "a vector was added or lost");
}

#[test]
fn requests_are_built_and_signed_as_the_websocket_examples() {
    let Some(all) = vectors() else { return };
    let mut built = 0;
    for (kind, place) in SIGNED {
        for vector in list(&all, place) {
            let payload = text(vector, "/payload");
            if !payload.starts_with("apiKey=") {
                continue;
            }
            let (timing, mut pairs) = taken_apart(payload);
            let at = pairs.iter().position(|(name, _)| *name == Name::ApiKey).expect("the filter above");
            let credentials = credentials(&pairs.remove(at).1, signer(&all, kind));
            let method = vector.get("method").and_then(Value::as_str).unwrap_or("order.place");
            let fill = |params: &mut WsParams<'_>| {
                pairs.iter().for_each(|(name, value)| params.text(*name, value));
                Ok(())
            };
            let mut request = WsRequest::new();
            let bytes = request.write_with(7, method, timing, Auth::Signed(&credentials), fill);
            let json: Value = serde_json::from_slice(bytes.expect("a request")).expect("JSON");
            assert_eq!((json["id"].as_u64(), json["method"].as_str()), (Some(7), Some(method)));
            assert_eq!(json["params"]["signature"].as_str(), vector["signature"].as_str(), "{vector}");
            assert_eq!(std::str::from_utf8(request.signed_text()), Ok(payload));
            for (name, value) in &pairs {
                assert_eq!(json["params"][name.text()].as_str(), Some(&**value));
            }
            built += 1;
        }
    }
    assert_eq!(built, 21, "a vector was added or lost");
}

/// Window and time of a payload, and its other parameters, decoded.
fn taken_apart(payload: &str) -> (Timing, Vec<(Name, String)>) {
    let mut timing = Timing { timestamp: 0, recv_window: None };
    let mut pairs = Vec::new();
    for pair in payload.split('&') {
        let (name, value) = pair.split_once('=').expect("a pair");
        match Name::find(name).unwrap_or_else(|| panic!("{name} is no known name")) {
            Name::Timestamp => timing.timestamp = value.parse().expect("a time"),
            Name::RecvWindow => {
                let millis: f64 = value.parse().expect("a window");
                timing.recv_window = RecvWindow::from_micros((millis * 1000.0).round() as u32);
            }
            name => pairs.push((name, percent_decoded(value))),
        }
    }
    (timing, pairs)
}

fn percent_decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).expect("two digits"));
        bytes.extend(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).expect("UTF-8")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
