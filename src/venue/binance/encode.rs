//! Orders as query strings, unsigned, into a fixed buffer.
//!
//! Owns: the parameters of `POST` and `DELETE` `/api/v3/order` (spot) and `/fapi/v1/order` (USD-M). Signs nothing:
//! the signature is made over these bytes, which are percent-encoded as the venue demands, and appended by
//! [`RestRequest`](super::request::RestRequest). Invariant: allocates nothing, and what it writes is either whole or
//! empty.

use super::bytes::FixedBytes;
use crate::domain::{ClientOrderId, Extras, Instrument, Market, Order, OrderKind, Side, TimeInForce};

/// Room for the parameters of one request; the longest of ours take some 270 bytes.
pub const ORDER_BYTES_MAX: usize = 512;

/// The parameters of one request: a query string; empty if it did not fit, which no symbol of an
/// [`InstrumentTable`](crate::domain::InstrumentTable) can cause.
pub type OrderBytes = FixedBytes<ORDER_BYTES_MAX>;

/// Writes the parameters that place `order`, replacing what is in `out`.
///
/// `order.qty` and, unless it is a market order, `order.price` are positive, in the units of `instrument`, whose id is
/// the order's. `timestamp_ms` is the request's time, milliseconds since 1970. Spot has no reduce-only orders, so the
/// flag is not sent there; USD-M has no `LIMIT_MAKER`, and says post-only by the time in force `GTX`. USD-M takes its
/// conditional orders and no icebergs by other requests: nothing is written of such an order.
#[inline]
pub fn encode_order(
    order: &Order,
    instrument: &Instrument,
    client_id: &ClientOrderId,
    timestamp_ms: u64,
    out: &mut OrderBytes,
) {
    let futures = instrument.market != Market::Spot;
    out.clear();
    if futures && !order.extras.is_none() {
        return;
    }
    out.text(b"symbol=");
    out.percent_encoded(instrument.symbol.as_bytes());
    out.text(match order.side {
        Side::Buy => b"&side=BUY",
        Side::Sell => b"&side=SELL",
    });
    out.text(match (order.kind, order.tif) {
        (OrderKind::Market, _) => b"&type=MARKET",
        (OrderKind::PostOnly, _) if futures => b"&type=LIMIT&timeInForce=GTX",
        (OrderKind::PostOnly, _) => b"&type=LIMIT_MAKER",
        (OrderKind::Limit, TimeInForce::Gtc) => b"&type=LIMIT&timeInForce=GTC",
        (OrderKind::Limit, TimeInForce::Ioc) => b"&type=LIMIT&timeInForce=IOC",
        (OrderKind::Limit, TimeInForce::Fok) => b"&type=LIMIT&timeInForce=FOK",
        (OrderKind::Stop, _) => b"&type=STOP_LOSS",
        (OrderKind::StopLimit, TimeInForce::Gtc) => b"&type=STOP_LOSS_LIMIT&timeInForce=GTC",
        (OrderKind::StopLimit, TimeInForce::Ioc) => b"&type=STOP_LOSS_LIMIT&timeInForce=IOC",
        (OrderKind::StopLimit, TimeInForce::Fok) => b"&type=STOP_LOSS_LIMIT&timeInForce=FOK",
        (OrderKind::TakeProfit, _) => b"&type=TAKE_PROFIT",
        (OrderKind::TakeProfitLimit, TimeInForce::Gtc) => b"&type=TAKE_PROFIT_LIMIT&timeInForce=GTC",
        (OrderKind::TakeProfitLimit, TimeInForce::Ioc) => b"&type=TAKE_PROFIT_LIMIT&timeInForce=IOC",
        (OrderKind::TakeProfitLimit, TimeInForce::Fok) => b"&type=TAKE_PROFIT_LIMIT&timeInForce=FOK",
    });
    out.text(b"&quantity=");
    out.decimal(order.qty.0, instrument.qty_decimals);
    if order.kind.has_limit() {
        out.text(b"&price=");
        out.decimal(order.price.0, instrument.price_decimals);
    }
    if !order.extras.is_none() {
        encode_extras(order, instrument, out);
    }
    if futures && order.reduce_only {
        out.text(b"&reduceOnly=true");
    }
    out.text(b"&newClientOrderId=");
    out.text(client_id.as_bytes());
    out.text(b"&newOrderRespType=ACK&timestamp=");
    out.integer(timestamp_ms);
}

/// What only some orders have.
#[cold]
fn encode_extras(order: &Order, instrument: &Instrument, out: &mut OrderBytes) {
    // A list has a request of its own.
    let Extras { stop_price, iceberg_qty, trailing_bps, other_leg: _ } = order.extras;
    if stop_price.0 != 0 {
        out.text(b"&stopPrice=");
        out.decimal(stop_price.0, instrument.price_decimals);
    }
    if trailing_bps != 0 {
        out.text(b"&trailingDelta=");
        out.integer(u64::from(trailing_bps));
    }
    if iceberg_qty.0 != 0 {
        out.text(b"&icebergQty=");
        out.decimal(iceberg_qty.0, instrument.qty_decimals);
    }
}

/// Writes the parameters that cancel the order known as `client_id`, replacing what is in `out`.
///
/// `timestamp_ms` is the request's time, milliseconds since 1970.
#[inline]
pub fn encode_cancel(
    instrument: &Instrument,
    client_id: &ClientOrderId,
    timestamp_ms: u64,
    out: &mut OrderBytes,
) {
    out.clear();
    out.text(b"symbol=");
    out.percent_encoded(instrument.symbol.as_bytes());
    out.text(b"&origClientOrderId=");
    out.text(client_id.as_bytes());
    out.text(b"&timestamp=");
    out.integer(timestamp_ms);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instrument::tests::sample;
    use crate::domain::{InstrumentId, OrderId, Price, Qty, StrategyId};

    const NOW_MS: u64 = 1_723_161_253_000;

    fn order(kind: OrderKind, tif: TimeInForce) -> Order {
        Order {
            id: OrderId(37),
            strategy: StrategyId(0),
            instrument: InstrumentId(0),
            side: Side::Buy,
            kind,
            tif,
            reduce_only: false,
            qty: Qty(12),
            price: Price(6_183_763),
            extras: Extras::NONE,
        }
    }

    fn encoded(order: &Order, market: Market) -> String {
        let mut out = OrderBytes::new();
        let id = ClientOrderId::derive(1_723_161_253, order.id);
        encode_order(order, &sample(market, "BTCUSDT"), &id, NOW_MS, &mut out);
        String::from_utf8_lossy(out.as_bytes()).into_owned()
    }

    #[test]
    fn a_limit_order_names_price_and_time_in_force() {
        assert_eq!(
            encoded(&order(OrderKind::Limit, TimeInForce::Ioc), Market::Spot),
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=IOC&quantity=0.012&price=61837.63\
             &newClientOrderId=00shxbqd0000000011&newOrderRespType=ACK&timestamp=1723161253000"
        );
    }

    #[test]
    fn a_market_order_names_neither() {
        let mut market = order(OrderKind::Market, TimeInForce::Gtc);
        market.side = Side::Sell;
        market.reduce_only = true;
        let text = "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.012\
                    &newClientOrderId=00shxbqd0000000011&newOrderRespType=ACK&timestamp=1723161253000";
        assert_eq!(encoded(&market, Market::Spot), text, "spot knows no reduce-only");
        assert_eq!(encoded(&market, Market::UsdM), text.replace("0.012", "0.012&reduceOnly=true"));
    }

    #[test]
    fn post_only_is_a_type_on_spot_and_a_time_in_force_on_futures() {
        let maker = order(OrderKind::PostOnly, TimeInForce::Gtc);
        assert_eq!(
            encoded(&maker, Market::Spot),
            "symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=0.012&price=61837.63\
             &newClientOrderId=00shxbqd0000000011&newOrderRespType=ACK&timestamp=1723161253000"
        );
        assert!(encoded(&maker, Market::UsdM).contains("&type=LIMIT&timeInForce=GTX&quantity="));
    }

    #[test]
    fn a_conditional_order_names_its_trigger_and_futures_have_none_here() {
        let mut stop = order(OrderKind::StopLimit, TimeInForce::Gtc);
        stop.extras =
            Extras { stop_price: Price(6_190_000), iceberg_qty: Qty(3), trailing_bps: 50, other_leg: 0 };
        assert_eq!(
            encoded(&stop, Market::Spot),
            "symbol=BTCUSDT&side=BUY&type=STOP_LOSS_LIMIT&timeInForce=GTC&quantity=0.012&price=61837.63\
             &stopPrice=61900.00&trailingDelta=50&icebergQty=0.003\
             &newClientOrderId=00shxbqd0000000011&newOrderRespType=ACK&timestamp=1723161253000"
        );
        assert_eq!(encoded(&stop, Market::UsdM), "");
        stop.kind = OrderKind::TakeProfit;
        stop.extras = Extras::stop(Price(6_100_000));
        assert!(
            encoded(&stop, Market::Spot).contains("&type=TAKE_PROFIT&quantity=0.012&stopPrice=61000.00&new")
        );
    }

    #[test]
    fn a_cancel_names_the_order_by_its_first_id() {
        let mut out = OrderBytes::new();
        let id = ClientOrderId::derive(1_723_161_253, OrderId(37));
        encode_cancel(&sample(Market::Spot, "ETHUSDT"), &id, NOW_MS, &mut out);
        assert_eq!(
            String::from_utf8_lossy(out.as_bytes()),
            "symbol=ETHUSDT&origClientOrderId=00shxbqd0000000011&timestamp=1723161253000"
        );
    }

    #[test]
    fn a_symbol_beyond_ascii_is_percent_encoded() {
        let mut out = OrderBytes::new();
        let id = ClientOrderId::derive(1_723_161_253, OrderId(37));
        encode_cancel(&sample(Market::Spot, "\u{5e01}USDT"), &id, NOW_MS, &mut out);
        assert!(out.as_bytes().starts_with(b"symbol=%E5%B8%81USDT&origClientOrderId="));
    }

    #[test]
    fn the_largest_order_fits_and_a_symbol_beyond_all_bounds_gives_nothing() {
        let mut largest = order(OrderKind::Limit, TimeInForce::Gtc);
        largest.qty = Qty(i64::MAX);
        largest.price = Price(i64::MAX);
        largest.reduce_only = true;
        let mut instrument = sample(Market::UsdM, "ABCDEFGHIJKLMNO");
        (instrument.price_decimals, instrument.qty_decimals) = (18, 18);
        let id = ClientOrderId::derive(u64::MAX, OrderId(u64::MAX));
        let mut out = OrderBytes::new();
        encode_order(&largest, &instrument, &id, u64::MAX, &mut out);
        assert!(out.as_bytes().ends_with(b"&timestamp=9223372036854775807"));
        instrument.symbol = "X".repeat(600);
        encode_order(&largest, &instrument, &id, NOW_MS, &mut out);
        assert_eq!(out.as_bytes(), b"");
    }
}
