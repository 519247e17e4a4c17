CREATE TABLE packed (
    underlying VARCHAR,
    packed_to TIMESTAMP
);
