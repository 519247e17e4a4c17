CREATE TABLE volatility_index (
    currency VARCHAR,
    open_time TIMESTAMP,
    open DOUBLE,
    high DOUBLE,
    low DOUBLE,
    close DOUBLE,
    source VARCHAR,
    resolution_s INTEGER
);
