CREATE TABLE imports (
    id INTEGER,
    path VARCHAR,
    imported_at TIMESTAMP,
    finished_at TIMESTAMP,
    undone_at TIMESTAMP,
    stored BIGINT,
    left_out BIGINT,
    overruled BIGINT
);
