//! Live orders against the local venue: its configuration, and a strategy that does one thing after another.

#![allow(dead_code, reason = "each user takes a part")]

use super::order_client::{ED25519_PRIVATE, account};
use algo_trader::domain::order::OrderState;
use algo_trader::domain::{
    DenyReason, Instrument, InstrumentId, InstrumentTable, Market, OrderId, OrderStatus, Price, Qty, Side,
};
use algo_trader::market::Top;
use algo_trader::run::Config;
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Context, Setup, Strategy, StrategySpec};
use algo_trader::venue::local::demo_instruments;
use algo_trader::venue::local::serve::{Running, Server, ServerOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

/// The key that a run trades by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Key {
    Hmac,
    Ed25519,
    MayWithdraw,
    ReadsOnly,
    Wrong,
}

/// A venue with two accounts, alice's and bob's, whose market goes on; orders match with each other's.
pub fn venue(more: impl FnOnce(&mut ServerOptions)) -> Running {
    let mut options = ServerOptions::generated(11, spot_instruments(), 200);
    options.order_limits = (10_000, 1_000_000);
    options.limits.weight = Some(1_000_000);
    options.accounts = vec![
        account("alice", &[("USDT", "1000000"), ("BTC", "10"), ("ETH", "50")]),
        account("bob", &[("USDT", "10000000"), ("BTC", "100"), ("ETH", "500")]),
    ];
    more(&mut options);
    Server::start(options).expect("the venue starts")
}

pub fn spot_instruments() -> Vec<Instrument> {
    demo_instruments().into_iter().filter(|i| i.market == Market::Spot).collect()
}

/// A configuration, with the files that it names.
pub struct LiveConfig {
    pub config: Config,
    _files: Vec<tempfile::NamedTempFile>,
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("written");
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).expect("ours");
    file
}

/// Trades on `venue` by alice's `key`; `trading` and `strategy` are more lines of these sections.
pub fn config(venue: &Running, key: Key, trading: &str, strategy: &str) -> LiveConfig {
    let ca = file(venue.ca_pem().expect("TLS"));
    let key = file(&match key {
        Key::Hmac => "alicehmac\nsecretofalicehmac\n".to_owned(),
        Key::Ed25519 => format!("aliceed\n{ED25519_PRIVATE}"),
        Key::MayWithdraw => "alicewithdraws\nsecretofalicewithdraws\n".to_owned(),
        Key::ReadsOnly => "alicereads\nsecretofalicereads\n".to_owned(),
        Key::Wrong => "mallory\nsecretofalicehmac\n".to_owned(),
    });
    let endpoint = venue.endpoint(Market::Spot).expect("served");
    let text = format!(
        r#"
[risk]
price_collar_bps = 10000
order_notional_max = "1000000"
position_notional_max = "1000000"
gross_notional_max = "1000000"
orders_per_second_max = 100000
open_orders_max = 1000
[trading]
mode = "live"
key_file = {:?}
{trading}
[venue]
open_timeout_ms = 2000
reconnect_min_ms = 20
reconnect_max_ms = 200
ca_file = {:?}
[venue.spot]
weight_per_minute = 1000000
stream = "{}"
rest = "{}"
ws_api = "{}"
{strategy}
"#,
        key.path(),
        ca.path(),
        endpoint.stream_url,
        endpoint.rest_url,
        endpoint.api_url.as_deref().expect("spot has one"),
    );
    let table = InstrumentTable::new(spot_instruments()).expect("distinct");
    let config = Config::from_text_with_instruments(&text, "test", table).unwrap_or_else(|e| panic!("{e}"));
    LiveConfig { config, _files: vec![ca, key] }
}

/// What the scripted strategy does next, once the order before is over.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    Market(Side, Qty),
    Limit(Side, Qty, Price),
    Ioc(Side, Qty, Price),
    Fok(Side, Qty, Price),
    PostOnly(Side, Qty, Price),
    /// Rests, is cancelled once the venue has it.
    RestThenCancel(Side, Qty, Price),
    /// Rests, is cancelled at its first fill, while more may be coming.
    RestThenCancelAtFill(Side, Qty, Price),
}

/// A price of the demo's BTCUSDT, in whole dollars.
pub fn dollars(instrument: &Instrument, dollars: i64) -> Price {
    Price(dollars * 10i64.pow(u32::from(instrument.price_decimals)))
}

/// A quantity in thousandths.
pub fn thousandths(instrument: &Instrument, n: i64) -> Qty {
    Qty(n * 10i64.pow(u32::from(instrument.qty_decimals)) / 1_000)
}

/// Every type and side: whole, in part, none; refused, rested, cancelled in flight.
pub fn every_step(of: &Instrument) -> Vec<Step> {
    let (q, p) = (|n| thousandths(of, n), |n| dollars(of, n));
    let mut steps = Vec::new();
    for (side, through, beyond, rest) in
        [(Side::Buy, 60_100, 61_000, 59_950), (Side::Sell, 59_900, 59_000, 60_050)]
    {
        let touch = if side == Side::Buy { 60_010 } else { 59_990 };
        steps.extend([
            Step::Limit(side, q(25), p(through)),
            Step::Ioc(side, q(7), p(touch)),
            Step::Ioc(side, q(100), p(through)),
            Step::Fok(side, q(9_000), p(beyond)),
            Step::Fok(side, q(15), p(beyond)),
            Step::PostOnly(side, q(10), p(beyond)),
            Step::Market(side, q(12)),
            Step::RestThenCancel(side, q(20), p(rest)),
            Step::RestThenCancelAtFill(side, q(40), p(60_000)),
            Step::RestThenCancelAtFill(side, q(40), p(60_000)),
        ]);
    }
    steps
}

/// Does its steps one after the other, and nothing after that.
struct Scripted {
    instrument: InstrumentId,
    steps: Vec<Step>,
    next: usize,
    now: Option<(OrderId, Step)>,
    cancelled: bool,
}

impl Scripted {
    fn go_on(&mut self, ctx: &mut Context<'_>) {
        while self.now.is_none() {
            let Some(&step) = self.steps.get(self.next) else { return };
            self.next += 1;
            self.cancelled = false;
            let (side, qty) = match step {
                Step::Market(side, qty)
                | Step::Limit(side, qty, _)
                | Step::Ioc(side, qty, _)
                | Step::Fok(side, qty, _)
                | Step::PostOnly(side, qty, _)
                | Step::RestThenCancel(side, qty, _)
                | Step::RestThenCancelAtFill(side, qty, _) => (side, qty),
            };
            let order = match side {
                Side::Buy => ctx.buy(self.instrument, qty),
                Side::Sell => ctx.sell(self.instrument, qty),
            };
            let sent = match step {
                Step::Market(..) => order.at_market().send(),
                Step::Limit(_, _, price)
                | Step::RestThenCancel(_, _, price)
                | Step::RestThenCancelAtFill(_, _, price) => order.at_limit(price).send(),
                Step::Ioc(_, _, price) => order.at_limit(price).immediate_or_cancel().send(),
                Step::Fok(_, _, price) => order.at_limit(price).fill_or_kill().send(),
                Step::PostOnly(_, _, price) => order.at_limit(price).post_only().send(),
            };
            self.now = sent.ok().map(|id| (id, step));
        }
    }
}

impl Strategy for Scripted {
    fn on_quote(&mut self, ctx: &mut Context<'_>, _instrument: InstrumentId, top: &Top) {
        if self.next == 0 && top.is_two_sided() {
            self.go_on(ctx);
        }
    }

    fn on_order(&mut self, ctx: &mut Context<'_>, order: &OrderState, _denied: Option<DenyReason>) {
        let Some((id, step)) = self.now.filter(|(id, _)| *id == order.order.id) else { return };
        let cancel = match step {
            Step::RestThenCancel(..) => order.status == OrderStatus::Open,
            Step::RestThenCancelAtFill(..) => order.filled.0 > 0,
            _ => false,
        };
        if cancel && !self.cancelled && !order.status.is_final() {
            self.cancelled = true;
            let _ = ctx.cancel(id);
        }
        if order.status.is_final() {
            self.now = None;
            // A moment, so that what comes late of this order comes before the next.
            let _ = ctx.wake_after(Duration::from_millis(2));
        }
    }

    fn on_timer(&mut self, ctx: &mut Context<'_>, _timer: u64) {
        self.go_on(ctx);
    }
}

fn build(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    let instrument = setup.one_instrument()?;
    let steps = every_step(setup.table.get(instrument));
    Ok(Box::new(Scripted { instrument, steps, next: 0, now: None, cancelled: false }))
}

/// The scripted strategy.
pub static STRATEGIES: &[StrategySpec] =
    &[StrategySpec { name: "scripted", doc: "one order after the other", params: &[], build }];

/// Its section of a configuration.
pub const SCRIPTED: &str = "[[strategy]]\nname = \"scripted\"\ninstruments = [\"binance:spot:BTCUSDT\"]\n";
