ALTER TABLE snapshots ADD COLUMN index_price DOUBLE;
