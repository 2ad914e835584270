"""python-binance: market data of a served venue, by its clients, its sockets and its depth caches."""

import asyncio
import threading
import time
from decimal import Decimal

import binance.ws.depthcache
import binance.ws.streams
import binance.ws.threaded_stream
from binance import AsyncClient, BinanceSocketManager, Client, DepthCacheManager, ThreadedDepthCacheManager
from binance import ThreadedWebsocketManager
from binance.exceptions import BinanceAPIException
from checks import CHECK_SECONDS, Checks, REST, STREAM, SYMBOL, equal, holds, raises, wait_until


class VenueClient(Client):
    API_URL = REST + "/api"
    WS_API_URL = STREAM + "/ws-api/v3"


class VenueAsyncClient(AsyncClient):
    API_URL = REST + "/api"
    WS_API_URL = STREAM + "/ws-api/v3"


class VenueSockets(BinanceSocketManager):
    STREAM_URL = STREAM + "/"


class Rest:
    def __init__(self):
        self.client = VenueClient()

    def check_ping_and_time(self):
        equal(self.client.ping(), {}, "ping")
        holds(self.client.get_server_time()["serverTime"] > 1_700_000_000_000, "time")

    def check_exchange_info(self):
        info = self.client.get_symbol_info(SYMBOL)
        equal((info["status"], info["permissionSets"]), ("TRADING", [["SPOT"]]), "symbol")
        equal(self.client.get_exchange_info()["rateLimits"][0]["limit"], 6000, "weight")

    def check_order_book_and_quotes(self):
        book = self.client.get_order_book(symbol=SYMBOL, limit=5)
        holds(Decimal(book["bids"][0][0]) < Decimal(book["asks"][0][0]), book)
        holds(len(self.client.get_orderbook_tickers()) == 2, "all quotes")
        equal(self.client.get_orderbook_ticker(symbol=SYMBOL)["symbol"], SYMBOL, "one quote")

    def check_trades(self):
        def recent():
            return self.client.get_recent_trades(symbol=SYMBOL, limit=50)

        # A market that has just begun has none.
        trades = wait_until(lambda: len(recent()) > 15 and recent(), "trades")
        first = trades[10]["id"]
        older = self.client.get_historical_trades(symbol=SYMBOL, fromId=first, limit=5)
        equal(older, trades[10:15], "trades from an id")

    def check_aggregates_are_walked_through(self):
        # A market that has just begun has few, and the newest may still grow.
        end = time.monotonic() + CHECK_SECONDS
        while len(newest := self.client.get_aggregate_trades(symbol=SYMBOL, limit=100)) < 60:
            holds(time.monotonic() < end, f"{len(newest)} aggregates")
            time.sleep(0.1)
        begin = newest[0]["a"]
        walked = []
        for row in self.client.aggregate_trade_iter(SYMBOL, last_id=begin):
            walked.append(row)
            if len(walked) == 50:
                break
        equal(walked, newest[1:51], "aggregates after an id")

    def check_bars(self):
        rows = self.client.get_klines(symbol=SYMBOL, interval=Client.KLINE_INTERVAL_1MINUTE, limit=3)
        equal({len(row) for row in rows}, {12}, "columns")
        history = self.client.get_historical_klines(SYMBOL, Client.KLINE_INTERVAL_1MINUTE, "30 minutes ago UTC")
        equal(history[-len(rows) : -1], rows[:-1], "the same bars as history")

    def check_tickers(self):
        day = self.client.get_ticker(symbol=SYMBOL)
        change = Decimal(day["lastPrice"]) - Decimal(day["openPrice"])
        equal(Decimal(day["priceChange"]), change, "change")
        equal(round(change * 100 / Decimal(day["openPrice"]), 3), Decimal(day["priceChangePercent"]), "percent")
        equal(len(self.client.get_all_tickers()), 2, "all prices")
        equal(self.client.get_symbol_ticker(symbol=SYMBOL)["symbol"], SYMBOL, "one price")
        holds(Decimal(self.client.get_avg_price(symbol=SYMBOL)["price"]) > 0, "average")

    def check_mistakes_are_the_clients_own_exceptions(self):
        error = raises(BinanceAPIException, lambda: self.client.get_ticker(symbol="NOPE"), "Invalid symbol")
        equal((error.code, error.status_code), (-1121, 400), "code")


class Streams:
    def __init__(self, client):
        self.client = client
        self.sockets = VenueSockets(client)

    async def receive(self, socket, count=2):
        async with socket as stream:
            return [await asyncio.wait_for(stream.recv(), CHECK_SECONDS) for _ in range(count)]

    async def check_a_socket_of_each_kind(self):
        for socket, event in [
            (self.sockets.trade_socket(SYMBOL), "trade"),
            (self.sockets.aggtrade_socket(SYMBOL), "aggTrade"),
            (self.sockets.kline_socket(SYMBOL, "1m"), "kline"),
            (self.sockets.symbol_miniticker_socket(SYMBOL), "24hrMiniTicker"),
            (self.sockets.symbol_ticker_socket(SYMBOL), "24hrTicker"),
            (self.sockets.depth_socket(SYMBOL, interval=100), "depthUpdate"),
        ]:
            for message in await self.receive(socket, 1):
                equal((message.get("e"), message.get("s")), (event, SYMBOL), message)

    async def check_quotes_and_partial_books(self):
        for message in await self.receive(self.sockets.symbol_book_ticker_socket(SYMBOL)):
            holds(Decimal(message["b"]) < Decimal(message["a"]), message)
        for message in await self.receive(self.sockets.depth_socket(SYMBOL, depth="5", interval=100)):
            equal((len(message["bids"]), len(message["asks"])), (5, 5), "levels")

    async def check_mini_tickers_of_the_whole_market(self):
        for message in await self.receive(self.sockets.miniticker_socket(1000)):
            holds({row["s"] for row in message} <= {SYMBOL, "ETHUSDT"}, message)

    async def check_several_streams_on_one_socket(self):
        names, found = ["btcusdt@trade", "ethusdt@depth@100ms"], set()
        async with self.sockets.multiplex_socket(names) as stream:
            while found != set(names):
                found.add((await asyncio.wait_for(stream.recv(), CHECK_SECONDS))["stream"])

    async def check_a_depth_cache_is_the_venues_book(self):
        manager = DepthCacheManager(self.client, SYMBOL, bm=self.sockets, ws_interval=100, conv_type=str)
        async with manager as stream:
            for _ in range(1_000):
                cache = await asyncio.wait_for(stream.recv(), CHECK_SECONDS)
                book = await self.client.get_order_book(symbol=SYMBOL, limit=500)
                # Diffs up to the snapshot's are taken in; where that ends a diff, both are the same book.
                while manager._last_update_id is not None and manager._last_update_id < book["lastUpdateId"]:
                    cache = await asyncio.wait_for(stream.recv(), CHECK_SECONDS)
                if manager._last_update_id == book["lastUpdateId"]:
                    best = lambda rows, reverse: sorted(rows.items(), key=lambda row: Decimal(row[0]), reverse=reverse)
                    for ours, theirs, down in [(cache._bids, book["bids"], True), (cache._asks, book["asks"], False)]:
                        equal([list(row) for row in best(ours, down)[:100]], theirs[:100], "levels")
                    return
        raise AssertionError("no snapshot ended a diff")


# The threaded managers make their client themselves, of the class that their module names.
binance.ws.threaded_stream.AsyncClient = VenueAsyncClient
binance.ws.depthcache.BinanceSocketManager = VenueSockets
binance.ws.streams.BinanceSocketManager = VenueSockets


class Threaded:
    def check_a_threaded_depth_cache(self):
        seen = threading.Event()
        manager = ThreadedDepthCacheManager()
        manager.start()
        manager.start_depth_cache(lambda cache: seen.set() if cache.get_bids() else None, SYMBOL)
        try:
            holds(seen.wait(CHECK_SECONDS), "a book came")
        finally:
            manager.stop()
            manager.join(5)

    def check_a_threaded_socket(self):
        seen = []
        manager = ThreadedWebsocketManager()
        manager.start()
        manager.start_trade_socket(callback=seen.append, symbol=SYMBOL)
        try:
            wait_until(lambda: len(seen) >= 2, "two trades")
            equal(seen[0]["e"], "trade", seen[0])
        finally:
            manager.stop()
            manager.join(5)


async def streams(checks):
    client = await VenueAsyncClient.create()
    try:
        await checks.all_of_async(Streams(client))
    finally:
        await client.close_connection()


if __name__ == "__main__":
    checks = Checks("python-binance")
    checks.all_of(Rest())
    asyncio.run(streams(checks))
    checks.all_of(Threaded())
    checks.finish()
