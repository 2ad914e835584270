//! A configuration that is not good is refused: every reason at once, each with its place and what to do.

use algo_trader::domain::params::{ParamKind, ParamSpec};
use algo_trader::domain::{InstrumentTable, StrategyId};
use algo_trader::run::config::{Config, ConfigError, DEFAULT_TEXT};
use proptest::prelude::*;
use std::path::Path;

fn refusal(text: &str) -> Vec<String> {
    match Config::from_text_with_built_in(text, "my.toml") {
        Ok(_) => Vec::new(),
        Err(error) => error.to_string().lines().map(str::to_owned).collect(),
    }
}

/// What stands in the file, and every line that is said of it.
const REFUSED: &[(&str, &[&str])] = &[
    // Unknown keys, with the likely meaning where there is one.
    ("pipelin = 3", &["my.toml:1:1: pipelin: is not a known key; did you mean pipeline?"]),
    (
        "[pipeline]\nring_slot = 4096",
        &["my.toml:2:1: pipeline.ring_slot: is not a known key; did you mean ring_slots?"],
    ),
    ("[report]\ncolour = 1", &["my.toml:2:1: report.colour: is not a known key; known: dir"]),
    (
        "[pipeline.cores]\nfeeed = 1",
        &["my.toml:2:1: pipeline.cores.feeed: is not a known key; did you mean feed?"],
    ),
    (
        "\"a\\nb\" = 1",
        &[
            "my.toml:1:1: a\\nb: is not a known key; known: run, instruments, pipeline, journal, store, audit, alerts, market, risk, paper, trading, control, venue, accounting, hours, surveillance, log, report, backtest, strategy",
        ],
    ),
    // Values of the wrong kind.
    ("run = 5", &["my.toml:1:7: run = 5: must be a table"]),
    (
        "[backtest]\nwarm_up = \"90 days\"",
        &[
            "my.toml:2:11: backtest.warm_up = \"90 days\": must be a length of time of at most a hundred years: 90d, 12h, 30m or 45s",
        ],
    ),
    // Tiers of fees that leave the first trade without one, or that go back.
    (
        "[[backtest.tier]]\nvolume = \"100\"\nmaker = \"0\"\ntaker = \"0\"\n[[backtest.tier]]\nvolume = \"50.5\"\nmaker = \"0\"\ntaker = \"0\"\n[[backtest.tier]]\nvolume = \"50.5\"\nmaker = \"0\"\ntaker = \"0\"",
        &[
            "my.toml:2:10: backtest.tier.volume = \"100\": must be \"0\" in the first [[backtest.tier]]: fees hold from the first trade on",
            "my.toml:6:10: backtest.tier.volume = \"50.5\": must be more than 100, the volume of the tier above",
            "my.toml:10:10: backtest.tier.volume = \"50.5\": must be more than 50.5, the volume of the tier above",
        ],
    ),
    ("[run]\nepoch = \"now\"", &["my.toml:2:9: run.epoch = \"now\": must be an integer"]),
    ("[run]\nepoch = 1.5", &["my.toml:2:9: run.epoch = 1.5: must be an integer"]),
    (
        "[run]\nepoch = 99999999999999999999",
        &["my.toml:2:9: run.epoch = 99999999999999999999: must fit 64 bits"],
    ),
    ("[run]\nname = true", &["my.toml:2:8: run.name = true: must be text in quotes"]),
    (
        "[risk]\norder_notional_max = 50000",
        &["my.toml:2:22: risk.order_notional_max = 50000: must be in quotes"],
    ),
    ("[pipeline]\noversubscribe = 1", &["my.toml:2:17: pipeline.oversubscribe = 1: must be true or false"]),
    ("[instruments]\nfiles = \"a.toml\"", &["my.toml:2:9: instruments.files = \"a.toml\": must be a list"]),
    ("strategy = \"ma-cross\"", &["my.toml:1:12: strategy = \"ma-cross\": must be a list"]),
    // Balances that nothing could be done with.
    (
        "[instruments]\nfiles = [\"instruments/binance-spot.toml\"]\n[paper.balances]\n\"binance:usdm\" = { USDT = \"1\" }\n\"binance:spot\" = { XRP = \"1\", USDT = \"-5\", BTC = 3 }",
        &[
            "my.toml:4:18: paper.balances.binance:usdm = { USDT = \"1\" }: must be of a wallet that instruments are traded in: binance:spot",
            "my.toml:5:26: paper.balances.binance:spot.XRP = \"1\": is of no use: no instrument of binance:spot that can be traded has the asset XRP; there are BTC, ETH, USDT",
            "my.toml:5:38: paper.balances.binance:spot.USDT = \"-5\": must be a decimal number from 0 to 10000000000",
            "my.toml:5:50: paper.balances.binance:spot.BTC = 3: must be in quotes",
        ],
    ),
    // Trading: what is no name of a variable may be the secret, and is not shown.
    (
        "[trading]\nmode = \"real\"\norder_entry = \"fix\"\nkey_env = \"NhqPtmdSJYdKjVHjA7PZj4\"\nsecret_env = \"\"\nrecv_window_ms = 60001\non_exit = \"hold\"\nself_trade_prevention = \"EXPIRE_MAKER\"",
        &[
            "my.toml:2:8: trading.mode = \"real\": must be one of paper, live",
            "my.toml:3:15: trading.order_entry = \"fix\": must be one of websocket, rest",
            "my.toml:4:11: trading.key_env: must be the name of an environment variable, 1 to 64 capital letters, digits or _; the key itself has no place here, since this text is kept in journals",
            "my.toml:5:14: trading.secret_env: must be the name of an environment variable, 1 to 64 capital letters, digits or _; the key itself has no place here, since this text is kept in journals",
            "my.toml:6:18: trading.recv_window_ms = 60001: must be an integer from 1 to 60000",
            "my.toml:7:11: trading.on_exit = \"hold\": must be one of cancel, keep",
            "my.toml:8:25: trading.self_trade_prevention = \"EXPIRE_MAKER\": must be one of default, none, expire-taker, expire-maker, expire-both, decrement, transfer; did you mean \"expire-maker\"?",
        ],
    ),
    // So may what is no name of a webhook's variable: whoever knows its address can write to it.
    (
        "[alerts]\nwebhook_env = \"https://ntfy.example/my-secret-topic\"\n[audit]\nwebhook_env = \"\"",
        &[
            "my.toml:2:15: alerts.webhook_env: must be the name of an environment variable, 1 to 100 letters, digits or _; the address itself has no place here, since this text is kept in journals",
            "my.toml:4:15: audit.webhook_env: must be the name of an environment variable, 1 to 100 letters, digits or _; the address itself has no place here, since this text is kept in journals",
        ],
    ),
    (
        "[instruments]\nfiles = [\"instruments/binance-spot.toml\"]\n[trading]\nstandby = [\"binance:spot:ETHUSDT\", \"binance:spot:XRPUSDT\"]",
        &[
            "my.toml:4:11: trading.standby = [\"binance:spot:ETHUSDT\", \"binance:spot:X…: is of no use: only [trading] pairs_file adds what stands by, with mode = \"live\"",
            "my.toml:4:36: trading.standby = \"binance:spot:XRPUSDT\": must be the name of a spot instrument of [instruments] files",
        ],
    ),
    (
        "[instruments]\nfiles = [\"instruments/binance-spot.toml\", \"instruments/binance-usdm.toml\"]\n[trading]\nmode = \"live\"\n[[strategy]]\nname = \"ma-cross\"\ninstruments = [\"binance:spot:BTCUSDT\", \"binance:usdm:BTCUSDT\"]",
        &[
            "my.toml:7:40: strategy.instruments = \"binance:usdm:BTCUSDT\": must be a spot instrument: live orders are sent for spot alone; use [trading] mode = \"paper\", or take it out of this strategy",
        ],
    ),
    (
        "[venue.spot]\nws_api = \"ws://localhost\"",
        &[
            "my.toml:2:10: venue.spot.ws_api = \"ws://localhost\": must begin with wss://: only encrypted connections are made",
        ],
    ),
    (
        "[venue.usdm]\nws_api = \"wss://localhost\"",
        &["my.toml:2:1: venue.usdm.ws_api: is not a known key; known: stream, rest, weight_per_minute"],
    ),
    (
        "[venue]\nsnapshot_levels = 5000\n[venue.spot]\nweight_per_minute = 249\n[venue.usdm]\nweight_per_minute = 50",
        &[
            "my.toml:4:21: venue.spot.weight_per_minute = 249: must be at least 250, which one book of snapshot_levels = 5000 costs: raise it, or ask for fewer levels",
        ],
    ),
    // Files of which one would be written into another.
    (
        "[journal]\npath = \"out/run.journal\"\n[store]\nurl = \"sqlite:./out/run.journal\"\n[audit]\npath = \"trail\"\nanchors = \"trail\"\n[log]\nfile = \"./trail\"",
        &[
            "my.toml:4:7: store.url = \"sqlite:./out/run.journal\": must be another file than that of journal.path, which is written as well",
            "my.toml:7:11: audit.anchors = \"trail\": must be another file than that of audit.path, which is written as well",
            "my.toml:9:8: log.file = \"./trail\": must be another file than that of audit.path, which is written as well",
        ],
    ),
    // Values out of range.
    ("[run]\nname = \"a b\"", &["my.toml:2:8: run.name = \"a b\": must be 1 to 40 letters, digits or . _ -"]),
    ("[run]\nepoch = -1", &["my.toml:2:9: run.epoch = -1: must be an integer from 0 to 2821109907455"]),
    (
        "# one\n\n[pipeline]\n  ring_slots = 1000",
        &["my.toml:4:16: pipeline.ring_slots = 1000: must be a power of two from 1024 to 1048576 (try 1024)"],
    ),
    (
        "[pipeline]\nring_slots = 5_000\nlane_slots = -8",
        &[
            "my.toml:2:14: pipeline.ring_slots = 5_000: must be a power of two from 1024 to 1048576 (try 4096)",
            "my.toml:3:14: pipeline.lane_slots = -8: must be a power of two from 1024 to 1048576 (try 1024)",
        ],
    ),
    (
        "[pipeline]\nring_slots = 9223372036854775807",
        &[
            "my.toml:2:14: pipeline.ring_slots = 9223372036854775807: must be a power of two from 1024 to 1048576 (try 1048576)",
        ],
    ),
    (
        "[pipeline]\nthreading = \"shred\"\nwait = \"sleep\"",
        &[
            "my.toml:2:13: pipeline.threading = \"shred\": must be one of auto, inline, shared, dedicated; did you mean \"shared\"?",
            "my.toml:3:8: pipeline.wait = \"sleep\": must be one of auto, spin, yield, backoff",
        ],
    ),
    (
        "[pipeline]\nanswer_delay_us = 0",
        &["my.toml:2:19: pipeline.answer_delay_us = 0: must be an integer from 1 to 10000000"],
    ),
    (
        "[pipeline.cores]\nrisk = 1024",
        &["my.toml:2:8: pipeline.cores.risk = 1024: must be an integer from 0 to 1023"],
    ),
    (
        "[journal]\nsync = \"always\"",
        &["my.toml:2:8: journal.sync = \"always\": must be one of never, each-order"],
    ),
    (
        "[market]\nfetch_bars = \"1001\"",
        &[
            "my.toml:2:14: market.fetch_bars = \"1001\": must be \"auto\", \"off\" or a number of bars from \"0\" to \"1000\"",
        ],
    ),
    (
        "[market]\nbar = \"tick:100\"\nfetch_bars = \"5\"",
        &[
            "my.toml:3:14: market.fetch_bars = \"5\": venues tell of bars of time alone, and [market] bar asks for others",
        ],
    ),
    (
        "[market]\nbar = \"time:0s\"",
        &[
            "my.toml:2:7: market.bar = \"time:0s\": a time bar must have a length from 1s to 1d, or 1w, such as \"time:30s\", \"time:5m\" or \"time:4h\"",
        ],
    ),
    (
        "[market]\nbar = \"time:25h\"",
        &[
            "my.toml:2:7: market.bar = \"time:25h\": a time bar must have a length from 1s to 1d, or 1w, such as \"time:30s\", \"time:5m\" or \"time:4h\"",
        ],
    ),
    (
        "[market]\nbar = \"time:+5s\"",
        &[
            "my.toml:2:7: market.bar = \"time:+5s\": a time bar must have a length from 1s to 1d, or 1w, such as \"time:30s\", \"time:5m\" or \"time:4h\"",
        ],
    ),
    (
        "[market]\nbar = \"60\"",
        &[
            "my.toml:2:7: market.bar = \"60\": must be a kind and a size: \"time:60s\", \"tick:1000\", \"volume:5\" or \"dollar:1000000\"",
        ],
    ),
    (
        "[market]\nbar = \"tick:1.5\"",
        &[
            "my.toml:2:7: market.bar = \"tick:1.5\": a tick bar must have a number of trades from 1 to 100000000, such as \"tick:1000\"",
        ],
    ),
    (
        "[market]\nbar = \"volume:-1\"",
        &[
            "my.toml:2:7: market.bar = \"volume:-1\": a volume bar must have an amount of the base asset from 0.00000001 to 10000000000, such as \"volume:5\"",
        ],
    ),
    (
        "[market]\nbar = \"dollar:0\"",
        &[
            "my.toml:2:7: market.bar = \"dollar:0\": a dollar bar must have an amount of the quote asset from 0.00000001 to 10000000000, such as \"dollar:1000000\"",
        ],
    ),
    (
        "[venue]\nstreams = [\"trades\", \"depth\", \"depth@100ms\"]\nredundancy = 0",
        &[
            "my.toml:2:12: venue.streams = \"trades\": must be one of trade, aggTrade, bookTicker, depth, depth@100ms, depth@500ms, depth@0ms, depth5@100ms, depth10@100ms, depth20@100ms, kline_1s, kline_1m, kline_5m, kline_15m, kline_1h, kline_1d; did you mean \"trade\"?",
            "my.toml:2:31: venue.streams = \"depth@100ms\": is a second stream of its kind: choose one pace",
            "my.toml:3:14: venue.redundancy = 0: must be an integer from 1 to 4",
        ],
    ),
    (
        "[venue.spot]\nstream = \"ws://localhost:9443\"\nrest = \"https://user@localhost\"",
        &[
            "my.toml:2:10: venue.spot.stream = \"ws://localhost:9443\": must begin with wss://: only encrypted connections are made",
            "my.toml:3:8: venue.spot.rest = \"https://user@localhost\": may have a host, a port and a path, and nothing else",
        ],
    ),
    (
        "[venue]\nreconnect_min_ms = 500\nreconnect_max_ms = 100",
        &["my.toml:3:20: venue.reconnect_max_ms = 100: must not be shorter than reconnect_min_ms"],
    ),
    (
        "[store]\nurl = \"mysql://x\"\nbatch_rows = 0",
        &[
            "my.toml:2:7: store.url = \"mysql://x\": is no database: expected \"sqlite:PATH\" or \"postgres://user@host:port/database\"",
            "my.toml:3:14: store.batch_rows = 0: must be an integer from 1 to 100000",
        ],
    ),
    (
        // The value is not shown: it would be the password.
        "[store]\nurl = \"postgres://at:hunter2@h/x\"",
        &[
            "my.toml:2:7: store.url: holds a password, which would be seen in logs, journals and lists of processes: leave it out, and give it in the variable PGPASSWORD or in ~/.pgpass (host:port:database:user:password, mode 0600)",
        ],
    ),
    (
        "[risk]\norder_notional_max = \"0\"\ngross_notional_max = \"0.123456789\"\nposition_notional_max = \"1e6\"",
        &[
            "my.toml:2:22: risk.order_notional_max = \"0\": must be a decimal number from 0.00000001 to 10000000000, or \"none\"",
            "my.toml:3:22: risk.gross_notional_max = \"0.123456789\": must have at most 8 decimals, or \"none\"",
            "my.toml:4:25: risk.position_notional_max = \"1e6\": must be a decimal number from 0.00000001 to 10000000000, or \"none\"",
        ],
    ),
    (
        "[risk]\norder_notional_max = \"-1\"",
        &[
            "my.toml:2:22: risk.order_notional_max = \"-1\": must be a decimal number from 0.00000001 to 10000000000, or \"none\"",
        ],
    ),
    (
        "[log.modules]\nrisk = \"inf\"",
        &[
            "my.toml:2:8: log.modules.risk = \"inf\": must be one of error, warn, info, debug, trace; did you mean \"info\"?",
        ],
    ),
    ("[report]\ndir = \"\"", &["my.toml:2:7: report.dir = \"\": must be the path of a directory"]),
    // Text that is not TOML.
    ("[run]\nname = \"x\"\nname = \"y\"", &["my.toml:3:1: not valid TOML: duplicate key"]),
    ("[run\n", &["my.toml:1:5: not valid TOML: unclosed table, expected `]`"]),
    // Files of instruments.
    (
        "[instruments]\nfiles = [\n  \"instruments/binance-spto.toml\",\n]",
        &[
            "my.toml:3:3: instruments.files = \"instruments/binance-spto.toml\": config/instruments/binance-spto.toml cannot be read: entity not found",
        ],
    ),
    (
        "instruments.files = [\"instruments/binance-spot.toml\", \"instruments/binance-spot.toml\"]",
        &[
            "my.toml:1:55: instruments.files = \"instruments/binance-spot.toml\": gives binance:spot:BTCUSDT again",
        ],
    ),
    // Strategies.
    (
        "[[strategy]]\nlabel = \"x\"",
        &[
            "my.toml:1:1: strategy.name: is missing: a strategy's name, such as \"ma-cross\"",
            "my.toml:1:1: strategy.instruments: is missing: a list such as [\"binance:usdm:BTCUSDT\"]",
        ],
    ),
    (
        "instruments.files = [\"instruments/binance-usdm.toml\"]\n[[strategy]]\nname = \"ma-cross\"\ninstruments = [\"binance:usdm:SOLUSDT\", \"binance:usdm:btcusdt\", \"BTCUSDT\", \"kraken:spot:X\"]",
        &[
            "my.toml:4:16: strategy.instruments = \"binance:usdm:SOLUSDT\": is not configured: add an [[instrument]] with symbol = \"SOLUSDT\" to config/instruments/binance-usdm.toml, then use --config my.toml",
            "my.toml:4:40: strategy.instruments = \"binance:usdm:btcusdt\": must be written \"binance:usdm:BTCUSDT\"",
            "my.toml:4:64: strategy.instruments = \"BTCUSDT\": must be written venue:market:SYMBOL, such as \"binance:usdm:BTCUSDT\"",
            "my.toml:4:75: strategy.instruments = \"kraken:spot:X\": is not known: of kraken only a backtest can have an instrument, once its history is imported; algo-trader history list shows what there is",
        ],
    ),
    (
        "instruments.files = [\"instruments/binance-usdm.toml\"]\nstrategy = [{ name = \"a\", instruments = [] }, { name = \"a\", instruments = [\"binance:usdm:BTCUSDT\", \"binance:usdm:BTCUSDT\"] }]",
        &[
            "my.toml:2:41: strategy.instruments = []: must name at least one instrument",
            "my.toml:2:56: strategy.name = \"a\": is already the label of a strategy above: give this one a label of its own",
            "my.toml:2:100: strategy.instruments = \"binance:usdm:BTCUSDT\": is already in this list",
        ],
    ),
    (
        "instruments.files = [\"instruments/binance-usdm.toml\"]\n[[strategy]]\nname = \"a\"\ninstruments = [\"binance:usdm:BTCUSDT\"]\nparams = { fast = [5], slow = 99999999999999999999 }",
        &[
            "my.toml:5:19: strategy.params.fast = [5]: must be a number, text in quotes, true or false",
            "my.toml:5:31: strategy.params.slow = 99999999999999999999: must fit 64 bits",
        ],
    ),
];

#[test]
fn every_mistake_is_told_with_its_place_and_what_to_do() {
    for (text, expected) in REFUSED {
        assert_eq!(refusal(text), *expected, "of {text:?}");
    }
}

#[test]
fn mistakes_all_over_the_file_are_told_together() {
    let all =
        "[run]\nname = 1\nnmae = \"x\"\n[pipeline]\nring_slots = 7\ncores = 4\n[log]\nlevel = \"loud\"\n";
    assert_eq!(
        refusal(all),
        [
            "my.toml:2:8: run.name = 1: must be in quotes",
            "my.toml:3:1: run.nmae: is not a known key; did you mean name?",
            "my.toml:5:14: pipeline.ring_slots = 7: must be a power of two from 1024 to 1048576 (try 1024)",
            "my.toml:6:9: pipeline.cores = 4: must be a table",
            "my.toml:8:9: log.level = \"loud\": must be one of error, warn, info, debug, trace",
        ]
    );
}

/// Limits of which one keeps another from ever being met, behind `[risk]` and the rest by default; what is said of each.
const CONTRADICTIONS: &[(&str, &[&str])] = &[
    // Messages are orders and cancels together; what a second allows alone may not be above a longer time's.
    (
        "[risk.rates]\norders_per_second_max = 100\nmessages_per_second_max = 10",
        &[
            "my.toml:4:25: risk.rates.orders_per_second_max = 100: must not be above rates.messages_per_second_max = 10, which would always be met first: lower this one, or raise rates.messages_per_second_max",
        ],
    ),
    (
        "[risk.rates]\ncancels_per_second_max = 50\nmessages_per_day_max = 40\norders_per_minute_max = 41",
        &[
            "my.toml:4:26: risk.rates.cancels_per_second_max = 50: must not be above rates.messages_per_day_max = 40, which would always be met first: lower this one, or raise rates.messages_per_day_max",
            "my.toml:6:25: risk.rates.orders_per_minute_max = 41: must not be above rates.messages_per_day_max = 40, which would always be met first: lower this one, or raise rates.messages_per_day_max",
        ],
    ),
    (
        "[risk.rates]\norders_per_second_max = 11\norders_per_day_max = 10",
        &[
            "my.toml:4:25: risk.rates.orders_per_second_max = 11: must not be above rates.orders_per_day_max = 10, which would always be met first: lower this one, or raise rates.orders_per_day_max",
        ],
    ),
    // A strategy sends no more than all do.
    (
        "[risk.strategy_rates]\norders_per_minute_max = 1000\n[risk.rates]\norders_per_minute_max = 10",
        &[
            "my.toml:4:25: risk.strategy_rates.orders_per_minute_max = 1000: must not be above rates.orders_per_minute_max = 10, which would always be met first: lower this one, or raise rates.orders_per_minute_max",
        ],
    ),
    (
        "orders_per_second_max = 20\n[risk.rates]\nmessages_per_minute_max = 19",
        &[
            "my.toml:3:25: risk.orders_per_second_max = 20: must not be above rates.messages_per_minute_max = 19, which would always be met first: lower this one, or raise rates.messages_per_minute_max",
        ],
    ),
    // Levels lie within each other.
    (
        "[risk.instrument]\nopen_orders_max = 50\n[risk.portfolio]\nopen_orders_max = 5",
        &[
            "my.toml:4:19: risk.instrument.open_orders_max = 50: must not be above portfolio.open_orders_max = 5, which would always be met first: lower this one, or raise portfolio.open_orders_max",
        ],
    ),
    (
        "[risk.strategy]\nleverage_max = \"9\"\n[risk.portfolio]\nleverage_max = \"2\"",
        &[
            "my.toml:4:16: risk.strategy.leverage_max = \"9\": must not be above portfolio.leverage_max = \"2\", which would always be met first: lower this one, or raise portfolio.leverage_max",
        ],
    ),
    (
        "[risk.instrument]\nlong_notional_max = \"101\"\nshare_pct_max = 50\n[risk.account]\nlong_notional_max = \"100\"\nshare_pct_max = 40\n[risk.group]\nshort_notional_max = \"300000\"",
        &[
            "my.toml:4:21: risk.instrument.long_notional_max = \"101\": must not be above account.long_notional_max = \"100\", which would always be met first: lower this one, or raise account.long_notional_max",
            "my.toml:5:17: risk.instrument.share_pct_max = 50: must not be above account.share_pct_max = 40, which would always be met first: lower this one, or raise account.share_pct_max",
            "my.toml:10:22: risk.group.short_notional_max = \"300000\": must not be above gross_notional_max = \"250000\", its default, which would always be met first: lower this one, or write gross_notional_max",
        ],
    ),
    (
        "[risk.strategy]\nnet_notional_max = \"9\"\ngross_notional_max = \"8\"\n[risk.portfolio]\nnet_notional_max = \"250001\"",
        &[
            "my.toml:4:20: risk.strategy.net_notional_max = \"9\": must not be above strategy.gross_notional_max = \"8\", which would always be met first: lower this one, or raise strategy.gross_notional_max",
            "my.toml:7:20: risk.portfolio.net_notional_max = \"250001\": must not be above gross_notional_max = \"250000\", its default, which would always be met first: lower this one, or write gross_notional_max",
        ],
    ),
    // A strategy's position in one instrument, and its orders there, lie within all of them.
    (
        "position_notional_max = \"250001\"",
        &[
            "my.toml:3:25: risk.position_notional_max = \"250001\": must not be above gross_notional_max = \"250000\", its default, which would always be met first: lower this one, or write gross_notional_max",
        ],
    ),
    (
        "order_notional_max = \"200001\"",
        &[
            "my.toml:3:22: risk.order_notional_max = \"200001\": must not be above twice position_notional_max = \"100000\", its default, which would always be met first: lower this one, or write position_notional_max",
        ],
    ),
    (
        "order_notional_max = \"201\"\nposition_notional_max = \"none\"\nopen_orders_max = 6\n[risk.account]\ngross_notional_max = \"100\"\nopen_orders_max = 5",
        &[
            "my.toml:3:22: risk.order_notional_max = \"201\": must not be above twice account.gross_notional_max = \"100\", which would always be met first: lower this one, or raise account.gross_notional_max",
            "my.toml:5:19: risk.open_orders_max = 6: must not be above account.open_orders_max = 5, which would always be met first: lower this one, or raise account.open_orders_max",
        ],
    ),
    // What one instrument or strategy has of its own lies within what it is a part of, and its sides within its gross
    // exposure: its own, or where it has none that of each.
    (
        "[risk.instrument]\ngross_notional_max = \"1000\"\n[risk.instruments.\"binance:spot:BTCUSDT\"]\nlong_notional_max = \"1000.01\"",
        &[
            "my.toml:6:21: risk.instruments.binance:spot:BTCUSDT.long_notional_max = \"1000.01\": must not be above instrument.gross_notional_max = \"1000\", which would always be met first: lower this one, or raise instrument.gross_notional_max",
        ],
    ),
    (
        "[risk.instrument]\ngross_notional_max = \"1000\"\n[risk.account]\ngross_notional_max = \"2000\"\n[risk.instruments.\"binance:spot:BTCUSDT\"]\ngross_notional_max = \"2000.01\"\nlong_notional_max = \"2000.02\"",
        &[
            "my.toml:8:22: risk.instruments.binance:spot:BTCUSDT.gross_notional_max = \"2000.01\": must not be above account.gross_notional_max = \"2000\", which would always be met first: lower this one, or raise account.gross_notional_max",
            "my.toml:9:21: risk.instruments.binance:spot:BTCUSDT.long_notional_max = \"2000.02\": must not be above instruments.\"binance:spot:BTCUSDT\".gross_notional_max = \"2000.01\", which would always be met first: lower this one, or raise instruments.\"binance:spot:BTCUSDT\".gross_notional_max",
        ],
    ),
    (
        "[risk.instrument]\nlong_notional_max = \"5\"\n[risk.instruments.\"binance:spot:BTCUSDT\"]\ngross_notional_max = \"none\"\nshort_notional_max = \"250000.01\"",
        &[
            "my.toml:7:22: risk.instruments.binance:spot:BTCUSDT.short_notional_max = \"250000.01\": must not be above gross_notional_max = \"250000\", its default, which would always be met first: lower this one, or write gross_notional_max",
        ],
    ),
    // What no instrument lets pass is never met; what one of them does is.
    (
        "position_notional_max = \"901\"\norder_notional_max = \"none\"\n[risk.instrument]\ngross_notional_max = \"800\"\n[risk.instruments.\"binance:spot:BTCUSDT\"]\ngross_notional_max = \"900\"",
        &[
            "my.toml:3:25: risk.position_notional_max = \"901\": must not be above instruments.\"binance:spot:BTCUSDT\".gross_notional_max = \"900\", which would always be met first: lower this one, or raise instruments.\"binance:spot:BTCUSDT\".gross_notional_max",
        ],
    ),
    (
        "[risk.strategies.a]\nopen_orders_max = 8\n[risk.portfolio]\nopen_orders_max = 7",
        &[
            "my.toml:4:19: risk.strategies.a.open_orders_max = 8: must not be above portfolio.open_orders_max = 7, which would always be met first: lower this one, or raise portfolio.open_orders_max",
        ],
    ),
    (
        "[risk.group]\nopen_orders_max = 7\n[risk.groups]\nmajors = [\"binance:spot:BTCUSDT\"]\n[risk.instruments.\"binance:spot:BTCUSDT\"]\nopen_orders_max = 8",
        &[
            "my.toml:8:19: risk.instruments.binance:spot:BTCUSDT.open_orders_max = 8: must not be above group.open_orders_max = 7, which would always be met first: lower this one, or raise group.open_orders_max",
        ],
    ),
    // A strategy may not lose more than all, nor anybody more in a day than from the peak.
    (
        "[risk.losses]\ndaily_max = \"10\"\nstrategy_daily_max = \"11\"\ndrawdown_max = \"9\"\nvelocity_max = \"9.01\"",
        &[
            "my.toml:4:13: risk.losses.daily_max = \"10\": must not be above losses.drawdown_max = \"9\", which would always be met first: lower this one, or raise losses.drawdown_max",
            "my.toml:5:22: risk.losses.strategy_daily_max = \"11\": must not be above losses.daily_max = \"10\", which would always be met first: lower this one, or raise losses.daily_max",
            "my.toml:7:16: risk.losses.velocity_max = \"9.01\": must not be above losses.drawdown_max = \"9\", which would always be met first: lower this one, or raise losses.drawdown_max",
        ],
    ),
];

/// Limits that look alike and do not contradict each other.
const NO_CONTRADICTIONS: &[&str] = &[
    // At the limit itself, and sixty times a second's above a minute's.
    "orders_per_second_max = 10\n[risk.rates]\norders_per_second_max = 10\norders_per_minute_max = 10\nmessages_per_day_max = 10",
    "order_notional_max = \"200\"\nposition_notional_max = \"100\"\ngross_notional_max = \"100\"",
    // None under a number: the number binds. A default contradicts nobody either.
    "position_notional_max = \"none\"\norder_notional_max = \"none\"\ngross_notional_max = \"5\"",
    "gross_notional_max = \"5\"\n[risk.portfolio]\nopen_orders_max = 1\n[risk.rates]\norders_per_second_max = 1\n[risk.losses]\ndrawdown_max = \"1\"",
    "[risk.instrument]\ngross_notional_max = \"7\"\n[risk.instruments.\"binance:spot:BTCUSDT\"]\ngross_notional_max = \"none\"",
    // None above a number.
    "[risk.instrument]\nopen_orders_max = 100000\n[risk.portfolio]\nopen_orders_max = \"none\"",
    // Nets do not add up; an instrument need not be in a group; a strategy trades on more than one account.
    "[risk.instrument]\nnet_notional_max = \"100\"\n[risk.portfolio]\nnet_notional_max = \"1\"",
    "[risk.instrument]\nopen_orders_max = 9\n[risk.group]\nopen_orders_max = 8\n[risk.groups]\nmajors = [\"binance:spot:BTCUSDT\"]",
    "[risk.strategy]\nopen_orders_max = 9\n[risk.account]\nopen_orders_max = 8",
    // Tighter than each has, and wider, up to what it lies within.
    "[risk.strategy]\nopen_orders_max = 9\n[risk.strategies.a]\nopen_orders_max = 8\n[risk.portfolio]\nopen_orders_max = 9",
    "[risk.strategy]\nopen_orders_max = 7\n[risk.strategies.a]\nopen_orders_max = 9\n[risk.portfolio]\nopen_orders_max = 9",
    "[risk.instrument]\ngross_notional_max = \"1000\"\n[risk.account]\ngross_notional_max = \"2000\"\n[risk.instruments.\"binance:spot:BTCUSDT\"]\ngross_notional_max = \"2000\"\nlong_notional_max = \"2000\"",
    "position_notional_max = \"900\"\nopen_orders_max = 4\n[risk.instrument]\ngross_notional_max = \"800\"\nopen_orders_max = 3\n[risk.instruments.\"binance:spot:BTCUSDT\"]\ngross_notional_max = \"900\"\nopen_orders_max = \"none\"",
];

fn with_limits(limits: &str) -> String {
    let files = "[\"instruments/binance-spot.toml\", \"instruments/binance-usdm.toml\"]";
    format!(
        "[risk]\nunset = \"default\"\n{limits}\n[instruments]\nfiles = {files}\n[[strategy]]\nname = \"a\"\ninstruments = \
         [\"binance:spot:BTCUSDT\"]"
    )
}

#[test]
fn a_limit_that_another_keeps_from_ever_being_met_is_refused() {
    for (limits, expected) in CONTRADICTIONS {
        assert_eq!(refusal(&with_limits(limits)), *expected, "of {limits:?}");
    }
    for limits in NO_CONTRADICTIONS {
        assert_eq!(refusal(&with_limits(limits)), [""; 0], "of {limits:?}");
    }
    // Of one account, what a strategy may have open lies within what the account may; and of grouped instruments.
    let one = with_limits("[risk.strategy]\nopen_orders_max = 9\n[risk.account]\nopen_orders_max = 8")
        .replace(", \"instruments/binance-usdm.toml\"", "");
    assert_eq!(refusal(&one).len(), 1);
    let all = "majors = [\"binance:spot:BTCUSDT\", \"binance:spot:ETHUSDT\"]";
    let limits = "[risk.instrument]\nopen_orders_max = 9\n[risk.group]\nopen_orders_max = 8\n[risk.groups]\n";
    let grouped = with_limits(&format!("{limits}{all}")).replace(", \"instruments/binance-usdm.toml\"", "");
    assert_eq!(refusal(&grouped).len(), 1);
    // A limit that is missing denies what does not reduce; it contradicts nobody.
    assert_eq!(refusal("[risk]\nposition_notional_max = \"250001\""), [""; 0]);
}

#[test]
fn a_limit_of_ones_own_is_in_place_of_that_of_its_level() {
    let text = with_limits(
        "[risk.instrument]\ngross_notional_max = \"7\"\nlong_notional_max = \"5\"\nshort_notional_max = \"6\"\n\
         share_pct_max = 20\nopen_orders_max = 5\n[risk.strategy]\nopen_orders_max = 4\n\
         [risk.instruments.\"binance:spot:BTCUSDT\"]\ngross_notional_max = \"9\"\nlong_notional_max = \"none\"\n\
         open_orders_max = 3\n[risk.strategies.a]\nopen_orders_max = 8",
    );
    let config = Config::from_text_with_built_in(&text, "my.toml").expect("good");
    let own = &config.risk.setup.own_limits;
    let btc = config.instruments.by_name("binance:spot:BTCUSDT").expect("built in").id;
    let of = own.of_instrument(btc, &config.risk.limits);
    assert_eq!(of.gross_notional_max, 900_000_000, "wider");
    assert_eq!(of.open_orders_max, 3, "tighter");
    assert_eq!(of.long_notional_max, i64::MAX, "turned off");
    assert_eq!((of.short_notional_max, of.share_pct_max), (600_000_000, 20), "as each");
    let other = config.instruments.by_name("binance:spot:ETHUSDT").expect("built in").id;
    let of = own.of_instrument(other, &config.risk.limits);
    assert_eq!(
        (of.gross_notional_max, of.long_notional_max, of.open_orders_max),
        (700_000_000, 500_000_000, 5)
    );
    assert_eq!(own.of_strategy(StrategyId(0), &config.risk.limits).open_orders_max, 8, "wider");
}

/// Loads a configuration with one instrument file from disk.
fn load(instruments: &str, rest: &str) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(dir.path().join("i.toml"), instruments).expect("a file can be written");
    Config::from_text(&format!("instruments.files = [\"i.toml\"]\n{rest}"), "my.toml", dir.path())
}

fn refused_instruments(instruments: &str) -> Vec<String> {
    let Err(error) = load(instruments, "[[strategy]]\nname = \"a\"\ninstruments = [\"binance:usdm:X\"]")
    else {
        return Vec::new();
    };
    let of_file =
        |line: &str| line.rsplit_once("i.toml").map_or(line.to_owned(), |(_, said)| said.to_owned());
    error.to_string().lines().map(of_file).collect()
}

const GOOD: &str = r#"
venue = "binance"
market = "usdm"
[[instrument]]
symbol = "X"
base = "B"
quote = "Q"
price_decimals = 2
qty_decimals = 3
tick = "0.10"
lot = "0.001"
min_qty = "0.001"
max_qty = "1000"
min_notional = "100"
maker_fee = "-0.0001"
taker_fee = "0.0005"
"#;

#[test]
fn an_instrument_that_cannot_be_traded_exactly_is_refused() {
    assert_eq!(refused_instruments(GOOD), [""; 0]);
    let spot_like = GOOD.replace("decimals = 2", "decimals = 8").replace("decimals = 3", "decimals = 8");
    assert_eq!(refused_instruments(&spot_like.replace("\"100\"", "\"20000\"")), [""; 0]);
    let cases = [
        ("\"0.10\"", "\"0.105\"", ":10:8: instrument.tick = \"0.105\": must have at most 2 decimals"),
        (
            "\"0.10\"",
            "\"0.00\"",
            ":10:8: instrument.tick = \"0.00\": must be a decimal number from 0.01 to 92233720368547758.07",
        ),
        ("\"0.10\"", "0.10", ":10:8: instrument.tick = 0.10: must be in quotes"),
        (
            "lot = \"0.001\"",
            "lot = \"x\"",
            ":11:7: instrument.lot = \"x\": must be a decimal number from 0.001 to 9223372036854775.807",
        ),
        (
            "\"1000\"",
            "\"0\"",
            ":13:11: instrument.max_qty = \"0\": must be a decimal number from 0.001 to 9223372036854775.807",
        ),
        (
            "min_qty = \"0.001\"",
            "min_qty = \"1001\"",
            ":13:11: instrument.max_qty = \"1000\": must not be less than min_qty",
        ),
        (
            "\"100\"",
            "\"-1\"",
            ":14:16: instrument.min_notional = \"-1\": must be a decimal number from 0 to 92233720368547.75807",
        ),
        (
            "\"0.0005\"",
            "\"0.1\"",
            ":16:13: instrument.taker_fee = \"0.1\": must be a decimal number from -0.05 to 0.05",
        ),
        (
            "qty_decimals = 3",
            "qty_decimals = 17",
            ":9:16: instrument.qty_decimals = 17: must be at most 16 beside price_decimals = 2: together at most 18",
        ),
        (
            "price_decimals = 2",
            "price_decimals = 19",
            ":8:18: instrument.price_decimals = 19: must be an integer from 0 to 18",
        ),
        (
            "\"X\"",
            "\"btcusdt\"",
            ":5:10: instrument.symbol = \"btcusdt\": must be 1 to 15 upper-case letters, digits or underscores",
        ),
        (
            "\"X\"",
            "\"ABCDEFGHIJKLMNOP\"",
            ":5:10: instrument.symbol = \"ABCDEFGHIJKLMNOP\": must be 1 to 15 upper-case letters, digits or underscores",
        ),
        (
            "\"binance\"",
            "\"binanse\"",
            ":2:9: venue = \"binanse\": must be one of binance; did you mean \"binance\"?",
        ),
        (
            "\"binance\"",
            "\"mine\"",
            ":2:9: venue = \"mine\": must be one of binance; an instrument of another venue needs no file, since a backtest \
             takes it as its imported history knows it: [backtest] qty_decimals says what parts of one can be bought, a \
             [[backtest.tier]] what fees are charged",
        ),
        ("\"usdm\"", "\"futures\"", ":3:10: market = \"futures\": must be one of spot, usdm, coinm"),
        ("tick =", "tik =", ":10:1: instrument.tik: is not a known key; did you mean tick?"),
    ];
    for (good, bad, expected) in cases {
        assert!(GOOD.contains(good), "{good}");
        let said = refused_instruments(&GOOD.replacen(good, bad, 1));
        assert_eq!(said.last().map(String::as_str), Some(expected));
        let beside = if bad.starts_with("tik") { 2 } else { 1 };
        assert_eq!(said.len(), beside, "nothing follows from a mistake but what it hides: {said:?}");
    }
    assert_eq!(
        refused_instruments(
            "market = \"spot\"\n[[instrument]]\nsymbol = \"X\"\nbase = \"B\"\nquote = \"Q\"\nmaker_fee = \"0\"\ntaker_fee = \"0\"\nprice_decimals = 1\nmin_qty = \"1\"\n"
        ),
        [
            ":1:1: venue: is missing: the venue's name, such as \"binance\"",
            ":2:1: instrument.qty_decimals: is missing: decimals of printed numbers, 0 to 18",
            ":2:1: instrument.tick: is missing: a decimal number in quotes",
            ":2:1: instrument.lot: is missing: a decimal number in quotes",
            ":2:1: instrument.max_qty: is missing: a decimal number in quotes",
            ":2:1: instrument.min_notional: is missing: a decimal number in quotes",
        ]
    );
    let twice = format!("{GOOD}{}", &GOOD[GOOD.find("[[").unwrap_or(0)..]);
    assert_eq!(refused_instruments(&twice), [":18:10: instrument.symbol = \"X\": is already given above"]);
}

const SPECS: &[ParamSpec] = &[
    ParamSpec { name: "fast", doc: "", kind: ParamKind::Integer { min: 1, max: 500, default: 5 } },
    ParamSpec { name: "qty", doc: "", kind: ParamKind::Decimal { min: "0.001", max: "10", default: "1" } },
];

#[test]
fn live_orders_of_several_quote_assets_are_refused_unless_they_are_said_to_be_worth_alike() {
    let one = GOOD.replace("usdm", "spot");
    let (head, of) = one.split_once("[[instrument]]").expect("there is one");
    let other = of.replace("symbol = \"X\"", "symbol = \"Y\"").replace("quote = \"Q\"", "quote = \"BTC\"");
    let both = format!("{head}[[instrument]]{of}[[instrument]]{other}");
    let trading = |mode: &str, traded: &str, more: &str| {
        let strategies: String = traded
            .split(' ')
            .map(|name| format!("[[strategy]]\nname = \"a\"\nlabel = \"{name}\"\ninstruments = [\"binance:spot:{name}\"]\n"))
            .collect();
        load(&both, &format!("trading.mode = \"{mode}\"\n[risk]\n{more}\n{strategies}"))
    };
    for (mode, traded, more, told, refused) in [
        ("live", "X Y", "", false, true),
        ("live", "X Y", "mixed_quotes = \"refuse\"", false, true),
        ("live", "X Y", "mixed_quotes = \"add\"", false, false),
        ("live", "Y", "", false, false),
        ("paper", "X Y", "", true, false),
        ("paper", "X Y", "mixed_quotes = \"add\"", false, false),
        ("paper", "X", "", false, false),
    ] {
        let said = trading(mode, traded, more);
        assert_eq!(said.is_err(), refused, "{mode} {traded} {more}: {said:?}");
        match said {
            Ok(config) => {
                let warning = config.quotes_that_are_mixed();
                assert_eq!(warning.is_some(), told, "{mode} {traded} {more}");
                assert!(warning.is_none_or(|text| text.contains("quoted in BTC, Q, and limits")));
            }
            Err(error) => {
                let said = error.to_string();
                assert!(
                    said.contains("my.toml:12:16: strategy.instruments = \"binance:spot:Y\": is quoted in BTC, and others")
                        && said.lines().count() == 1,
                    "{said}"
                );
            }
        }
    }
}

#[test]
fn what_a_journal_has_is_read_again_though_it_would_be_refused_at_a_start() {
    let of = |symbol: &str, quote: &str| {
        let text = GOOD.replace("usdm", "spot").replace("\"X\"", symbol).replace("\"Q\"", quote);
        load(&text, "").expect("good").instruments.all()[0].clone()
    };
    let table = || InstrumentTable::new(vec![of("\"X\"", "\"Q\""), of("\"Y\"", "\"BTC\"")]).expect("two");
    let text = "[trading]\nmode = \"live\"\n[audit]\npath = \"a\"\nanchors = \"a\"\n[[strategy]]\nname = \"a\"\n\
                instruments = [\"binance:spot:X\", \"binance:spot:Y\"]";
    let read = Config::from_text_with_instruments(text, "my.toml", table());
    assert!(read.is_ok(), "{read:?}");
}

#[test]
fn strategies_and_parameters_are_refused_with_the_place_in_the_file() {
    let strategy = "[[strategy]]\nname = \"ma-corss\"\ninstruments = [\"binance:usdm:X\"]\nparams = { fast = 0, qyt = \"1\", qty = \"0.0015\" }";
    let config = load(GOOD, strategy).expect("good until the registry sees it");
    let strategy = &config.strategies[0];
    assert_eq!(
        strategy.unknown_name(&["ma-cross", "rsi-reversion"]).to_string(),
        "my.toml:3:8: strategy.name = \"ma-corss\": is not a strategy; did you mean ma-cross?"
    );
    let problems = strategy.check(SPECS).expect_err("two are bad");
    assert_eq!(
        problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "my.toml:5:19: strategy.params.fast = 0: must be an integer from 1 to 500",
            "my.toml:5:28: strategy.params.qyt: is not a parameter of this strategy; did you mean qty?",
        ]
    );
}

#[test]
fn a_file_that_is_not_there_or_not_text_is_refused_by_name() {
    let said = Config::load(Path::new("/nowhere/my.toml")).expect_err("no such file").to_string();
    assert_eq!(said, "/nowhere/my.toml: cannot be read: No such file or directory (os error 2)");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("my.toml");
    std::fs::write(&path, b"[run]\nname = \"\xff\"").expect("a file can be written");
    let said = Config::load(&path).expect_err("not UTF-8").to_string();
    assert_eq!(said, format!("{}: cannot be read: stream did not contain valid UTF-8", path.display()));
}

#[test]
fn the_files_on_disk_are_what_is_built_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/default.toml");
    let (disk, built_in) = (Config::load(&path).expect("it is good"), Config::embedded_default());
    assert_eq!(disk.instruments.all(), built_in.instruments.all());
    let names = built_in.strategies.iter().map(|s| s.name.as_str()).collect::<Vec<_>>();
    assert_eq!(names, ["ma-cross", "rsi-reversion", "imbalance-maker"]);
}

/// One way to spoil a text at a place.
fn mutation() -> impl Strategy<Value = (prop::sample::Index, usize, String)> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "",
            "\"",
            "'''",
            "[",
            "]",
            "[[",
            "=",
            ".",
            "{",
            "}",
            "#",
            "\n",
            "-",
            "1e999",
            "nan",
            "0x",
            "9223372036854775808",
            "1979-05-27",
            "\u{feff}",
            "é",
            "\0",
            "\\u0000",
            "[[strategy]]\n",
            "[pipeline]\n",
            "run = 1\n",
            "x = [[[[",
            "true",
        ])
        .prop_map(str::to_owned),
        ".{0,8}",
        any::<i64>().prop_map(|n| n.to_string()),
    ];
    (any::<prop::sample::Index>(), prop_oneof![3 => 0usize..4, 1 => 0usize..400], piece)
}

fn spoil(text: &str, mutations: &[(prop::sample::Index, usize, String)]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (at, length, piece) in mutations {
        let at = at.index(chars.len() + 1);
        let end = (at + length).min(chars.len());
        chars.splice(at..end, piece.chars());
    }
    chars.into_iter().collect()
}

/// Only shape can be asserted of a refusal of anything: it has reasons, and each is at a place that exists.
fn well_formed(result: Result<Config, ConfigError>, lines: usize) {
    let Err(error) = result else { return };
    assert!(!error.problems.is_empty());
    for problem in &error.problems {
        assert!(!problem.file.is_empty() && !problem.expected.is_empty(), "{problem:?}");
        assert!(
            problem.line >= 1 && problem.line as usize <= lines + 1 && problem.column >= 1,
            "{problem:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(mutations in prop::collection::vec(mutation(), 1..6)) {
        let text = spoil(DEFAULT_TEXT, &mutations);
        well_formed(Config::from_text_with_built_in(&text, "my.toml"), text.lines().count());
    }

    #[test]
    fn no_instrument_file_makes_it_panic(mutations in prop::collection::vec(mutation(), 1..6)) {
        let text = spoil(GOOD, &mutations);
        well_formed(load(&text, ""), text.lines().count().max(1));
    }
}

#[test]
fn a_text_nested_without_end_is_refused_and_does_not_exhaust_the_stack() {
    for text in [
        format!("a = {}", "[".repeat(100_000)),
        format!("a = {}", "{a=".repeat(100_000)),
        format!("{}a = 1", "a.".repeat(100_000)),
        format!("[[strategy]]\nparams.x.{}b = 1", "a.".repeat(3_000)),
    ] {
        assert!(!refusal(&text).is_empty());
    }
}

#[test]
fn sizing_hours_and_surveillance_are_refused_with_the_place_in_the_file() {
    let text = r#"[instruments]
files = ["instruments/binance-spot.toml"]
[hours]
"binance:spot" = "nyse"
"binance:usdm" = "always"
[surveillance]
spoofing = "wran"
[[strategy]]
name = "ma-cross"
instruments = ["binance:spot:BTCUSDT"]
hours = "us-equiti extended"
sizing = { method = "risk-per-trade", percent = 0.0, capitol = "1" }
[[strategy]]
name = "rsi-reversion"
instruments = ["binance:spot:BTCUSDT"]
sizing = { percent = 1.0 }
[[strategy]]
name = "imbalance-maker"
instruments = ["binance:spot:BTCUSDT"]
sizing = { method = "kely" }
"#;
    let said = refusal(text);
    let expected = [
        "my.toml:4:18: hours.binance:spot = \"nyse\": is not a calendar; known: always, us-equity, fx, fx-oanda, fx-oanda-nzd, fx-fxcm, cme-index, cme-fx, cme-rates, cme-energy-metals, \
         cme-grains, cme-crypto, cme-livestock, cme-dairy, cme-lumber",
        "my.toml:5:18: hours.binance:usdm = \"always\": must be of a venue and market of the instruments, such as \"binance:spot\"",
        "my.toml:7:12: surveillance.spoofing = \"wran\": must be one of off, warn, throttle, halt; did you mean \"warn\"?",
        "my.toml:11:9: strategy.hours = \"us-equiti extended\": is not a calendar; did you mean us-equity?",
        "my.toml:12:49: strategy.sizing.percent = 0.0: must be a number from 0.0001 to 100.0",
        "my.toml:12:64: strategy.sizing.capitol: is not a parameter of this method; did you mean capital?",
        "my.toml:20:21: strategy.sizing.method = \"kely\": is not a way to size orders; did you mean kelly?",
    ];
    for line in expected {
        assert!(said.iter().any(|said| said == line), "{line:?} is missing in {said:#?}");
    }
    let missing = said.iter().find(|said| said.starts_with("my.toml:16:")).expect("the method is missing");
    assert!(missing.contains("method") && missing.contains("one of fixed-qty"), "{missing}");
    assert_eq!(said.len(), expected.len() + 1, "{said:#?}");
}
