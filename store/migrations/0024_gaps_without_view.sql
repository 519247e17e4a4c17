DROP VIEW gaps;
