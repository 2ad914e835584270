-- Each denial, as it was told to the strategy: which rule, its limit, and what the order came to. The order's own row,
-- which is made when the order is asked for, has the reason too. Runs that were taken in before have none.
CREATE TABLE denials (
    run         BIGINT NOT NULL,
    seq         BIGINT NOT NULL,       -- the event that told it
    time_ns     BIGINT NOT NULL,
    order_no    BIGINT NOT NULL,
    strategy    BIGINT NOT NULL,
    instrument  BIGINT NOT NULL,
    reason      TEXT NOT NULL,
    rule        TEXT,                  -- as algo-trader list risk-rules has it
    rule_limit  {decimal},             -- absent where the rule compares no numbers
    order_value {decimal},             -- what the order came to; absent too where it is over every number
    unit        TEXT,                  -- of both: an asset, %, ms, times, or what is counted
    PRIMARY KEY (run, seq)
){clustered};

CREATE VIEW denial_list AS
SELECT r.name AS run_name, d.run, d.seq, {at:d.time_ns} AS at, s.label AS strategy, i.name AS instrument, d.order_no,
       d.rule, d.reason, d.rule_limit, d.order_value, d.unit
FROM denials d
JOIN runs r ON r.id = d.run
JOIN instruments i ON i.run = d.run AND i.instrument = d.instrument
JOIN strategies s ON s.run = d.run AND s.strategy = d.strategy;
