CREATE TABLE present_gaps AS
SELECT
    index_name,
    started_at,
    ended_at,
    slots,
    poll_seconds,
    cause,
    detail,
    state,
    source,
    resolution_s,
    gap,
    round
FROM gaps
ORDER BY started_at, index_name;
