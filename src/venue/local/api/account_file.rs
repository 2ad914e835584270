//! Accounts from a file, and one to try things out with.
//!
//! Owns: the form of the file. A file holds one account or many:
//!
//! ```toml
//! [[account]]
//! name = "alice"
//! balances = { USDT = "100000", BTC = "2.5" }
//!
//! [[account.key]]
//! api_key = "alicekey"
//! secret = "alicesecret"            # HMAC; or public_key = "-----BEGIN PUBLIC KEY----- …" (Ed25519, RSA)
//! trading = true                    # where not given: true, and withdrawals false
//! ```

use super::keys::{AccountOptions, KeyOptions, Permissions};
use crate::domain::{Instrument, Market};
use crate::security::{ApiKey, KeyError, Secret, Verifier};
use crate::venue::local::rng::split_mix;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::IpAddr;
use thiserror::Error;

/// Why a file of accounts is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AccountFileError {
    /// Not the form.
    #[error("no accounts can be read: {0}")]
    Form(String),
    /// A key that is none.
    #[error("account {account:?}, key {key:?}: {error}")]
    Key {
        /// Whose.
        account: String,
        /// Which, its first characters.
        key: String,
        /// What is wrong.
        error: KeyError,
    },
    /// A key with no secret, or with two.
    #[error(
        "account {account:?}, key {key:?}: give either secret (HMAC) or public_key (Ed25519 or RSA, PEM)"
    )]
    OneOf {
        /// Whose.
        account: String,
        /// Which, its first characters.
        key: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    account: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    #[serde(default)]
    balances: BTreeMap<String, String>,
    #[serde(default)]
    key: Vec<KeyRow>,
    trade_group: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyRow {
    api_key: String,
    secret: Option<String>,
    public_key: Option<String>,
    #[serde(default = "yes")]
    reading: bool,
    #[serde(default = "yes")]
    trading: bool,
    #[serde(default)]
    withdrawals: bool,
    #[serde(default)]
    addresses: Vec<IpAddr>,
}

fn yes() -> bool {
    true
}

/// The accounts that a file holds, TOML.
///
/// # Errors
/// [`AccountFileError`] says what is wrong with it; no secret is in it.
pub fn read_accounts(text: &str) -> Result<Vec<AccountOptions>, AccountFileError> {
    // The parser's own message would show the line, and with it perhaps a secret.
    let form = |error: toml::de::Error| {
        let at = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        AccountFileError::Form(format!("line {at}: {}", error.message()))
    };
    let file: File = toml::from_str(text).map_err(form)?;
    if file.account.is_empty() {
        return Err(AccountFileError::Form("there is no [[account]]".into()));
    }
    file.account.into_iter().map(account).collect()
}

fn account(row: Row) -> Result<AccountOptions, AccountFileError> {
    let keys = row.key.into_iter().map(|key| self::key(&row.name, key)).collect::<Result<Vec<_>, _>>()?;
    Ok(AccountOptions {
        keys,
        balances: row.balances.into_iter().collect(),
        trade_group: row.trade_group,
        name: row.name,
    })
}

fn key(account: &str, row: KeyRow) -> Result<KeyOptions, AccountFileError> {
    let shown: String = row.api_key.chars().take(4).collect();
    let wrong = |error| AccountFileError::Key { account: account.into(), key: shown.clone(), error };
    let verifier = match (row.secret, row.public_key) {
        (Some(secret), None) => Verifier::hmac(&Secret::new(secret)),
        (None, Some(pem)) => Verifier::from_pem(&pem),
        _ => return Err(AccountFileError::OneOf { account: account.into(), key: shown }),
    };
    Ok(KeyOptions {
        api_key: ApiKey::new(&row.api_key).map_err(wrong)?,
        verifier: verifier.map_err(wrong)?,
        permissions: Permissions { reading: row.reading, trading: row.trading, withdrawals: row.withdrawals },
        addresses: row.addresses,
    })
}

/// The key of an account to try things out with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoKey {
    /// What is sent.
    pub api_key: String,
    /// What signs, by HMAC. No secret: it is the same for everybody.
    pub secret: String,
}

/// An account `demo` with a million of each quote asset and a hundred of each base asset, and its key. The same call
/// gives the same key.
#[must_use]
pub fn demo_account(instruments: &[Instrument]) -> (AccountOptions, DemoKey) {
    let text = |mut state: u64| -> String {
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        (0..64).map(|_| char::from(letters[(split_mix(&mut state) % 62) as usize])).collect()
    };
    let key = DemoKey { api_key: text(1), secret: text(2) };
    let mut balances = BTreeMap::new();
    for of in instruments.iter().filter(|of| of.market == Market::Spot) {
        balances.entry(of.base.clone()).or_insert("100");
    }
    for of in instruments.iter().filter(|of| of.market == Market::Spot) {
        balances.insert(of.quote.clone(), "1000000");
    }
    let made = ApiKey::new(&key.api_key).ok().zip(Verifier::hmac(&Secret::new(key.secret.as_str())).ok());
    let account = AccountOptions {
        name: "demo".into(),
        keys: made.into_iter().map(|(api_key, verifier)| KeyOptions::new(api_key, verifier)).collect(),
        balances: balances.into_iter().map(|(asset, amount)| (asset, amount.to_owned())).collect(),
        trade_group: None,
    };
    (account, key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::local::demo_instruments;

    #[test]
    fn a_file_holds_accounts_with_their_keys() {
        let text = r#"
            [[account]]
            name = "alice"
            balances = { USDT = "100", BTC = "0.5" }
            [[account.key]]
            api_key = "alicekey"
            secret = "alicesecret"
            trading = false
            addresses = ["127.0.0.1"]
        "#;
        let accounts = read_accounts(text).expect("an account");
        let key = &accounts[0].keys[0];
        assert_eq!((accounts[0].name.as_str(), key.api_key.as_str()), ("alice", "alicekey"));
        assert!(!key.permissions.trading && key.permissions.reading && key.addresses.len() == 1);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_and_no_secret_with_it() {
        let key = |rest: &str| {
            format!("[[account]]\nname = \"a\"\n[[account.key]]\napi_key = \"abcdefgh\"\n{rest}")
        };
        for text in [
            String::new(),
            "account = 5".into(),
            key(""),
            key("secret = \"hushhush\"\npublic_key = \"x\""),
            key("secret = \"hushhush\"\nmore = 1"),
            key("secret = \"\""),
            key("public_key = \"hushhush\""),
            key("secret = \"hushhush"),
        ] {
            let error = read_accounts(&text).expect_err("no account").to_string();
            assert!(!error.contains("hush") && !error.contains("efgh"), "{error}");
        }
    }

    #[test]
    fn the_demo_account_has_something_of_everything() {
        let (account, key) = demo_account(&demo_instruments());
        assert_eq!((account.keys.len(), key.api_key.len(), key.secret.len()), (1, 64, 64));
        let expected = [("BTC", "100"), ("ETH", "100"), ("USDT", "1000000")];
        let found: Vec<(&str, &str)> =
            account.balances.iter().map(|(asset, amount)| (asset.as_str(), amount.as_str())).collect();
        assert_eq!(found, expected);
    }
}
