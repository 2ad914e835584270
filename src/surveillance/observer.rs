//! From a journal's entries to what detectors see.

use super::activity::{Act, Seen};
use crate::domain::event::{Event, Kind, Report, Trade};
use crate::domain::order::ReportKind;
use crate::domain::{InstrumentId, Time};
use crate::execution::{Record, RecordKind};
use crate::journal::Entry;

/// Reads a journal's entries as a detector wants them.
#[derive(Debug, Default)]
pub struct Observer {
    time: Time,
    /// Whose trades are told one by one: of theirs aggregates say nothing new.
    raw: Vec<InstrumentId>,
}

impl Observer {
    /// Takes one entry in, and says what detectors see of it.
    pub fn take(&mut self, entry: &Entry) -> Option<Seen> {
        match entry {
            Entry::Slot(slot) => {
                if slot.is_first() {
                    self.time = slot.time();
                }
                let time = self.time;
                match slot.kind() {
                    Kind::Trade => slot.as_trade().filter(|t| self.is_news(t)).map(|t| Seen {
                        time,
                        instrument: t.instrument,
                        act: Act::Trade { price: t.price, qty: t.qty, aggressor: t.aggressor },
                    }),
                    Kind::Report => match slot.event() {
                        Event::Report(report) => reported(&report, time),
                        _ => None,
                    },
                    _ => None,
                }
            }
            Entry::Record(record) => recorded(record, self.time),
            Entry::End => None,
        }
    }
}

impl Observer {
    fn is_news(&mut self, trade: &Trade) -> bool {
        let known = self.raw.contains(&trade.instrument);
        if !trade.aggregate && !known {
            self.raw.push(trade.instrument);
        }
        !(trade.aggregate && known)
    }
}

fn reported(report: &Report, time: Time) -> Option<Seen> {
    let order = report.order;
    let act = match report.kind {
        ReportKind::Fill => Act::Fill {
            order,
            strategy: report.strategy,
            side: report.side,
            price: report.price,
            qty: report.qty,
            maker: report.maker,
            trade_id: report.trade_id,
        },
        ReportKind::Rejected => Act::Refused { order },
        ReportKind::Canceled | ReportKind::Expired => Act::Ended { order },
        // Funding, liquidation and commissions are the venue's doing.
        ReportKind::Accepted
        | ReportKind::CancelRejected
        | ReportKind::Funding
        | ReportKind::Liquidated
        | ReportKind::Commission => return None,
    };
    Some(Seen { time, instrument: report.instrument, act })
}

fn recorded(record: &Record, time: Time) -> Option<Seen> {
    let order = &record.order;
    let act = match record.kind {
        RecordKind::Order => Act::Order {
            order: order.id,
            strategy: order.strategy,
            side: order.side,
            price: order.price,
            qty: order.qty,
            reduces: order.reduce_only,
        },
        RecordKind::Cancel => Act::Cancel { order: order.id },
        _ => return None,
    };
    Some(Seen { time, instrument: order.instrument, act })
}
