CREATE TABLE options (
    underlying VARCHAR,
    expiry TIMESTAMP,
    strike DOUBLE,
    option_type VARCHAR,
    ts TIMESTAMP,
    mark_price DOUBLE,
    mark_iv DOUBLE,
    underlying_price DOUBLE,
    bid_price DOUBLE,
    ask_price DOUBLE,
    last DOUBLE,
    open_interest DOUBLE,
    volume DOUBLE,
    volume_usd DOUBLE
);
