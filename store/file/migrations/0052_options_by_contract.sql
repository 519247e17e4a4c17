CREATE TABLE options_by_contract AS
FROM options
LIMIT 0;
