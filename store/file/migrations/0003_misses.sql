CREATE TABLE misses (
    slot TIMESTAMP,
    index_name VARCHAR,
    cause VARCHAR,
    detail VARCHAR
);
