-- What only some orders have; absent from all others.
ALTER TABLE orders ADD COLUMN stop_price {decimal};
ALTER TABLE orders ADD COLUMN iceberg_qty {decimal};
ALTER TABLE orders ADD COLUMN trailing_bps BIGINT;
