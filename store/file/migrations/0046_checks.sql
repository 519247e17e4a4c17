CREATE TABLE checks (
    check_name VARCHAR,
    feed VARCHAR,
    since TIMESTAMP,
    ts TIMESTAMP,
    value DOUBLE,
    worst DOUBLE,
    warn_above DOUBLE,
    state VARCHAR,
    detail VARCHAR
);
