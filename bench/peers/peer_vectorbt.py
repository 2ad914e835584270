"""vectorbt: a cross of simple averages over bars, all in at the next open, no fee; one pair of lengths or all of a grid.

peer_vectorbt.py BARS.npy COUNT FAST,FAST,... SLOW,SLOW,...

Its averages are running sums of floats, so rounding decides for it whether two averages that are equal have crossed: once in
a million bars, and one trade then moves what is earned by 5 in 100,000. So what the first pair earns is told a second time,
of sums of integers, which are exact; that is not part of the time."""
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


def exactly(rows, fast, slow):
    """Growth by averages of whole hundredths: where they are equal, the fast one is not above."""
    close = np.asarray(rows[:, 4]).astype(np.int64)
    total = np.concatenate([[0], np.cumsum(close)])
    of = lambda length: total[slow:] - total[slow - length : len(total) - length]
    above = np.zeros(len(close), bool)
    above[slow - 1 :] = of(fast) * slow > of(slow) * fast
    turns = np.flatnonzero(above != late(above[:, None])[:, 0])
    growth, bought = 1.0, None
    for turn in turns[turns + 1 < len(close)]:
        price = float(rows[turn + 1, 1])
        if above[turn]:
            bought = price
        elif bought is not None:
            growth, bought = growth * price / bought, None
    return growth if bought is None else growth * float(close[-1]) / bought


rows = np.load(sys.argv[1], mmap_mode="r")[: int(sys.argv[2])]
bars = pd.DataFrame(rows[:, 1:5] / 100, columns=["Open", "High", "Low", "Close"])
fast, slow = ([int(n) for n in text.split(",")] for text in sys.argv[3:5])
run(bars[:5_000], fast, slow)
seconds, fills, growth, runs = run(bars, fast, slow)
exact = exactly(rows, fast[0], slow[0])
print(json.dumps({"events": len(bars) * runs, "seconds": seconds, "fills": fills, "growth": growth, "exact": exact, "runs": runs}))
