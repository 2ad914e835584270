#!/usr/bin/env python3
"""What an SMA(20)/SMA(50) cross earns on daily bars, all in at the next bar's open, no fee: the reference of
tests/backtest_bars.rs. Needs numpy and the recordings: backtest_spy.py .../stocks/daily/spy.zip > backtest_spy.json"""
import json, sys, zipfile
import numpy as np

text = zipfile.ZipFile(sys.argv[1]).read("spy.csv").decode().split()
days, rows = text[0::2], [r.split(",") for r in text[1::2]]  # "20210331" and "00:00,open,high,low,close,volume"
opens, closes = (np.array([float(r[at]) for r in rows]) / 1e4 for at in (1, 4))
sma = lambda n: np.convolve(closes, np.ones(n) / n, "valid")
above = sma(20)[30:] > sma(50)
cash, shares, trades = 100_000.0, 0.0, []
for i in range(len(above)):
    bar = i + 50  # the one after the cross, at whose open it is traded
    if bar < len(opens) and (i == 0 or above[i] != above[i - 1]):
        if above[i]:
            shares, cash = cash / opens[bar], 0.0
            trades.append([days[bar], opens[bar], None, None])
        elif shares:
            cash, shares = shares * opens[bar], 0.0
            trades[-1][2:] = [days[bar], opens[bar]]
json.dump({"trades": trades, "equity": cash + shares * closes[-1]}, sys.stdout, indent=None)
