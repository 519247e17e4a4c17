ALTER TABLE candles_1m RENAME COLUMN live_count TO observed_count;
