//! The peer: what one writes first. A JSON library, an ordered map a side, an average, an order.

use super::peers::Derive;
use super::strategy::{Average, QTY_MILLIS};
use algo_trader::domain::{
    ClientOrderId, Extras, InstrumentId, InstrumentTable, Level, Order, OrderId, OrderKind, Qty, Side,
    StrategyId, TimeInForce,
};
use algo_trader::net::{Frame, SourceInfo};
use algo_trader::venue::binance::encode::{OrderBytes, encode_order};
use algo_trader::venue::{Decoded, LevelBuffer};
use std::collections::BTreeMap;

#[derive(Default)]
struct State {
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
    average: Average,
}

impl State {
    fn apply(&mut self, bids: &[Level], asks: &[Level]) {
        for (map, levels) in [(&mut self.bids, bids), (&mut self.asks, asks)] {
            for level in levels {
                if level.qty.0 == 0 {
                    map.remove(&level.price.0);
                } else {
                    map.insert(level.price.0, level.qty.0);
                }
            }
        }
        if let (Some(bid), Some(ask)) = (self.bids.last_key_value(), self.asks.first_key_value()) {
            self.average.add((bid.0 + ask.0) as f64 * 0.5);
        }
    }
}

/// See the module.
pub struct Trader {
    decoder: Derive,
    table: InstrumentTable,
    levels: LevelBuffer,
    states: Vec<State>,
    orders: u64,
}

impl Trader {
    /// For these instruments.
    pub fn new(table: &InstrumentTable) -> Self {
        Self {
            decoder: Derive::new(table),
            table: table.clone(),
            levels: LevelBuffer::new(),
            states: table.all().iter().map(|_| State::default()).collect(),
            orders: 0,
        }
    }

    /// Takes one frame; true if an order's bytes are in `out`.
    pub fn frame(
        &mut self,
        kind: usize,
        source: &SourceInfo,
        frame: &Frame<'_>,
        out: &mut OrderBytes,
    ) -> bool {
        let decoded = self.decoder.decode(kind, source, frame.bytes, &mut self.levels);
        let instrument = match decoded {
            Decoded::Trade(trade) => trade.instrument,
            Decoded::Quote(quote) => {
                let middle = (quote.bid.price.0 + quote.ask.price.0) as f64 * 0.5;
                self.states[quote.instrument.index()].average.add(middle);
                quote.instrument
            }
            Decoded::DepthDiff(head) | Decoded::DepthSnapshot(head) => {
                let state = &mut self.states[head.instrument.index()];
                if matches!(decoded, Decoded::DepthSnapshot(_)) {
                    state.bids.clear();
                    state.asks.clear();
                }
                let (bids, asks) = self.levels.levels.split_at(head.bids as usize);
                state.apply(bids, asks);
                head.instrument
            }
            _ => return false,
        };
        self.order(instrument, frame, out)
    }

    fn order(&mut self, id: InstrumentId, frame: &Frame<'_>, out: &mut OrderBytes) -> bool {
        let average = self.states[id.index()].average;
        let instrument = self.table.get(id);
        if !instrument.tradable() || !average.is_known() {
            return false;
        }
        self.orders += 1;
        let order = Order {
            id: OrderId(self.orders),
            strategy: StrategyId(0),
            instrument: id,
            side: Side::Buy,
            kind: OrderKind::Limit,
            tif: TimeInForce::Ioc,
            reduce_only: false,
            qty: Qty(QTY_MILLIS * 10i64.pow(u32::from(instrument.qty_decimals).saturating_sub(3))),
            price: average.bid(instrument.tick.0),
            extras: Extras::NONE,
        };
        let client_id = ClientOrderId::derive(1_723_161_253, order.id);
        encode_order(&order, instrument, &client_id, frame.received.0 / 1_000_000, out);
        true
    }
}
