"""backtesting.py: a cross of simple averages over bars, all in at the next open, no fee.

peer_backtesting.py BARS.npy COUNT FAST SLOW"""
import json
import sys
import time
import warnings

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy

warnings.filterwarnings("ignore")
FAST, SLOW = int(sys.argv[3]), int(sys.argv[4])


def average(values, n):
    # Zero while there is none: the library would begin a bar later than the first average there is.
    return np.nan_to_num(pd.Series(values).rolling(n).mean().to_numpy())


class Cross(Strategy):
    def init(self):
        self.fast = self.I(average, self.data.Close, FAST)
        self.slow = self.I(average, self.data.Close, SLOW)

    def next(self):
        if self.fast[-1] > self.slow[-1] > 0:
            if not self.position:
                self.buy()
        elif self.position:
            self.position.close()


rows = np.load(sys.argv[1], mmap_mode="r")[: int(sys.argv[2])]
bars = pd.DataFrame(rows[:, 1:5] / 100, columns=["Open", "High", "Low", "Close"])
bars["Volume"] = rows[:, 5] / 1000
bars.index = pd.to_datetime(rows[:, 0], unit="ms")
# Shares are whole here: so much money that a rest of one share says nothing.
test = Backtest(bars, Cross, cash=1e10, commission=0.0, finalize_trades=False)
begun = time.perf_counter()
stats = test.run()
seconds = time.perf_counter() - begun
print(json.dumps({
    "events": len(bars), "seconds": seconds, "fills": len(stats._strategy.closed_trades),
    "growth": stats._equity_curve.Equity.iloc[-1] / 1e10,
}))
