ALTER TABLE gap_events RENAME COLUMN index_name TO feed;
