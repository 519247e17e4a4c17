CREATE VIEW options AS
FROM options_by_contract
UNION ALL
FROM options_by_snapshot;
