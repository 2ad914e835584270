//! From a journal's entries to records: a pure function of the journal.
//!
//! Market data leaves no record. An approved order is one record, not an intent and an order: what is approved was asked
//! for, and the journal has it once too.

use super::record::{Body, Stamp, Terms, Whose};
use crate::domain::decimal::Scaled;
use crate::domain::event::{
    ACCOUNT_DECIMALS, Account, Command, Denial, Event, FEE_DECIMALS, FeeAsset, Kind, Report, Rules,
};
use crate::domain::order::{Extras, ReportKind, TimeInForce};
use crate::domain::{
    ClientOrderId, Instrument, InstrumentId, Notional, Order, OrderId, Price, Qty, Scope, Side, Slot,
    StrategyId, Time, kill,
};
use crate::execution::{Record, RecordKind};
use crate::journal::{Entry, JournalHeader};
use crate::risk::{rule_of, units};
use crate::strategy::manager::Trail;
use crate::strategy::{Action, Change};
use crate::venue::binance::client::refusal_words;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// See the module.
pub struct Projector {
    instruments: Vec<Instrument>,
    strategies: Vec<String>,
    epoch: u64,
    at: Stamp,
}

impl Projector {
    /// A projector at the beginning of a run's journal.
    #[must_use]
    pub fn new(header: &JournalHeader) -> Self {
        Self {
            instruments: header.instruments.clone(),
            strategies: header.strategies.iter().map(|s| s.label.clone()).collect(),
            epoch: header.epoch,
            at: Stamp { time: Time(header.started_ns), ..Stamp::default() },
        }
    }

    /// The record that a run begins with.
    #[must_use]
    pub fn beginning(header: &JournalHeader, run: &str) -> Body {
        let name = |id: &InstrumentId| {
            header.instruments.get(id.index()).map_or_else(|| format!("#{}", id.0), Instrument::name)
        };
        let strategy = |s: &crate::journal::JournalStrategy| {
            let on: Vec<_> = s.instruments.iter().map(name).collect();
            format!("{} ({}) on {}", s.label, s.name, on.join(", "))
        };
        Body::Run {
            run: run.to_owned(),
            name: header.run_name.clone(),
            version: header.version.clone(),
            started: Time(header.started_ns).to_string(),
            epoch: header.epoch,
            config_name: header.config_name.clone(),
            config_sha256: hex(&Sha256::digest(header.config_text.as_bytes())),
            config_text: header.config_text.clone(),
            strategies: header.strategies.iter().map(strategy).collect(),
            instruments: header.instruments.iter().map(Instrument::name).collect(),
        }
    }

    /// How far the journal was taken in.
    #[must_use]
    pub fn at(&self) -> Stamp {
        self.at
    }

    /// Takes one entry in, and says what there is to record of it.
    pub fn take(&mut self, entry: &Entry) -> Option<Body> {
        self.at.entry += 1;
        match entry {
            Entry::Slot(slot) => self.slot(slot),
            Entry::Record(record) => Some(self.record(record)),
            Entry::End => Some(Body::End {}),
        }
    }

    fn slot(&mut self, slot: &Slot) -> Option<Body> {
        self.at.seq += 1;
        if slot.is_first() {
            self.at.time = slot.time();
        }
        if matches!(slot.kind(), Kind::Trade | Kind::Quote | Kind::Levels) {
            return None;
        }
        match slot.event() {
            Event::Report(report) => Some(self.report(&report)),
            Event::Denial(denial) => Some(self.denial(&denial)),
            Event::Command(command) => Some(self.command(command)),
            Event::Rules(rules) => Some(self.rules(&rules)),
            Event::MarketRules(rules) => {
                let id = rules.instrument;
                let [lot, min_qty, max_qty] =
                    [rules.lot, rules.min_qty, rules.max_qty].map(|qty| self.qty(id, qty));
                Some(Body::MarketRules { instrument: self.instrument(id), lot, min_qty, max_qty })
            }
            Event::Interrupted(instrument) => {
                Some(Body::Interrupted { instrument: self.instrument(instrument) })
            }
            _ => None,
        }
    }

    fn denial(&self, denial: &Denial) -> Body {
        let &Denial { reason, limit, value, measure, instrument, .. } = denial;
        let instrument_of = self.instruments.get(instrument.index());
        Body::Reply {
            reply: "denied",
            reason: Some(reason.label()),
            refusal: None,
            rule: rule_of(reason).map(|rule| rule.name),
            told: instrument_of.and_then(|of| units::told(reason, (limit, value, measure), of)),
            order: self.whose(denial.order, denial.strategy, instrument, None),
        }
    }

    fn report(&self, report: &Report) -> Body {
        let fee = || Scaled { value: report.fee.into(), decimals: FEE_DECIMALS }.to_string();
        let of_position = |what| Body::Position {
            what,
            instrument: self.instrument(report.instrument),
            strategy: report.strategy.0,
            side: side(report.side),
            qty: self.qty(report.instrument, report.qty),
            price: self.price(report.instrument, report.price),
            fee: fee(),
        };
        let order = self.whose(report.order, report.strategy, report.instrument, None);
        let reply = match report.kind {
            ReportKind::Commission => {
                let (asset, amount) = report.paid().map_or((String::new(), 0), |(a, n)| (a.to_string(), n));
                let amount = Scaled { value: amount.into(), decimals: FEE_DECIMALS }.to_string();
                return Body::Commission { order, asset, amount, worth: fee(), trade_id: report.trade_id };
            }
            ReportKind::Funding => return of_position("funding"),
            ReportKind::Liquidated => return of_position("liquidated"),
            ReportKind::Accepted => "accepted",
            ReportKind::Rejected => "rejected",
            ReportKind::Canceled => "canceled",
            ReportKind::Expired => "expired",
            ReportKind::CancelRejected => "cancel-rejected",
            ReportKind::Fill => {
                return Body::Fill {
                    order,
                    side: side(report.side),
                    qty: self.qty(report.instrument, report.qty),
                    price: self.price(report.instrument, report.price),
                    fee: match report.fee_asset {
                        FeeAsset::Quote => fee(),
                        FeeAsset::Base => self.qty(report.instrument, Qty(report.fee)),
                    },
                    fee_asset: match report.fee_asset {
                        FeeAsset::Quote => "quote",
                        FeeAsset::Base => "base",
                    },
                    maker: report.maker,
                    trade_id: report.trade_id,
                };
            }
        };
        let refusal = report.refusal().map(refusal_words);
        Body::Reply { reply, reason: None, refusal, rule: None, told: None, order }
    }

    fn command(&self, command: Command) -> Body {
        let (name, instrument, scope) = match command {
            Command::Pause(id, by) => (format!("pause by {by}"), Some(self.instrument(id)), None),
            Command::Unpause(id, by) => (format!("unpause by {by}"), Some(self.instrument(id)), None),
            Command::Halt => ("halt".to_owned(), None, None),
            Command::Resume => ("resume".to_owned(), None, None),
            Command::Kill(kill) => ("kill".to_owned(), None, Some(self.scope(kill.scope))),
            Command::Release(scope) => ("release".to_owned(), None, Some(self.scope(scope))),
            Command::Suspend(venue) => ("suspend".to_owned(), None, Some(self.scope(Scope::Venue(venue)))),
            Command::Reopen(venue) => ("reopen".to_owned(), None, Some(self.scope(Scope::Venue(venue)))),
            Command::Ration(venue) => ("ration".to_owned(), None, Some(self.scope(Scope::Venue(venue)))),
            Command::Unration(venue) => ("unration".to_owned(), None, Some(self.scope(Scope::Venue(venue)))),
            Command::Account(account) => (self.account(&account), None, None),
        };
        let (cause, flatten) = match command {
            Command::Kill(kill) => (Some(kill.cause.label()), kill.flatten),
            _ => (None, false),
        };
        Body::Command { command: name, instrument, scope, cause, flatten }
    }

    fn account(&self, account: &Account) -> String {
        let of = self.instruments.iter().find(|of| of.id == account.instrument);
        let asset = match (account.asset, of) {
            (FeeAsset::Base, Some(of)) => &of.base,
            (FeeAsset::Quote, Some(of)) => &of.quote,
            (_, None) => "an asset",
        };
        let amount = Scaled { value: account.amount, decimals: ACCOUNT_DECIMALS };
        match account.is_all {
            false if account.newest > 0 => {
                let of = of.map_or_else(|| "an instrument".to_owned(), Instrument::name);
                format!("trades of {of} up to {} were seen", account.newest)
            }
            true => format!("the account has {amount:#} {asset}"),
            false if account.amount == 0 => format!("the account has as much {asset} as its trades left"),
            false => format!("{amount:#} {asset} came from elsewhere"),
        }
    }

    /// As an operator would write it.
    fn scope(&self, scope: Scope) -> String {
        match scope {
            Scope::All => "all".to_owned(),
            Scope::Venue(id) => {
                let venues = kill::venues_in(&self.instruments);
                venues
                    .get(usize::from(id.0))
                    .map_or_else(|| scope.to_string(), |name| format!("venue {name}"))
            }
            Scope::Strategy(id) => {
                let label = self.strategies.get(id.index());
                label.map_or_else(|| scope.to_string(), |label| format!("strategy {label}"))
            }
            Scope::Instrument(id) => format!("instrument {}", self.instrument(id)),
        }
    }

    fn rules(&self, rules: &Rules) -> Body {
        let id = rules.instrument;
        Body::Rules {
            instrument: self.instrument(id),
            tick: self.price(id, rules.tick),
            lot: self.qty(id, rules.lot),
            min_qty: self.qty(id, rules.min_qty),
            max_qty: self.qty(id, rules.max_qty),
            min_notional: self.value(id, rules.min_notional),
        }
    }

    fn record(&self, record: &Record) -> Body {
        let (order, id) = (&record.order, Some(record.client_id));
        match record.kind {
            RecordKind::Order => {
                let order = self.terms(order, id);
                return Body::Order { decision: "approved", reason: None, rule: None, order };
            }
            RecordKind::Denied => {
                let reason = record.denied.map(|reason| reason.label());
                let rule = record.denied.and_then(rule_of).map(|rule| rule.name);
                return Body::Order { decision: "denied", reason, rule, order: self.terms(order, id) };
            }
            RecordKind::Held => return Body::Held { order: self.terms(order, id) },
            _ => {}
        }
        let whose = self.whose(order.id, order.strategy, order.instrument, id);
        match record.action() {
            Action::Note(note) => {
                Body::Manager { change: self.change(order.instrument, &note.change), order: whose }
            }
            _ => Body::Cancel { order: whose },
        }
    }

    fn change(&self, id: InstrumentId, change: &Change) -> String {
        match change {
            Change::Trails(trail) => format!("trails{}", self.trail(id, *trail)),
            Change::Released(status) => format!("released: {}", status.label()),
            Change::Due => "triggered".to_owned(),
            Change::Protected { stop, take_profit, trail } => {
                let mut text = "protected:".to_owned();
                if stop.0 != 0 {
                    let _ = write!(text, " stop {}", self.price(id, *stop));
                }
                if take_profit.0 != 0 {
                    let _ = write!(text, " take-profit {}", self.price(id, *take_profit));
                }
                if *trail != Trail::None {
                    let _ = write!(text, " trail{}", self.trail(id, *trail));
                }
                text
            }
            Change::Unprotected => "protected no longer".to_owned(),
            Change::Linked(other) => format!("cancels, and is cancelled by, order {}", other.0),
            Change::GoodTill(time) => format!("good till {time}"),
            Change::ChildOf(parent) => format!("the next order is a part of order {}", parent.0),
        }
    }

    fn trail(&self, id: InstrumentId, trail: Trail) -> String {
        match trail {
            Trail::None => String::new(),
            Trail::Bps(bps) => format!(" by {bps} bps"),
            Trail::Distance(distance) => format!(" by {}", self.price(id, distance)),
        }
    }

    fn terms(&self, order: &Order, client_id: Option<ClientOrderId>) -> Terms {
        let id = order.instrument;
        let Extras { stop_price, iceberg_qty, trailing_bps, other_leg: _ } = order.extras;
        Terms {
            whose: self.whose(order.id, order.strategy, id, client_id),
            side: side(order.side),
            kind: order.kind.label(),
            tif: match order.tif {
                TimeInForce::Gtc => "gtc",
                TimeInForce::Ioc => "ioc",
                TimeInForce::Fok => "fok",
            },
            reduce_only: order.reduce_only,
            qty: self.qty(id, order.qty),
            price: order.kind.has_limit().then(|| self.price(id, order.price)),
            stop_price: (stop_price.0 != 0).then(|| self.price(id, stop_price)),
            iceberg_qty: (iceberg_qty.0 != 0).then(|| self.qty(id, iceberg_qty)),
            trailing_bps: (trailing_bps != 0).then_some(trailing_bps),
            in_list_with: order.other_leg().map(|other| other.0),
        }
    }

    fn whose(
        &self,
        order: OrderId,
        strategy: StrategyId,
        instrument: InstrumentId,
        client_id: Option<ClientOrderId>,
    ) -> Whose {
        let client_id = client_id.unwrap_or_else(|| ClientOrderId::derive(self.epoch, order));
        let label = self.strategies.get(strategy.index()).cloned();
        Whose {
            order: order.0,
            client_id: client_id.to_string(),
            strategy: label.unwrap_or_else(|| format!("#{}", strategy.0)),
            instrument: self.instrument(instrument),
        }
    }

    fn instrument(&self, id: InstrumentId) -> String {
        self.instruments.get(id.index()).map_or_else(|| format!("#{}", id.0), Instrument::name)
    }

    fn price(&self, id: InstrumentId, price: Price) -> String {
        let decimals = self.instruments.get(id.index()).map_or(0, |i| i.price_decimals);
        Scaled { value: price.0.into(), decimals }.to_string()
    }

    fn qty(&self, id: InstrumentId, qty: Qty) -> String {
        let decimals = self.instruments.get(id.index()).map_or(0, |i| i.qty_decimals);
        Scaled { value: qty.0.into(), decimals }.to_string()
    }

    fn value(&self, id: InstrumentId, value: Notional) -> String {
        let decimals = self.instruments.get(id.index()).map_or(0, Instrument::notional_decimals);
        Scaled { value: value.0, decimals }.to_string()
    }
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
