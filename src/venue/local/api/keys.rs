//! Accounts and their keys: who may ask what.
//!
//! Owns: the keys. Invariant: a secret never leaves its verifier.

use crate::security::{ApiKey, Verifier};
use crate::venue::local::exchange::AccountId;
use std::collections::HashMap;
use std::net::IpAddr;

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions {
    /// See the account.
    pub reading: bool,
    /// Place and cancel orders.
    pub trading: bool,
    /// Take assets out: nothing here does, but clients should refuse such a key.
    pub withdrawals: bool,
}

impl Default for Permissions {
    /// Reads and trades.
    fn default() -> Self {
        Self { reading: true, trading: true, withdrawals: false }
    }
}

/// A key of an account.
#[derive(Debug)]
pub struct KeyOptions {
    /// As it is sent.
    pub api_key: ApiKey,
    /// What tells whether a signature is by it.
    pub verifier: Verifier,
    /// What it may do.
    pub permissions: Permissions,
    /// From where it may be used; from everywhere where there is none.
    pub addresses: Vec<IpAddr>,
}

impl KeyOptions {
    /// A key that reads and trades, from everywhere.
    #[must_use]
    pub fn new(api_key: ApiKey, verifier: Verifier) -> Self {
        Self { api_key, verifier, permissions: Permissions::default(), addresses: Vec::new() }
    }
}

/// An account to open.
#[derive(Debug, Default)]
pub struct AccountOptions {
    /// What it is called here; clients do not see it.
    pub name: String,
    /// Its keys.
    pub keys: Vec<KeyOptions>,
    /// What it begins with: asset and amount, a decimal.
    pub balances: Vec<(String, String)>,
    /// Accounts of one trade group do not trade with each other.
    pub trade_group: Option<u32>,
}

/// A key and whose it is.
#[derive(Debug)]
pub(super) struct Key {
    pub account: AccountId,
    pub options: KeyOptions,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    pub account: AccountId,
    pub permissions: Permissions,
    pub restricted_to_addresses: bool,
}

impl Key {
    pub fn caller(&self) -> Caller {
        Caller {
            account: self.account,
            permissions: self.options.permissions,
            restricted_to_addresses: !self.options.addresses.is_empty(),
        }
    }

    pub fn allows(&self, peer: IpAddr) -> bool {
        self.options.addresses.is_empty() || self.options.addresses.contains(&peer)
    }
}

/// Keys by what is sent of them.
pub(super) type Keys = HashMap<Box<str>, Key>;
