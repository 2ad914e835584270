"""ccxt and ccxt.pro: orders and user data of a served venue, with keys of every kind."""

import asyncio
import sys

import ccxt
import ccxt.pro
from ccxt_market import CONFIG
from checks import CA, PAIR, Checks, araises, equal, fault, holds, keys, raises, stats, wait_until


def client(name, kind=ccxt.binance):
    api_key, secret = keys(name)
    trust = {"requests_trust_env": True, "cafile": CA}
    # Not slowed down: the venue says itself when it is too much.
    return kind({**CONFIG, **trust, "apiKey": api_key, "secret": secret, "enableRateLimit": False})


COUNTERPARTY = client("counterparty")


def provide(amount):
    """Somebody to trade with, a little above the market: an order at the market fills in any case."""
    ask = COUNTERPARTY.fetch_order_book(PAIR, 5)["asks"][0][0]
    return COUNTERPARTY.create_order(PAIR, "limit", "sell", amount, round(ask * 1.01, 2))


class Orders:
    def __init__(self, name):
        self.ex = client(name)
        self.bid = self.ex.fetch_order_book(PAIR, 5)["bids"][0][0]
        self.low = round(self.bid * 0.9, 2)

    def check_a_limit_order_from_placing_to_cancelling(self):
        ex = self.ex
        placed = ex.create_order(PAIR, "limit", "buy", 0.01, self.low)
        equal((placed["status"], placed["type"], placed["side"]), ("open", "limit", "buy"), placed)
        queried = ex.fetch_order(placed["id"], PAIR)
        equal((queried["amount"], queried["price"], queried["filled"]), (0.01, self.low, 0.0), queried)
        equal([order["id"] for order in ex.fetch_open_orders(PAIR)], [placed["id"]], "open orders")
        balance = ex.fetch_balance()
        equal(balance["USDT"]["used"], round(0.01 * self.low, 8), "locked")
        canceled = ex.cancel_order(placed["id"], PAIR)
        equal(canceled["status"], "canceled", canceled)
        equal(ex.fetch_open_orders(PAIR), [], "open orders")
        equal(ex.fetch_balance()["USDT"]["used"], 0.0, "locked")
        equal(ex.fetch_orders(PAIR)[-1]["status"], "canceled", "all orders")
        equal(ex.fetch_closed_orders(PAIR), [], "orders that filled")

    def check_a_market_order_fills_and_its_trades_add_up(self):
        provide(0.02)
        before = self.ex.fetch_balance()
        order = self.ex.create_order(PAIR, "market", "buy", 0.02)
        equal((order["status"], order["filled"]), ("closed", 0.02), order)
        trades = self.ex.fetch_my_trades(PAIR, params={"orderId": order["id"]})
        equal(round(sum(trade["amount"] for trade in trades), 8), 0.02, "amount")
        # Its numbers are floats: half a millionth may be rounded either way.
        cost = sum(trade["cost"] for trade in trades)
        holds(abs(cost - order["cost"]) < 1e-6, (cost, order["cost"]))
        holds(all(trade["fee"]["currency"] == "BTC" and trade["takerOrMaker"] == "taker" for trade in trades), trades)
        after = self.ex.fetch_balance()
        fees = sum(trade["fee"]["cost"] for trade in trades)
        equal(round(after["BTC"]["total"] - before["BTC"]["total"], 8), round(0.02 - fees, 8), "bought")
        paid = before["USDT"]["total"] - after["USDT"]["total"]
        holds(abs(paid - order["cost"]) < 1e-6, (paid, order["cost"]))

    def check_a_market_order_for_an_amount(self):
        provide(0.01)
        order = self.ex.create_market_buy_order_with_cost(PAIR, 100)
        equal(order["status"], "closed", order)
        holds(90 < order["cost"] <= 100, order)

    def check_a_post_only_order(self):
        order = self.ex.create_order(PAIR, "limit", "buy", 0.01, self.low, {"postOnly": True})
        equal((order["status"], order["info"]["type"], order["postOnly"]), ("open", "LIMIT_MAKER", True), order)
        rested = provide(0.01)
        raises(
            ccxt.OrderImmediatelyFillable,
            lambda: self.ex.create_order(PAIR, "limit", "buy", 0.01, round(rested["price"] * 1.01, 2), {"postOnly": True}),
        )
        COUNTERPARTY.cancel_order(rested["id"], PAIR)
        self.ex.cancel_all_orders(PAIR)

    def check_a_stop_loss_limit_order(self):
        order = self.ex.create_order(PAIR, "limit", "sell", 0.01, self.low - 10, {"stopLossPrice": self.low})
        equal((order["status"], order["triggerPrice"]), ("open", self.low), order)
        equal(self.ex.fetch_order(order["id"], PAIR)["info"]["type"], "STOP_LOSS_LIMIT", "type")
        self.ex.cancel_order(order["id"], PAIR)

    def check_an_oco_list(self):
        ex, price = self.ex, ex_price(self.ex)
        made = ex.privatePostOrderListOco(
            {
                "symbol": "BTCUSDT",
                "side": "SELL",
                "quantity": "0.01",
                "aboveType": "LIMIT_MAKER",
                "abovePrice": price(1.1),
                "belowType": "STOP_LOSS_LIMIT",
                "belowStopPrice": price(0.9),
                "belowPrice": price(0.89),
                "belowTimeInForce": "GTC",
            }
        )
        equal((made["contingencyType"], made["listOrderStatus"]), ("OCO", "EXECUTING"), made)
        equal(len(ex.fetch_open_orders(PAIR)), 2, "both are open")
        ex.privateDeleteOrderList({"symbol": "BTCUSDT", "orderListId": made["orderListId"]})
        equal(ex.fetch_open_orders(PAIR), [], "neither is")

    def check_an_order_is_replaced(self):
        ex = self.ex
        order = ex.create_order(PAIR, "limit", "buy", 0.02, self.low)
        other = ex.edit_order(order["id"], PAIR, "limit", "buy", 0.03, self.low - 1)
        holds(other["id"] != order["id"], "another order")
        equal([row["amount"] for row in ex.fetch_open_orders(PAIR)], [0.03], "the first is gone")
        ex.cancel_all_orders(PAIR)

    def check_the_account_and_its_fees(self):
        account = self.ex.privateGetAccount()
        equal((account["canTrade"], account["accountType"]), (True, "SPOT"), account)
        fees = self.ex.privateGetAccountCommission({"symbol": "BTCUSDT"})
        equal(fees["standardCommission"]["maker"], "0.00100000", fees)

    def check_refusals_are_the_clients_own_exceptions(self):
        ex = self.ex
        raises(ccxt.InsufficientFunds, lambda: ex.create_order(PAIR, "limit", "buy", 100, self.low), "insufficient")
        raises(ccxt.OrderNotFound, lambda: ex.cancel_order("999999999", PAIR), "-2011")
        raises(ccxt.OrderNotFound, lambda: ex.fetch_order("999999999", PAIR), "-2013")
        tiny = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.00001"}
        raises(ccxt.ExchangeError, lambda: ex.privatePostOrder({**tiny, "price": f"{self.low:.2f}"}), "-1013", "NOTIONAL")
        off = {**tiny, "quantity": "0.01", "price": f"{self.low:.2f}1"}
        raises(ccxt.ExchangeError, lambda: ex.privatePostOrder(off), "-1013", "PRICE_FILTER")

    def check_a_skewed_clock_is_refused_and_cured(self):
        ex = self.ex
        ex.options["timeDifference"] = 60_000
        raises(ccxt.InvalidNonce, ex.fetch_balance, "-1021")
        holds(abs(ex.load_time_difference()) < 2_000, "the difference is measured")
        ex.fetch_balance()

    def check_limits_are_obeyed(self):
        fault(fault="rest", status=429, count=1, retry_after_s=2)
        raises(ccxt.DDoSProtection, self.ex.fetch_balance, "429")
        equal(self.ex.last_response_headers.get("Retry-After"), "2", self.ex.last_response_headers)
        self.ex.fetch_balance()
        holds(int(self.ex.last_response_headers["X-Mbx-Used-Weight-1m"]) > 0, self.ex.last_response_headers)

    def check_a_wrong_secret_is_refused(self):
        wrong = ccxt.binance({**CONFIG, "apiKey": self.ex.apiKey, "secret": "0" * 64, "requests_trust_env": True})
        raises(ccxt.AuthenticationError, wrong.fetch_balance, "-1022")
        unknown = ccxt.binance({**CONFIG, "apiKey": "0" * 64, "secret": "0" * 64, "requests_trust_env": True})
        raises(ccxt.AuthenticationError, unknown.fetch_balance, "-2015")


def ex_price(ex):
    bid = ex.fetch_order_book(PAIR, 5)["bids"][0][0]
    return lambda times: ex.price_to_precision(PAIR, bid * times)


class UserData:
    """Orders over the WebSocket API, and what the account is told of them."""

    def __init__(self, ex):
        self.ex = ex

    async def low(self):
        return round((await self.ex.fetch_order_book(PAIR, 5))["bids"][0][0] * 0.9, 2)

    async def check_orders_are_watched(self):
        before = stats()["api_requests"]
        watched = asyncio.create_task(self.ex.watch_orders(PAIR))
        # However long it takes until it listens.
        await asyncio.to_thread(wait_until, lambda: stats()["api_requests"] > before, "a subscription")
        await asyncio.sleep(0.5)
        order = await self.ex.create_order(PAIR, "limit", "buy", 0.01, await self.low())
        told = await watched
        equal((told[-1]["id"], told[-1]["status"]), (order["id"], "open"), told)
        watched = asyncio.create_task(self.ex.watch_orders(PAIR))
        await asyncio.sleep(0.1)
        await self.ex.cancel_order(order["id"], PAIR)
        told = await watched
        equal((told[-1]["id"], told[-1]["status"]), (order["id"], "canceled"), told)

    async def check_balances_and_trades_are_watched(self):
        balances = asyncio.create_task(self.ex.watch_balance())
        trades = asyncio.create_task(self.ex.watch_my_trades(PAIR))
        await asyncio.sleep(0.5)
        await asyncio.to_thread(provide, 0.01)
        order = await self.ex.create_order(PAIR, "market", "buy", 0.01)
        told = await trades
        equal((told[-1]["order"], told[-1]["side"]), (order["id"], "buy"), told)
        balance = await balances
        holds(balance["BTC"]["total"] > 0, balance)

    async def check_orders_over_the_websocket_api(self):
        ex = self.ex
        order = await ex.create_order_ws(PAIR, "limit", "buy", 0.02, await self.low())
        equal((await ex.fetch_order_ws(order["id"], PAIR))["status"], "open", "queried")
        equal([row["id"] for row in await ex.fetch_open_orders_ws(PAIR)], [order["id"]], "open orders")
        other = await ex.edit_order_ws(order["id"], PAIR, "limit", "buy", 0.01, await self.low() - 1)
        canceled = await ex.cancel_order_ws(other["id"], PAIR)
        equal(canceled["status"], "canceled", canceled)
        # ccxt reads no spot balances here; what the venue said is in `info`.
        account = (await ex.fetch_balance_ws())["info"]
        equal({row["asset"] for row in account["balances"]}, {"USDT", "BTC", "ETH"}, "balances")
        holds(len(await ex.fetch_my_trades_ws(PAIR)) > 0, "trades")
        await araises(ccxt.OrderNotFound, ex.cancel_order_ws(other["id"], PAIR), "-2011")

    async def check_market_data_over_the_websocket_api(self):
        holds(len(await self.ex.fetch_trades_ws(PAIR)) > 0, "trades")
        holds(len(await self.ex.fetch_ohlcv_ws(PAIR, "1m")) > 0, "bars")


async def user_data(checks, name):
    ex = client(name, ccxt.pro.binance)
    try:
        await ex.load_markets()
        await checks.all_of_async(UserData(ex))
    finally:
        await ex.close()


if __name__ == "__main__":
    checks = Checks("ccxt")
    COUNTERPARTY.load_markets()
    for name in sys.argv[1:] or ["hmac", "ed25519", "rsa"]:
        checks.client = f"ccxt, {name} key"
        checks.all_of(Orders(name))
        checks.client = f"ccxt.pro, {name} key"
        asyncio.run(user_data(checks, name))
    checks.finish()
