-- Views for people: names in place of numbers, times that can be read, the present state of things.

-- Where every order stands.
CREATE VIEW order_now AS
SELECT r.name AS run_name, o.run, o.order_no, o.client_id, {at:o.time_ns} AS at, s.label AS strategy,
       i.name AS instrument, o.side, o.kind, o.tif, o.qty, o.price,
       CASE WHEN o.denied IS NOT NULL THEN 'denied' ELSE COALESCE(e.status, 'pending-new') END AS status,
       e.filled, o.denied
FROM orders o
JOIN runs r ON r.id = o.run
JOIN instruments i ON i.run = o.run AND i.instrument = o.instrument
JOIN strategies s ON s.run = o.run AND s.strategy = o.strategy
LEFT JOIN order_events e ON e.run = o.run AND e.order_no = o.order_no
 AND NOT EXISTS (SELECT 1 FROM order_events l WHERE l.run = e.run AND l.order_no = e.order_no
                 AND (l.seq > e.seq OR (l.seq = e.seq AND l.nth > e.nth)));

-- What is held, and what it earned: the last line of each position.
CREATE VIEW position_now AS
SELECT r.name AS run_name, p.run, {at:p.time_ns} AS at, s.label AS strategy, i.name AS instrument, p.qty, p.cost,
       p.realised, p.mark, p.unrealised, p.fees, p.net, i.quote, p.turnover, p.fills
FROM positions p
JOIN runs r ON r.id = p.run
JOIN instruments i ON i.run = p.run AND i.instrument = p.instrument
JOIN strategies s ON s.run = p.run AND s.strategy = p.strategy
WHERE p.seq = (SELECT MAX(l.seq) FROM positions l
               WHERE l.run = p.run AND l.strategy = p.strategy AND l.instrument = p.instrument);

-- Profit and loss of each strategy: the last point of its equity curve.
CREATE VIEW strategy_pnl AS
SELECT r.name AS run_name, e.run, {at:e.time_ns} AS at, s.label AS strategy, e.quote, e.realised, e.unrealised,
       e.fees, e.net
FROM equity e
JOIN runs r ON r.id = e.run
JOIN strategies s ON s.run = e.run AND s.strategy = e.strategy
WHERE e.seq = (SELECT MAX(l.seq) FROM equity l
               WHERE l.run = e.run AND l.strategy = e.strategy AND l.quote = e.quote);

-- Fills with names and times.
CREATE VIEW fill_list AS
SELECT r.name AS run_name, f.run, f.seq, {at:f.time_ns} AS at, s.label AS strategy, i.name AS instrument, f.side,
       f.qty, f.price, f.fee, i.quote, f.maker, f.order_no
FROM fills f
JOIN runs r ON r.id = f.run
JOIN instruments i ON i.run = f.run AND i.instrument = f.instrument
JOIN strategies s ON s.run = f.run AND s.strategy = f.strategy;
