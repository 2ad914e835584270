//! Live orders on a network that fails: whatever is cut, held up or slowed between the program and the venue, at the end
//! the account is what was booked, every trade is booked once, no order was sent twice, and none is live unknown.
//!
//! Seeded: `ORDER_FAULT_CASES=200 cargo test --release --test order_faults` runs that many cases, `ORDER_FAULT_SEED` says
//! with which the first begins. What each case did is printed (`-- --nocapture`).

#[path = "support/fault_proxy.rs"]
mod fault_proxy;
#[path = "support/live_orders.rs"]
mod live_orders;
#[path = "support/order_client.rs"]
mod order_client;

use algo_trader::domain::Market;
use algo_trader::net::Endpoint;
use algo_trader::pipeline::Threading;
use algo_trader::run::interrupt::Interrupt;
use algo_trader::run::run_live;
use algo_trader::venue::local::serve::Running;
use fault_proxy::FaultProxy;
use live_orders::{
    Key, LiveConfig, SCRIPTED, Start, assert_booked, config, final_orders, options, run, venue,
};
use order_client::Trader;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}: a number")))
}

/// xorshift64*, so that a seed is a case.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }
}

/// Sends what has to do with orders through the proxy; market data goes straight.
fn through(proxy: &FaultProxy, venue: &Running, live: &mut LiveConfig) {
    let endpoint = venue.endpoint(Market::Spot).expect("served");
    let parse = |url: &str, scheme| {
        let mut parsed = Endpoint::parse(url, scheme).expect("an endpoint");
        parsed.port = proxy.address.port();
        parsed
    };
    let stream = Endpoint::parse(&endpoint.stream_url, "wss").expect("an endpoint");
    live.config.venue.set_endpoints(Market::Spot, stream, parse(&endpoint.rest_url, "https"));
    live.config.venue.ws_api = parse(endpoint.api_url.as_deref().expect("spot"), "wss");
    // An answer that is lost is asked for sooner than Binance would allow, since this venue is sooner.
    live.config.trading.engine_deadline = Duration::from_millis(400);
    live.config.trading.exit_timeout = Duration::from_secs(30);
}

/// Makes things go wrong for `time`, then heals them; says what was done.
fn fail(proxy: &FaultProxy, chance: &mut Chance, end: Instant, did: &mut BTreeMap<&'static str, u32>) {
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(20 + chance.below(160)));
        let name = match chance.below(6) {
            0 => {
                proxy.cut();
                "cut"
            }
            1 | 2 => {
                proxy.cut_after_request();
                "cut between request and answer"
            }
            3 => {
                proxy.hold(Duration::from_millis(20 + chance.below(400)));
                "held up"
            }
            4 => {
                proxy.trickle(Duration::from_micros(200 + chance.below(2_000)));
                std::thread::sleep(Duration::from_millis(chance.below(200)));
                proxy.trickle(Duration::ZERO);
                "trickling"
            }
            _ => {
                proxy.refuse(true);
                proxy.cut();
                std::thread::sleep(Duration::from_millis(chance.below(150)));
                proxy.refuse(false);
                "refused"
            }
        };
        *did.entry(name).or_default() += 1;
    }
    proxy.heal();
}

fn case(seed: u64) {
    let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let key = if chance.below(2) == 0 { Key::Ed25519 } else { Key::Hmac };
    let entry = if chance.below(4) == 0 { "rest" } else { "websocket" };
    let venue = venue(|_| {});
    let proxy = FaultProxy::start(venue.endpoint(Market::Spot).expect("served").address);
    let trading = format!("order_entry = \"{entry}\"\nrecv_window_ms = 1000\nreconcile_seconds = 1");
    let mut live = config(&venue, key, &trading, SCRIPTED);
    through(&proxy, &venue, &mut live);
    let alice = Trader::new(&venue, "alicehmac");
    let start = Start::of(&alice);
    let mut did = BTreeMap::new();
    let ran = std::thread::scope(|scope| {
        let (proxy, did) = (&proxy, &mut did);
        let failing = scope.spawn(move || {
            // The start is left alone: what can go wrong there ends the run, with the reason.
            std::thread::sleep(Duration::from_millis(300));
            let end = Instant::now() + Duration::from_millis(1_500 + chance.below(1_500));
            fail(proxy, &mut chance, end, did);
        });
        // Done when nothing has moved for a while after everything passes again.
        let mut last = (0, Instant::now());
        run(&venue, &live, Threading::Inline, || {
            let now = final_orders(&alice);
            if now != last.0 || !failing.is_finished() {
                last = (now, Instant::now());
            }
            last.1.elapsed() > Duration::from_millis(3_500)
        })
    });
    let told = assert_booked(&alice, &live, &ran, &start);
    let sent = ran.summary.orders.as_ref().expect("orders were sent");
    println!(
        "case {seed}: {key:?} by {entry}; {did:?}; {} orders, {} fills, {} sessions, {} unknown and settled, {} fills made good",
        ran.summary.execution.orders,
        ran.summary.execution.fills,
        sent.sessions_opened,
        sent.count("Settled"),
        sent.count("GapClosed"),
    );
    assert!(proxy.cuts() > 0, "nothing went wrong: {told}");
    assert_eq!(sent.refusals, 0, "too much was asked of the venue: {told}");
}

#[test]
fn after_every_fault_of_the_network_the_account_is_what_was_booked() {
    let (first, cases) = (number("ORDER_FAULT_SEED", 1), number("ORDER_FAULT_CASES", 4));
    let next = std::sync::atomic::AtomicU64::new(first);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    if seed >= first + cases {
                        return;
                    }
                    let ran = std::panic::catch_unwind(|| case(seed));
                    if let Err(panic) = ran {
                        eprintln!("case {seed} failed: ORDER_FAULT_SEED={seed} ORDER_FAULT_CASES=1");
                        std::panic::resume_unwind(panic);
                    }
                }
            });
        }
    });
}

#[test]
fn a_killed_socket_is_made_good_within_a_second() {
    let venue = venue(|_| {});
    let proxy = FaultProxy::start(venue.endpoint(Market::Spot).expect("served").address);
    let mut live = config(&venue, Key::Ed25519, "", "");
    through(&proxy, &venue, &mut live);
    let kills = number("ORDER_KILLS", 20);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let journal = dir.path().join("run.journal");
    let interrupt = Interrupt::default();
    let summary = std::thread::scope(|scope| {
        let running =
            scope.spawn(|| run_live(&live.config, options(&journal, &interrupt, Threading::Inline)));
        std::thread::sleep(Duration::from_millis(600));
        for _ in 0..kills {
            assert!(!running.is_finished(), "{:?}", running.join().expect("no panic").err());
            proxy.cut();
            std::thread::sleep(Duration::from_millis(700));
        }
        interrupt.raise();
        running.join().expect("no panic").unwrap_or_else(|error| panic!("{error}"))
    });
    let sent = summary.orders.expect("orders could be sent");
    let mut took = sent.recovered_after.clone();
    took.sort_unstable();
    println!("{kills} sockets killed: {:?}", sent.recovered_after);
    assert!(took.len() as u64 >= kills * 9 / 10, "not made good: {sent:?}");
    let (p50, p99) = (took[took.len() / 2], took[(took.len() - 1) * 99 / 100]);
    println!("from a killed socket to trading again, all known and compared: p50 {p50:.1?}, p99 {p99:.1?}");
    assert!(p99 < Duration::from_secs(1), "p99 {p99:?}");
}
