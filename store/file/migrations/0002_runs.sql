CREATE TABLE runs (
    started_at TIMESTAMP,
    ended_at TIMESTAMP,
    poll_seconds INTEGER,
    indexes VARCHAR[],
    version VARCHAR
);
