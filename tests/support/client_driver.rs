//! An order client that was started against a venue on which nothing happens, and what it sent and reported since.

#![allow(dead_code, reason = "each user takes a part")]

use algo_trader::domain::event::Report;
use algo_trader::domain::instrument::FeeRate;
use algo_trader::domain::{
    ClientOrderId, Extras, Instrument, InstrumentId, InstrumentTable, Market, Notional, Order, OrderId,
    OrderKind, Price, Qty, Side, StrategyId, Time, TimeInForce,
};
use algo_trader::security::{ApiKey, Credentials, Secret, Signer};
use algo_trader::venue::binance::client::{
    ClientSettings, HttpId, HttpReply, Input, Notice, OrderClient, Output, Outputs, SessionId,
};
use serde_json::{Value, json};

pub struct Driver {
    pub client: OrderClient,
    pub out: Outputs,
    pub now: Time,
    pub session: Option<SessionId>,
    pub reports: Vec<Report>,
    pub notices: Vec<Notice>,
    /// Requests of the session that were not answered yet.
    pub asked: Vec<Value>,
    calls: Vec<(HttpId, String)>,
}

fn ethbtc() -> Instrument {
    Instrument {
        id: InstrumentId(0),
        venue: "binance".into(),
        market: Market::Spot,
        symbol: "ETHBTC".into(),
        base: "ETH".into(),
        quote: "BTC".into(),
        price_decimals: 8,
        qty_decimals: 8,
        tick: Price(100),
        lot: Qty(10_000),
        min_qty: Qty(10_000),
        max_qty: Qty(i64::MAX),
        min_notional: Notional::ZERO,
        maker_fee: FeeRate(100_000),
        taker_fee: FeeRate(100_000),
    }
}

fn info() -> Value {
    json!({"serverTime": 1_700_000_000_000u64,
        "rateLimits": [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000}],
        "exchangeFilters": [], "symbols": [{
            "symbol": "ETHBTC", "status": "TRADING", "baseAsset": "ETH", "baseAssetPrecision": 8, "quoteAsset": "BTC",
            "quotePrecision": 8, "quoteAssetPrecision": 8, "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
            "icebergAllowed": true, "ocoAllowed": true, "isSpotTradingAllowed": true,
            "filters": [{"filterType": "PRICE_FILTER", "minPrice": "0.00000100", "maxPrice": "100000.00000000", "tickSize": "0.00000100"},
                {"filterType": "LOT_SIZE", "minQty": "0.00010000", "maxQty": "100000.00000000", "stepSize": "0.00010000"}],
            "permissionSets": [["SPOT"]], "defaultSelfTradePreventionMode": "NONE",
            "allowedSelfTradePreventionModes": ["NONE"]}]})
}

impl Driver {
    /// One that takes orders.
    pub fn started() -> Self {
        let table = InstrumentTable::new(vec![ethbtc()]).expect("one instrument");
        let credentials = Credentials {
            api_key: ApiKey::new("vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A")
                .expect("a key"),
            signer: Signer::hmac(&Secret::new("secret")).expect("a secret"),
        };
        let settings = ClientSettings { orders_max: 256, ..ClientSettings::default() };
        let mut driver = Self {
            client: OrderClient::new(settings, &table, credentials),
            out: Outputs::new(),
            now: Time::from_millis(1_700_000_000_000),
            session: None,
            reports: Vec::new(),
            notices: Vec::new(),
            asked: Vec::new(),
            calls: Vec::new(),
        };
        driver.input(Input::Start);
        let id = driver.session.expect("a session is opened");
        driver.input(Input::SessionOpened(id));
        for _ in 0..300 {
            driver.answer_calls();
            for text in std::mem::take(&mut driver.asked) {
                driver.answer(&text, &|_| None);
            }
            driver.after(10);
        }
        assert_eq!(driver.client.trading(driver.now), Ok(()), "{:?}", driver.notices);
        driver.notices.clear();
        driver
    }

    fn answer_calls(&mut self) {
        for (id, target) in std::mem::take(&mut self.calls) {
            let body = match target.as_str() {
                target if target.contains("/time") => json!({"serverTime": self.now.0 / 1_000_000}),
                target if target.contains("exchangeInfo") => info(),
                _ => {
                    json!({"enableSpotAndMarginTrading": true, "enableWithdrawals": false, "ipRestrict": true})
                }
            };
            let body = body.to_string();
            let reply = HttpReply { status: 200, headers: &[], body: body.as_bytes() };
            self.input(Input::HttpReply { id, answer: Ok(reply) });
        }
    }

    /// Answers a request of the session: as `special` says, or as a venue on which nothing happened.
    pub fn answer(&mut self, text: &Value, special: &dyn Fn(&str) -> Option<Value>) {
        let method = text["method"].as_str().unwrap_or_default();
        let result = special(method).unwrap_or_else(|| match method {
            "time" => json!({"serverTime": self.now.0 / 1_000_000}),
            "account.status" => json!({"canTrade": true, "balances": [
                {"asset": "BTC", "free": "10.0", "locked": "0.0"}, {"asset": "ETH", "free": "10.0", "locked": "0.0"}]}),
            "userDataStream.subscribe.signature" => json!({"subscriptionId": 0}),
            _ => json!([]),
        });
        self.feed(&json!({"id": text["id"], "status": 200, "result": result}));
    }

    pub fn feed(&mut self, frame: &Value) {
        let text = frame.to_string();
        let session = self.session.expect("a session");
        self.input(Input::SessionFrame(session, text.as_bytes()));
    }

    pub fn after(&mut self, ms: u64) {
        self.now = self.now.plus_nanos(ms * 1_000_000);
        self.client.poll(self.now, &mut self.out);
        self.take();
    }

    pub fn input(&mut self, input: Input<'_>) {
        self.client.handle(self.now, input, &mut self.out);
        self.take();
    }

    fn take(&mut self) {
        for output in std::mem::take(&mut self.out.list) {
            match output {
                Output::OpenSession(id) => self.session = Some(id),
                Output::SessionText { text, .. } => {
                    self.asked.push(serde_json::from_slice(self.out.text(&text)).expect("JSON"));
                }
                Output::Http(call) => {
                    let target = String::from_utf8_lossy(self.out.text(&call.target)).into_owned();
                    self.calls.push((call.id, target));
                }
                Output::Report(report) => self.reports.push(report),
                Output::Notice(notice) => self.notices.push(notice),
                Output::CloseSession(_) | Output::Command(_) | Output::Halt(_) => {}
                Output::Rules(_) | Output::MarketRules(_) => {}
            }
        }
        self.out = Outputs::new();
    }
}

/// A buy of one ETH at 0.102644.
pub fn order(number: u64) -> (Order, ClientOrderId) {
    let order = Order {
        id: OrderId(number),
        strategy: StrategyId(0),
        instrument: InstrumentId(0),
        side: Side::Buy,
        kind: OrderKind::Limit,
        tif: TimeInForce::Gtc,
        reduce_only: false,
        qty: Qty(100_000_000),
        price: Price(10_264_400),
        extras: Extras::NONE,
    };
    (order, ClientOrderId::derive(7, order.id))
}
