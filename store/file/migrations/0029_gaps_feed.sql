ALTER TABLE gaps RENAME COLUMN index_name TO feed;
