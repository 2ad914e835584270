//! What is watched: a strategy whose orders rest, a detector that finds the tenth of them, a run on paper, and a webhook that
//! is told.

#![allow(dead_code, reason = "each user takes a part")]

use super::live_orders::{Key, LiveConfig, config, dollars, thousandths, venue};
use algo_trader::domain::order::OrderState;
use algo_trader::domain::{DenyReason, Instrument, InstrumentId, Price};
use algo_trader::market::Top;
use algo_trader::net::{TlsSettings, Webhook};
use algo_trader::run::AlertRequest;
use algo_trader::run::config::TradingMode;
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Context, Setup, Strategy, StrategySpec};
use algo_trader::surveillance::{Act, Alert, Detector, Seen};
use algo_trader::venue::local::serve::Running;
use std::path::Path;
use std::time::Duration;

/// Keeps ten buys far below the market.
struct Rests {
    instrument: InstrumentId,
    of: Instrument,
    next: i64,
}

impl Strategy for Rests {
    fn on_quote(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId, top: &Top) {
        if instrument != self.instrument || !top.is_two_sided() {
            return;
        }
        for _ in ctx.open_orders(instrument).count()..10 {
            self.next = (self.next + 1) % 1_000;
            let price: Price = dollars(&self.of, 58_000 - self.next);
            let qty = thousandths(&self.of, 1);
            let _ = ctx.buy(instrument, qty).at_limit(price).send();
        }
    }

    fn on_order(&mut self, _ctx: &mut Context<'_>, _order: &OrderState, _denied: Option<DenyReason>) {}
}

fn rests(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    let instrument = setup.one_instrument()?;
    Ok(Box::new(Rests { instrument, of: setup.table.get(instrument).clone(), next: 0 }))
}

/// The strategy.
pub const RESTING: StrategySpec =
    StrategySpec { name: "rests", doc: "orders that rest", params: &[], build: rests };

/// Its place in a configuration.
pub const RESTS: &str = "[[strategy]]\nname = \"rests\"\ninstruments = [\"binance:spot:BTCUSDT\"]\n";

/// Finds the tenth order of anybody, once.
pub struct Tenth(pub u32);

impl Detector for Tenth {
    fn name(&self) -> &'static str {
        "tenth-order"
    }

    fn take(&mut self, seen: &Seen) -> Option<Alert> {
        let Act::Order { strategy, .. } = seen.act else { return None };
        self.0 += 1;
        (self.0 == 10).then(|| Alert {
            detector: self.name(),
            time: seen.time,
            strategy,
            instrument: seen.instrument,
            detail: "so many".into(),
        })
    }
}

/// A venue, and a run on paper of this strategy.
pub fn on_paper(strategy: &str, trading: &str) -> (Running, LiveConfig) {
    let venue = venue(|_| {});
    let mut live = config(&venue, Key::Hmac, trading, strategy);
    live.config.trading.mode = TradingMode::Paper;
    (venue, live)
}

/// Alerts to a webhook at `port` that `ca` vouches for.
pub fn alerts(port: u16, ca: &Path) -> AlertRequest {
    let address = format!("https://127.0.0.1:{port}/hook/secret/?code=more");
    AlertRequest {
        webhook: Webhook::parse(&address).expect("an address"),
        tls: TlsSettings { ca_file: Some(ca.to_owned()), accept_any_certificate: false },
        run: "desk".into(),
        pauses: (Duration::from_millis(20), Duration::from_millis(100)),
        give_up_after: Duration::from_secs(60),
    }
}
