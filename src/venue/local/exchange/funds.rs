//! What accounts hold: free and locked, per asset, in exact integers.
//!
//! Owns: every balance, the commissions taken, and which balances moved since they were last told. Invariant: an asset's
//! balances and commissions add up to its deposits and what trades with the crowd brought in, and none is below zero.

use super::event::AccountPosition;
use crate::domain::event::BALANCE_DECIMALS;

/// An account's index in its exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub u32);

/// An asset's index in its exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssetId(pub u16);

/// Decimals to which commissions are cut; an asset's own unit is at least as fine.
pub const COMMISSION_DECIMALS: u8 = 8;

/// What an account has of an asset, in the asset's units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Balance {
    /// What a new order can use.
    pub free: i128,
    /// What open orders need.
    pub locked: i128,
}

impl Balance {
    /// As it is printed of an asset with so many decimals, and with how many: eight at most, and both parts together are what
    /// there is, cut to them.
    #[must_use]
    pub fn printed(self, decimals: u8) -> (Self, u8) {
        let unit = 10i128.pow(u32::from(decimals.saturating_sub(BALANCE_DECIMALS)));
        let free = self.free / unit;
        let locked = (self.free + self.locked) / unit - free;
        (Self { free, locked }, decimals.min(BALANCE_DECIMALS))
    }
}

#[derive(Debug)]
struct Asset {
    name: String,
    decimals: u8,
    deposited: i128,
    commissions: i128,
}

#[derive(Debug, Default)]
pub(super) struct Funds {
    assets: Vec<Asset>,
    accounts: Vec<Vec<Balance>>,
    groups: Vec<Option<u32>>,
    /// The asset that commissions are taken in where there is enough of it, and its price in units of 10^-8 quote.
    fees_in: Option<(AssetId, i64)>,
    /// Moved since the last [`positions`](Self::positions), in the order in which they first moved.
    moved: Vec<(AccountId, AssetId)>,
}

impl Funds {
    /// The asset of this name, which gets at least these decimals; made where there is none.
    pub fn asset(&mut self, name: &str, decimals: u8) -> AssetId {
        let decimals = decimals.max(COMMISSION_DECIMALS);
        if let Some(at) = self.assets.iter().position(|asset| asset.name == name) {
            self.assets[at].decimals = self.assets[at].decimals.max(decimals);
            return AssetId(at as u16);
        }
        self.assets.push(Asset { name: name.to_owned(), decimals, deposited: 0, commissions: 0 });
        AssetId(self.assets.len() as u16 - 1)
    }

    pub fn asset_count(&self) -> usize {
        self.assets.len()
    }

    pub fn find_asset(&self, name: &str) -> Option<AssetId> {
        self.assets.iter().position(|asset| asset.name == name).map(|at| AssetId(at as u16))
    }

    pub fn asset_name(&self, asset: AssetId) -> &str {
        self.assets.get(usize::from(asset.0)).map_or("", |asset| &asset.name)
    }

    pub fn decimals(&self, asset: AssetId) -> u8 {
        self.assets.get(usize::from(asset.0)).map_or(0, |asset| asset.decimals)
    }

    pub fn commissions(&self, asset: AssetId) -> i128 {
        self.assets.get(usize::from(asset.0)).map_or(0, |asset| asset.commissions)
    }

    pub fn open_account(&mut self, group: Option<u32>) -> AccountId {
        self.accounts.push(vec![Balance::default(); self.assets.len()]);
        self.groups.push(group);
        AccountId(self.accounts.len() as u32 - 1)
    }

    pub fn has_account(&self, account: AccountId) -> bool {
        (account.0 as usize) < self.accounts.len()
    }

    pub fn balance(&self, account: AccountId, asset: AssetId) -> Balance {
        let balances = self.accounts.get(account.0 as usize);
        balances.and_then(|all| all.get(usize::from(asset.0))).copied().unwrap_or_default()
    }

    /// Whether two accounts may not trade with each other unless they say so.
    pub fn related(&self, one: AccountId, other: AccountId) -> bool {
        let group = |account: AccountId| self.groups.get(account.0 as usize).copied().flatten();
        one == other || (group(one).is_some() && group(one) == group(other))
    }

    /// Puts in, or takes out (below zero), from outside; `false` and nothing done where that is not there, or all
    /// deposits would not fit half of 128 bits.
    pub fn deposit(&mut self, account: AccountId, asset: AssetId, amount: i128) -> bool {
        let Some(of) = self.assets.get(usize::from(asset.0)) else { return false };
        let fits = of.deposited.checked_add(amount).filter(|all| (0..=i128::MAX / 2).contains(all));
        let (Some(deposited), true) = (fits, self.has_account(account)) else { return false };
        let free = self.balance(account, asset).free;
        if free.checked_add(amount).is_none_or(|free| free < 0) {
            return false;
        }
        self.assets[usize::from(asset.0)].deposited = deposited;
        self.add(account, asset, amount);
        true
    }

    /// What the crowd brought in by a trade, or, below zero, took out.
    pub fn across(&mut self, asset: AssetId, amount: i128) {
        if let Some(of) = self.assets.get_mut(usize::from(asset.0)) {
            of.deposited += amount;
        }
    }

    /// Adds to what is free; takes away where it is below zero.
    pub fn add(&mut self, account: AccountId, asset: AssetId, amount: i128) {
        let free = &mut self.moving(account, asset).free;
        *free += amount;
        debug_assert!(*free >= 0, "an account was made to pay what it does not have");
    }

    /// Locks what was free, or frees what was locked.
    pub fn relock(&mut self, account: AccountId, asset: AssetId, before: i128, after: i128) {
        if before == after {
            return;
        }
        let balance = self.moving(account, asset);
        balance.free += before - after;
        balance.locked += after - before;
        debug_assert!(balance.free >= 0 && balance.locked >= 0, "an order locked what was not there");
    }

    /// Takes the commission that is due on what was received, and returns it. `rate` is in units of 10^-8.
    pub fn take_commission(&mut self, account: AccountId, asset: AssetId, received: i128, rate: i64) -> i128 {
        const RATE_UNIT: i128 = 100_000_000;
        let (whole, rest, rate) = (received / RATE_UNIT, received % RATE_UNIT, i128::from(rate));
        let exact = whole * rate + rest * rate / RATE_UNIT;
        let unit = 10i128.pow(u32::from(self.decimals(asset).saturating_sub(COMMISSION_DECIMALS)));
        let commission = exact / unit * unit;
        self.add(account, asset, -commission);
        self.assets[usize::from(asset.0)].commissions += commission;
        commission
    }

    /// Has commissions be taken in this asset where an account has enough of it; in what was received again where `None`.
    pub fn take_fees_in(&mut self, asset: Option<(AssetId, i64)>) {
        self.fees_in = asset.filter(|(_, price)| *price > 0);
    }

    /// Takes the commission on a trade worth `worth` of the quote asset in the asset set for that, if one is that is not
    /// traded here and of which there is enough; cut to eight decimals.
    pub fn take_third(
        &mut self,
        account: AccountId,
        traded: [AssetId; 2],
        worth: i128,
        rate: i64,
    ) -> Option<(AssetId, i128)> {
        let (asset, price) = self.fees_in.filter(|(asset, _)| !traded.contains(asset))?;
        let unit = |of| 10i128.pow(u32::from(self.decimals(of).saturating_sub(COMMISSION_DECIMALS)));
        let due = worth / unit(traded[1]) * i128::from(rate) / 100_000_000;
        let amount = due * 100_000_000 / i128::from(price) * unit(asset);
        if self.balance(account, asset).free < amount {
            return None;
        }
        self.add(account, asset, -amount);
        self.assets[usize::from(asset.0)].commissions += amount;
        Some((asset, amount))
    }

    fn moving(&mut self, account: AccountId, asset: AssetId) -> &mut Balance {
        if !self.moved.contains(&(account, asset)) {
            self.moved.push((account, asset));
        }
        &mut self.accounts[account.0 as usize][usize::from(asset.0)]
    }

    /// The accounts whose balances moved, each with all that moved, in the order in which they first did.
    pub fn positions(&mut self, ms: u64) -> Vec<AccountPosition> {
        let mut found: Vec<AccountPosition> = Vec::new();
        for (account, asset) in std::mem::take(&mut self.moved) {
            let row = (asset, self.balance(account, asset));
            match found.iter_mut().find(|position| position.account == account) {
                Some(position) => position.balances.push(row),
                None => found.push(AccountPosition { account, ms, balances: vec![row] }),
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commission_is_exact_then_cut_to_eight_decimals() {
        let mut funds = Funds::default();
        let asset = funds.asset("USDT", 10);
        let account = funds.open_account(None);
        assert!(funds.deposit(account, asset, 1_234_567_890_123_456_789));
        let taken = funds.take_commission(account, asset, 1_234_567_890_123_456_789, 100_000);
        assert_eq!(taken, 1_234_567_890_123_400);
        assert_eq!(funds.commissions(asset) + funds.balance(account, asset).free, 1_234_567_890_123_456_789);
    }

    #[test]
    fn what_is_printed_of_a_balance_is_cut_to_eight_decimals_together() {
        let balance = |free, locked| Balance { free, locked };
        assert_eq!(balance(1_239, 2_361).printed(10), (balance(12, 24), 8));
        assert_eq!(balance(1_239, 2_360).printed(10), (balance(12, 23), 8));
        assert_eq!(balance(1_239, 2_361).printed(8), (balance(1_239, 2_361), 8));
    }

    #[test]
    fn what_is_not_there_cannot_be_taken_out() {
        let mut funds = Funds::default();
        let (asset, account) = (funds.asset("BTC", 8), funds.asset_count());
        let account = AccountId(account as u32);
        assert!(!funds.deposit(account, asset, 5), "no such account");
        let account = funds.open_account(None);
        assert!(funds.deposit(account, asset, 5) && !funds.deposit(account, asset, -6));
        assert!(!funds.deposit(account, asset, i128::MAX));
        assert!(funds.deposit(account, asset, -5));
    }
}
