CREATE TABLE alert_rules (
    noted_at TIMESTAMP,
    rules VARCHAR,
    fault VARCHAR
);
