"""Checks of a client against a served venue: one line each, and an exit status.

A script gets the venue's addresses by the environment: VENUE_REST and VENUE_STREAM (`https://127.0.0.1:PORT` and
`wss://127.0.0.1:PORT`), VENUE_ADMIN for faults, VENUE_CA, the file with the authority to trust, and VENUE_KEYS, the file
with the keys that `accounts.py` made.
"""

import asyncio
import inspect
import json
import os
import sys
import time
import traceback
import urllib.request

# A client that hangs is a failure, not a pause.
CHECK_SECONDS = 60

REST = os.environ["VENUE_REST"]
STREAM = os.environ["VENUE_STREAM"]
CA = os.environ["VENUE_CA"]
SYMBOL, PAIR = "BTCUSDT", "BTC/USDT"


def keys(name):
    """API key and secret of an account; the secret of `ed25519` and `rsa` is a PEM."""
    with open(os.environ["VENUE_KEYS"]) as file:
        row = json.load(file)[name]
    return row["api_key"], row["secret"]


def fault(**what):
    """Has the venue misbehave."""
    url = os.environ["VENUE_ADMIN"] + "/admin/fault"
    request = urllib.request.Request(url, json.dumps(what).encode(), method="POST")
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60).read()


def stats():
    """What the venue has counted."""
    url = os.environ["VENUE_ADMIN"] + "/admin/stats"
    return json.load(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=60))


class Checks:
    """Runs checks and keeps count."""

    def __init__(self, client):
        self.client = client
        self.failed = 0

    def _told(self, name, began, error=None):
        ms = (time.monotonic() - began) * 1000
        if error is None:
            print(f"ok   {self.client}: {name} ({ms:.0f} ms)", flush=True)
            return
        self.failed += 1
        where = traceback.extract_tb(error.__traceback__)
        ours = [f"line {frame.lineno}" for frame in where if os.path.dirname(__file__) == os.path.dirname(frame.filename)]
        place = ours[-1] if ours else "unknown line"
        print(f"FAIL {self.client}: {name}: {type(error).__name__} at {place}: {str(error)[:600]}", flush=True)
        if os.environ.get("CHECKS_TRACEBACK"):
            traceback.print_exception(error)

    def run(self, name, check):
        """Runs a check that blocks."""
        began = time.monotonic()
        try:
            check()
            self._told(name, began)
        except Exception as error:
            self._told(name, began, error)

    async def arun(self, name, check):
        """Runs a check that is a coroutine."""
        began = time.monotonic()
        try:
            await asyncio.wait_for(check(), CHECK_SECONDS)
            self._told(name, began)
        except Exception as error:
            self._told(name, began, error)

    def all_of(self, holder):
        """Runs every method of `holder` whose name begins with `check_`, in the order of the source."""
        for name, check in in_order(holder):
            self.run(name, check)

    async def all_of_async(self, holder):
        for name, check in in_order(holder):
            await self.arun(name, check)

    def finish(self):
        sys.exit(1 if self.failed else 0)


def in_order(holder):
    named = [(name, getattr(holder, name)) for name in dir(holder) if name.startswith("check_")]
    named.sort(key=lambda pair: inspect.getsourcelines(pair[1])[1])
    return [(name.removeprefix("check_").replace("_", " "), check) for name, check in named]


def equal(found, expected, what=""):
    if found != expected:
        raise AssertionError(f"{what}: found {found!r}, expected {expected!r}")


def holds(truth, what):
    if not truth:
        raise AssertionError(what)


def raises(kind, call, *words):
    """Calls, and wants this exception with these words in its text."""
    try:
        found = call()
    except kind as error:
        for word in words:
            holds(word in str(error), f"{word!r} is not in {error}")
        return error
    raise AssertionError(f"no {kind.__name__}, but {found!r}")


async def araises(kind, awaitable, *words):
    try:
        found = await awaitable
    except kind as error:
        for word in words:
            holds(word in str(error), f"{word!r} is not in {error}")
        return error
    raise AssertionError(f"no {kind.__name__}, but {found!r}")


def wait_until(truth, what, seconds=CHECK_SECONDS):
    """Asks again and again until it is true, and returns what it was."""
    until = time.monotonic() + seconds
    while not (found := truth()):
        if time.monotonic() > until:
            raise AssertionError(f"never: {what}")
        time.sleep(0.05)
    return found
