//! The records of a trail, as they are written.
//!
//! Every record has its number `n`, the journal's entries taken in before it (`entry`), the event it belongs to (`seq`)
//! with its time, and a `kind`. Numbers that are money are decimal text, exact. Names stand for ids, so that a trail can
//! be read without the run's configuration.

use crate::domain::Time;
use crate::risk::Told;
use serde::Serialize;

/// Where in a run a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// The journal's entries that were taken in before or with it.
    pub entry: u64,
    /// The event.
    pub seq: u64,
    /// The sequencer's time.
    pub time: Time,
}

/// A record with everything that it is written with; the order of the fields is the file's.
#[derive(Serialize)]
pub(super) struct Whole<'a> {
    pub n: u64,
    pub entry: u64,
    pub seq: u64,
    pub time_ns: u64,
    pub time: String,
    #[serde(flatten)]
    pub body: &'a Body,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Body {
    /// A run began, with this configuration in force.
    Run {
        /// What tells the run from every other.
        run: String,
        /// Its name.
        name: String,
        /// Version of the program.
        version: String,
        /// When it was started, by the host's clock.
        started: String,
        /// Part of every client order id of the run.
        epoch: u64,
        /// The configuration's file.
        config_name: String,
        /// The SHA-256 of its text.
        config_sha256: String,
        /// Its text, limits among it.
        config_text: String,
        /// The strategies, `label (name) on instruments`.
        strategies: Vec<String>,
        /// The instruments.
        instruments: Vec<String>,
    },
    /// Somebody came to the program, by the command line or a control surface.
    Access {
        /// Who.
        who: String,
        /// What they asked for.
        what: String,
        /// Whether they got it.
        allowed: bool,
        /// From where, and what else is known.
        detail: String,
    },
    /// Somebody changed a limit.
    Limit {
        /// Who.
        who: String,
        /// Which limit.
        limit: String,
        /// What it was.
        from: String,
        /// What it is.
        to: String,
        /// Why.
        why: String,
    },
    /// An operator's command took effect.
    Command {
        /// Which.
        command: String,
        /// Of which instrument, if it pauses one.
        #[serde(skip_serializing_if = "Option::is_none")]
        instrument: Option<String>,
        /// Of a kill or a release: of what, as an operator writes it.
        #[serde(skip_serializing_if = "Option::is_none")]
        scope: Option<String>,
        /// Of a kill: why, by the reason that orders are denied by.
        #[serde(skip_serializing_if = "Option::is_none")]
        cause: Option<&'static str>,
        /// Of a kill: whether positions are closed too.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        flatten: bool,
    },
    /// A strategy's intent, risk's decision on it, and where that is `approved`, the order that is handed over.
    Order {
        /// `approved` or `denied`.
        decision: &'static str,
        /// Why it was denied.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
        /// The rule that denied it; its limit is in the reply that follows.
        #[serde(skip_serializing_if = "Option::is_none")]
        rule: Option<&'static str>,
        /// The order.
        #[serde(flatten)]
        order: Terms,
    },
    /// A cancel is handed over.
    Cancel {
        /// The order to be cancelled.
        #[serde(flatten)]
        order: Whose,
    },
    /// The order manager holds an order.
    Held {
        /// The order.
        #[serde(flatten)]
        order: Terms,
    },
    /// What the order manager holds changed.
    Manager {
        /// How.
        change: String,
        /// The order it is about.
        #[serde(flatten)]
        order: Whose,
    },
    /// What the venue, or risk, said of an order.
    Reply {
        /// `accepted`, `rejected`, `canceled`, `expired`, `cancel-rejected` or `denied`.
        reply: &'static str,
        /// Why, where it is a denial.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
        /// Of a refusal: the venue's code with its name in the venue's documentation and what its words came to, or why
        /// the order was not sent.
        #[serde(skip_serializing_if = "Option::is_none")]
        refusal: Option<String>,
        /// The rule that denied it, as `algo-trader list risk-rules` has it.
        #[serde(skip_serializing_if = "Option::is_none")]
        rule: Option<&'static str>,
        /// The rule's `limit`, the `value` that the order came to, and their `unit`, where the rule compares numbers.
        #[serde(flatten)]
        told: Option<Told>,
        /// The order.
        #[serde(flatten)]
        order: Whose,
    },
    /// An order traded.
    Fill {
        /// The order.
        #[serde(flatten)]
        order: Whose,
        /// `buy` or `sell`.
        side: &'static str,
        /// How much.
        qty: String,
        /// At.
        price: String,
        /// The fee.
        fee: String,
        /// In which asset it was taken: `quote` or `base`.
        fee_asset: &'static str,
        /// Whether the order had rested.
        maker: bool,
        /// The venue's id.
        trade_id: u64,
    },
    /// A commission was taken in an asset that is neither bought nor paid with.
    Commission {
        /// For which order.
        #[serde(flatten)]
        order: Whose,
        /// The asset.
        asset: String,
        /// How much of it.
        amount: String,
        /// What that is worth in the quote asset; zero where no price is known.
        worth: String,
        /// The venue's trade id.
        trade_id: u64,
    },
    /// What happened to a position without an order.
    Position {
        /// `funding` or `liquidated`.
        what: &'static str,
        /// Of what.
        instrument: String,
        /// The strategy's number.
        strategy: u8,
        /// `buy` or `sell`.
        side: &'static str,
        /// How much was held, or was traded.
        qty: String,
        /// At.
        price: String,
        /// What it cost in the quote asset; below zero where it was received.
        fee: String,
    },
    /// The venue changed the rules of an instrument, which limit what can be ordered.
    Rules {
        /// Of what.
        instrument: String,
        /// Smallest price step.
        tick: String,
        /// Smallest quantity step.
        lot: String,
        /// Smallest quantity.
        min_qty: String,
        /// Largest quantity.
        max_qty: String,
        /// Smallest value.
        min_notional: String,
    },
    /// The venue changed what it takes of an instrument at the market; zero: no such bound.
    MarketRules {
        /// Of what.
        instrument: String,
        /// Smallest quantity step.
        lot: String,
        /// Smallest quantity.
        min_qty: String,
        /// Largest quantity.
        max_qty: String,
    },
    /// No connection brought an instrument's market data any more.
    Interrupted {
        /// Of what.
        instrument: String,
    },
    /// Surveillance found something.
    Alert {
        /// Which detector.
        detector: String,
        /// What was done: `warn`, `throttle` or `halt`.
        reaction: String,
        /// Whose orders.
        strategy: String,
        /// Of what.
        instrument: String,
        /// What was seen.
        detail: String,
    },
    /// Whoever wrote the trail was gone, and another goes on.
    Resumed {
        /// Bytes of an unfinished last line that were cut.
        cut_bytes: u64,
    },
    /// The run came to its end.
    End {},
}

/// An order as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Terms {
    /// Whose and which.
    #[serde(flatten)]
    pub whose: Whose,
    /// `buy` or `sell`.
    pub side: &'static str,
    /// How priced.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// How long.
    pub tif: &'static str,
    /// Only to make a position smaller.
    pub reduce_only: bool,
    /// How much.
    pub qty: String,
    /// The limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
    /// What triggers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_price: Option<String>,
    /// How much of it shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iceberg_qty: Option<String>,
    /// How far it trails, hundredths of a per cent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trailing_bps: Option<u16>,
    /// The order that the venue holds in one list with it, of which one cancels the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_list_with: Option<u64>,
}

/// Which order of whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Whose {
    /// Its number within the run.
    pub order: u64,
    /// What the venue knows it by.
    pub client_id: String,
    /// Whose, by label.
    pub strategy: String,
    /// Of what.
    pub instrument: String,
}
