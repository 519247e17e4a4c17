CREATE TABLE smiles (
    underlying VARCHAR,
    ts TIMESTAMP,
    expiry TIMESTAMP,
    forward DOUBLE,
    atm_iv DOUBLE,
    rr25 DOUBLE,
    bf25 DOUBLE,
    rr10 DOUBLE,
    bf10 DOUBLE,
    call_oi DOUBLE,
    put_oi DOUBLE,
    call_volume DOUBLE,
    put_volume DOUBLE,
    max_pain DOUBLE,
    strikes INTEGER,
    method INTEGER
);
