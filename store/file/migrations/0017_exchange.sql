CREATE TABLE exchange AS
SELECT
    name,
    make_timestamp(epoch_us(now())) AS noted_at
FROM (
    SELECT CASE
        WHEN EXISTS (FROM ticks WHERE source = 'simulator') THEN 'simulator'
        WHEN EXISTS (FROM ticks WHERE source IN ('live', 'chart')) THEN 'real'
    END AS name
)
WHERE name IS NOT NULL;
