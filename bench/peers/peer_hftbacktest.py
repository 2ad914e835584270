"""hftbacktest: both touches quoted anew every 100 ms, as ours.rs does, over recorded depth, with the probability model of the
queue (power 3), 1 ms to the venue and back. Reading the recording, and compiling, are not counted.

peer_hftbacktest.py RECORDING.gz CONVERTED.npy [quotes]

Depth and trades are what it is given, as its converter has it when not told otherwise. With `quotes`, the frames of
`bookTicker` too, as two events each; it takes them from the feed and goes on."""
import json
import os
import sys
import time

import numpy as np
from hftbacktest import BUY, GTX, LIMIT, SELL, BacktestAsset, ROIVectorMarketDepthBacktest
from hftbacktest.data.utils import binancefutures
from numba import njit

TICK, LOT, QTY = 0.1, 0.001, 0.01


@njit
def quote(hbt):
    number, orders, fills, last = 0, 0, 0, 0.0
    while hbt.elapse(100_000_000) == 0:
        depth = hbt.depth(0)
        position = hbt.position(0)
        if position != last:
            fills += 1
        last = position
        hbt.clear_inactive_orders(0)
        values = hbt.orders(0).values()
        while values.has_next():
            order = values.get()
            if order.cancellable:
                hbt.cancel(0, order.order_id, False)
        bid, ask = depth.best_bid, depth.best_ask
        if not (bid > 0.0 and ask < 1e12):
            continue
        hbt.submit_buy_order(0, number, bid, QTY, GTX, LIMIT, False)
        hbt.submit_sell_order(0, number + 1, ask, QTY, GTX, LIMIT, False)
        number += 2
        orders += 2
    return orders, fills


def run(data):
    price = data["px"][data["px"] > 0]
    asset = (
        BacktestAsset().data(data).linear_asset(1.0).constant_order_latency(1_000_000, 1_000_000)
        .power_prob_queue_model(3.0).no_partial_fill_exchange().trading_value_fee_model(0.0, 0.0)
        .tick_size(TICK).lot_size(LOT).roi_lb(float(price.min())).roi_ub(float(price.max()))
    )
    hbt = ROIVectorMarketDepthBacktest([asset])
    begun = time.perf_counter()
    orders, _ = quote(hbt)
    seconds = time.perf_counter() - begun
    state = hbt.state_values(0)
    counts = (int(state.num_trades), float(state.trading_volume))
    hbt.close()
    return seconds, orders, counts


recording, kept, quotes = sys.argv[1], sys.argv[2], "quotes" in sys.argv[3:]
if os.path.exists(kept):
    data = np.load(kept)
else:
    out, sys.stdout = sys.stdout, sys.stderr
    data = binancefutures.convert(recording, opt="t" if quotes else "", combined_stream=True)
    sys.stdout = out
    np.save(kept, data)
run(data[:50_000])
seconds, orders, (fills, volume) = run(data)
print(json.dumps({"rows": len(data), "seconds": seconds, "orders": orders, "fills": fills, "volume": volume}))
