"""binance-connector and binance-sdk-spot, which Binance publishes: market data and orders of a served venue.

The second reads every answer into strict types, so a field that is missing or of another type is a failure.
"""

import asyncio
import json

from binance.error import ClientError
from binance.spot import Spot as Connector
from binance.websocket.spot.websocket_api import SpotWebsocketAPIClient
from binance.websocket.spot.websocket_stream import SpotWebsocketStreamClient
from binance_sdk_spot.spot import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
    Spot,
)
from checks import CHECK_SECONDS, REST, STREAM, SYMBOL, Checks, equal, holds, keys, raises, wait_until

API_KEY, SECRET = keys("hmac")
WS_API = STREAM + "/ws-api/v3"
LIMIT = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "quantity": 0.01}


class ConnectorChecks:
    def __init__(self):
        self.client = Connector(API_KEY, SECRET, base_url=REST)
        self.bid = float(self.client.book_ticker(SYMBOL)["bidPrice"])
        self.low = round(self.bid * 0.9, 2)

    def check_market_data(self):
        client = self.client
        equal(client.ping(), {}, "ping")
        for call in [client.depth, client.trades, client.historical_trades, client.agg_trades, client.avg_price]:
            holds(call(SYMBOL), call.__name__)
        for call in [client.ticker_24hr, client.ticker_price, client.rolling_window_ticker, client.trading_day_ticker]:
            equal(call(SYMBOL)["symbol"], SYMBOL, call.__name__)
        equal(len(client.ticker_24hr(symbols=[SYMBOL, "ETHUSDT"])), 2, "two tickers")
        equal(client.ui_klines(SYMBOL, "1m", limit=1)[0][0], client.klines(SYMBOL, "1m", limit=1)[0][0], "a bar")

    def check_an_order_from_placing_to_cancelling(self):
        client = self.client
        order = client.new_order(**LIMIT, timeInForce="GTC", price=self.low)
        equal(client.get_order(SYMBOL, orderId=order["orderId"])["status"], "NEW", "queried")
        equal(len(client.get_open_orders(SYMBOL)), 1, "open orders")
        equal(client.cancel_order(SYMBOL, orderId=order["orderId"])["status"], "CANCELED", "canceled")
        equal(client.get_orders(SYMBOL)[-1]["status"], "CANCELED", "all orders")
        error = raises(ClientError, lambda: client.cancel_order(SYMBOL, orderId=order["orderId"]))
        equal((error.status_code, error.error_code), (400, -2011), error)

    def check_a_list_and_what_is_gone(self):
        client = self.client
        made = client.new_oco_order(
            symbol=SYMBOL,
            side="SELL",
            quantity=0.01,
            aboveType="LIMIT_MAKER",
            abovePrice=round(self.bid * 1.2, 2),
            belowType="STOP_LOSS",
            belowStopPrice=round(self.bid * 0.8, 2),
        )
        client.cancel_oco_order(SYMBOL, orderListId=made["orderListId"])
        equal(raises(ClientError, client.new_listen_key).status_code, 410, "listen keys are gone")

    def check_the_websocket_api(self):
        answers = []
        api = SpotWebsocketAPIClient(
            stream_url=WS_API, api_key=API_KEY, api_secret=SECRET, on_message=lambda _, text: answers.append(text)
        )
        try:
            api.ping_connectivity()
            api.account()
            api.new_order(**LIMIT, timeInForce="GTC", price=self.low, newOrderRespType="RESULT")
            api.order_book(symbol=SYMBOL)
            api.klines(symbol=SYMBOL, interval="1m")
            wait_until(lambda: len(answers) >= 5, "five answers")
        finally:
            api.stop()
        equal([json.loads(answer)["status"] for answer in answers], [200] * 5, answers)
        self.client.cancel_open_orders(SYMBOL)

    def check_streams(self):
        kinds = set()
        take = lambda _, text: kinds.add(json.loads(text).get("e"))
        streams = SpotWebsocketStreamClient(stream_url=STREAM, on_message=take)
        try:
            streams.trade(symbol="btcusdt")
            streams.mini_ticker(symbol="btcusdt")
            streams.diff_book_depth(symbol="btcusdt", speed=100)
            wait_until(lambda: {"trade", "24hrMiniTicker", "depthUpdate"} <= kinds, "one of each kind")
        finally:
            streams.stop()


SDK = Spot(
    config_rest_api=ConfigurationRestAPI(api_key=API_KEY, api_secret=SECRET, base_path=REST, timeout=30_000),
    config_ws_api=ConfigurationWebSocketAPI(api_key=API_KEY, api_secret=SECRET, stream_url=WS_API),
    config_ws_streams=ConfigurationWebSocketStreams(stream_url=STREAM),
)


class SdkChecks:
    def check_market_data(self):
        rest = SDK.rest_api
        for answer in [
            rest.exchange_info(),
            rest.depth(symbol=SYMBOL),
            rest.get_trades(symbol=SYMBOL),
            rest.historical_trades(symbol=SYMBOL),
            rest.agg_trades(symbol=SYMBOL),
            rest.klines(symbol=SYMBOL, interval="1m"),
            rest.avg_price(symbol=SYMBOL),
            rest.ticker24hr(symbol=SYMBOL),
            rest.ticker(symbol=SYMBOL),
            rest.ticker_trading_day(symbol=SYMBOL),
            rest.ticker_price(),
            rest.ticker_book_ticker(),
        ]:
            holds(answer.data(), answer)

    def check_an_order_and_the_account(self):
        rest = SDK.rest_api
        order = rest.new_order(**LIMIT, time_in_force="GTC", price=50000.0).data()
        which = {"symbol": SYMBOL, "order_id": order.order_id}
        equal(rest.get_order(**which).data().status, "NEW", "queried")
        equal(rest.order_amend_keep_priority(**which, new_qty=0.005).data().amended_order.qty, "0.00500000", "amended")
        equal(rest.delete_order(**which).data().status, "CANCELED", "canceled")
        holds(rest.get_account().data().balances, "balances")
        for call in [rest.my_trades, rest.all_orders, rest.account_commission, rest.my_filters]:
            call(symbol=SYMBOL).data()
        holds(rest.rate_limit_order().data(), "order counts")


class SdkSockets:
    async def check_the_websocket_api(self):
        api = await SDK.websocket_api.create_connection()
        try:
            holds((await api.account_status()).data().result.balances, "balances")
            await api.user_data_stream_subscribe_signature()
            order = (await api.order_place(**LIMIT, time_in_force="GTC", price=50000.0)).data().result
            canceled = (await api.order_cancel(symbol=SYMBOL, order_id=order.order_id)).data().result
            equal(canceled.status, "CANCELED", "canceled")
            # Its type for this answer is the one of REST: what the venue says is left over.
            info = (await api.exchange_info(symbols=[SYMBOL])).data().additional_properties["result"]
            equal([row["symbol"] for row in info["symbols"]], [SYMBOL], "listed")
            holds((await api.depth(symbol=SYMBOL)).data().result.bids, "bids")
        finally:
            await api.close_connection(close_session=True)

    async def check_streams(self):
        streams = await SDK.websocket_streams.create_connection()
        try:
            for subscribe in [streams.trade, streams.mini_ticker]:
                came = asyncio.Event()
                stream = await subscribe(symbol="btcusdt")
                stream.on("message", lambda _: came.set())
                await asyncio.wait_for(came.wait(), CHECK_SECONDS / 2)
        finally:
            await streams.close_connection(close_session=True)


if __name__ == "__main__":
    checks = Checks("binance-connector")
    checks.all_of(ConnectorChecks())
    checks.client = "binance-sdk-spot"
    checks.all_of(SdkChecks())
    asyncio.run(checks.all_of_async(SdkSockets()))
    checks.finish()
