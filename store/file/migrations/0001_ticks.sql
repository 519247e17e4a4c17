CREATE TABLE ticks (
    index_name VARCHAR,
    ts TIMESTAMP,
    received_at TIMESTAMP,
    price DOUBLE,
    source VARCHAR,
    resolution_s INTEGER
);
