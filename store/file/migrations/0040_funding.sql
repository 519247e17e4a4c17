CREATE TABLE funding (
    instrument_name VARCHAR,
    ts TIMESTAMP,
    index_price DOUBLE,
    interest_1h DOUBLE,
    interest_8h DOUBLE,
    source VARCHAR
);
