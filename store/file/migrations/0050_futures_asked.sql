CREATE TABLE futures_asked (
    instrument_name VARCHAR,
    asked_to TIMESTAMP
);
