CREATE TABLE imported (
    import_id INTEGER,
    index_name VARCHAR,
    resolution_s INTEGER,
    ts TIMESTAMP,
    undone BOOLEAN
);
