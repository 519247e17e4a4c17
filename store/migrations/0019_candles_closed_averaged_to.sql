ALTER TABLE candles_closed ADD COLUMN averaged_to TIMESTAMP;

UPDATE candles_closed
SET averaged_to = (
    SELECT max(ts + to_seconds(resolution_s))
    FROM ticks
    WHERE resolution_s > 0
);
