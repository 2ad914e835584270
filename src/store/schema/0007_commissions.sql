-- What trades cost in an asset that is neither of the pair's, such as BNB; their row in fills has no fee then. The fees of a
-- position are those of its fills and of these together. Runs that were taken in before have none.
CREATE TABLE commissions (
    run        BIGINT NOT NULL,
    seq        BIGINT NOT NULL,
    time_ns    BIGINT NOT NULL,
    order_no   BIGINT NOT NULL,
    trade_id   BIGINT NOT NULL,        -- the venue's, as in fills
    strategy   BIGINT NOT NULL,
    instrument BIGINT NOT NULL,
    asset      TEXT NOT NULL,
    amount     {decimal},              -- of that asset; absent where the row only brings the worth of one that came before
    fee        {decimal},              -- its worth, of the quote asset; absent while the asset has no price
    PRIMARY KEY (run, order_no, trade_id, seq)
){clustered};

DROP VIEW fill_list;

CREATE VIEW fill_list AS
SELECT r.name AS run_name, f.run, f.seq, {at:f.time_ns} AS at, s.label AS strategy, i.name AS instrument, f.side,
       f.qty, f.price, f.fee, i.quote, f.maker, f.order_no, f.trade_id, c.amount AS commission,
       c.asset AS commission_asset, COALESCE(c.fee, v.fee) AS commission_fee
FROM fills f
JOIN runs r ON r.id = f.run
JOIN instruments i ON i.run = f.run AND i.instrument = f.instrument
JOIN strategies s ON s.run = f.run AND s.strategy = f.strategy
LEFT JOIN commissions c ON c.run = f.run AND c.order_no = f.order_no AND c.trade_id = f.trade_id
 AND c.amount IS NOT NULL
LEFT JOIN commissions v ON v.run = f.run AND v.order_no = f.order_no AND v.trade_id = f.trade_id AND v.amount IS NULL;
