-- What a run leaves, by (run, seq). Rows are only ever added, except the watermark in runs. The words in braces stand for
-- what the two databases write differently; src/store/schema.rs has their meanings.
--
-- Times are nanoseconds since 1970, UTC, by the sequencer. Amounts, prices and quantities are exact decimals, printed
-- as the venue prints them: NUMERIC in PostgreSQL, text in SQLite, which has no exact decimals (compare them there
-- with CAST(price AS REAL), and add them up elsewhere).

-- A run, and how far its journal has been taken in: every row up to event seq is there, and none after it.
CREATE TABLE runs (
    id          {id},
    run_key     TEXT NOT NULL UNIQUE,  -- beginning of the SHA-256 of the journal's header
    name        TEXT NOT NULL,
    version     TEXT NOT NULL,         -- of the program
    epoch       BIGINT NOT NULL,       -- client order ids begin with it
    started_ns  BIGINT NOT NULL,       -- by the host's clock; 0 where the journal does not say
    config_name TEXT NOT NULL,
    config_text TEXT NOT NULL,
    seq         BIGINT NOT NULL,       -- the watermark
    time_ns     BIGINT NOT NULL,       -- of that event
    ended       {bool} NOT NULL        -- the run came to its end, and all of it is here
);

CREATE TABLE instruments (
    run            BIGINT NOT NULL,
    instrument     BIGINT NOT NULL,
    name           TEXT NOT NULL,      -- venue:market:SYMBOL
    base           TEXT NOT NULL,
    quote          TEXT NOT NULL,
    price_decimals BIGINT NOT NULL,
    qty_decimals   BIGINT NOT NULL,
    tick           {decimal} NOT NULL,
    lot            {decimal} NOT NULL,
    maker_fee      {decimal} NOT NULL, -- fraction of the value; negative is a rebate
    taker_fee      {decimal} NOT NULL,
    PRIMARY KEY (run, instrument)
){clustered};

CREATE TABLE strategies (
    run      BIGINT NOT NULL,
    strategy BIGINT NOT NULL,
    label    TEXT NOT NULL,            -- what it is called in output
    name     TEXT NOT NULL,            -- which strategy it is
    PRIMARY KEY (run, strategy)
){clustered};

-- Every order that a strategy asked for.
CREATE TABLE orders (
    run         BIGINT NOT NULL,
    seq         BIGINT NOT NULL,       -- the event that it answers
    time_ns     BIGINT NOT NULL,
    order_no    BIGINT NOT NULL,
    strategy    BIGINT NOT NULL,
    instrument  BIGINT NOT NULL,
    side        TEXT NOT NULL,         -- buy, sell
    kind        TEXT NOT NULL,         -- market, limit, post-only
    tif         TEXT NOT NULL,         -- gtc, ioc, fok
    reduce_only {bool} NOT NULL,
    qty         {decimal} NOT NULL,
    price       {decimal},             -- the limit; absent for a market order
    client_id   TEXT NOT NULL,         -- what the venue knows it by
    denied      TEXT,                  -- why risk denied it; absent if it was handed over
    PRIMARY KEY (run, order_no)
){clustered};

-- What became of the orders that were handed over, step by step.
CREATE TABLE order_events (
    run      BIGINT NOT NULL,
    seq      BIGINT NOT NULL,
    nth      BIGINT NOT NULL,          -- among those of one event
    time_ns  BIGINT NOT NULL,
    order_no BIGINT NOT NULL,
    event    TEXT NOT NULL,            -- cancel-sent, accepted, rejected, fill, canceled, expired, cancel-rejected
    status   TEXT NOT NULL,            -- where the order stands after it
    filled   {decimal} NOT NULL,       -- traded so far
    PRIMARY KEY (run, order_no, seq, nth)
){clustered};

CREATE TABLE fills (
    run        BIGINT NOT NULL,
    seq        BIGINT NOT NULL,
    time_ns    BIGINT NOT NULL,
    order_no   BIGINT NOT NULL,
    strategy   BIGINT NOT NULL,
    instrument BIGINT NOT NULL,
    side       TEXT NOT NULL,
    qty        {decimal} NOT NULL,
    price      {decimal} NOT NULL,
    fee        {decimal} NOT NULL,     -- of the quote asset; negative is a rebate
    maker      {bool} NOT NULL,        -- the order had rested
    trade_id   BIGINT NOT NULL,        -- the venue's
    PRIMARY KEY (run, seq)
){clustered};

-- A strategy's position in one instrument after each fill, and while it is open at every point of the equity curve.
CREATE TABLE positions (
    run        BIGINT NOT NULL,
    seq        BIGINT NOT NULL,
    time_ns    BIGINT NOT NULL,
    strategy   BIGINT NOT NULL,
    instrument BIGINT NOT NULL,
    qty        {decimal} NOT NULL,     -- negative is short
    cost       {decimal} NOT NULL,     -- of what is open
    realised   {decimal} NOT NULL,     -- profit of what was closed, before fees
    mark       {decimal} NOT NULL,     -- the middle of the book
    unrealised {decimal} NOT NULL,     -- profit of what is open at the mark
    fees       {decimal} NOT NULL,
    net        {decimal} NOT NULL,     -- realised and unrealised less fees
    turnover   {decimal} NOT NULL,     -- sum of the values traded
    fills      BIGINT NOT NULL,
    PRIMARY KEY (run, strategy, instrument, seq)
){clustered};

-- Bars of what is traded, as the strategies saw them.
CREATE TABLE bars (
    run        BIGINT NOT NULL,
    seq        BIGINT NOT NULL,        -- the event that closed it
    instrument BIGINT NOT NULL,
    start_ns   BIGINT NOT NULL,        -- by the venue's clock
    open       {decimal} NOT NULL,
    high       {decimal} NOT NULL,
    low        {decimal} NOT NULL,
    close      {decimal} NOT NULL,
    volume     {decimal} NOT NULL,
    trades     BIGINT NOT NULL,
    PRIMARY KEY (run, instrument, start_ns)
){clustered};

-- Points of each strategy's equity curve, by the asset it is counted in.
CREATE TABLE equity (
    run        BIGINT NOT NULL,
    seq        BIGINT NOT NULL,
    time_ns    BIGINT NOT NULL,
    strategy   BIGINT NOT NULL,
    quote      TEXT NOT NULL,
    realised   {decimal} NOT NULL,
    unrealised {decimal} NOT NULL,
    fees       {decimal} NOT NULL,
    net        {decimal} NOT NULL,
    PRIMARY KEY (run, strategy, quote, seq)
){clustered};
