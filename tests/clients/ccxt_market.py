"""ccxt, blocking and asynchronous: market data of a served venue."""

import asyncio
from decimal import Decimal

import ccxt
import ccxt.pro
from checks import CA, PAIR, Checks, REST, STREAM, equal, holds, raises, wait_until

# ccxt asks for what a venue of this kind has, and is told not to ask for what it has not.
CONFIG = {
    "urls": {
        "api": {
            "public": REST + "/api/v3",
            "private": REST + "/api/v3",
            "v1": REST + "/api/v1",
            "sapi": REST + "/sapi/v1",
            "ws": {"spot": STREAM + "/stream", "ws-api": {"spot": STREAM + "/ws-api/v3"}},
        }
    },
    "options": {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False, "fetchMargins": False},
}


class Rest:
    def __init__(self):
        # The authority is trusted by REQUESTS_CA_BUNDLE, which ccxt looks at only if told to.
        self.ex = ccxt.binance({**CONFIG, "requests_trust_env": True})

    def check_markets_have_filters_and_permissions(self):
        markets = self.ex.load_markets()
        market = markets[PAIR]
        holds(market["active"] and market["spot"] and not market["margin"], market)
        equal(market["precision"]["price"], 0.01, "tick")
        equal(market["precision"]["amount"], 0.00001, "lot")
        equal(market["limits"]["amount"], {"min": 0.00001, "max": 9000.0}, "amounts")
        equal(market["limits"]["cost"]["min"], 5.0, "least worth")
        holds({"LIMIT", "MARKET", "STOP_LOSS_LIMIT"} <= set(market["info"]["orderTypes"]), "order types")
        filters = {row["filterType"] for row in market["info"]["filters"]}
        holds({"PRICE_FILTER", "LOT_SIZE", "NOTIONAL", "MAX_NUM_ORDERS"} <= filters, filters)
        equal(self.ex.price_to_precision(PAIR, 61234.5678), "61234.57", "rounded price")

    def check_time(self):
        holds(abs(self.ex.fetch_time() - self.ex.milliseconds()) < 2_000, "the clocks agree")

    def check_order_book(self):
        book = self.ex.fetch_order_book(PAIR, 20)
        holds(len(book["bids"]) == 20 and len(book["asks"]) == 20, "twenty levels a side")
        holds(book["bids"][0][0] < book["asks"][0][0], "not crossed")
        equal([row[0] for row in book["bids"]], sorted((row[0] for row in book["bids"]), reverse=True), "bids")
        equal([row[0] for row in book["asks"]], sorted(row[0] for row in book["asks"]), "asks")

    def check_trades_and_aggregates_add_up(self):
        self.ex.options["fetchTradesMethod"] = "publicGetTrades"
        trades = self.ex.fetch_trades(PAIR, limit=1000)
        by_id = {int(trade["id"]): trade for trade in trades}
        equal(sorted(by_id), list(range(min(by_id), max(by_id) + 1)), "no id is missing")
        self.ex.options["fetchTradesMethod"] = "publicGetAggTrades"
        compared = 0
        for row in self.ex.fetch_trades(PAIR, limit=1000):
            first, last = int(row["info"]["f"]), int(row["info"]["l"])
            if first not in by_id or last not in by_id:
                continue
            parts = [by_id[number] for number in range(first, last + 1)]
            equal(Decimal(row["info"]["q"]), sum(Decimal(part["info"]["qty"]) for part in parts), "quantity")
            equal({part["price"] for part in parts}, {row["price"]}, "one price")
            equal({part["side"] for part in parts}, {row["side"]}, "one side")
            compared += 1
        holds(compared > 0, "something was compared")

    def check_a_closed_bar_is_made_of_its_trades(self):
        self.ex.options["fetchTradesMethod"] = "publicGetTrades"

        def trades_over_whole_seconds():
            trades = self.ex.fetch_trades(PAIR, limit=1000)
            # Whole seconds after the first trade that is kept, and over. A venue that has just opened has none yet.
            first, last = trades[0]["timestamp"] // 1000 + 1, trades[-1]["timestamp"] // 1000 - 1
            return (trades, first, last) if last - first >= 1 else None

        trades, first, last = wait_until(trades_over_whole_seconds, "trades over a whole second")
        bars = self.ex.fetch_ohlcv(PAIR, "1s", since=first * 1000, limit=1000)
        compared = 0
        for bar in bars:
            if bar[0] > last * 1000:
                break
            within = [trade for trade in trades if bar[0] <= trade["timestamp"] < bar[0] + 1000]
            if within:
                prices = [trade["price"] for trade in within]
                equal(bar[1:5], [prices[0], max(prices), min(prices), prices[-1]], f"bar at {bar[0]}")
                volume = sum(Decimal(trade["info"]["qty"]) for trade in within)
                holds(abs(Decimal(repr(bar[5])) - volume) < Decimal("1e-8"), f"volume {bar[5]} and {volume}")
                compared += 1
        holds(compared >= 1, f"{compared} bars compared")

    def check_bars_of_every_interval(self):
        for interval in ["1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M"]:
            rows = self.ex.fetch_ohlcv(PAIR, interval, limit=5)
            holds(rows and all(row[3] <= row[1] <= row[2] and row[3] <= row[4] <= row[2] for row in rows), interval)

    def check_tickers(self):
        ticker = self.ex.fetch_ticker(PAIR)
        holds(ticker["bid"] < ticker["ask"] and ticker["low"] <= ticker["last"] <= ticker["high"], ticker)
        equal(round(ticker["last"] - ticker["open"], 8), round(ticker["change"], 8), "change")
        equal(set(self.ex.fetch_tickers()), {PAIR, "ETH/USDT"}, "all tickers")
        equal(set(self.ex.fetch_tickers([PAIR])), {PAIR}, "one ticker")
        equal(set(self.ex.fetch_last_prices()), {PAIR, "ETH/USDT"}, "last prices")
        equal(set(self.ex.fetch_bids_asks()), {PAIR, "ETH/USDT"}, "best quotes")

    def check_raw_calls_of_the_rest(self):
        average = self.ex.publicGetAvgPrice({"symbol": "BTCUSDT"})
        equal(average["mins"], 5, "minutes")
        equal(self.ex.publicGetTicker({"symbol": "BTCUSDT", "windowSize": "1h"})["symbol"], "BTCUSDT", "rolling")
        equal(self.ex.publicGetTickerTradingDay({"symbol": "BTCUSDT"})["symbol"], "BTCUSDT", "trading day")
        holds(len(self.ex.publicGetUiKlines({"symbol": "BTCUSDT", "interval": "1m"})) >= 1, "uiKlines")

    def check_mistakes_are_the_clients_own_exceptions(self):
        raises(ccxt.BadSymbol, lambda: self.ex.publicGetTicker24hr({"symbol": "NOPE"}), "-1121")
        raises(ccxt.BadRequest, lambda: self.ex.publicGetKlines({"symbol": "BTCUSDT", "interval": "1y"}), "-1120")
        raises(ccxt.BadRequest, lambda: self.ex.publicGetDepth({}), "-1102")


class Streams:
    def __init__(self, ex):
        self.ex = ex

    async def check_order_book(self):
        for _ in range(5):
            book = await self.ex.watch_order_book(PAIR)
            holds(book["bids"][0][0] < book["asks"][0][0], "not crossed")
            holds(book["nonce"] is not None, "it has the venue's id")

    async def check_trades(self):
        trades = await self.ex.watch_trades(PAIR)
        holds(trades and all(trade["symbol"] == PAIR for trade in trades), trades)

    async def check_tickers(self):
        ticker = await self.ex.watch_ticker(PAIR, {"name": "ticker"})
        holds(ticker["bid"] < ticker["ask"] and ticker["low"] <= ticker["last"] <= ticker["high"], ticker)

    async def check_best_quotes(self):
        quotes = await self.ex.watch_bids_asks([PAIR])
        holds(quotes[PAIR]["bid"] < quotes[PAIR]["ask"], quotes)

    async def check_bars(self):
        bars = await self.ex.watch_ohlcv(PAIR, "1s")
        holds(len(bars[-1]) == 6, bars)

    async def check_several_symbols_on_one_socket(self):
        found = set()
        while found != {PAIR, "ETH/USDT"}:
            for trade in await self.ex.watch_trades_for_symbols([PAIR, "ETH/USDT"]):
                found.add(trade["symbol"])

    async def check_unsubscribing(self):
        await self.ex.un_watch_trades(PAIR)


class RawStreams:
    """At `/ws`, ccxt's own default: at `/stream` it overlooks messages whose data is a list."""

    def __init__(self, ex):
        self.ex = ex

    async def check_mini_tickers_of_the_whole_market(self):
        tickers = await self.ex.watch_tickers(None, {"name": "miniTicker"})
        holds(tickers and set(tickers) <= {PAIR, "ETH/USDT"}, tickers)

    async def check_order_book_at_the_raw_path(self):
        book = await self.ex.watch_order_book(PAIR)
        holds(book["bids"][0][0] < book["asks"][0][0], "not crossed")


async def streams(checks):
    ex = ccxt.pro.binance({**CONFIG, "cafile": CA})
    raw = ccxt.pro.binance({**CONFIG, "cafile": CA})
    raw.urls["api"]["ws"]["spot"] = STREAM + "/ws"
    try:
        await checks.arun("markets by the asynchronous client", ex.load_markets)
        await checks.all_of_async(Streams(ex))
        await checks.all_of_async(RawStreams(raw))
    finally:
        await ex.close()
        await raw.close()


if __name__ == "__main__":
    checks = Checks("ccxt")
    checks.all_of(Rest())
    checks.client = "ccxt.pro"
    asyncio.run(streams(checks))
    checks.finish()
