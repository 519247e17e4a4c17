CREATE TABLE alert_acknowledgements (
    id VARCHAR,
    acknowledged_at TIMESTAMP,
    reader VARCHAR
);
