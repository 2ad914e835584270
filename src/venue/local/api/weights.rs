//! What each address may ask: request weight a window, bans, new connections.
//!
//! Owns: the counts. Windows are aligned to the clock, which is given.

use crate::domain::Market;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

const CONNECTIONS_WINDOW_MS: u64 = 5 * 60 * 1_000;

/// What an address may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeightRules {
    /// Request weight in a window.
    pub limit: u32,
    /// The window, aligned to the clock.
    pub window: Duration,
    /// Requests refused with 429 in one window before an address is banned (418).
    pub refusals_before_ban: u32,
    /// How long the first ban lasts; each further one lasts twice as long.
    pub ban: Duration,
    /// New stream connections in five minutes.
    pub connections_per_5_min: u32,
}

impl Default for WeightRules {
    /// The documented ones of spot.
    fn default() -> Self {
        Self {
            limit: 6_000,
            window: Duration::from_secs(60),
            refusals_before_ban: 20,
            ban: Duration::from_secs(120),
            connections_per_5_min: 300,
        }
    }
}

/// Whether a request may be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Yes; so much weight is used in this window now.
    Granted { used: u32 },
    /// No, until the window ends.
    Refused { used: u32, until_ms: u64 },
    /// No, for a while.
    Banned { until_ms: u64 },
}

#[derive(Debug, Default)]
struct Account {
    window: u64,
    used: u32,
    refusals: u32,
    bans: u32,
    banned_until_ms: u64,
    connections: VecDeque<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Weights {
    accounts: HashMap<(Market, IpAddr), Account>,
}

impl Weights {
    pub fn charge(
        &mut self,
        market: Market,
        from: IpAddr,
        weight: u32,
        now_ms: u64,
        rules: &WeightRules,
    ) -> Verdict {
        let window_ms = u64::try_from(rules.window.as_millis()).unwrap_or(u64::MAX).max(1);
        let account = self.accounts.entry((market, from)).or_default();
        if now_ms < account.banned_until_ms {
            return Verdict::Banned { until_ms: account.banned_until_ms };
        }
        if account.window != now_ms / window_ms {
            (account.window, account.used, account.refusals) = (now_ms / window_ms, 0, 0);
        }
        account.used = account.used.saturating_add(weight);
        if account.used <= rules.limit {
            return Verdict::Granted { used: account.used };
        }
        account.refusals += 1;
        if account.refusals > rules.refusals_before_ban {
            let ban_ms = u64::try_from(rules.ban.as_millis()).unwrap_or(u64::MAX);
            let until_ms = now_ms.saturating_add(ban_ms.saturating_mul(1 << account.bans.min(10)));
            (account.banned_until_ms, account.bans) = (until_ms, account.bans + 1);
            return Verdict::Banned { until_ms };
        }
        Verdict::Refused { used: account.used, until_ms: (account.window + 1) * window_ms }
    }

    /// Charges what a request that was granted costs on top, now that it has failed; returns what is used.
    pub fn add(&mut self, market: Market, from: IpAddr, weight: u32) -> u32 {
        let account = self.accounts.entry((market, from)).or_default();
        account.used = account.used.saturating_add(weight);
        account.used
    }

    /// Whether the address may open another stream connection.
    pub fn connect(&mut self, market: Market, from: IpAddr, now_ms: u64, rules: &WeightRules) -> bool {
        let opened = &mut self.accounts.entry((market, from)).or_default().connections;
        while opened.front().is_some_and(|&at| now_ms.saturating_sub(at) >= CONNECTIONS_WINDOW_MS) {
            opened.pop_front();
        }
        if opened.len() >= rules.connections_per_5_min as usize {
            return false;
        }
        opened.push_back(now_ms);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::time::Duration;

    #[test]
    fn weight_runs_out_then_comes_back_and_insisting_is_punished() {
        let rules = WeightRules {
            limit: 10,
            refusals_before_ban: 2,
            ban: Duration::from_secs(5),
            ..WeightRules::default()
        };
        let (mut weights, here) = (Weights::default(), IpAddr::from(Ipv4Addr::LOCALHOST));
        let mut charge = |weight, now_ms| weights.charge(Market::Spot, here, weight, now_ms, &rules);
        assert_eq!(charge(10, 59_000), Verdict::Granted { used: 10 });
        assert_eq!(charge(1, 59_500), Verdict::Refused { used: 11, until_ms: 60_000 });
        assert_eq!(charge(1, 60_000), Verdict::Granted { used: 1 });
        assert_eq!(charge(20, 61_000), Verdict::Refused { used: 21, until_ms: 120_000 });
        assert_eq!(charge(1, 61_000), Verdict::Refused { used: 22, until_ms: 120_000 });
        assert_eq!(charge(1, 61_000), Verdict::Banned { until_ms: 66_000 });
        assert_eq!(charge(1, 65_999), Verdict::Banned { until_ms: 66_000 });
        assert_eq!(charge(1, 120_000), Verdict::Granted { used: 1 });
    }

    #[test]
    fn connections_are_counted_for_five_minutes() {
        let rules = WeightRules { connections_per_5_min: 2, ..WeightRules::default() };
        let (mut weights, here) = (Weights::default(), IpAddr::from(Ipv4Addr::LOCALHOST));
        let mut connect = |now_ms| weights.connect(Market::UsdM, here, now_ms, &rules);
        assert!(connect(0) && connect(1_000) && !connect(299_999) && connect(300_000));
    }
}
