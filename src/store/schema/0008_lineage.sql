-- Runs that went on one with another: each has the key of the first of them, and how many came before it. An order keeps its
-- number over all of them. Of a journal that was written before, what went before it is not known.
ALTER TABLE runs ADD COLUMN first_run TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN nth BIGINT NOT NULL DEFAULT 0;
UPDATE runs SET first_run = run_key;
CREATE INDEX runs_by_first ON runs (first_run, nth);

-- Where every order stands: by the last that is known of it, in its own run or in one that went on with that.
DROP VIEW order_now;

CREATE VIEW order_now AS
SELECT r.name AS run_name, o.run, o.order_no, o.client_id, {at:o.time_ns} AS at, s.label AS strategy,
       i.name AS instrument, o.side, o.kind, o.tif, o.qty, o.price,
       CASE WHEN o.denied IS NOT NULL THEN 'denied' ELSE COALESCE(
           (SELECT e.status FROM runs x JOIN order_events e ON e.run = x.id AND e.order_no = o.order_no
            WHERE x.first_run = r.first_run ORDER BY x.nth DESC, e.seq DESC, e.nth DESC LIMIT 1),
           'pending-new') END AS status,
       (SELECT e.filled FROM runs x JOIN order_events e ON e.run = x.id AND e.order_no = o.order_no
        WHERE x.first_run = r.first_run ORDER BY x.nth DESC, e.seq DESC, e.nth DESC LIMIT 1) AS filled,
       o.denied
FROM orders o
JOIN runs r ON r.id = o.run
JOIN instruments i ON i.run = o.run AND i.instrument = o.instrument
JOIN strategies s ON s.run = o.run AND s.strategy = o.strategy;

-- What is held, and what it earned: the last line of each position, which goes on from run to run.
DROP VIEW position_now;

CREATE VIEW position_now AS
SELECT r.name AS run_name, p.run, {at:p.time_ns} AS at, s.label AS strategy, i.name AS instrument, p.qty, p.cost,
       p.realised, p.mark, p.unrealised, p.fees, p.net, i.quote, p.turnover, p.fills
FROM positions p
JOIN runs r ON r.id = p.run
JOIN instruments i ON i.run = p.run AND i.instrument = p.instrument
JOIN strategies s ON s.run = p.run AND s.strategy = p.strategy
WHERE p.seq = (SELECT MAX(l.seq) FROM positions l
               WHERE l.run = p.run AND l.strategy = p.strategy AND l.instrument = p.instrument)
  AND NOT EXISTS (SELECT 1 FROM runs x JOIN positions l ON l.run = x.id AND l.strategy = p.strategy
                  AND l.instrument = p.instrument
                  WHERE x.first_run = r.first_run AND x.nth > r.nth);

-- Profit and loss of each strategy: the last point of its equity curve, which goes on from run to run.
DROP VIEW strategy_pnl;

CREATE VIEW strategy_pnl AS
SELECT r.name AS run_name, e.run, {at:e.time_ns} AS at, s.label AS strategy, e.quote, e.realised, e.unrealised,
       e.fees, e.net
FROM equity e
JOIN runs r ON r.id = e.run
JOIN strategies s ON s.run = e.run AND s.strategy = e.strategy
WHERE e.seq = (SELECT MAX(l.seq) FROM equity l
               WHERE l.run = e.run AND l.strategy = e.strategy AND l.quote = e.quote)
  AND NOT EXISTS (SELECT 1 FROM runs x JOIN equity l ON l.run = x.id AND l.strategy = e.strategy
                  AND l.quote = e.quote
                  WHERE x.first_run = r.first_run AND x.nth > r.nth);

-- Fills with names and times. The worth of a commission may be known only to a run that went on with the one that paid it.
DROP VIEW fill_list;

CREATE VIEW fill_list AS
SELECT r.name AS run_name, f.run, f.seq, {at:f.time_ns} AS at, s.label AS strategy, i.name AS instrument, f.side,
       f.qty, f.price, f.fee, i.quote, f.maker, f.order_no, f.trade_id, c.amount AS commission,
       c.asset AS commission_asset, COALESCE(c.fee,
           (SELECT v.fee FROM runs x JOIN commissions v ON v.run = x.id AND v.order_no = f.order_no
            AND v.trade_id = f.trade_id AND v.amount IS NULL
            WHERE x.first_run = r.first_run ORDER BY x.nth LIMIT 1)) AS commission_fee
FROM fills f
JOIN runs r ON r.id = f.run
JOIN instruments i ON i.run = f.run AND i.instrument = f.instrument
JOIN strategies s ON s.run = f.run AND s.strategy = f.strategy
LEFT JOIN commissions c ON c.run = f.run AND c.order_no = f.order_no AND c.trade_id = f.trade_id
 AND c.amount IS NOT NULL;
