"""python-binance: orders and user data of a served venue, with keys of every kind."""

import asyncio
import sys
import time
from decimal import Decimal

from binance.exceptions import BinanceAPIException
from checks import CHECK_SECONDS, SYMBOL, Checks, araises, equal, fault, holds, keys, raises
from python_binance_market import VenueAsyncClient, VenueClient, VenueSockets


def credentials(name):
    api_key, secret = keys(name)
    if name in ("ed25519", "rsa"):
        return {"api_key": api_key, "private_key": secret}
    return {"api_key": api_key, "api_secret": secret}


COUNTERPARTY = VenueClient(**credentials("counterparty"))


def best(side):
    return Decimal(COUNTERPARTY.get_orderbook_ticker(symbol=SYMBOL)[side])


def times(price, factor):
    return f"{(price * Decimal(factor)).quantize(Decimal('0.01'))}"


def provide(quantity):
    """Somebody to trade with, a little above the market: an order at the market fills in any case."""
    price = times(best("askPrice"), "1.01")
    COUNTERPARTY.order_limit_sell(symbol=SYMBOL, quantity=quantity, price=price)
    return price


class Orders:
    def __init__(self, name):
        self.client = VenueClient(**credentials(name))
        self.low = times(best("bidPrice"), "0.9")

    def check_a_limit_order_from_placing_to_cancelling(self):
        client = self.client
        placed = client.order_limit_buy(symbol=SYMBOL, quantity="0.01", price=self.low)
        equal((placed["status"], placed["type"]), ("NEW", "LIMIT"), placed)
        order = client.get_order(symbol=SYMBOL, orderId=placed["orderId"])
        equal((order["price"], order["executedQty"]), (self.low + "000000", "0.00000000"), order)
        equal([row["orderId"] for row in client.get_open_orders(symbol=SYMBOL)], [placed["orderId"]], "open orders")
        locked = Decimal(client.get_asset_balance(asset="USDT")["locked"])
        equal(locked, Decimal(self.low) * Decimal("0.01"), "locked")
        canceled = client.cancel_order(symbol=SYMBOL, orderId=placed["orderId"])
        equal(canceled["status"], "CANCELED", canceled)
        equal(client.get_open_orders(), [], "open orders")
        equal(client.get_all_orders(symbol=SYMBOL)[-1]["status"], "CANCELED", "all orders")

    def check_a_test_order_is_not_placed(self):
        equal(self.client.create_test_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.01"), {}, "test")
        equal(self.client.get_open_orders(), [], "open orders")

    def check_a_market_order_fills_and_its_trades_add_up(self):
        provide("0.02")
        order = self.client.order_market_buy(symbol=SYMBOL, quantity="0.02")
        equal(order["status"], "FILLED", order)
        trades = self.client.get_my_trades(symbol=SYMBOL, orderId=order["orderId"])
        equal(sum(Decimal(trade["qty"]) for trade in trades), Decimal("0.02"), "quantity")
        equal(sum(Decimal(trade["quoteQty"]) for trade in trades), Decimal(order["cummulativeQuoteQty"]), "worth")
        fills = [(fill["price"], fill["qty"], fill["commission"], fill["tradeId"]) for fill in order["fills"]]
        equal([(trade["price"], trade["qty"], trade["commission"], trade["id"]) for trade in trades], fills, "fills")

    def check_post_only_stops_and_lists(self):
        client, bid = self.client, best("bidPrice")
        maker = client.create_order(symbol=SYMBOL, side="BUY", type="LIMIT_MAKER", quantity="0.01", price=self.low)
        stop = client.create_order(
            symbol=SYMBOL,
            side="SELL",
            type="STOP_LOSS_LIMIT",
            timeInForce="GTC",
            quantity="0.01",
            price=times(bid, "0.85"),
            stopPrice=times(bid, "0.9"),
        )
        made = client.create_oco_order(
            symbol=SYMBOL,
            side="SELL",
            quantity="0.01",
            aboveType="LIMIT_MAKER",
            abovePrice=times(bid, "1.1"),
            belowType="STOP_LOSS",
            belowStopPrice=times(bid, "0.9"),
        )
        equal((made["contingencyType"], len(made["orderReports"])), ("OCO", 2), made)
        opened = {row["orderId"]: row["type"] for row in client.get_open_orders(symbol=SYMBOL)}
        listed = {row["orderId"] for row in made["orders"]}
        equal(set(opened), {maker["orderId"], stop["orderId"]} | listed, "open orders")
        client.v3_delete_order_list(symbol=SYMBOL, orderListId=made["orderListId"])
        client.cancel_order(symbol=SYMBOL, orderId=maker["orderId"])
        client.cancel_order(symbol=SYMBOL, orderId=stop["orderId"])
        equal(client.get_open_orders(), [], "open orders")

    def check_an_order_is_replaced_and_amended(self):
        order = self.client.order_limit_buy(symbol=SYMBOL, quantity="0.01", price=self.low)
        done = self.client.cancel_replace_order(
            symbol=SYMBOL,
            side="BUY",
            type="LIMIT",
            timeInForce="GTC",
            quantity="0.02",
            price=self.low,
            cancelReplaceMode="STOP_ON_FAILURE",
            cancelOrderId=order["orderId"],
        )
        equal((done["cancelResult"], done["newOrderResult"]), ("SUCCESS", "SUCCESS"), done)
        number = done["newOrderResponse"]["orderId"]
        amended = self.client._put(
            "order/amend/keepPriority", True, data={"symbol": SYMBOL, "orderId": number, "newQty": "0.015"}
        )
        equal(amended["amendedOrder"]["qty"], "0.01500000", amended)
        equal(self.client.cancel_order(symbol=SYMBOL, orderId=number)["origQty"], "0.01500000", "canceled")

    def check_the_account(self):
        account = self.client.get_account()
        equal((account["canTrade"], account["accountType"], account["permissions"]), (True, "SPOT", ["SPOT"]), account)
        holds(Decimal(self.client.get_asset_balance(asset="ETH")["free"]) == 100, "a balance")

    def check_orders_over_the_websocket_api(self):
        client = self.client
        order = client.ws_create_order(
            symbol=SYMBOL, side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.01", price=self.low
        )
        equal(client.ws_get_order(symbol=SYMBOL, orderId=order["orderId"])["status"], "NEW", "queried")
        equal(client.ws_cancel_order(symbol=SYMBOL, orderId=order["orderId"])["status"], "CANCELED", "canceled")
        equal(client.ws_get_open_orders(symbol=SYMBOL), [], "open orders")
        holds(len(client.ws_get_account()["balances"]) >= 3, "balances")
        error = raises(BinanceAPIException, lambda: client.ws_cancel_order(symbol=SYMBOL, orderId=order["orderId"]))
        equal(error.code, -2011, error)
        holds(len(client.ws_get_order_book(symbol=SYMBOL)["bids"]) > 0, "market data too")

    def check_refusals_are_the_clients_own_exceptions(self):
        client = self.client

        def refused(call):
            return raises(BinanceAPIException, call).code

        limit = {"symbol": SYMBOL, "price": self.low}
        equal(refused(lambda: client.order_limit_buy(**limit, quantity="100")), -2010, "balance")
        equal(refused(lambda: client.order_limit_buy(**limit, quantity="0.00001")), -1013, "notional")
        equal(refused(lambda: client.order_limit_buy(**limit, quantity="0.000015")), -1013, "lot")
        equal(refused(lambda: client.cancel_order(symbol=SYMBOL, orderId=999_999_999)), -2011, "cancel")
        equal(refused(lambda: client.get_order(symbol=SYMBOL, orderId=999_999_999)), -2013, "query")
        client.timestamp_offset = -60_000
        equal(refused(client.get_account), -1021, "time")
        client.timestamp_offset = client.get_server_time()["serverTime"] - int(time.time() * 1000)
        client.get_account()

    def check_limits_are_told(self):
        fault(fault="rest", status=429, count=1, retry_after_s=2)
        error = raises(BinanceAPIException, self.client.get_account, "Too much request weight")
        equal((error.status_code, error.code, error.response.headers["Retry-After"]), (429, -1003, "2"), error)
        self.client.get_account()
        holds(int(self.client.response.headers["x-mbx-used-weight-1m"]) > 0, self.client.response.headers)


class UserData:
    def __init__(self, client):
        self.client = client
        self.sockets = VenueSockets(client)

    async def check_orders_fills_and_balances_are_told(self):
        low = times(best("bidPrice"), "0.9")
        async with self.sockets.user_socket() as stream:
            order = await self.client.order_limit_buy(symbol=SYMBOL, quantity="0.01", price=low)
            await self.client.cancel_order(symbol=SYMBOL, orderId=order["orderId"])
            await asyncio.to_thread(provide, "0.01")
            market = await self.client.order_market_buy(symbol=SYMBOL, quantity="0.01")
            seen, balances = [], 0
            while ("TRADE", "FILLED") not in [row[1:] for row in seen] or balances < 3:
                event = await asyncio.wait_for(stream.recv(), CHECK_SECONDS)
                if event["e"] == "executionReport":
                    seen.append((event["i"], event["x"], event["X"]))
                elif event["e"] == "outboundAccountPosition":
                    balances += 1
            first, second = order["orderId"], market["orderId"]
            expected = [(first, "NEW", "NEW"), (first, "CANCELED", "CANCELED"), (second, "NEW", "NEW")]
            equal(seen[:3], expected, "reports")
            equal(seen[-1], (second, "TRADE", "FILLED"), "the last report")

    async def check_a_second_socket_after_the_first(self):
        for _ in range(2):
            # A manager hands the same socket out again, with what it had not yet given.
            async with VenueSockets(self.client).user_socket() as stream:
                low = times(best("bidPrice"), "0.9")
                order = await self.client.ws_order_limit_buy(symbol=SYMBOL, quantity="0.01", price=low)
                event = await asyncio.wait_for(stream.recv(), CHECK_SECONDS)
                equal((event["e"], event.get("i")), ("executionReport", order["orderId"]), event)
                await self.client.ws_cancel_order(symbol=SYMBOL, orderId=order["orderId"])

    async def check_refusals(self):
        call = self.client.order_limit_buy(symbol=SYMBOL, quantity="100", price=times(best("bidPrice"), "0.9"))
        equal((await araises(BinanceAPIException, call)).code, -2010, "balance")


async def user_data(name):
    checks = Checks(f"python-binance asynchronous, {name} key")
    client = await VenueAsyncClient.create(**credentials(name))
    try:
        await checks.all_of_async(UserData(client))
    finally:
        # Its reader looks up only every ten seconds.
        await client.close_connection()
    return checks.failed


async def user_data_of_all(names):
    return sum(await asyncio.gather(*(user_data(name) for name in names)))


if __name__ == "__main__":
    checks = Checks("python-binance")
    names = sys.argv[1:] or ["hmac", "ed25519", "rsa"]
    for name in names:
        checks.client = f"python-binance, {name} key"
        checks.all_of(Orders(name))
    checks.failed += asyncio.run(user_data_of_all(names))
    checks.finish()
