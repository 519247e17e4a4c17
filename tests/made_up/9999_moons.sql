CREATE TABLE moons (
    planet VARCHAR,
    moon_name VARCHAR,
    ts TIMESTAMP,
    phase DOUBLE,
    rises_at TIMESTAMP
);
