-- What a denial's limit is of and how it binds, where the reason does not say that: a filter of the venue has up to four.
ALTER TABLE denials ADD COLUMN subject TEXT; -- what the order has too much or too little of, such as: quantity
ALTER TABLE denials ADD COLUMN binds TEXT;   -- at most, at least, a multiple of, more than

DROP VIEW denial_list;

CREATE VIEW denial_list AS
SELECT r.name AS run_name, d.run, d.seq, {at:d.time_ns} AS at, s.label AS strategy, i.name AS instrument, d.order_no,
       d.rule, d.reason, d.rule_limit, d.order_value, d.unit, d.subject, d.binds
FROM denials d
JOIN runs r ON r.id = d.run
JOIN instruments i ON i.run = d.run AND i.instrument = d.instrument
JOIN strategies s ON s.run = d.run AND s.strategy = d.strategy;
