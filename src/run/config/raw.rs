//! The shape of the files: every key that exists, none of them checked.
//!
//! Owns: the names of keys. What each means, its range and default is said in `config/default.toml` and enforced
//! where it becomes a checked value. Everything may be absent, so that all that is wrong can be said at once.

use super::read::{FromToml, Keyed, Reader};
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::DeValue;

/// A value, if there is one, with its place.
pub(super) type Given<T> = Option<Spanned<T>>;

macro_rules! raw {
    ($($(#[doc = $doc:literal])* $name:ident { $($key:ident: $kind:ty,)* })*) => {$(
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Default)]
        pub(super) struct $name { $(pub $key: $kind,)* }

        impl Keyed for $name {
            fn keys(&self) -> &'static [&'static str] {
                &[$(stringify!($key)),*]
            }

            fn take(&mut self, key: &str, value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> bool {
                match key {
                    $(stringify!($key) => reader.put(&mut self.$key, value),)*
                    _ => return false,
                }
                true
            }
        }

        impl FromToml for $name {
            fn from_toml(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
                let mut whole = Self::default();
                reader.table(value, &mut whole).then_some(whole)
            }
        }
    )*};
}

raw! {
    /// A configuration.
    RawConfig {
        run: RawRun,
        instruments: RawInstruments,
        pipeline: RawPipeline,
        journal: RawJournal,
        store: RawStore,
        audit: RawAudit,
        alerts: RawAlerts,
        market: RawMarket,
        risk: RawRisk,
        paper: RawPaper,
        trading: RawTrading,
        control: RawControl,
        venue: RawVenue,
        accounting: RawAccounting,
        hours: BTreeMap<String, Spanned<String>>,
        surveillance: RawSurveillance,
        log: RawLog,
        report: RawReport,
        backtest: RawBacktest,
        strategy: Vec<Spanned<RawStrategy>>,
    }
    RawRun {
        name: Given<String>,
        epoch: Given<i64>,
    }
    RawInstruments {
        files: Vec<Spanned<String>>,
    }
    RawPipeline {
        threading: Given<String>,
        wait: Given<String>,
        ring_slots: Given<i64>,
        lane_slots: Given<i64>,
        answer_delay_us: Given<i64>,
        stamp_one_in: Given<i64>,
        oversubscribe: Option<bool>,
        cores: RawCores,
    }
    RawCores {
        feed: Given<i64>,
        stages: Given<i64>,
        market: Given<i64>,
        strategy: Given<i64>,
        risk: Given<i64>,
        execution: Given<i64>,
        journal: Given<i64>,
        gateway: Given<i64>,
        gateway_io: Given<i64>,
        housekeeping: Given<Vec<Spanned<i64>>>,
    }
    RawJournal {
        path: Given<String>,
        sync: Given<String>,
    }
    RawStore {
        url: Given<String>,
        ca_file: Option<String>,
        batch_rows: Given<i64>,
        flush_ms: Given<i64>,
        equity_seconds: Given<i64>,
        finish_seconds: Given<i64>,
    }
    RawAudit {
        enabled: Option<bool>,
        path: Given<String>,
        anchors: Given<String>,
        anchor_seconds: Given<i64>,
        webhook_env: Given<String>,
    }
    RawAlerts {
        webhook_env: Given<String>,
    }
    RawSurveillance {
        spoofing: Given<String>,
        quote_stuffing: Given<String>,
        wash_trades: Given<String>,
        momentum_ignition: Given<String>,
        marking_the_close: Given<String>,
        quiet_seconds: Given<i64>,
        throttle_seconds: Given<i64>,
    }
    RawMarket {
        bar: Given<String>,
        bar_grace_ms: Given<i64>,
        incomplete_bars: Given<String>,
        fetch_bars: Given<String>,
    }
    RawRisk {
        unset: Given<String>,
        capital: Given<String>,
        order_notional_max: Given<String>,
        order_qty_max: Given<String>,
        position_notional_max: Given<String>,
        gross_notional_max: Given<String>,
        open_orders_max: Given<toml::Value>,
        orders_per_second_max: Given<toml::Value>,
        price_collar_bps: Given<toml::Value>,
        mark_collar_bps: Given<toml::Value>,
        fat_finger_multiple: Given<toml::Value>,
        book_age_ms_max: Given<toml::Value>,
        clock_lag_ms_max: Given<toml::Value>,
        duplicate_window_ms: Given<toml::Value>,
        quote_free_min: Given<String>,
        share_from: Given<String>,
        order_to_trade_max: Given<toml::Value>,
        order_to_trade_from: Given<i64>,
        same_way_max: Given<toml::Value>,
        same_way_window_ms: Given<i64>,
        filters: Given<String>,
        mixed_quotes: Given<String>,
        restricted: Given<Vec<Spanned<String>>>,
        groups: BTreeMap<String, Spanned<Vec<Spanned<String>>>>,
        instrument: RawScale,
        strategy: RawScale,
        group: RawScale,
        account: RawScale,
        portfolio: RawPortfolio,
        instruments: BTreeMap<String, Spanned<RawScale>>,
        strategies: BTreeMap<String, Spanned<RawScale>>,
        rates: RawRates,
        strategy_rates: RawStrategyRates,
        losses: RawLosses,
    }
    RawScale {
        long_notional_max: Given<String>,
        short_notional_max: Given<String>,
        gross_notional_max: Given<String>,
        net_notional_max: Given<String>,
        leverage_max: Given<String>,
        share_pct_max: Given<toml::Value>,
        open_orders_max: Given<toml::Value>,
    }
    RawPortfolio {
        long_notional_max: Given<String>,
        short_notional_max: Given<String>,
        net_notional_max: Given<String>,
        leverage_max: Given<String>,
        open_orders_max: Given<toml::Value>,
    }
    RawRates {
        orders_per_second_max: Given<toml::Value>,
        orders_per_minute_max: Given<toml::Value>,
        orders_per_day_max: Given<toml::Value>,
        cancels_per_second_max: Given<toml::Value>,
        cancels_per_minute_max: Given<toml::Value>,
        cancels_per_day_max: Given<toml::Value>,
        messages_per_second_max: Given<toml::Value>,
        messages_per_minute_max: Given<toml::Value>,
        messages_per_day_max: Given<toml::Value>,
    }
    RawStrategyRates {
        orders_per_minute_max: Given<toml::Value>,
        orders_per_day_max: Given<toml::Value>,
        cancels_per_second_max: Given<toml::Value>,
        cancels_per_minute_max: Given<toml::Value>,
        cancels_per_day_max: Given<toml::Value>,
        messages_per_second_max: Given<toml::Value>,
        messages_per_minute_max: Given<toml::Value>,
        messages_per_day_max: Given<toml::Value>,
    }
    RawLosses {
        day_starts: Given<String>,
        zone: Given<String>,
        daily_max: Given<String>,
        strategy_daily_max: Given<String>,
        drawdown_max: Given<String>,
        strategy_drawdown_max: Given<String>,
        consecutive_max: Given<toml::Value>,
        velocity_max: Given<String>,
        velocity_window_s: Given<i64>,
        flatten: Option<bool>,
    }
    RawPaper {
        order_latency_us: Given<i64>,
        fill: Given<String>,
        balances: BTreeMap<String, Spanned<BTreeMap<String, Spanned<String>>>>,
    }
    RawTrading {
        mode: Given<String>,
        order_entry: Given<String>,
        key_env: Given<String>,
        secret_env: Given<String>,
        key_file: Option<String>,
        recv_window_ms: Given<i64>,
        self_trade_prevention: Given<String>,
        allow_withdrawal_keys: Option<bool>,
        reconcile_seconds: Given<i64>,
        rules_seconds: Given<i64>,
        pairs_file: Given<String>,
        standby: Given<Vec<Spanned<String>>>,
        on_exit: Given<String>,
        exit_seconds: Given<i64>,
        rest_threads: Given<i64>,
        wait: Given<String>,
    }
    RawAccounting {
        method: Given<String>,
    }
    RawControl {
        dir: Option<String>,
    }
    RawVenue {
        streams: Given<Vec<Spanned<String>>>,
        redundancy: Given<i64>,
        streams_per_connection_max: Given<i64>,
        open_timeout_ms: Given<i64>,
        silence_ms: Given<i64>,
        stream_silence_ms: Given<i64>,
        lifetime_s: Given<i64>,
        overlap_ms: Given<i64>,
        reconnect_min_ms: Given<i64>,
        reconnect_max_ms: Given<i64>,
        snapshot_levels: Given<i64>,
        message_bytes_max: Given<i64>,
        busy_poll_us: Given<i64>,
        ca_file: Option<String>,
        accept_any_certificate: Option<bool>,
        spot: RawSpotEndpoints,
        usdm: RawEndpoints,
        coinm: RawEndpoints,
    }
    RawEndpoints {
        stream: Given<String>,
        rest: Given<String>,
        weight_per_minute: Given<i64>,
    }
    RawSpotEndpoints {
        stream: Given<String>,
        rest: Given<String>,
        ws_api: Given<String>,
        weight_per_minute: Given<i64>,
    }
    RawLog {
        level: Given<String>,
        file: Given<String>,
        modules: BTreeMap<String, Spanned<String>>,
    }
    RawReport {
        dir: Given<String>,
    }
    RawBacktest {
        history: Option<String>,
        series: Given<Vec<Spanned<String>>>,
        from: Given<String>,
        until: Given<String>,
        warm_up: Given<String>,
        balance: Given<String>,
        equity_seconds: Given<i64>,
        qty_decimals: Given<i64>,
        fill: Given<String>,
        path: Given<String>,
        queue: Given<String>,
        slippage_bps: Given<i64>,
        slippage_ticks: Given<i64>,
        impact_bps: Given<i64>,
        order_latency: Given<String>,
        data_latency: Given<String>,
        answer_latency: Given<String>,
        seed: Given<i64>,
        leverage: Given<i64>,
        maintenance_bps: Given<i64>,
        funding_rate: Given<String>,
        funding_hours: Given<i64>,
        funding_file: Option<String>,
        tier: Vec<Spanned<RawTier>>,
    }
    RawTier {
        volume: Given<String>,
        maker: Given<String>,
        taker: Given<String>,
    }
    RawStrategy {
        name: Given<String>,
        label: Given<String>,
        instruments: Given<Vec<Spanned<String>>>,
        hours: Given<String>,
        sizing: Option<Spanned<BTreeMap<String, Spanned<toml::Value>>>>,
        params: BTreeMap<String, Spanned<toml::Value>>,
    }
    /// A file of instruments.
    RawInstrumentFile {
        venue: Given<String>,
        market: Given<String>,
        instrument: Vec<Spanned<RawInstrument>>,
    }
    RawInstrument {
        symbol: Given<String>,
        base: Given<String>,
        quote: Given<String>,
        price_decimals: Given<i64>,
        qty_decimals: Given<i64>,
        tick: Given<String>,
        lot: Given<String>,
        min_qty: Given<String>,
        max_qty: Given<String>,
        min_notional: Given<String>,
        maker_fee: Given<String>,
        taker_fee: Given<String>,
    }
}
