CREATE VIEW gaps AS
SELECT
    index_name,
    started_at,
    ended_at,
    slots,
    poll_seconds,
    cause,
    detail,
    CASE event WHEN 'found' THEN 'open' ELSE event END AS state,
    source,
    resolution_s,
    gap,
    round
FROM gap_events
SEMI JOIN (
    SELECT
        index_name,
        gap,
        max(round) AS round
    FROM gap_events
    GROUP BY ALL
) AS newest USING (index_name, gap, round);
