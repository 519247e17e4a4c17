CREATE TABLE vitals (
    noted_at TIMESTAMP,
    ticks INTEGER,
    delay_median_s DOUBLE,
    delay_p99_s DOUBLE,
    skew_s DOUBLE,
    database_bytes BIGINT,
    free_bytes BIGINT
);
