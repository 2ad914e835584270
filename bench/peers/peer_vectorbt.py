"""vectorbt: a cross of simple averages over bars, all in at the next open, no fee; one pair of lengths or all of a grid.

peer_vectorbt.py BARS.npy COUNT FAST,FAST,... SLOW,SLOW,..."""
import json
import sys
import time
import warnings

import numpy as np
import pandas as pd
import vectorbt as vbt

warnings.filterwarnings("ignore")
vbt.settings.array_wrapper["freq"] = "1m"


def run(bars, fast, slow):
    """Seconds, closed trades and growth of the first combination, and how many there were."""
    begun = time.perf_counter()
    average = vbt.MA.run(bars.Close, window=sorted(set(fast) | set(slow))).ma
    average.columns = [column if isinstance(column, int) else column[0] for column in average.columns] if isinstance(average, pd.DataFrame) else None
    pairs = [(f, s) for f in fast for s in slow if f < s]
    above = average[[f for f, _ in pairs]].to_numpy() > average[[s for _, s in pairs]].to_numpy()
    before = np.vstack([np.zeros((1, len(pairs)), bool), above[:-1]])
    entries, exits = above & ~before, ~above & before
    # Decided at a close, traded at the next bar's open.
    late = lambda flags: np.vstack([np.zeros((1, len(pairs)), bool), flags[:-1]])
    close, price = bars.Close.to_numpy()[:, None], bars.Open.to_numpy()[:, None]
    portfolio = vbt.Portfolio.from_signals(
        close, late(entries), late(exits), price=price, init_cash=1e10, fees=0.0, freq="1m"
    )
    growth = np.atleast_1d(portfolio.total_return()) + 1
    closed = np.atleast_1d(portfolio.trades.closed.count())
    return time.perf_counter() - begun, int(closed[0]), float(growth[0]), len(pairs)


rows = np.load(sys.argv[1], mmap_mode="r")[: int(sys.argv[2])]
bars = pd.DataFrame(rows[:, 1:5] / 100, columns=["Open", "High", "Low", "Close"])
fast, slow = ([int(n) for n in text.split(",")] for text in sys.argv[3:5])
run(bars[:5_000], fast, slow)
seconds, fills, growth, runs = run(bars, fast, slow)
print(json.dumps({"events": len(bars) * runs, "seconds": seconds, "fills": fills, "growth": growth, "runs": runs}))
