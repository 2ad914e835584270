//! An order client and a venue in one process, with a network between them that delays, loses, cuts and repeats.
//!
//! Everything comes from one seed: the same seed gives the same story. The network keeps the order of messages within a
//! connection, as TCP does, unless a fault says otherwise.

#![allow(dead_code, reason = "each user takes a part")]

use algo_trader::domain::event::Report;
use algo_trader::domain::instrument::FeeRate;
use algo_trader::domain::order::{OrderState, ReportKind};
use algo_trader::domain::{
    ClientOrderId, Extras, Instrument, InstrumentId, InstrumentTable, Market, Notional, Order, OrderId,
    OrderKind, Price, Qty, Side, StrategyId, Time, TimeInForce,
};
use algo_trader::security::{ApiKey, Credentials, Secret, Signer, Verifier};
use algo_trader::venue::binance::client::{
    ClientSettings, HttpCall, HttpFailure, HttpId, HttpReply, Input, Notice, OrderClient, Output, Outputs,
    RestUse, SessionId,
};
use algo_trader::venue::local::api::{
    AccountOptions, Api, ApiSettings, KeyOptions, NoMarketData, RestRequest, Session,
};
use algo_trader::venue::local::exchange::{AccountId, CancelRequest, OrderRequest, SymbolId, SymbolRules};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};

pub const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const MS: u64 = 1_000_000;
const KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";

/// Chance, from one seed.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66)
    }

    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.word() % n.max(1)
    }

    /// True in `per_mille` of a thousand cases.
    pub fn hits(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }
}

/// How often, in a thousand, something goes wrong.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// A request never arrives.
    pub lose_request: u64,
    /// An answer never arrives.
    pub lose_reply: u64,
    /// An order is answered "status unknown", and is done or not.
    pub unknown: u64,
    /// An HTTP answer is 5xx with a page, and the request done or not; or it is cut.
    pub broken: u64,
    /// A session is cut, with what is under way.
    pub cut: u64,
    /// An event comes twice, never, or late behind others.
    pub event_twice: u64,
    pub event_lost: u64,
    pub event_late: u64,
    /// A message takes up to twenty seconds.
    pub slow: u64,
    /// The venue refuses everything for some seconds.
    pub ban: u64,
    /// A query comes before the venue's database has the order.
    pub lag: u64,
    /// The venue's clock is set.
    pub clock: u64,
    /// The server says that it goes down.
    pub shutdown: u64,
    /// An order is placed and traded elsewhere on the account.
    pub external: u64,
    /// Not a fault: two orders are placed as one list, instead of one by itself.
    pub lists: u64,
}

/// What stands before an order's id where it is placed, in a session's text and in a query.
const ID_MARKS: [&str; 6] = [
    "\"newClientOrderId\":\"",
    "newClientOrderId=",
    "\"aboveClientOrderId\":\"",
    "aboveClientOrderId=",
    "\"belowClientOrderId\":\"",
    "belowClientOrderId=",
];

/// Status, headers and body, or why there are none.
type Answered = Result<(u16, Vec<(&'static str, String)>, Vec<u8>), HttpFailure>;

#[derive(Debug)]
enum Happening {
    Opened(SessionId),
    ToVenue(SessionId, Vec<u8>),
    ToClient(SessionId, Vec<u8>),
    Cut(SessionId),
    Call(HttpCall, String, bool),
    Reply(HttpId, Answered),
    Act,
    Others,
}

/// One side's end of a connection: when its latest message arrives, so that the next comes after it.
#[derive(Debug, Default, Clone, Copy)]
struct Pipe {
    to_venue: u64,
    to_client: u64,
}

pub struct World {
    pub client: OrderClient,
    pub api: Api,
    pub us: AccountId,
    others: AccountId,
    pub symbol: SymbolId,
    pub now: Time,
    /// The venue's clock less ours, ms.
    pub skew_ms: i64,
    pub chance: Chance,
    pub faults: Faults,
    sessions: HashMap<SessionId, (Session, Pipe)>,
    /// Sessions that are cut: what was sent on them before may still arrive.
    gone: HashMap<SessionId, Session>,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    happenings: HashMap<u64, Happening>,
    count: u64,
    out: Outputs,
    /// What the pipeline behind would hold.
    pub states: BTreeMap<OrderId, OrderState>,
    ids: HashMap<OrderId, ClientOrderId>,
    pub fills: Vec<Report>,
    pub notices: Vec<Notice>,
    pub halted: Vec<InstrumentId>,
    /// How often each id was sent to be placed.
    pub sent: HashMap<String, u32>,
    pub requests: u64,
    /// Nothing may be sent before, by our clock: a ban was told.
    silent_until: Time,
    banned_until: Time,
    pub broken_silence: u64,
    placed_at: HashMap<String, Time>,
    next_order: u64,
    others_orders: Vec<u64>,
    /// Nobody places or cancels any more.
    pub stop_acting: bool,
    /// No session can be opened.
    no_sessions: bool,
    pub trace: bool,
    /// Before everything that happens the client rehearses, and after it books at once what could wait.
    pub rehearses: bool,
    /// What the client asked for, where it is kept.
    pub log: Option<Vec<String>>,
}

fn btcusdt() -> Instrument {
    Instrument {
        id: InstrumentId(0),
        venue: "binance".into(),
        market: Market::Spot,
        symbol: "BTCUSDT".into(),
        base: "BTC".into(),
        quote: "USDT".into(),
        price_decimals: 2,
        qty_decimals: 5,
        tick: Price(1),
        lot: Qty(1),
        min_qty: Qty(1),
        max_qty: Qty(900_000_000),
        min_notional: Notional(50_000_000),
        maker_fee: FeeRate(100_000),
        taker_fee: FeeRate(100_000),
    }
}

fn key_pair(seed: u64) -> (Signer, Verifier) {
    // Sessions that are logged on, and sessions that sign each order.
    if seed.is_multiple_of(2) {
        let pair = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
        let public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";
        let signer = Signer::from_pem(&Secret::new(pair)).expect("RFC 8032's first key");
        return (signer, Verifier::from_pem(public).expect("its public half"));
    }
    let secret = Secret::new("a-secret-that-both-know");
    (Signer::hmac(&secret).expect("a secret"), Verifier::hmac(&secret).expect("a secret"))
}

impl World {
    pub fn new(seed: u64, faults: Faults) -> Self {
        Self::with(seed, faults, None, ApiSettings::default())
    }

    /// The same, where the venue has these limits and a clock that is so far from ours.
    pub fn with(seed: u64, faults: Faults, skew_ms: Option<i64>, limits: ApiSettings) -> Self {
        let mut chance = Chance::new(seed);
        let (signer, verifier) = key_pair(seed);
        let api_key = || ApiKey::new(KEY).expect("a key");
        // The venue prints eight decimals of everything.
        let mut listed = btcusdt();
        (listed.price_decimals, listed.qty_decimals) = (8, 8);
        listed.tick = Price(1_000_000);
        (listed.lot, listed.min_qty, listed.max_qty) = (Qty(1_000), Qty(1_000), Qty(900_000_000_000));
        listed.min_notional = Notional(5 * 10i128.pow(16));
        let account = |name: &str, keys, btc: &str, usdt: &str| AccountOptions {
            name: name.into(),
            keys,
            balances: vec![("BTC".into(), btc.into()), ("USDT".into(), usdt.into())],
            trade_group: None,
        };
        let start = Time::from_millis(1_764_000_000_000 + seed % 1_000_003);
        let ours = account("us", vec![KeyOptions::new(api_key(), verifier)], "20", "1000000");
        let others = account("others", Vec::new(), "100000", "9000000000");
        let accounts = vec![ours, others];
        let api = Api::new(limits, vec![SymbolRules::of(listed)], accounts, start);
        let mut api = api.expect("a venue");
        let (us, others) = (api.account("us").expect("opened"), api.account("others").expect("opened"));
        let symbol = api.exchange().symbol("BTCUSDT").expect("listed");
        api.change(start, |exchange, _| exchange.set_last_price(symbol, Price(5_000_000_000_000)));
        let table = InstrumentTable::new(vec![btcusdt()]).expect("one instrument");
        let settings = ClientSettings {
            seed,
            rest: [RestUse::Fallback, RestUse::Always, RestUse::Never][chance.below(3) as usize],
            reconcile_every: std::time::Duration::from_secs(5),
            orders_max: 2_048,
            ..ClientSettings::default()
        };
        let client = OrderClient::new(settings, &table, Credentials { api_key: api_key(), signer });
        let little = chance.below(4_000) as i64 - 2_000;
        let skew_ms = skew_ms.unwrap_or(little);
        let mut world = Self {
            client,
            api,
            us,
            others,
            symbol,
            now: start,
            skew_ms,
            chance,
            faults,
            sessions: HashMap::new(),
            gone: HashMap::new(),
            queue: BinaryHeap::new(),
            happenings: HashMap::new(),
            count: 0,
            out: Outputs::new(),
            states: BTreeMap::new(),
            ids: HashMap::new(),
            fills: Vec::new(),
            notices: Vec::new(),
            halted: Vec::new(),
            sent: HashMap::new(),
            requests: 0,
            silent_until: Time(0),
            banned_until: Time(0),
            broken_silence: 0,
            placed_at: HashMap::new(),
            next_order: 1,
            others_orders: Vec::new(),
            stop_acting: false,
            no_sessions: false,
            trace: std::env::var_os("ALGO_TRADER_TRACE").is_some(),
            rehearses: false,
            log: None,
        };
        world.schedule(50, Happening::Others);
        world.schedule(100, Happening::Act);
        world.input(Input::Start);
        world
    }

    fn at(&mut self, time: u64, happening: Happening) {
        self.count += 1;
        self.happenings.insert(self.count, happening);
        self.queue.push(Reverse((time, self.count)));
    }

    fn schedule(&mut self, ms: u64, happening: Happening) {
        let time = self.now.0 + ms * MS;
        self.at(time, happening);
    }

    fn venue_now(&self) -> Time {
        Time((self.now.0 as i64 + self.skew_ms * MS as i64) as u64)
    }

    fn delay(&mut self) -> u64 {
        if self.chance.hits(self.faults.slow) {
            return self.chance.below(20_000) * MS;
        }
        MS / 2 + self.chance.below(30 * MS)
    }

    fn input(&mut self, input: Input<'_>) {
        if self.trace {
            let text = match &input {
                Input::SessionFrame(id, bytes) => {
                    format!("frame {} {}", id.0, String::from_utf8_lossy(bytes))
                }
                Input::HttpReply { id, answer: Ok(reply) } => {
                    format!("reply {} {} {}", id.0, reply.status, String::from_utf8_lossy(reply.body))
                }
                other => format!("{other:?}"),
            };
            let text: String = text.chars().take(420).collect();
            println!("{:>9} < {text}", self.now.0 / MS % 10_000_000);
        }
        if self.rehearses {
            self.client.rehearse(self.now, &mut self.out);
            assert!(self.out.list.is_empty(), "a rehearsal asks for nothing: {:?}", self.out.list);
            self.out.clear();
        }
        self.client.handle(self.now, input, &mut self.out);
        self.obey();
        if self.rehearses {
            self.client.settle();
        }
    }

    fn obey(&mut self) {
        let outputs = std::mem::take(&mut self.out.list);
        for output in outputs {
            if self.trace {
                match &output {
                    Output::SessionText { session, text } => {
                        let bytes = String::from_utf8_lossy(self.out.text(text)).into_owned();
                        println!("{:>9} > text {} {bytes}", self.now.0 / MS % 10_000_000, session.0);
                    }
                    Output::Http(call) => {
                        let bytes = String::from_utf8_lossy(self.out.text(&call.target)).into_owned();
                        println!(
                            "{:>9} > {} {} {bytes}",
                            self.now.0 / MS % 10_000_000,
                            call.id.0,
                            call.method
                        );
                    }
                    other => println!("{:>9} > {other:?}", self.now.0 / MS % 10_000_000),
                }
            }
            self.obey_one(output);
        }
        self.out.clear();
    }

    fn obey_one(&mut self, output: Output) {
        if let Some(log) = &mut self.log {
            let text = match &output {
                Output::SessionText { text, .. } => self.out.text(text),
                Output::Http(call) => self.out.text(&call.target),
                _ => b"",
            };
            log.push(format!("{} {output:?} {}", self.now.0, String::from_utf8_lossy(text)));
        }
        match output {
            Output::OpenSession(id) => {
                let delay = self.delay();
                if self.chance.hits(self.faults.cut) || self.no_sessions {
                    self.at(self.now.0 + delay, Happening::Cut(id));
                } else {
                    self.at(self.now.0 + delay, Happening::Opened(id));
                }
            }
            Output::CloseSession(id) => {
                self.cut(id);
            }
            Output::SessionText { session, text } => {
                let bytes = self.out.text(&text).to_vec();
                self.note_sent(&bytes);
                let delay = self.delay();
                let lost = self.chance.hits(self.faults.lose_request);
                let arrives = self.now.0 + delay;
                let Some((_, pipe)) = self.sessions.get_mut(&session) else { return };
                pipe.to_venue = pipe.to_venue.max(arrives) + 1;
                let arrives = pipe.to_venue;
                if !lost {
                    self.at(arrives, Happening::ToVenue(session, bytes));
                }
            }
            Output::Http(call) => {
                let target = String::from_utf8_lossy(self.out.text(&call.target)).into_owned();
                self.note_sent(target.as_bytes());
                let lost = self.chance.hits(self.faults.lose_request);
                let delay = self.delay();
                self.at(self.now.0 + delay, Happening::Call(call, target, lost));
            }
            Output::Report(report) => self.report(&report),
            Output::Halt(id) => self.halted.push(id),
            Output::Notice(notice) => self.notices.push(notice),
            Output::Command(_) | Output::Rules(_) | Output::MarketRules(_) => {}
        }
    }

    fn note_sent(&mut self, bytes: &[u8]) {
        self.requests += 1;
        self.broken_silence += u64::from(self.now < self.silent_until);
        let text = String::from_utf8_lossy(bytes);
        for mark in ID_MARKS {
            if let Some((_, rest)) = text.split_once(mark) {
                *self.sent.entry(rest[..18].to_owned()).or_default() += 1;
            }
        }
    }

    fn report(&mut self, report: &Report) {
        let state = self.states.get_mut(&report.order).expect("a report of an order that we placed");
        assert!(!state.status.is_final() || report.kind == ReportKind::Fill, "{report:?} after {state:?}");
        let before = state.filled;
        state.apply(report.kind, report.qty, report.trade_id);
        if report.kind == ReportKind::Fill {
            assert!(state.filled > before, "a fill that is not booked: {report:?} {state:?}");
            self.fills.push(*report);
        }
    }

    /// Runs until `until`.
    pub fn run(&mut self, until: Time) {
        let mut polls = 0;
        for _ in 0..2_000_000 {
            let due = self.client.next_deadline();
            let next = self.queue.peek().map_or(u64::MAX, |Reverse((time, _))| *time);
            if next.min(due.0) > until.0 {
                break;
            }
            if due.0 < next {
                polls = if due <= self.now { polls + 1 } else { 0 };
                assert!(polls < 200, "the client wants to be polled and does nothing");
                self.now = Time(self.now.0.max(due.0));
                self.client.poll(self.now, &mut self.out);
                self.obey();
                continue;
            }
            let Some(Reverse((time, id))) = self.queue.pop() else { break };
            self.now = Time(self.now.0.max(time));
            if let Some(happening) = self.happenings.remove(&id) {
                self.happen(happening);
            }
        }
        self.now = self.now.max(until);
    }

    /// From now on there is REST alone.
    pub fn lose_sessions(&mut self) {
        self.no_sessions = true;
        let ids: Vec<SessionId> = self.sessions.keys().copied().collect();
        ids.into_iter().for_each(|id| self.at(self.now.0, Happening::Cut(id)));
    }

    fn cut(&mut self, id: SessionId) {
        if let Some((session, _)) = self.sessions.remove(&id) {
            self.gone.insert(id, session);
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Opened(id) => {
                let session = Session::new(PEER, self.venue_now(), true);
                self.sessions.insert(id, (session, Pipe::default()));
                self.input(Input::SessionOpened(id));
            }
            Happening::Cut(id) => {
                self.cut(id);
                self.input(Input::SessionClosed(id));
            }
            Happening::ToVenue(id, bytes) => self.hear(id, &bytes),
            Happening::ToClient(id, bytes) => {
                if self.sessions.contains_key(&id) {
                    self.note_ban(&bytes);
                    self.input(Input::SessionFrame(id, &bytes));
                }
            }
            Happening::Call(call, target, lost) => self.call(call, &target, lost),
            Happening::Reply(id, answer) => match answer {
                Ok((status, headers, body)) => {
                    let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
                    if status == 418 {
                        let left = headers.iter().find_map(|(_, v)| v.parse::<u64>().ok()).unwrap_or(0);
                        self.silent_until = self.silent_until.max(self.now.plus_nanos(left * 1_000 * MS));
                    }
                    let reply = HttpReply { status, headers: &headers, body: &body };
                    self.input(Input::HttpReply { id, answer: Ok(reply) });
                }
                Err(failure) => self.input(Input::HttpReply { id, answer: Err(failure) }),
            },
            Happening::Act => {
                if !self.stop_acting {
                    self.act();
                    let pause = 20 + self.chance.below(400);
                    self.schedule(pause, Happening::Act);
                }
            }
            Happening::Others => {
                if !self.stop_acting {
                    self.others_act();
                    let pause = 10 + self.chance.below(150);
                    self.schedule(pause, Happening::Others);
                }
            }
        }
    }

    /// Silence is kept for as long as the ban had to go when it was told.
    fn note_ban(&mut self, bytes: &[u8]) {
        let Ok(frame) = serde_json::from_slice::<serde_json::Value>(bytes) else { return };
        if frame["status"] == 418 {
            let ms = |name: &str| frame["error"]["data"][name].as_u64().unwrap_or(0);
            let left = ms("retryAfter").saturating_sub(ms("serverTime"));
            self.silent_until = self.silent_until.max(self.now.plus_nanos(left * MS));
        }
    }

    /// A request of a session arrives.
    fn hear(&mut self, id: SessionId, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let order = ["\"order.place\"", "\"order.cancel\"", "\"orderList.place.oco\""];
        let order = order.iter().any(|method| text.contains(method));
        let request: serde_json::Value = serde_json::from_slice(bytes).expect("JSON");
        let refusal = |status: u16, code: i32, data: &str| {
            let id = &request["id"];
            format!("{{\"id\":{id},\"status\":{status},\"error\":{{\"code\":{code},\"msg\":\"x\"{data}}}}}")
                .into_bytes()
        };
        if self.banned(&text) {
            let until = (self.banned_until.0 as i64 + self.skew_ms * MS as i64) / MS as i64;
            let server = self.venue_now().0 / MS;
            let data = format!(",\"data\":{{\"serverTime\":{server},\"retryAfter\":{until}}}");
            return self.deliver(id, refusal(418, -1003, &data));
        }
        if self.lags(&text) {
            return self.deliver(id, refusal(400, -2013, ""));
        }
        let unknown = order && self.chance.hits(self.faults.unknown);
        let done = !unknown || self.chance.hits(500);
        let mut answers = Vec::new();
        if done {
            // A session that is gone meanwhile: what it sent before was heard all the same, its answer was not.
            let now = self.venue_now();
            let session = match self.sessions.get_mut(&id) {
                Some((session, _)) => session,
                None if self.chance.hits(500) => return,
                None => self.gone.get_mut(&id).expect("it was open"),
            };
            self.api.hear(now, session, bytes, &NoMarketData, &mut answers);
            self.note_placed(&text);
        }
        // Events of the request may come before its answer.
        let first = self.chance.hits(300);
        if first {
            self.tell();
        }
        if unknown {
            answers = vec![refusal(503, -1007, "")];
        }
        if !self.chance.hits(self.faults.lose_reply) {
            answers.into_iter().for_each(|answer| self.deliver(id, answer));
        }
        self.tell();
        if self.chance.hits(self.faults.cut) {
            let delay = self.delay();
            self.at(self.now.0 + delay, Happening::Cut(id));
        }
        if self.chance.hits(self.faults.shutdown) {
            self.deliver(id, b"{\"event\":{\"e\":\"serverShutdown\",\"E\":1}}".to_vec());
        }
    }

    fn note_placed(&mut self, text: &str) {
        for mark in ID_MARKS {
            if let Some((_, rest)) = text.split_once(mark) {
                self.placed_at.insert(rest[..18].to_owned(), self.now);
            }
        }
    }

    /// Whether a question for an order comes before the database has it.
    fn lags(&mut self, text: &str) -> bool {
        let of = ["\"order.status\"", "GET /api/v3/order?"].iter().any(|mark| text.contains(mark));
        let id = ["\"origClientOrderId\":\"", "origClientOrderId="].iter().find_map(|m| text.split_once(m));
        let Some((_, rest)) = id.filter(|_| of) else { return false };
        let fresh = self.placed_at.get(&rest[..18]).is_some_and(|at| self.now.since(*at) < 3_000 * MS);
        fresh && self.chance.hits(self.faults.lag)
    }

    fn banned(&mut self, _text: &str) -> bool {
        if self.now >= self.banned_until && self.chance.hits(self.faults.ban) {
            self.banned_until = self.now.plus_nanos(3_000 * MS);
        }
        self.now < self.banned_until
    }

    fn deliver(&mut self, id: SessionId, bytes: Vec<u8>) {
        let event = bytes.starts_with(b"{\"subscriptionId\"");
        if event && self.chance.hits(self.faults.event_lost) {
            return;
        }
        let arrives = self.now.0 + self.delay();
        let late = event && self.chance.hits(self.faults.event_late);
        let Some((_, pipe)) = self.sessions.get_mut(&id) else { return };
        let arrives = if late {
            arrives.max(pipe.to_client) + 800 * MS
        } else {
            pipe.to_client = pipe.to_client.max(arrives) + 1;
            pipe.to_client
        };
        if event && self.chance.hits(self.faults.event_twice) {
            let again = self.chance.below(2_000) * MS;
            self.at(arrives + again, Happening::ToClient(id, bytes.clone()));
        }
        self.at(arrives, Happening::ToClient(id, bytes));
    }

    /// Sends what accounts were told to the sessions that want to know.
    fn tell(&mut self) {
        for told in self.api.take_told() {
            let mut ids: Vec<SessionId> = self.sessions.keys().copied().collect();
            ids.sort();
            for id in ids {
                if let Some(message) = self.sessions[&id].0.wrap(&told) {
                    self.deliver(id, message);
                }
            }
        }
    }

    fn call(&mut self, call: HttpCall, target: &str, lost: bool) {
        let text = format!("{} {target}", call.method);
        let give_up = call.deadline.0.saturating_sub(MS);
        if lost {
            return self.at(give_up.max(self.now.0), Happening::Reply(call.id, Err(HttpFailure::Lost)));
        }
        let delay = self.delay();
        let reply_at = self.now.0 + delay;
        let json = |status: u16, code: i32| {
            (status, Vec::new(), format!("{{\"code\":{code},\"msg\":\"x\"}}").into_bytes())
        };
        let answer = if self.banned(&text) {
            let (_, _, body) = json(418, -1003);
            let left = self.banned_until.since(self.now).div_ceil(1_000 * MS);
            Ok((418, vec![("Retry-After", left.to_string())], body))
        } else if self.lags(&text) {
            Ok(json(400, -2013))
        } else {
            let order = ["/api/v3/order?", "/api/v3/orderList/oco?"];
            let order = order.iter().any(|path| text.contains(path)) && !text.starts_with("GET");
            let unknown = order && self.chance.hits(self.faults.unknown);
            let broken = self.chance.hits(self.faults.broken);
            let done = !(unknown || broken) || self.chance.hits(500);
            let reply = done.then(|| self.rest(&call, target, &text));
            match reply {
                _ if unknown => Ok(json(503, -1007)),
                None => Ok((502, Vec::new(), b"<html>Bad gateway</html>".to_vec())),
                Some((status, headers, mut body)) if broken => {
                    let half = body.len() / 2;
                    body.truncate(half);
                    Ok((status, headers, body))
                }
                Some(reply) => Ok(reply),
            }
        };
        self.tell();
        if reply_at > give_up || self.chance.hits(self.faults.lose_reply) {
            self.at(give_up.max(self.now.0), Happening::Reply(call.id, Err(HttpFailure::Lost)));
        } else {
            self.at(reply_at, Happening::Reply(call.id, answer));
        }
    }

    fn rest(
        &mut self,
        call: &HttpCall,
        target: &str,
        text: &str,
    ) -> (u16, Vec<(&'static str, String)>, Vec<u8>) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let api_key = call.key.then_some(KEY);
        let request = RestRequest { method: call.method, path, query, body: b"", api_key, peer: PEER };
        let now = self.venue_now();
        let reply = self.api.rest(now, &request).expect("a path that the venue has");
        self.note_placed(text);
        (reply.status, reply.headers, reply.body)
    }

    fn act(&mut self) {
        if self.chance.hits(self.faults.clock) {
            self.skew_ms += self.chance.below(8_000) as i64 - 4_000;
        }
        if self.chance.hits(self.faults.external) {
            self.external();
        }
        let live: Vec<OrderId> =
            self.states.iter().filter(|(_, state)| !state.status.is_final()).map(|(id, _)| *id).collect();
        match self.chance.below(10) {
            0..=5 => self.place(),
            6..=8 if !live.is_empty() => {
                let order = live[self.chance.below(live.len() as u64) as usize];
                let client_id = self.ids[&order];
                self.states.get_mut(&order).expect("placed").cancel_sent();
                self.input(Input::Cancel { order, client_id: &client_id });
            }
            9 if self.chance.hits(150) => self.input(Input::CancelAll { instrument: None }),
            _ => {}
        }
    }

    /// Two orders as one list: a target and a stop around where the market is.
    fn place_list(&mut self) {
        let side = if self.chance.hits(500) { Side::Buy } else { Side::Sell };
        let away = |chance: &mut Chance| chance.below(5_000) as i64 - 500;
        let (target, stop) = (away(&mut self.chance), away(&mut self.chance));
        let (target, stop) = match side {
            Side::Buy => (5_000_000 - target, 5_000_000 + stop),
            Side::Sell => (5_000_000 + target, 5_000_000 - stop),
        };
        let kind = if self.chance.hits(700) { OrderKind::PostOnly } else { OrderKind::TakeProfit };
        let target = match kind {
            OrderKind::PostOnly => (kind, Price(target), Extras::NONE),
            _ => (kind, Price(0), Extras::stop(Price(target))),
        };
        let kind = if self.chance.hits(500) { OrderKind::Stop } else { OrderKind::StopLimit };
        let limit = if kind == OrderKind::StopLimit { Price(stop) } else { Price(0) };
        let mut legs = [target, (kind, limit, Extras::stop(Price(stop)))];
        if self.chance.hits(500) {
            legs.reverse();
        }
        let qty = Qty(100 + self.chance.below(20_000) as i64);
        let legs = legs.map(|(kind, price, extras)| {
            let id = OrderId(self.next_order);
            self.next_order += 1;
            let (strategy, instrument, tif) = (StrategyId(0), InstrumentId(0), TimeInForce::Gtc);
            let order =
                Order { id, strategy, instrument, side, kind, tif, reduce_only: false, qty, price, extras };
            self.states.insert(id, OrderState::new(order));
            let client_id = ClientOrderId::derive(77, id);
            self.ids.insert(id, client_id);
            (order, client_id)
        });
        let [(first, first_id), (second, second_id)] = &legs;
        self.input(Input::PlacePair { legs: [(first, first_id), (second, second_id)] });
    }

    fn place(&mut self) {
        if self.faults.lists > 0 && self.chance.hits(self.faults.lists) {
            return self.place_list();
        }
        let id = OrderId(self.next_order);
        self.next_order += 1;
        let side = if self.chance.hits(500) { Side::Buy } else { Side::Sell };
        let (kind, tif) = match self.chance.below(8) {
            0 => (OrderKind::Market, TimeInForce::Gtc),
            1 => (OrderKind::Limit, TimeInForce::Ioc),
            2 => (OrderKind::Limit, TimeInForce::Fok),
            3 => (OrderKind::PostOnly, TimeInForce::Gtc),
            4 => (OrderKind::StopLimit, TimeInForce::Gtc),
            _ => (OrderKind::Limit, TimeInForce::Gtc),
        };
        let off = self.chance.below(6_000) as i64 - 2_000;
        let price = Price(if side == Side::Buy { 5_000_000 - off } else { 5_000_000 + off });
        let stop = if side == Side::Buy { 5_000_000 + off.abs() } else { 5_000_000 - off.abs() };
        let extras = if kind == OrderKind::StopLimit { Extras::stop(Price(stop)) } else { Extras::NONE };
        let price = if kind == OrderKind::Market { Price(0) } else { price };
        let qty = Qty(100 + self.chance.below(20_000) as i64);
        let (strategy, instrument) = (StrategyId(0), InstrumentId(0));
        let order =
            Order { id, strategy, instrument, side, kind, tif, reduce_only: false, qty, price, extras };
        let client_id = ClientOrderId::derive(77, id);
        self.states.insert(id, OrderState::new(order));
        self.ids.insert(id, client_id);
        self.input(Input::Place { order: &order, client_id: &client_id });
    }

    /// Somebody trades by hand on our account.
    fn external(&mut self) {
        let (us, symbol, now) = (self.us, self.symbol, self.venue_now());
        let side = if self.chance.hits(500) { Side::Buy } else { Side::Sell };
        let off = self.chance.below(4_000) as i64 * 1_000_000 - 1_000_000_000;
        let price = 5_000_000_000_000 + if side == Side::Buy { -off } else { off };
        let qty = Qty((10 + self.chance.below(2_000) as i64) * 1_000);
        let request = OrderRequest::limit(side, Price(price), qty);
        let _ = self.api.change(now, |exchange, out| exchange.place(now.0 / MS, us, symbol, &request, out));
        self.tell();
    }

    fn others_act(&mut self) {
        let (others, symbol, now) = (self.others, self.symbol, self.venue_now());
        let ms = now.0 / MS;
        if self.others_orders.len() > 30 {
            let at = self.chance.below(self.others_orders.len() as u64) as usize;
            let number = self.others_orders.swap_remove(at);
            let cancel = CancelRequest::from(number);
            let _ = self.api.change(now, |exchange, out| exchange.cancel(ms, others, symbol, &cancel, out));
        }
        let side = if self.chance.hits(500) { Side::Buy } else { Side::Sell };
        let off = (self.chance.below(5_000) as i64 - 1_500) * 1_000_000;
        let price = 5_000_000_000_000 + if side == Side::Buy { -off } else { off };
        let qty = Qty((100 + self.chance.below(15_000) as i64) * 1_000);
        let request = OrderRequest::limit(side, Price(price), qty);
        let placed = self.api.change(now, |exchange, out| exchange.place(ms, others, symbol, &request, out));
        if let Ok(order) = placed
            && order.status.is_open()
        {
            self.others_orders.push(order.number);
        }
        self.tell();
    }

    /// What the venue says we have, in units of 10^-18.
    pub fn venue_balance(&self, name: &str) -> i128 {
        let exchange = self.api.exchange();
        let (asset, _, decimals) = exchange.assets().find(|(_, n, _)| *n == name).expect("listed");
        let balance = exchange.balance(self.us, asset);
        (balance.free + balance.locked) * 10i128.pow(18 - u32::from(decimals))
    }

    /// Our trades by the venue: the order's id with us and the trade's.
    pub fn venue_trades(&self) -> Vec<(String, u64)> {
        let exchange = self.api.exchange();
        let name = |number: u64| {
            let mut of = exchange.all_orders(self.us, self.symbol, number);
            of.find(|order| order.number == number).map(|order| order.client_id.as_str().to_owned())
        };
        exchange.trades(self.us, self.symbol).map(|t| (name(t.order).unwrap_or_default(), t.id)).collect()
    }

    /// Ids of our open orders at the venue that were placed by the client.
    pub fn venue_open(&self) -> HashSet<String> {
        let ours: HashSet<&str> = self.ids.values().map(ClientOrderId::as_str).collect();
        let open = self.api.exchange().open_orders(self.us).map(|order| order.client_id.as_str().to_owned());
        open.filter(|id| ours.contains(id.as_str())).collect()
    }

    pub fn id_of(&self, order: OrderId) -> String {
        self.ids[&order].as_str().to_owned()
    }
}
