CREATE TABLE futures (
    currency VARCHAR,
    instrument_name VARCHAR,
    expiry TIMESTAMP,
    ts TIMESTAMP,
    mark_price DOUBLE,
    bid_price DOUBLE,
    ask_price DOUBLE,
    last DOUBLE,
    open_interest DOUBLE,
    volume DOUBLE,
    volume_usd DOUBLE,
    current_funding DOUBLE,
    funding_8h DOUBLE,
    source VARCHAR,
    resolution_s INTEGER
);
