CREATE TABLE candles_1m (
    index_name VARCHAR,
    open_time TIMESTAMP,
    open DOUBLE,
    high DOUBLE,
    low DOUBLE,
    close DOUBLE,
    tick_count BIGINT,
    live_count BIGINT,
    resolution_s INTEGER
);
