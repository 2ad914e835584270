//! A client's book as Binance documents it: buffer diffs, take a snapshot, apply what follows.

#![allow(dead_code, reason = "each user takes a part")]

use algo_trader::domain::Level;
use algo_trader::domain::decimal::parse;
use serde_json::Value;
use std::collections::BTreeMap;

pub struct LocalBook {
    decimals: (u8, u8),
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
    pub update_id: u64,
    synced: bool,
    straddled: bool,
    buffered: Vec<Value>,
    pub gaps: usize,
    pub applied: usize,
}

fn integer(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("not an integer: {value}"))
}

impl LocalBook {
    pub fn new(price_decimals: u8, qty_decimals: u8) -> Self {
        Self {
            decimals: (price_decimals, qty_decimals),
            bids: BTreeMap::new(),
            asks: BTreeMap::new(),
            update_id: 0,
            synced: false,
            straddled: false,
            buffered: Vec::new(),
            gaps: 0,
            applied: 0,
        }
    }

    /// A diff, without its stream's name.
    pub fn diff(&mut self, data: &Value) {
        if !self.synced {
            return self.buffered.push(data.clone());
        }
        let (first, last) = (integer(&data["U"]), integer(&data["u"]));
        if last <= self.update_id {
            return;
        }
        let follows = match data.get("pu") {
            Some(prev) if self.straddled => integer(prev) == self.update_id,
            Some(prev) => integer(prev) <= self.update_id,
            None => first <= self.update_id + 1,
        };
        self.gaps += usize::from(!follows);
        self.straddled = true;
        self.applied += 1;
        self.set(&data["b"], &data["a"]);
        self.update_id = last;
    }

    /// What REST answered. True where the diffs so far reach back to it.
    pub fn snapshot(&mut self, answer: &Value) -> bool {
        let id = integer(&answer["lastUpdateId"]);
        let reaches = self.buffered.first().is_none_or(|diff| integer(&diff["U"]) <= id + 1);
        (self.update_id, self.synced) = (id, true);
        self.set(&answer["bids"], &answer["asks"]);
        for diff in std::mem::take(&mut self.buffered) {
            self.diff(&diff);
        }
        reaches
    }

    fn set(&mut self, bids: &Value, asks: &Value) {
        for (levels, side) in [(bids, &mut self.bids), (asks, &mut self.asks)] {
            for level in levels.as_array().expect("levels") {
                let text = |at: usize| level[at].as_str().expect("text").as_bytes();
                let price = parse(text(0), self.decimals.0).expect("a price");
                match parse(text(1), self.decimals.1).expect("a quantity") {
                    0 => side.remove(&price),
                    qty => side.insert(price, qty),
                };
            }
        }
    }

    pub fn best(&self, levels: usize) -> (Vec<Level>, Vec<Level>) {
        let level = |(&price, &qty): (&i64, &i64)| Level::new(price, qty);
        let bids = self.bids.iter().rev().take(levels).map(level).collect();
        (bids, self.asks.iter().take(levels).map(level).collect())
    }
}
