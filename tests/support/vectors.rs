//! Binance's signing vectors, for tests that compare with them.

#![allow(dead_code, reason = "each user takes a part")]

use algo_trader::security::{ApiKey, Credentials, Secret, Signer};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The vectors, which lie beside the recordings; `None`, with a line that says so, where they are absent.
///
/// # Panics
/// Where they are absent and `ALGO_TRADER_REQUIRE_SHARED=1` says that they must not be.
pub fn vectors() -> Option<Value> {
    let shared = std::env::var_os("ALGO_TRADER_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"));
    let path = shared.join("../binance/test_vectors.json");
    let Ok(text) = std::fs::read(&path) else {
        let required = std::env::var_os("ALGO_TRADER_REQUIRE_SHARED").is_some_and(|value| value == "1");
        assert!(!required, "no signing vectors in {}", path.display());
        println!("SKIPPED: no signing vectors in {} (set ALGO_TRADER_SHARED)", path.display());
        return None;
    };
    Some(serde_json::from_slice(&text).expect("vectors in JSON"))
}

/// The text at `pointer`.
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} in the vectors"))
}

/// The list at `pointer`, which is not empty.
pub fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    let list = value.pointer(pointer).and_then(Value::as_array).unwrap_or_else(|| panic!("{pointer}"));
    assert!(!list.is_empty(), "{pointer}");
    list
}

/// What signs with the key of `kind`: `hmac`, `ed25519`, `rsa`.
pub fn signer(vectors: &Value, kind: &str) -> Signer {
    let made = match kind {
        "hmac" => Signer::hmac(&Secret::new(text(vectors, "/hmac/secretKey"))),
        _ => Signer::from_pem(&Secret::new(text(vectors, &format!("/{kind}/privateKeyPem")))),
    };
    made.expect("a good key")
}

/// Credentials with an API key of our choice.
pub fn credentials(api_key: &str, signer: Signer) -> Credentials {
    Credentials { api_key: ApiKey::new(api_key).expect("an API key"), signer }
}
