ALTER TABLE present_gaps RENAME TO gaps;
