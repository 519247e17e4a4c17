CREATE OR REPLACE VIEW gaps AS
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
FROM gap_events AS piece
ANTI JOIN gap_events AS later ON
    later.index_name = piece.index_name
    AND later.gap = piece.gap
    AND later.round > piece.round
    AND later.started_at < piece.ended_at
    AND later.ended_at > piece.started_at;
