ALTER TABLE options RENAME TO options_by_snapshot;
