//! The strategies that backtests are measured by, alone and beside peers, who have them written to the same rules.

use algo_trader::domain::event::Trade;
use algo_trader::domain::order::OrderState;
use algo_trader::domain::{InstrumentId, OrderStatus, Price, Qty, Time};
use algo_trader::market::Top;
use algo_trader::strategy::{Context, Strategy};

/// Updates of the two averages; the shorter is compared with the longer from the first trade after so many.
const FAST: f64 = 500.0;
const SLOW: f64 = 2_000.0;

/// Between two rounds of quotes: 100 ms.
const EVERY: u64 = 100_000_000;

/// Long while the fast average of trades is above the slow one, short below.
pub struct EmaCross {
    btc: InstrumentId,
    fast: f64,
    slow: f64,
    trades: u64,
    above: Option<bool>,
}

impl EmaCross {
    /// Of this instrument, having seen nothing.
    pub fn new(btc: InstrumentId) -> Self {
        Self { btc, fast: 0.0, slow: 0.0, trades: 0, above: None }
    }
}

impl Strategy for EmaCross {
    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        let price = trade.price.0 as f64;
        if self.trades == 0 {
            (self.fast, self.slow) = (price, price);
        }
        self.trades += 1;
        self.fast += (price - self.fast) * (2.0 / (FAST + 1.0));
        self.slow += (price - self.slow) * (2.0 / (SLOW + 1.0));
        let above = self.fast > self.slow;
        if self.trades < SLOW as u64
            || self.above == Some(above)
            || ctx.open_orders(self.btc).next().is_some()
        {
            return;
        }
        self.above = Some(above);
        let change = (if above { 1_000 } else { -1_000 }) - ctx.position(self.btc).qty.0;
        let _ = match change {
            0 => return,
            more if more > 0 => ctx.buy(self.btc, Qty(more)).at_market().send(),
            less => ctx.sell(self.btc, Qty(-less)).at_market().send(),
        };
    }
}

/// Quotes both touches with 0.01, anew every 100 ms.
pub struct Maker {
    btc: InstrumentId,
    next: Time,
}

impl Maker {
    /// Of this instrument, having quoted nothing.
    pub fn new(btc: InstrumentId) -> Self {
        Self { btc, next: Time(0) }
    }
}

impl Strategy for Maker {
    fn on_quote(&mut self, ctx: &mut Context<'_>, _: InstrumentId, top: &Top) {
        if !top.is_two_sided() || ctx.now() < self.next {
            return;
        }
        // On a grid of time, as the peer has it, whenever the first quote after its point comes.
        self.next = Time((ctx.now().0 / EVERY + 1) * EVERY);
        loop {
            let live = |o: &&OrderState| o.status != OrderStatus::PendingCancel;
            let Some(id) = ctx.open_orders(self.btc).find(live).map(|o| o.order.id) else { break };
            if ctx.cancel(id).is_err() {
                break;
            }
        }
        let _ = ctx.buy(self.btc, Qty(10)).at_limit(Price(top.bid.price.0)).post_only().send();
        let _ = ctx.sell(self.btc, Qty(10)).at_limit(Price(top.ask.price.0)).post_only().send();
    }
}
