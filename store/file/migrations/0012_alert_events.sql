CREATE TABLE alert_events (
    id VARCHAR,
    rule VARCHAR,
    condition VARCHAR,
    index_name VARCHAR,
    event VARCHAR,
    severity VARCHAR,
    happened_at TIMESTAMP,
    noted_at TIMESTAMP,
    price DOUBLE,
    value DOUBLE,
    threshold DOUBLE,
    text VARCHAR,
    targets VARCHAR[],
    send_after TIMESTAMP
);
