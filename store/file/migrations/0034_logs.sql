CREATE TABLE logs (
    feed VARCHAR,
    complete_to TIMESTAMP,
    late VARCHAR
);
