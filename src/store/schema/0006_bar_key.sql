-- A bar is known by the event that closed it: two bars by trades, volume or value may begin in one nanosecond.
CREATE TABLE bars_by_close (
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
    PRIMARY KEY (run, instrument, start_ns, seq)
){clustered};
INSERT INTO bars_by_close SELECT run, seq, instrument, start_ns, open, high, low, close, volume, trades FROM bars;
DROP TABLE bars;
ALTER TABLE bars_by_close RENAME TO bars;
