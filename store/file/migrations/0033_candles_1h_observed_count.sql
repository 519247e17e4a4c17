ALTER TABLE candles_1h RENAME COLUMN live_count TO observed_count;
