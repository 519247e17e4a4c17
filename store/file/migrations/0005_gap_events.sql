CREATE TABLE gap_events (
    index_name VARCHAR,
    gap TIMESTAMP,
    round INTEGER,
    event VARCHAR,
    started_at TIMESTAMP,
    ended_at TIMESTAMP,
    slots INTEGER,
    poll_seconds INTEGER,
    cause VARCHAR,
    detail VARCHAR,
    source VARCHAR,
    resolution_s INTEGER,
    noted_at TIMESTAMP
);
