//! What an exchange can be asked; nothing here changes anything.

use super::cancel::find;
use super::exchange_state::Exchange;
use super::funds::{AccountId, AssetId, Balance};
use super::lists::OrderList;
use super::market::{AccountTrade, Market};
use super::order::{Order, SymbolId};
use super::refusal::Refusal;
use super::request::OrderRef;
use super::rules::SymbolRules;
use crate::domain::{Level, Price, Side};

impl Exchange {
    /// The symbol of this name.
    #[must_use]
    pub fn symbol(&self, name: &str) -> Option<SymbolId> {
        self.markets.iter().find(|market| market.rules.instrument.symbol == name).map(|market| market.id)
    }

    /// A symbol's rules.
    #[must_use]
    pub fn rules(&self, symbol: SymbolId) -> Option<&SymbolRules> {
        self.market(symbol).map(|market| &market.rules)
    }

    /// The rules of every symbol, in the order of their ids.
    pub fn symbols(&self) -> impl Iterator<Item = &SymbolRules> + '_ {
        self.markets.iter().map(|market| &market.rules)
    }

    /// An asset's name; empty where there is none.
    #[must_use]
    pub fn asset_name(&self, asset: AssetId) -> &str {
        self.funds.asset_name(asset)
    }

    /// Decimals of an asset's units.
    #[must_use]
    pub fn asset_decimals(&self, asset: AssetId) -> u8 {
        self.funds.decimals(asset)
    }

    /// An order list, going on or over.
    #[must_use]
    pub fn list(&self, id: u64) -> Option<&OrderList> {
        self.markets.iter().find_map(|market| market.lists.get(&id))
    }

    /// The account's order lists, by symbol, oldest first.
    pub fn lists(&self, account: AccountId) -> impl DoubleEndedIterator<Item = (u64, &OrderList)> + '_ {
        let all = self.markets.iter().flat_map(|market| market.lists.iter().map(|(id, list)| (*id, list)));
        all.filter(move |(_, list)| list.account == account)
    }

    /// What a symbol last traded at.
    #[must_use]
    pub fn last_price(&self, symbol: SymbolId) -> Option<Price> {
        self.market(symbol)?.last
    }

    /// What a side of a symbol's book shows, best first.
    pub fn depth(&self, symbol: SymbolId, side: Side) -> impl Iterator<Item = Level> + '_ {
        self.market(symbol).into_iter().flat_map(move |market| market.engine.depth(side))
    }

    /// Every asset, with its name and the decimals of its units.
    pub fn assets(&self) -> impl Iterator<Item = (AssetId, &str, u8)> + '_ {
        let ids = (0..self.funds.asset_count()).map(|at| AssetId(at as u16));
        ids.map(|asset| (asset, self.funds.asset_name(asset), self.funds.decimals(asset)))
    }

    /// The asset of this name.
    #[must_use]
    pub fn asset(&self, name: &str) -> Option<AssetId> {
        self.funds.find_asset(name)
    }

    /// What an account has of an asset; nothing where there is no such account or asset.
    #[must_use]
    pub fn balance(&self, account: AccountId, asset: AssetId) -> Balance {
        self.funds.balance(account, asset)
    }

    /// What the venue has taken in commissions, in the asset's units.
    #[must_use]
    pub fn commissions(&self, asset: AssetId) -> i128 {
        self.funds.commissions(asset)
    }

    /// An order of the account, open or over.
    ///
    /// # Errors
    /// [`Refusal::NoSuchOrder`], also for one that is another's or was forgotten; [`Refusal::IdsDisagree`].
    pub fn order(&self, account: AccountId, symbol: SymbolId, which: OrderRef) -> Result<Order, Refusal> {
        let market = self.market(symbol).ok_or(Refusal::InvalidSymbol)?;
        find(market, account, which, Refusal::IdsDisagree)?.ok_or(Refusal::NoSuchOrder)
    }

    /// The account's open orders, by symbol, oldest first.
    pub fn open_orders(&self, account: AccountId) -> impl Iterator<Item = &Order> + '_ {
        self.markets.iter().flat_map(move |market| market.open_of(account))
    }

    /// The account's orders in a symbol from this number on, open and over.
    pub fn all_orders(
        &self,
        account: AccountId,
        symbol: SymbolId,
        from: u64,
    ) -> impl Iterator<Item = &Order> + '_ {
        self.market(symbol).into_iter().flat_map(move |market| market.all_of(account, from))
    }

    /// The account's trades in a symbol, oldest first.
    pub fn trades(&self, account: AccountId, symbol: SymbolId) -> impl Iterator<Item = &AccountTrade> + '_ {
        let own = move |trade: &&AccountTrade| trade.account == account;
        self.market(symbol).into_iter().flat_map(move |market| market.trades.iter().filter(own))
    }

    fn market(&self, symbol: SymbolId) -> Option<&Market> {
        self.markets.get(usize::from(symbol.0))
    }
}
