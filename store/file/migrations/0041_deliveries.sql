CREATE TABLE deliveries (
    index_name VARCHAR,
    ts TIMESTAMP,
    price DOUBLE,
    source VARCHAR
);
