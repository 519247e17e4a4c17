CREATE OR REPLACE VIEW arrivals AS
SELECT
    index_name AS feed,
    ts,
    received_at,
    source,
    resolution_s
FROM ticks
UNION ALL
SELECT
    feed,
    ts,
    received_at,
    source,
    0 AS resolution_s
FROM snapshots
UNION ALL
SELECT
    'futures/' || currency AS feed,
    ts,
    NULL AS received_at,
    source,
    resolution_s
FROM futures
WHERE resolution_s = 60;
