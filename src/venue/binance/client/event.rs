//! The user stream's events, and rows of answers, in the client's terms.
//!
//! Owns: their fields. Fields that are not known are passed over; one that is missing makes the message unreadable, which
//! the caller takes for a gap in the stream.

use super::instruments::Instruments;
use super::ledger::{TradeFact, amount};
use super::tracked::End;
use crate::domain::decimal::parse;
use crate::domain::{Instrument, InstrumentId, Price, Qty, Side};
use serde_json::Value;

/// An event.
#[derive(Debug, PartialEq)]
pub enum UserEvent<'v> {
    /// An order changed.
    Execution(Execution<'v>),
    /// An order of a symbol that is not known here changed; its trades move balances.
    Elsewhere {
        /// Whether it traded.
        traded: bool,
    },
    /// Something came, or went.
    Transfer { asset: &'v str, amount: i128, ms: u64 },
    /// The subscription is over.
    Terminated,
    /// The server goes down soon.
    Shutdown,
    /// Of no use here.
    Other,
}

/// What happened to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    New,
    Trade,
    Canceled,
    Replaced,
    Rejected,
    Expired,
    TradePrevention,
    Other,
}

/// One report on an order.
#[derive(Debug, PartialEq)]
pub struct Execution<'v> {
    pub instrument: InstrumentId,
    pub venue_id: u64,
    /// The order's id with the client; of a cancel, the one it had before.
    pub client_id: &'v str,
    pub side: Side,
    pub change: Change,
    /// How it stands now.
    pub standing: Standing,
    pub trade: Option<TradeFact>,
}

/// How an order stands by the venue's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub qty: Qty,
    pub executed: Qty,
    /// How it ended; `None` while it is open.
    pub end: Option<End>,
}

/// Reads the event in `{"subscriptionId":0,"event":{…}}`, or one that stands alone.
pub fn read<'v>(frame: &'v Value, instruments: &Instruments) -> Option<UserEvent<'v>> {
    let event = frame.get("event").unwrap_or(frame);
    Some(match text(event, "e")? {
        "executionReport" => match instruments.find(text(event, "s")?) {
            Some(listed) => UserEvent::Execution(execution(event, &listed.instrument)?),
            None => UserEvent::Elsewhere { traded: text(event, "x")? == "TRADE" },
        },
        "balanceUpdate" => {
            let ms = event.get("T")?.as_u64()?;
            UserEvent::Transfer { asset: text(event, "a")?, amount: amount(text(event, "d")?)?, ms }
        }
        "eventStreamTerminated" => UserEvent::Terminated,
        "serverShutdown" => UserEvent::Shutdown,
        _ => UserEvent::Other,
    })
}

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name)?.as_str()
}

/// A decimal, printed as text or, as some venues like Binance do, as a number.
fn decimal(value: &Value, name: &str, decimals: u8) -> Option<i64> {
    match value.get(name)? {
        Value::String(text) => parse(text.as_bytes(), decimals).ok(),
        // A small one would be printed with an exponent again; a float's own digits never are.
        Value::Number(number) if number.is_f64() => {
            parse(number.as_f64()?.to_string().as_bytes(), decimals).ok()
        }
        Value::Number(number) => parse(number.to_string().as_bytes(), decimals).ok(),
        _ => None,
    }
}

fn side(text: &str) -> Option<Side> {
    match text {
        "BUY" => Some(Side::Buy),
        "SELL" => Some(Side::Sell),
        _ => None,
    }
}

/// The end that a status is; `None` for those of open orders.
fn end(status: &str) -> Option<End> {
    match status {
        "FILLED" => Some(End::Filled),
        "CANCELED" => Some(End::Canceled),
        "REJECTED" => Some(End::Rejected),
        "EXPIRED" | "EXPIRED_IN_MATCH" => Some(End::Expired),
        _ => None,
    }
}

fn execution<'v>(event: &'v Value, of: &Instrument) -> Option<Execution<'v>> {
    let change = match text(event, "x")? {
        "NEW" => Change::New,
        "TRADE" => Change::Trade,
        "CANCELED" => Change::Canceled,
        "REPLACED" => Change::Replaced,
        "REJECTED" => Change::Rejected,
        "EXPIRED" => Change::Expired,
        "TRADE_PREVENTION" => Change::TradePrevention,
        _ => Change::Other,
    };
    let venue_id = event.get("i")?.as_u64()?;
    let side = side(text(event, "S")?)?;
    let trade = match change {
        Change::Trade => Some(TradeFact {
            trade_id: event.get("t")?.as_u64()?,
            venue_order: venue_id,
            side,
            price: Price(decimal(event, "L", of.price_decimals)?),
            qty: Qty(decimal(event, "l", of.qty_decimals)?),
            maker: event.get("m")?.as_bool()?,
            commission: text(event, "n").map_or(Some(0), amount)?,
            commission_asset: text(event, "N").unwrap_or_default().to_owned(),
        }),
        _ => None,
    };
    let original = text(event, "C").filter(|id| !id.is_empty());
    Some(Execution {
        instrument: of.id,
        venue_id,
        client_id: original.or_else(|| text(event, "c"))?,
        side,
        change,
        standing: Standing {
            qty: Qty(decimal(event, "q", of.qty_decimals)?),
            executed: Qty(decimal(event, "z", of.qty_decimals)?),
            end: end(text(event, "X")?),
        },
        trade,
    })
}

/// An order in an answer.
#[derive(Debug, PartialEq)]
pub struct OrderRow<'v> {
    pub venue_id: u64,
    /// The id it was placed with; of one that was cancelled, the one before.
    pub client_id: &'v str,
    /// Absent in a bare acknowledgement.
    pub standing: Option<Standing>,
    pub side: Option<Side>,
}

/// Reads an order out of an answer.
pub fn order_row<'v>(row: &'v Value, of: &Instrument) -> Option<OrderRow<'v>> {
    let standing = match text(row, "status") {
        Some(status) => Some(Standing {
            qty: Qty(decimal(row, "origQty", of.qty_decimals).unwrap_or(0)),
            executed: Qty(decimal(row, "executedQty", of.qty_decimals)?),
            end: end(status),
        }),
        None => None,
    };
    let original = text(row, "origClientOrderId").filter(|id| !id.is_empty());
    Some(OrderRow {
        venue_id: row.get("orderId")?.as_u64()?,
        client_id: original.or_else(|| text(row, "clientOrderId")).unwrap_or_default(),
        standing,
        side: text(row, "side").and_then(side),
    })
}

/// Reads a row of `myTrades`.
pub fn trade_row(row: &Value, of: &Instrument) -> Option<TradeFact> {
    Some(TradeFact {
        trade_id: row.get("id")?.as_u64()?,
        venue_order: row.get("orderId")?.as_u64()?,
        side: if row.get("isBuyer")?.as_bool()? { Side::Buy } else { Side::Sell },
        price: Price(decimal(row, "price", of.price_decimals)?),
        qty: Qty(decimal(row, "qty", of.qty_decimals)?),
        maker: row.get("isMaker")?.as_bool()?,
        commission: amount(text(row, "commission")?)?,
        commission_asset: text(row, "commissionAsset")?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::InstrumentTable;
    use crate::domain::Market;
    use crate::domain::instrument::tests::sample;

    fn ethbtc() -> Instruments {
        let mut ethbtc = sample(Market::Spot, "ETHBTC");
        (ethbtc.base, ethbtc.quote) = ("ETH".to_owned(), "BTC".to_owned());
        (ethbtc.price_decimals, ethbtc.qty_decimals) = (8, 8);
        Instruments::new(&InstrumentTable::new(vec![ethbtc]).expect("one instrument"))
    }

    /// Fields of an event as the documentation prints them, with `more` in place of those that tell them apart.
    fn frame(more: &str) -> Value {
        let text = format!(
            r#"{{"subscriptionId":0,"event":{{"e":"executionReport","E":1499405658658,"s":"ETHBTC","S":"BUY","o":"LIMIT","f":"GTC","q":"1.00000000","p":"0.10264410","P":"0.00000000","F":"0.00000000","g":-1,"r":"NONE","i":4293153,"T":1499405658657,"I":8641984,"w":true,"M":false,"O":1499405658657,"Q":"0.00000000","W":1499405658657,"V":"EXPIRE_MAKER",{more}}}}}"#
        );
        serde_json::from_str(&text).expect("JSON")
    }

    fn execution_of<'v>(frame: &'v Value, instruments: &Instruments) -> Execution<'v> {
        match read(frame, instruments) {
            Some(UserEvent::Execution(execution)) => execution,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_frames_of_the_documentation_are_read() {
        let instruments = ethbtc();
        let new = frame(
            r#""c":"mUvoqJxFIILMdfAW5iGSOW","C":"","x":"NEW","X":"NEW","l":"0.00000000","z":"0.00000000","L":"0.00000000","n":"0","N":null,"t":-1,"m":false,"Z":"0.00000000","Y":"0.00000000""#,
        );
        let new = execution_of(&new, &instruments);
        assert_eq!(
            (new.client_id, new.venue_id, new.change),
            ("mUvoqJxFIILMdfAW5iGSOW", 4_293_153, Change::New)
        );
        assert_eq!((new.trade, new.standing.end), (None, None));

        let part = frame(
            r#""c":"mUvoqJxFIILMdfAW5iGSOW","C":"","x":"TRADE","X":"PARTIALLY_FILLED","l":"0.40000000","z":"0.40000000","L":"0.10264410","n":"0.00040000","N":"ETH","t":77517,"m":true,"Z":"0.04105764","Y":"0.04105764""#,
        );
        let part = execution_of(&part, &instruments);
        let trade = part.trade.expect("a trade");
        assert_eq!((trade.trade_id, trade.qty, trade.price), (77_517, Qty(40_000_000), Price(10_264_410)));
        assert_eq!((trade.commission, trade.commission_asset.as_str()), (400_000_000_000_000, "ETH"));
        assert!(trade.maker && trade.side == Side::Buy);

        let gone = frame(
            r#""c":"cancel-1","C":"mUvoqJxFIILMdfAW5iGSOW","x":"CANCELED","X":"CANCELED","l":"0.00000000","z":"0.40000000","L":"0.00000000","n":"0","N":null,"t":-1,"m":false,"Z":"0.04105764","Y":"0.00000000""#,
        );
        let gone = execution_of(&gone, &instruments);
        assert_eq!(gone.client_id, "mUvoqJxFIILMdfAW5iGSOW", "a cancel is known by the order's first id");
        assert_eq!(
            gone.standing,
            Standing { qty: Qty(100_000_000), executed: Qty(40_000_000), end: Some(End::Canceled) }
        );
    }

    #[test]
    fn decimals_printed_as_numbers_are_exact_whatever_their_exponent() {
        for (text, decimals, expected) in [
            ("0.0000001", 8, Some(10)),
            ("1e-7", 8, Some(10)),
            ("-2.5E-8", 9, Some(-25)),
            ("1.5e3", 2, Some(150_000)),
            ("12345.67890123", 8, Some(1_234_567_890_123)),
            ("7", 3, Some(7_000)),
            ("1e-9", 8, None),
            ("1e300", 8, None),
        ] {
            let value: Value = serde_json::from_str(&format!(r#"{{"l":{text}}}"#)).expect("JSON");
            assert_eq!(decimal(&value, "l", decimals), expected, "{text}");
        }
    }

    #[test]
    fn other_events_are_told_apart() {
        let instruments = ethbtc();
        for (text, expected) in [
            (
                r#"{"subscriptionId":0,"event":{"e":"balanceUpdate","E":1573200697110,"a":"BTC","d":"-100.00000000","T":1}}"#,
                UserEvent::Transfer { asset: "BTC", amount: -100_000_000_000_000_000_000, ms: 1 },
            ),
            (
                r#"{"subscriptionId":0,"event":{"e":"eventStreamTerminated","E":1728973001334}}"#,
                UserEvent::Terminated,
            ),
            (r#"{"event":{"e":"serverShutdown","E":1770123456789}}"#, UserEvent::Shutdown),
            (
                r#"{"subscriptionId":0,"event":{"e":"externalLockUpdate","E":1,"a":"NEO","d":"10.0","T":1}}"#,
                UserEvent::Other,
            ),
            (
                r#"{"subscriptionId":0,"event":{"e":"executionReport","s":"XRPBTC","x":"TRADE"}}"#,
                UserEvent::Elsewhere { traded: true },
            ),
        ] {
            let frame = serde_json::from_str(text).expect("JSON");
            assert_eq!(read(&frame, &instruments), Some(expected), "{text}");
        }
        let cut = serde_json::json!({"event": {"e": "executionReport", "s": "ETHBTC", "x": "TRADE", "X": "FILLED"}});
        assert_eq!(read(&cut, &instruments), None);
    }

    #[test]
    fn answers_are_read() {
        let instruments = ethbtc();
        let of = &instruments.find("ETHBTC").expect("listed").instrument;
        let ack = serde_json::json!({"symbol":"ETHBTC","orderId":28,"orderListId":-1,"clientOrderId":"6gCr","transactTime":1_507_725_176_595u64});
        let row = order_row(&ack, of).expect("an order");
        assert_eq!((row.venue_id, row.client_id, row.standing), (28, "6gCr", None));
        let gone = serde_json::json!({"symbol":"LTCBTC","origClientOrderId":"myOrder1","orderId":4,"orderListId":-1,"clientOrderId":"cancelMyOrder1","price":"2.00000000","origQty":"1.00000000","executedQty":"0.50000000","status":"CANCELED","type":"LIMIT","side":"BUY"});
        let row = order_row(&gone, of).expect("an order");
        assert_eq!(row.client_id, "myOrder1");
        assert_eq!(row.standing.expect("a standing").end, Some(End::Canceled));
        let trade = serde_json::json!({"symbol":"BNBBTC","id":28457,"orderId":100_234,"orderListId":-1,"price":"4.00000100","qty":"12.00000000","quoteQty":"48.00001200","commission":"0.01200000","commissionAsset":"BNB","time":1_499_865_549_590u64,"isBuyer":true,"isMaker":false,"isBestMatch":true});
        let trade = trade_row(&trade, of).expect("a trade");
        assert_eq!(
            (trade.trade_id, trade.venue_order, trade.commission_asset.as_str()),
            (28_457, 100_234, "BNB")
        );
    }
}
