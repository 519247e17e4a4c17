CREATE TABLE snapshots (
    feed VARCHAR,
    ts TIMESTAMP,
    received_at TIMESTAMP,
    source VARCHAR,
    rows INTEGER
);
