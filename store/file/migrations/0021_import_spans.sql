CREATE TABLE import_spans (
    import_id INTEGER,
    index_name VARCHAR,
    resolution_s INTEGER,
    first TIMESTAMP,
    last TIMESTAMP,
    undone BOOLEAN
);
