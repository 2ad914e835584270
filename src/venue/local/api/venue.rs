//! The venue's order-taking side as one value: requests in, answers and user events out.
//!
//! Owns: the exchange, its accounts' keys and counts, request weight. Does no I/O and reads no clock. Invariant: a
//! request is checked in one order whatever way it came (weight, parameters, key, signature, time, then the exchange),
//! and every event that the exchange tells of is told to its account exactly once.

use super::auth::{Claim, Security};
use super::counts::{OrderCounts, Window};
use super::error::Failure;
use super::events;
use super::history::History;
use super::keys::{AccountOptions, Caller, Key, Keys};
use super::mishap::{Aim, Mishap, Mishaps};
use super::params::Params;
use super::table::{OPERATIONS, Operation, SIGNED, UNSIGNED};
use super::weights::{Verdict, WeightRules, Weights};
use crate::domain::decimal::parse;
use crate::domain::{Market, Time};
use crate::venue::local::exchange::{AccountId, Event, Exchange, ExecutionType, ListingError, SymbolRules};
use std::collections::HashMap;
use std::net::IpAddr;
use thiserror::Error;

/// What the order counts of an account may come to, and what an address may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiSettings {
    /// Orders of an account in ten seconds.
    pub orders_per_10_s: u32,
    /// Orders of an account in a day.
    pub orders_per_day: u32,
    /// Request weight.
    pub weight: WeightRules,
}

impl Default for ApiSettings {
    /// Those of the production venue: 100 and 200,000 orders, 6,000 of weight a minute.
    fn default() -> Self {
        Self { orders_per_10_s: 100, orders_per_day: 200_000, weight: WeightRules::default() }
    }
}

/// Why there cannot be such a venue.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ApiError {
    /// Symbols that cannot be listed.
    #[error(transparent)]
    Listing(#[from] ListingError),
    /// An API key of two accounts.
    #[error("the API key of account {0:?} is given twice: a key belongs to one account")]
    DuplicateKey(String),
    /// A balance of an asset that no symbol has.
    #[error("account {account:?} has a balance of {asset}, which no listed symbol is traded in")]
    UnknownAsset {
        /// Whose.
        account: String,
        /// Of what.
        asset: String,
    },
    /// A balance that is no amount.
    #[error("account {account:?}: {amount:?} is no amount of {asset}: give a decimal such as 100 or 0.5")]
    Amount {
        /// Whose.
        account: String,
        /// Of what.
        asset: String,
        /// What was given.
        amount: String,
    },
}

/// Something that an account is told, as JSON without its envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Whose.
    pub account: AccountId,
    /// The event.
    pub json: Vec<u8>,
}

/// The order-taking side of a local venue.
#[derive(Debug)]
pub struct Api {
    pub(super) exchange: Exchange,
    pub(super) settings: ApiSettings,
    pub(super) keys: Keys,
    names: Vec<String>,
    groups: Vec<Option<u32>>,
    pub(super) counts: HashMap<AccountId, OrderCounts>,
    pub(crate) weights: Weights,
    pub(super) history: History,
    /// What is to go wrong.
    pub(super) mishaps: Mishaps,
    /// Until when everybody is refused, ms, and whether banned.
    closed: Option<(u64, bool)>,
    /// Until when everything is answered 503, ms.
    maintained_until_ms: u64,
    /// Events of the request under way.
    pub(super) batch: Vec<Event>,
    told: Vec<Told>,
}

/// A request that has passed all checks, for its handler.
pub(super) struct Context<'a> {
    pub api: &'a mut Api,
    pub caller: Caller,
    pub params: &'a Params,
    pub now_ms: u64,
    /// Where the result goes, JSON.
    pub out: &'a mut Vec<u8>,
}

/// A request and its answer, before they have a form.
pub(super) struct Outcome {
    pub result: Result<Vec<u8>, Failure>,
    pub used_weight: Option<u32>,
    /// Of an operation that places orders.
    pub counts: Option<[Window; 2]>,
    /// What the transport is to let go wrong.
    pub mishap: Option<Mishap>,
}

impl Outcome {
    /// Nothing was done.
    pub fn refused(refusal: Failure, used_weight: Option<u32>) -> Self {
        Self { result: Err(refusal), used_weight, counts: None, mishap: None }
    }
}

impl Api {
    /// A venue that lists these symbols for these accounts.
    ///
    /// # Errors
    /// [`ApiError`] where they cannot be.
    pub fn new(
        settings: ApiSettings,
        symbols: Vec<SymbolRules>,
        accounts: Vec<AccountOptions>,
        now: Time,
    ) -> Result<Self, ApiError> {
        let mut api = Self {
            exchange: Exchange::new(symbols)?,
            settings,
            keys: Keys::new(),
            names: Vec::new(),
            groups: Vec::new(),
            counts: HashMap::new(),
            weights: Weights::default(),
            history: History::default(),
            mishaps: Mishaps::default(),
            closed: None,
            maintained_until_ms: 0,
            batch: Vec::new(),
            told: Vec::new(),
        };
        accounts.into_iter().try_for_each(|account| api.open(account, now).map(drop))?;
        Ok(api)
    }

    /// Opens an account.
    ///
    /// # Errors
    /// [`ApiError`] where a key is taken or a balance is none.
    pub fn open(&mut self, options: AccountOptions, now: Time) -> Result<AccountId, ApiError> {
        let id = self.exchange.open_account(options.trade_group);
        for (asset, amount) in &options.balances {
            let name = || (options.name.clone(), asset.clone());
            let found = self.exchange.asset(asset).ok_or_else(|| {
                let (account, asset) = name();
                ApiError::UnknownAsset { account, asset }
            })?;
            // Eight decimals are what the venue prints of a balance.
            let units = parse(amount.as_bytes(), 8).ok().filter(|units| *units >= 0).and_then(|units| {
                let finer = u32::from(self.exchange.asset_decimals(found).checked_sub(8)?);
                i128::from(units).checked_mul(10i128.checked_pow(finer)?)
            });
            let done = units.is_some_and(|units| {
                self.exchange.deposit(now.0 / 1_000_000, id, found, units, &mut self.batch)
            });
            if !done {
                let (account, asset) = name();
                return Err(ApiError::Amount { account, asset, amount: amount.clone() });
            }
        }
        self.batch.clear();
        for key in options.keys {
            let name: Box<str> = key.api_key.as_str().into();
            if self.keys.insert(name, Key { account: id, options: key }).is_some() {
                return Err(ApiError::DuplicateKey(options.name));
            }
        }
        self.names.push(options.name);
        self.groups.push(options.trade_group);
        self.counts.insert(id, OrderCounts::new(self.settings.orders_per_10_s, self.settings.orders_per_day));
        Ok(id)
    }

    /// The account of this name.
    #[must_use]
    pub fn account(&self, name: &str) -> Option<AccountId> {
        self.names.iter().position(|known| known == name).map(|at| AccountId(at as u32))
    }

    /// The account that a key belongs to.
    #[must_use]
    pub fn account_of_key(&self, api_key: &str) -> Option<AccountId> {
        self.keys.get(api_key).map(|key| key.account)
    }

    /// What it limits.
    #[must_use]
    pub fn settings(&self) -> ApiSettings {
        self.settings
    }

    /// Whether a REST path is open to all.
    #[must_use]
    pub fn is_open(path: &str) -> bool {
        OPERATIONS.iter().any(|operation| operation.path == path && operation.security == Security::Open)
    }

    /// Takes a key away; returns whether there was one. Sessions that are logged on by it are refused from then on.
    pub fn revoke(&mut self, api_key: &str) -> bool {
        self.keys.remove(api_key).is_some()
    }

    /// The accounts, balances and orders.
    #[must_use]
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Changes the exchange from outside of any request (deposits, symbol states, the market's own orders), and tells
    /// the accounts what that did to them.
    pub fn change<T>(&mut self, now: Time, change: impl FnOnce(&mut Exchange, &mut Vec<Event>) -> T) -> T {
        let mut batch = std::mem::take(&mut self.batch);
        let done = change(&mut self.exchange, &mut batch);
        self.batch = batch;
        self.tell(now.0 / 1_000_000);
        done
    }

    /// What accounts were told since the last call, in order.
    pub fn take_told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    /// Whether there is something to tell.
    #[must_use]
    pub fn has_told(&self) -> bool {
        !self.told.is_empty()
    }

    pub(super) fn group(&self, account: AccountId) -> Option<u32> {
        self.groups.get(account.0 as usize).copied().flatten()
    }

    /// Lets requests go wrong: of those that `aim` hits every `nth`, `count` times.
    pub fn spoil(&mut self, mishap: Mishap, aim: Aim, nth: u64, count: u64) {
        self.mishaps.add(mishap, aim, nth, count);
    }

    /// Refuses everybody until then: 418 where `banned`, otherwise 429.
    pub fn close_until(&mut self, until: Time, banned: bool) {
        self.closed = Some((until.0 / 1_000_000, banned));
    }

    /// Answers everything with 503 until then.
    pub fn maintain_until(&mut self, until: Time) {
        self.maintained_until_ms = until.0 / 1_000_000;
    }

    /// Why nobody is answered now, where it is so.
    pub(crate) fn closed(&self, now_ms: u64) -> Option<Failure> {
        if now_ms < self.maintained_until_ms {
            let text =
                "Server is currently overloaded with other requests. Please try again in a few minutes.";
            return Some(Failure::new(503, -1008, text));
        }
        let (until_ms, banned) = self.closed.filter(|(until_ms, _)| now_ms < *until_ms)?;
        Some(if banned {
            Failure::banned(until_ms)
        } else {
            Failure::too_much_weight(self.settings.weight.limit, until_ms)
        })
    }

    /// Charges request weight.
    pub(crate) fn charge(&mut self, peer: IpAddr, weight: u32, now_ms: u64) -> Result<u32, Failure> {
        if let Some(refusal) = self.closed(now_ms) {
            return Err(refusal);
        }
        let rules = &self.settings.weight;
        match self.weights.charge(Market::Spot, peer, weight, now_ms, rules) {
            Verdict::Granted { used } => Ok(used),
            Verdict::Refused { until_ms, .. } => Err(Failure::too_much_weight(rules.limit, until_ms)),
            Verdict::Banned { until_ms } => Err(Failure::banned(until_ms)),
        }
    }

    /// Does what is asked, if it may be.
    pub(super) fn perform(
        &mut self,
        operation: &Operation,
        params: &Params,
        claim: &Claim<'_>,
        peer: IpAddr,
        now: Time,
    ) -> Outcome {
        let now_ms = now.0 / 1_000_000;
        let weight = (operation.weight)(params);
        let mut used = match self.charge(peer, if operation.free { 0 } else { weight }, now_ms) {
            Ok(used) => used,
            Err(refusal) => return Outcome::refused(refusal, None),
        };
        let mut caller = None;
        let mishap = self.mishaps.next(operation.security);
        let mut result = if mishap.is_some_and(Mishap::loses) {
            Ok(Vec::new())
        } else {
            self.run(operation, params, claim, peer, now, &mut caller)
        };
        if let Some(failure) = mishap.and_then(Mishap::failure) {
            result = Err(failure);
        }
        if operation.free && result.is_err() {
            used = self.weights.add(Market::Spot, peer, weight);
        }
        let account = caller.filter(|_| operation.counted).map(|caller: Caller| caller.account);
        let counts =
            account.and_then(|account| self.counts.get_mut(&account)).map(|counts| *counts.at(now_ms));
        Outcome { result, used_weight: Some(used), counts, mishap }
    }

    fn run(
        &mut self,
        operation: &Operation,
        params: &Params,
        claim: &Claim<'_>,
        peer: IpAddr,
        now: Time,
        known: &mut Option<Caller>,
    ) -> Result<Vec<u8>, Failure> {
        let mut tables: Vec<_> = operation.params.to_vec();
        let caller = if operation.security == Security::Open {
            tables.push(UNSIGNED);
            params.check(&tables)?;
            NOBODY
        } else {
            tables.push(SIGNED);
            params.check(&tables)?;
            claim.verify(&self.keys, operation.security, peer, params, now.0 / 1_000)?
        };
        *known = Some(caller);
        let now_ms = now.0 / 1_000_000;
        let mut out = Vec::with_capacity(512);
        let done =
            (operation.run)(&mut Context { api: self, caller, params, now_ms, out: &mut out }).map(|()| out);
        self.tell(now_ms);
        done
    }

    /// Tells the accounts of what has happened.
    fn tell(&mut self, now_ms: u64) {
        let mut batch = std::mem::take(&mut self.batch);
        for event in &batch {
            if let Event::Execution(report) = event {
                self.history.note(report);
                if let (ExecutionType::Trade, Some(fill)) = (report.kind, report.fill)
                    && report.order.executed == fill.qty
                    && let Some(counts) = self.counts.get_mut(&report.order.account)
                {
                    counts.give_back(now_ms, if fill.maker { 5 } else { 1 });
                }
            }
            if let Some(told) = events::told(self, event, now_ms) {
                self.told.push(told);
            }
        }
        batch.clear();
        self.batch = batch;
    }
}

/// Who asks for what is open to all.
const NOBODY: Caller = Caller {
    account: AccountId(u32::MAX),
    permissions: super::keys::Permissions { reading: false, trading: false, withdrawals: false },
    restricted_to_addresses: false,
};
