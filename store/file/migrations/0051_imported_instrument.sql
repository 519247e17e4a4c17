ALTER TABLE imported ADD COLUMN instrument_name VARCHAR;
