//! The client against literal frames: what a session says goes in, what the client sends is looked at.

mod account;
mod clocks;
mod earlier;
mod lists;
mod orders;
mod rules;
mod self_trade;
mod sessions;
mod unheard;
mod unlisted;

use super::*;
use crate::domain::event::{Command, Report};
use crate::domain::instrument::tests::sample;
use crate::domain::order::ReportKind;
use crate::domain::{
    ClientOrderId, Instrument, InstrumentId, Market, Order, OrderId, OrderKind, PausedBy, Price, Qty, Side,
    StrategyId, TimeInForce, VenueId,
};
use crate::security::{ApiKey, Secret, Signer};
use serde_json::{Value, json};

/// A client and what it said last.
struct Rig {
    client: OrderClient,
    out: Outputs,
    now: Time,
    reports: Vec<Report>,
    notices: Vec<Notice>,
    /// Texts to sessions, with the session.
    texts: Vec<(SessionId, Value)>,
    calls: Vec<(HttpId, String)>,
    opened: Vec<SessionId>,
    closed: Vec<SessionId>,
    halted: Vec<InstrumentId>,
    commands: Vec<Command>,
    rules: Vec<crate::domain::event::Rules>,
    market_rules: Vec<crate::domain::event::MarketRules>,
    answered: usize,
    /// What the venue does not list; how often it was asked about it, and every `exchangeInfo` that was asked for.
    unlisted: &'static str,
    refused: usize,
    reads: Vec<String>,
    /// What `account` is answered.
    balances: Vec<(&'static str, &'static str)>,
    /// What `myTrades` is.
    trades: Value,
    /// The venue's clock less ours.
    skew_ms: i64,
}

const START_MS: u64 = 1_700_000_000_000;

fn ethbtc() -> Instrument {
    let mut instrument = sample(Market::Spot, "ETHBTC");
    (instrument.base, instrument.quote) = ("ETH".to_owned(), "BTC".to_owned());
    (instrument.price_decimals, instrument.qty_decimals) = (8, 8);
    instrument
}

impl Rig {
    fn with(settings: ClientSettings) -> Self {
        Self::of(settings, vec![ethbtc()])
    }

    fn of(settings: ClientSettings, instruments: Vec<Instrument>) -> Self {
        let table = InstrumentTable::new(instruments).expect("distinct");
        let credentials = Credentials {
            api_key: ApiKey::new("vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A")
                .expect("a key"),
            signer: Signer::hmac(&Secret::new("secret")).expect("a secret"),
        };
        let client = OrderClient::new(settings, &table, credentials);
        let balances = vec![("BTC", "10.00000000"), ("ETH", "10.00000000")];
        Self {
            client,
            out: Outputs::new(),
            now: Time::from_millis(START_MS),
            reports: Vec::new(),
            notices: Vec::new(),
            texts: Vec::new(),
            calls: Vec::new(),
            opened: Vec::new(),
            closed: Vec::new(),
            halted: Vec::new(),
            commands: Vec::new(),
            rules: Vec::new(),
            market_rules: Vec::new(),
            answered: 0,
            unlisted: "NOPEBTC",
            refused: 0,
            reads: Vec::new(),
            balances,
            trades: json!([]),
            skew_ms: 0,
        }
    }

    /// One that trades.
    fn started() -> Self {
        Self::started_with(ClientSettings::default())
    }

    fn started_with(settings: ClientSettings) -> Self {
        let mut rig = Self::with(ClientSettings { check_key: false, ..settings });
        rig.input(Input::Start);
        rig.settle();
        assert_eq!(rig.client.trading(rig.now), Ok(()), "{:?}", rig.notices);
        rig.forget();
        rig
    }

    fn forget(&mut self) {
        self.reports.clear();
        self.notices.clear();
        self.texts.clear();
        self.calls.clear();
        self.commands.clear();
        self.rules.clear();
        self.answered = 0;
    }

    fn take(&mut self) {
        let list = std::mem::take(&mut self.out.list);
        for output in list {
            match output {
                Output::OpenSession(id) => self.opened.push(id),
                Output::CloseSession(id) => self.closed.push(id),
                Output::SessionText { session, text } => {
                    let value = serde_json::from_slice(self.out.text(&text)).expect("JSON");
                    self.texts.push((session, value));
                }
                Output::Http(call) => {
                    let target = String::from_utf8_lossy(self.out.text(&call.target)).into_owned();
                    self.calls.push((call.id, format!("{} {target}", call.method)));
                }
                Output::Report(report) => self.reports.push(report),
                Output::Halt(id) => self.halted.push(id),
                Output::Notice(notice) => self.notices.push(notice),
                Output::Command(command) => self.commands.push(command),
                Output::Rules(rules) => self.rules.push(rules),
                Output::MarketRules(rules) => self.market_rules.push(rules),
            }
        }
        self.out.clear();
    }

    fn input(&mut self, input: Input<'_>) {
        self.client.handle(self.now, input, &mut self.out);
        self.take();
    }

    fn frame(&mut self, frame: &Value) {
        let session = *self.opened.last().expect("a session");
        let text = frame.to_string();
        self.input(Input::SessionFrame(session, text.as_bytes()));
    }

    fn after(&mut self, ms: u64) {
        self.now = self.now.plus_nanos(ms * 1_000_000);
        self.client.poll(self.now, &mut self.out);
        self.take();
    }

    fn server_ms(&self) -> u64 {
        (self.now.0 / 1_000_000).saturating_add_signed(self.skew_ms)
    }

    /// Opens sessions and answers everything but orders, as a venue on which nothing happened would.
    fn settle(&mut self) {
        let opened = self.opened.len() - usize::from(self.answered == 0 && !self.opened.is_empty());
        self.settle_for(2_000, opened);
    }

    /// The same for so long, where the first so many sessions were opened already.
    fn settle_for(&mut self, ms: u64, mut opened: usize) {
        for _ in 0..ms / 10 {
            if self.opened.len() > opened {
                let id = self.opened[opened];
                opened += 1;
                self.input(Input::SessionOpened(id));
            }
            for (id, call) in std::mem::take(&mut self.calls) {
                if call.contains("exchangeInfo") {
                    self.reads.push(call.clone());
                }
                if call.contains(self.unlisted) {
                    let body = br#"{"code":-1121,"msg":"Invalid symbol."}"#;
                    let reply = HttpReply { status: 400, headers: &[], body };
                    self.input(Input::HttpReply { id, answer: Ok(reply) });
                    continue;
                }
                let body = match call.as_str() {
                    call if call.contains("/time") => json!({"serverTime": self.server_ms()}).to_string(),
                    call if call.contains("NOPEBTC") => with_nope(info("TRADING", "0.00000100")).to_string(),
                    call if call.contains("exchangeInfo") => info("TRADING", "0.00000100").to_string(),
                    other => panic!("{other}"),
                };
                let reply = HttpReply { status: 200, headers: &[], body: body.as_bytes() };
                self.input(Input::HttpReply { id, answer: Ok(reply) });
            }
            while self.answered < self.texts.len() {
                let text = self.texts[self.answered].1.clone();
                self.answered += 1;
                if text["params"]["symbol"] == self.unlisted {
                    self.refused += 1;
                    let error = json!({"code": -1121, "msg": "Invalid symbol."});
                    self.frame(&json!({"id": text["id"], "status": 400, "error": error}));
                    continue;
                }
                let result = match text["method"].as_str().unwrap_or_default() {
                    "time" | "session.logon" => json!({"serverTime": self.server_ms()}),
                    "account.status" => self.account(),
                    "userDataStream.subscribe.signature" | "userDataStream.subscribe" => {
                        json!({"subscriptionId": 0})
                    }
                    "myTrades" => self.trades.clone(),
                    "openOrders.status" => json!([]),
                    _ => continue,
                };
                self.frame(&json!({"id": text["id"], "status": 200, "result": result, "rateLimits": []}));
            }
            self.after(10);
        }
    }

    fn account(&self) -> Value {
        let row =
            |(asset, free): &(&str, &str)| json!({"asset": asset, "free": free, "locked": "0.00000000"});
        json!({"canTrade": true, "balances": self.balances.iter().map(row).collect::<Vec<_>>()})
    }

    fn place(&mut self, number: u64) -> (Order, ClientOrderId) {
        self.place_reducing(number, false)
    }

    fn place_reducing(&mut self, number: u64, reduce_only: bool) -> (Order, ClientOrderId) {
        self.place_order(Order { reduce_only, ..limit(number) })
    }

    fn place_order(&mut self, order: Order) -> (Order, ClientOrderId) {
        let id = ClientOrderId::derive(7, order.id);
        self.input(Input::Place { order: &order, client_id: &id });
        (order, id)
    }

    fn cancel(&mut self, number: u64) {
        let id = ClientOrderId::derive(7, OrderId(number));
        self.input(Input::Cancel { order: OrderId(number), client_id: &id });
    }

    /// The last text of this method.
    fn last(&self, method: &str) -> &Value {
        let of = self.texts.iter().rev().find(|(_, text)| text["method"] == method);
        &of.unwrap_or_else(|| panic!("no {method} in {:?}", self.texts)).1
    }

    fn count(&self, method: &str) -> usize {
        self.texts.iter().filter(|(_, text)| text["method"] == method).count()
    }

    fn answer(&mut self, method: &str, result: Value) {
        let id = self.last(method)["id"].clone();
        self.frame(&json!({"id": id, "status": 200, "result": result}));
    }

    fn refuse(&mut self, method: &str, status: u16, code: i32, message: &str) {
        let id = self.last(method)["id"].clone();
        self.frame(&json!({"id": id, "status": status, "error": {"code": code, "msg": message}}));
    }

    /// What was reported since the last time, by kind.
    fn told(&mut self) -> Vec<ReportKind> {
        self.reports.drain(..).map(|report| report.kind).collect()
    }
}

fn limit(number: u64) -> Order {
    Order {
        id: OrderId(number),
        strategy: StrategyId(3),
        instrument: InstrumentId(0),
        side: Side::Buy,
        kind: OrderKind::Limit,
        tif: TimeInForce::Gtc,
        reduce_only: false,
        qty: Qty(100_000_000),
        price: Price(10_264_400),
        extras: crate::domain::order::Extras::default(),
    }
}

fn market(number: u64) -> Order {
    Order { kind: OrderKind::Market, price: Price(0), ..limit(number) }
}

fn info(status: &str, tick: &str) -> Value {
    json!({"timezone": "UTC", "serverTime": START_MS, "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100}],
        "exchangeFilters": [], "symbols": [{
            "symbol": "ETHBTC", "status": status, "baseAsset": "ETH", "baseAssetPrecision": 8, "quoteAsset": "BTC",
            "quotePrecision": 8, "quoteAssetPrecision": 8, "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT"],
            "icebergAllowed": true, "ocoAllowed": true, "isSpotTradingAllowed": true,
            "filters": [{"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "100000.00000000", "tickSize": tick},
                {"filterType": "LOT_SIZE", "minQty": "0.00010000", "maxQty": "100000.00000000", "stepSize": "0.00010000"}],
            "permissionSets": [["SPOT"]], "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
            "allowedSelfTradePreventionModes": ["EXPIRE_MAKER", "EXPIRE_TAKER", "DECREMENT"]}]})
}

/// The same, and NOPEBTC.
fn with_nope(mut info: Value) -> Value {
    let mut nope = info["symbols"][0].clone();
    (nope["symbol"], nope["baseAsset"]) = (json!("NOPEBTC"), json!("NOPE"));
    info["symbols"].as_array_mut().expect("a list").push(nope);
    info
}

/// An `executionReport`: what happened, the status, the cumulative quantity, and the trade (id, quantity).
fn event(
    id: &ClientOrderId,
    change: &str,
    status: &str,
    cumulative: &str,
    trade: Option<(u64, &str)>,
) -> Value {
    let (c, original) = if change == "CANCELED" { ("web_1", id.as_str()) } else { (id.as_str(), "") };
    let (t, l) = trade.map_or((-1, "0.00000000"), |(t, l)| (t as i64, l));
    json!({"subscriptionId": 0, "event": {"e": "executionReport", "E": START_MS, "s": "ETHBTC", "c": c, "S": "BUY",
        "o": "LIMIT", "f": "GTC", "q": "1.00000000", "p": "0.10264400", "P": "0.00000000", "F": "0.00000000", "g": -1,
        "C": original, "x": change, "X": status, "r": "NONE", "i": 4_293_153, "l": l, "z": cumulative, "L": "0.10264400",
        "n": if trade.is_some() { "0.00010000" } else { "0" }, "N": if trade.is_some() { json!("ETH") } else { json!(null) },
        "T": START_MS, "t": t, "I": 8_641_984, "w": true, "m": true, "M": false, "O": START_MS, "Z": "0.0", "Y": "0.0",
        "Q": "0.00000000", "V": "NONE", "someNewField": {"a": [1]}}})
}

impl Rig {
    /// Answers the newest request of each method in `answers` that is still open, again and again for `ms`.
    fn run(&mut self, ms: u64, answers: &dyn Fn(&str, &Rig) -> Option<Value>) {
        self.answered = self.answered.min(self.texts.len());
        for _ in 0..ms / 10 {
            while self.answered < self.texts.len() {
                let (session, text) = self.texts[self.answered].clone();
                self.answered += 1;
                let method = text["method"].as_str().unwrap_or_default().to_owned();
                if let Some(result) = answers(&method, self) {
                    let frame = json!({"id": text["id"], "status": 200, "result": result}).to_string();
                    self.input(Input::SessionFrame(session, frame.as_bytes()));
                }
            }
            self.after(10);
        }
    }

    fn quiet(method: &str, rig: &Rig) -> Option<Value> {
        Some(match method {
            "time" | "session.logon" => json!({"serverTime": rig.server_ms()}),
            "account.status" => rig.account(),
            "userDataStream.subscribe.signature" => json!({"subscriptionId": 0}),
            "myTrades" | "openOrders.status" => json!([]),
            _ => return None,
        })
    }

    fn notes(&self, of: impl Fn(&Notice) -> bool) -> usize {
        self.notices.iter().filter(|notice| of(notice)).count()
    }
}
