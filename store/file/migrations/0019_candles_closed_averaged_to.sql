CREATE OR REPLACE TABLE candles_closed AS
SELECT
    closed_to,
    (
        SELECT max(ts + to_seconds(resolution_s))
        FROM ticks
        WHERE resolution_s > 0
    ) AS averaged_to
FROM candles_closed;
