"""NautilusTrader: the EMA cross of ours.rs over trades. Making its objects of the data is not counted.

peer_nautilus.py TRADES.npy COUNT"""
import json
import sys
import time
from decimal import Decimal

import numpy as np
from nautilus_trader.backtest.config import BacktestEngineConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.indicators import ExponentialMovingAverage
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import TradeTick
from nautilus_trader.model.enums import AccountType, AggressorSide, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TradeId, Venue
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

VENUE = Venue("BINANCE")
ID = InstrumentId(Symbol("BTCUSDT-PERP"), VENUE)
INSTRUMENT = CryptoPerpetual(
    instrument_id=ID, raw_symbol=Symbol("BTCUSDT"), base_currency=BTC, quote_currency=USDT,
    settlement_currency=USDT, is_inverse=False, price_precision=2, size_precision=3,
    price_increment=Price.from_str("0.01"), size_increment=Quantity.from_str("0.001"),
    margin_init=Decimal(0), margin_maint=Decimal(0), maker_fee=Decimal(0), taker_fee=Decimal(0),
    ts_event=0, ts_init=0,
)


class EmaCross(Strategy):
    def __init__(self):
        super().__init__(StrategyConfig())
        self.fast, self.slow = ExponentialMovingAverage(500), ExponentialMovingAverage(2000)
        self.trades, self.above, self.orders = 0, None, 0

    def on_start(self):
        self.subscribe_trade_ticks(ID)

    def on_trade_tick(self, tick):
        price = tick.price.as_double()
        self.fast.update_raw(price)
        self.slow.update_raw(price)
        self.trades += 1
        above = self.fast.value > self.slow.value
        if self.trades < 2000 or self.above == above or self.cache.orders_inflight_count(instrument_id=ID) > 0:
            return
        self.above = above
        change = Decimal("1.000" if above else "-1.000") - self.portfolio.net_position(ID)
        if change == 0:
            return
        side = OrderSide.BUY if change > 0 else OrderSide.SELL
        self.submit_order(self.order_factory.market(ID, side, INSTRUMENT.make_qty(abs(change))))
        self.orders += 1


rows = np.load(sys.argv[1], mmap_mode="r")[: int(sys.argv[2])].tolist()
sides = (AggressorSide.BUYER, AggressorSide.SELLER)
ticks = [
    TradeTick(ID, Price(price / 100, 2), Quantity(qty / 1000, 3), sides[sold], TradeId(str(number)), ms * 1_000_000, ms * 1_000_000)
    for number, ms, price, qty, sold in rows
]
del rows
engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False))
engine.add_venue(
    venue=VENUE, oms_type=OmsType.NETTING, account_type=AccountType.MARGIN, base_currency=None,
    starting_balances=[Money(100_000_000, USDT)], trade_execution=True,
)
engine.add_instrument(INSTRUMENT)
engine.add_data(ticks)
strategy = EmaCross()
engine.add_strategy(strategy)
begun = time.perf_counter()
engine.run()
seconds = time.perf_counter() - begun
fills = sum(1 for order in engine.cache.orders() if order.is_closed and order.filled_qty > 0)
print(json.dumps({"events": len(ticks), "seconds": seconds, "orders": strategy.orders, "fills": fills}))
