CREATE TABLE alert_deliveries (
    id VARCHAR,
    target VARCHAR,
    outcome VARCHAR,
    tried_at TIMESTAMP,
    detail VARCHAR
);
