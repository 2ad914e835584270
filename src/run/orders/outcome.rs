//! What the sending of orders went through, for summary and report.

use crate::domain::decimal::Scaled;
use crate::domain::{InstrumentTable, Price, Qty};
use crate::net::said::shown_char;
use crate::pipeline::StageHistogram;
use crate::venue::binance::client::Notice;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// Notices kept word by word; the others are counted.
const KEPT_MAX: usize = 32;

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct OrdersOutcome {
    /// Orders and cancels taken from the lane.
    pub orders: u64,
    /// Messages sent by WebSocket.
    pub messages_sent: u64,
    /// Their bytes, unframed.
    pub bytes_sent: u64,
    /// Messages received by WebSocket.
    pub frames: u64,
    /// REST calls made.
    pub rest_calls: u64,
    /// Of those, without an answer.
    pub rest_failed: u64,
    /// Reports that went to the ring.
    pub reports: u64,
    /// Sessions opened.
    pub sessions_opened: u64,
    /// How sessions ended, by [`label`](crate::net::websocket::ConnectionError::label).
    pub endings: BTreeMap<&'static str, u64>,
    /// From a lost session to the next that takes orders.
    pub reconnected_after: Vec<Duration>,
    /// From a lost session to everything known again: reconnected, what was missed fetched, balances and orders compared.
    pub recovered_after: Vec<Duration>,
    /// Rules of instruments that changed at the venue.
    pub rules: u64,
    /// Instruments that a difference halted.
    pub halts: u64,
    /// How often the venue said that we ask too much.
    pub refusals: u64,
    /// The thread that sent them died: what it did, and what is open, is not known.
    pub died: bool,
    /// Orders that were not over at the end.
    pub open_at_end: usize,
    /// Of those, not known to be live.
    pub unknown_at_end: usize,
    /// Those that are ours, each by its number and its name at the venue.
    pub left: Vec<String>,
    /// What the client told, by kind.
    pub notices: BTreeMap<String, u64>,
    /// The first of what a person should read.
    pub told: Vec<String>,
    /// Latencies of the way of an order.
    pub latencies: Vec<StageHistogram>,
}

/// The stretches of an order's way.
pub(super) struct OrderLatencies {
    pub queue: StageHistogram,
    pub write: StageHistogram,
    pub seal: StageHistogram,
    pub socket: StageHistogram,
    pub whole: StageHistogram,
    pub rest: StageHistogram,
}

impl OrderLatencies {
    pub fn new() -> Self {
        Self {
            queue: StageHistogram::new("order-queue", "order handed over to taken by the sending thread"),
            write: StageHistogram::new(
                "order-write",
                "order taken to its request written, signed if need be",
            ),
            seal: StageHistogram::new("order-seal", "request written to masked and encrypted"),
            socket: StageHistogram::new("order-socket", "request encrypted to handed to the socket"),
            whole: StageHistogram::new(
                "order-total",
                "event that caused the order published to its request handed to the socket",
            ),
            rest: StageHistogram::new("rest-call", "REST call begun to its answer"),
        }
    }

    pub fn into_list(self) -> Vec<StageHistogram> {
        vec![self.queue, self.write, self.seal, self.socket, self.whole, self.rest]
    }
}

impl OrdersOutcome {
    /// Counts a notice, and tells the log.
    pub(super) fn take(&mut self, notice: &Notice, table: &InstrumentTable) {
        let debug = format!("{notice:?}");
        let kind = debug.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        *self.notices.entry(kind.to_owned()).or_default() += 1;
        // Names of assets in it are the venue's own words.
        let text: String = text(notice, table).chars().map(shown_char).collect();
        let told = match notice {
            Notice::Reconciled | Notice::ClockMeasured { .. } | Notice::CancelWaits { .. } => {
                log::debug!("orders: {text}");
                false
            }
            Notice::Trading
            | Notice::SessionReady(_)
            | Notice::GapClosed { .. }
            | Notice::Settled { .. }
            | Notice::RulesUnchanged => {
                log::info!("orders: {text}");
                false
            }
            Notice::Meanwhile { .. } => {
                log::error!("orders: {text}");
                true
            }
            _ => {
                log::warn!("orders: {text}");
                true
            }
        };
        if told && self.told.len() < KEPT_MAX {
            self.told.push(text);
        }
    }

    /// Whether something of ours is open at the venue, or may be.
    #[must_use]
    pub const fn may_leave_open(&self) -> bool {
        self.died || self.open_at_end > 0
    }

    /// How often a notice of this kind, by its name, was told.
    #[must_use]
    pub fn count(&self, kind: &str) -> u64 {
        self.notices.get(kind).copied().unwrap_or(0)
    }

    /// The same as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let ms = |d: &Duration| d.as_secs_f64() * 1e3;
        let notices: Map<String, Value> = self.notices.iter().map(|(k, n)| (k.clone(), json!(n))).collect();
        json!({
            "orders": self.orders,
            "messages_sent": self.messages_sent,
            "bytes_sent": self.bytes_sent,
            "frames": self.frames,
            "rest_calls": self.rest_calls,
            "rest_failed": self.rest_failed,
            "reports": self.reports,
            "sessions_opened": self.sessions_opened,
            "endings": self.endings,
            "reconnected_after_ms": self.reconnected_after.iter().map(ms).collect::<Vec<_>>(),
            "recovered_after_ms": self.recovered_after.iter().map(ms).collect::<Vec<_>>(),
            "rules": self.rules,
            "halts": self.halts,
            "refusals": self.refusals,
            "died": self.died,
            "open_at_end": self.open_at_end,
            "left_at_end": self.left,
            "unknown_at_end": self.unknown_at_end,
            "notices": notices,
            "told": self.told,
        })
    }

    /// The same for a person, a few lines.
    #[must_use]
    pub fn text(&self) -> String {
        let mut t = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(
            t,
            "orders: {} taken, {} messages and {} REST calls sent ({} failed), {} reports; {} sessions opened; {} orders not over at the end, {} of which are not known to be open",
            self.orders,
            self.messages_sent,
            self.rest_calls,
            self.rest_failed,
            self.reports,
            self.sessions_opened,
            self.open_at_end,
            self.unknown_at_end
        );
        for (label, count) in &self.endings {
            let _ = writeln!(t, "  sessions ended, {label}: {count}");
        }
        for line in &self.told {
            let _ = writeln!(t, "  {line}");
        }
        t
    }
}

/// A notice as a person reads it: instruments by their names, amounts in their decimals.
fn text(notice: &Notice, table: &InstrumentTable) -> String {
    match notice {
        Notice::ExternalOrder { instrument, venue_id, side, qty, executed, open } => {
            let of = table.get(*instrument);
            let shown =
                |qty: &Qty| format!("{:#}", Scaled { value: qty.0.into(), decimals: of.qty_decimals });
            let (name, open) = (of.name(), if *open { "open" } else { "over" });
            let (executed, qty) = (shown(executed), shown(qty));
            format!(
                "order {venue_id} of {name} was placed elsewhere: {side}, {executed} of {qty} traded, {open}"
            )
        }
        Notice::ExternalFill { instrument, trade_id, side, qty: Qty(qty), price: Price(price) } => {
            let of = table.get(*instrument);
            let number = |value: &i64, decimals| format!("{:#}", Scaled { value: (*value).into(), decimals });
            let (qty, price) = (number(qty, of.qty_decimals), number(price, of.price_decimals));
            format!("trade {trade_id} of {} was made elsewhere: {side} {qty} at {price}", of.name())
        }
        Notice::TradedMeanwhile {
            instrument,
            trade_id,
            venue_order,
            side,
            qty: Qty(qty),
            price: Price(price),
        } => {
            let of = table.get(*instrument);
            let number = |value: &i64, decimals| format!("{:#}", Scaled { value: (*value).into(), decimals });
            let (qty, price) = (number(qty, of.qty_decimals), number(price, of.price_decimals));
            format!(
                "trade {trade_id} of {} was made since the last that the earlier run's journal tells of, by order {venue_order}, \
                 which is not in it: {side} {qty} at {price}",
                of.name()
            )
        }
        _ => {
            let text = notice.to_string();
            let told = table.all().iter().find_map(|of| {
                let number = format!("instrument {}", of.id.0);
                let (before, after) = text.split_once(&number)?;
                // Of instrument 12 the text has instrument 1 in it too.
                let whole = !after.starts_with(|next: char| next.is_ascii_digit());
                whole.then(|| format!("{before}{}{after}", of.name()))
            });
            told.unwrap_or(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instrument::tests::sample;
    use crate::domain::{InstrumentId, Market, Side};
    use crate::venue::binance::client::InstrumentPause;

    #[test]
    fn a_notice_is_one_line_that_moves_no_cursor_whatever_an_asset_is_named() {
        let table = InstrumentTable::new(vec![sample(Market::Spot, "BTCUSDT")]).expect("one instrument");
        let amount = Scaled { value: 1, decimals: 0 };
        let asset = "X\n2026-11-29 ERROR all is sold\r\x1b[2J\u{202e}".to_owned();
        let halts = false;
        let notice = Notice::Difference { asset, venue: amount, ours: amount, halts };
        let mut outcome = OrdersOutcome::default();
        outcome.take(&notice, &table);
        let [told] = &outcome.told[..] else { panic!("{:?}", outcome.told) };
        assert!(told.starts_with("X 2026-11-29 ERROR all is sold ?[2J?: the venue has 1"), "{told:?}");
        assert_eq!(outcome.text().lines().count(), 2, "{}", outcome.text());
    }

    #[test]
    fn notices_name_instruments_and_amounts_as_people_do() {
        let all = (0..13).map(|n| sample(Market::Spot, &format!("C{n}USDT"))).collect();
        let table = InstrumentTable::new(all).expect("distinct");
        let why = Some(InstrumentPause::Difference);
        let halted = Notice::InstrumentPaused { instrument: InstrumentId(12), why };
        assert!(
            text(&halted, &table).starts_with("binance:spot:C12USDT: halted"),
            "{}",
            text(&halted, &table)
        );
        let order = Notice::ExternalOrder {
            instrument: InstrumentId(1),
            venue_id: 7,
            side: Side::Sell,
            qty: Qty(1_500),
            executed: Qty(0),
            open: true,
        };
        let told = "order 7 of binance:spot:C1USDT was placed elsewhere: sell, 0 of 1.5 traded, open";
        assert_eq!(text(&order, &table), told);
        assert_eq!(text(&Notice::Reconciled, &table), "balances and orders agree");
    }
}
