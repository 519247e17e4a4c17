"""The kind of the moons' rows, the part that the store needs."""

from store.kinds import Column, Kind

MOONS = Kind(
    name="moons",
    table="moons",
    columns=(
        Column("planet", "VARCHAR", "as astronomers spell it"),
        Column("moon_name", "VARCHAR", "as astronomers spell it"),
        Column("ts", "TIMESTAMP", "UTC"),
        Column("phase", "DOUBLE", "0 to 1, the lit part of the disc"),
        Column("rises_at", "TIMESTAMP", "UTC"),
    ),
    key=("planet", "moon_name"),
    sound="phase BETWEEN 0 AND 1 AND length(planet) > 0 AND length(moon_name) > 0 AND ts IS NOT NULL",
    lacking="a name, a time or a phase from 0 to 1",
    heals=False,
    snapshots="moons",
)
