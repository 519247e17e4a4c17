CREATE OR REPLACE TABLE runs AS
SELECT
    started_at,
    ended_at,
    version,
    map(
        list_sort(list_distinct(indexes)),
        list_resize([]::INTEGER[], len(list_distinct(indexes)), poll_seconds)
    ) AS feeds
FROM runs;
