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


# Columns at once: of a million bars each takes some 80 MB while it is worked on.
GROUP = 10


def late(flags):
    """Decided at a close, traded at the next bar's open."""
    return np.vstack([np.zeros((1, flags.shape[1]), bool), flags[:-1]])


def run(bars, fast, slow):
    """Seconds, closed trades and growth of the first combination, and how many there were."""
    begun = time.perf_counter()
    lengths = sorted(set(fast) | set(slow))
    average = dict(zip(lengths, vbt.MA.run(bars.Close, window=lengths).ma.to_numpy().T))
    pairs = [(f, s) for f in fast for s in slow if f < s]
    close, price = bars.Close.to_numpy()[:, None], bars.Open.to_numpy()[:, None]
    first = None
    for at in range(0, len(pairs), GROUP):
        group = pairs[at : at + GROUP]
        above = np.column_stack([average[f] > average[s] for f, s in group])
        before = late(above)
        portfolio = vbt.Portfolio.from_signals(
            close, late(above & ~before), late(~above & before), price=price, init_cash=1e10, fees=0.0, freq="1m"
        )
        growth = np.atleast_1d(portfolio.total_return()) + 1
        closed = np.atleast_1d(portfolio.trades.closed.count())
        first = first or (int(closed[0]), float(growth[0]))
    return time.perf_counter() - begun, *first, len(pairs)


rows = np.load(sys.argv[1], mmap_mode="r")[: int(sys.argv[2])]
bars = pd.DataFrame(rows[:, 1:5] / 100, columns=["Open", "High", "Low", "Close"])
fast, slow = ([int(n) for n in text.split(",")] for text in sys.argv[3:5])
run(bars[:5_000], fast, slow)
seconds, fills, growth, runs = run(bars, fast, slow)
print(json.dumps({"events": len(bars) * runs, "seconds": seconds, "fills": fills, "growth": growth, "runs": runs}))
