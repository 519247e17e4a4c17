ALTER TABLE misses RENAME COLUMN index_name TO feed;
