CREATE TABLE overruled (
    index_name VARCHAR,
    ts TIMESTAMP,
    received_at TIMESTAMP,
    price DOUBLE,
    source VARCHAR,
    resolution_s INTEGER,
    import_id INTEGER
);
