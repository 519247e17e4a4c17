"""The export command writes the same file as the page and the API, and says what is in it."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from click.testing import Result

from store.export.files import Exports, Limits, manifest_of
from store.export.query import ExportQuery
from store.file.database import Database
from store.ledger import arrivals
from store.models import Snapshot
from store.prices import ticks
from store.prices.bars import INTERVAL_NAMES
from tests.conftest import START, Program, tick, wait_until

RANGE = ("--start", "2026-11-01T12:00Z", "--end", "2026-11-01T13:00")


@pytest.fixture
def recorded(database: Database) -> Database:
    with database.write() as cursor:
        names = ("btc_usd", "eth_usd")
        ticks.append(cursor, [tick(second, name, source="simulator") for second in range(100) for name in names])
    return database


def test_the_whole_record_is_exported_by_default(command: Callable[..., Result], recorded: Database):
    done = command("export")

    assert done.exit_code == 0
    (path,) = recorded.path.with_name("exports").glob("*.parquet")
    manifest = json.loads(manifest_of(path).read_text())
    assert done.stdout.splitlines() == [
        f"{path}: ticks 200, bytes {path.stat().st_size:,}, SHA-256 {manifest['sha256']}"
    ]
    assert len(pd.read_parquet(path)) == 200


def test_candles_of_an_index_in_a_range_are_copied_into_a_folder(command, recorded: Database, tmp_path: Path):
    to = tmp_path / "to"
    to.mkdir()

    done = command(
        "export", "--index", "eth_usd", *RANGE, "--interval", "1m", "--format", "csv", "--no-healed", "--to", str(to)
    )

    path = to / "eth_usd-1m-without-healed-20261101T120000Z-20261101T130000Z.csv.gz"
    assert done.stdout.startswith(f"{path}: candles 2, bytes ")
    assert pd.read_csv(path)["tick_count"].to_list() == [60, 40]
    assert command("verify", str(path)).stdout == f"{path} is sound\n"


def test_an_export_is_copied_to_a_file(command, recorded: Database, tmp_path: Path):
    path = tmp_path / "mine.parquet"

    done = command("export", *RANGE, "--to", str(path))

    assert done.exit_code == 0
    assert len(pd.read_parquet(path)) == 200


def test_the_name_of_a_file_says_its_format(command, recorded: Database, tmp_path: Path):
    path = tmp_path / "mine.csv.gz"

    done = command("export", *RANGE, "--to", str(path))

    assert done.exit_code == 0
    assert len(pd.read_csv(path)) == 200


@pytest.mark.parametrize(
    ("name", "more", "refused"),
    [
        ("mine", (), "must be a folder that exists, or the name of a file that ends in .parquet, .csv.gz, .xlsx"),
        ("mine.csv", (), "must be a folder that exists, or the name of a file that ends in .parquet, .csv.gz, .xlsx"),
        ("mine.csv.gz", ("--format", "parquet"), "is the name of a csv file, and --format says parquet"),
    ],
)
def test_a_name_that_fits_no_format_is_refused(command, recorded: Database, tmp_path: Path, name, more, refused):
    done = command("export", *RANGE, *more, "--to", str(tmp_path / name))

    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1].endswith(refused)
    assert list(tmp_path.glob("mine*")) == []


def test_a_target_that_can_not_be_written_is_refused_in_one_line(command, recorded: Database, tmp_path: Path):
    refused = command("export", "--to", str(tmp_path / "nowhere/mine.parquet"))

    assert refused.exit_code == 1
    assert refused.stderr.splitlines()[-1] == (
        f"Error: {tmp_path}/nowhere/mine.parquet can't be written: No such file or directory"
    )


def test_a_sheet_that_was_cut_off_is_reported(command, recorded: Database):
    query = ExportQuery(("btc_usd", "eth_usd"), START, START + timedelta(hours=1), format="xlsx")
    Exports(recorded, 10**9, Limits(sheet=150)).make(query)

    done = command("export", "--format", "xlsx", "--start", query.start.isoformat(), "--end", query.end.isoformat())

    assert ": ticks 150, bytes" in done.stdout
    assert done.stdout.splitlines()[1:] == [
        "  cut off: a sheet of Excel holds no more rows. Export a shorter range, or Parquet or CSV"
    ]
    (path,) = recorded.path.with_name("exports").glob("*.xlsx")
    assert json.loads(manifest_of(path).read_text())["last"] == "2026-11-01T12:01:14+00:00"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--index", "btc"], "Error: --index btc: must be one of btc_usd, eth_usd"),
        (
            ["--start", "yesterday"],
            "Error: Invalid value for '--start': yesterday: must be a time such as 2026-11-22T18:00Z",
        ),
        (
            ["--interval", "3m"],
            f"Error: Invalid value for '--interval': 3m: must be one of ticks, {', '.join(INTERVAL_NAMES.values())}",
        ),
        (["--format", "orc"], "Error: Invalid value for '--format': 'orc' is not one of 'parquet', 'csv', 'xlsx'."),
    ],
)
def test_an_export_that_cannot_be_is_refused_in_one_line(command, recorded, arguments: list[str], says: str):
    refused = command("export", *arguments)

    assert (refused.exit_code, refused.stderr.splitlines()[-1]) == (2, says)


def test_the_exports_of_a_folder_are_verified_and_a_damaged_one_is_named(command, recorded: Database):
    for kind in ("parquet", "csv"):
        assert command("export", "--format", kind).exit_code == 0
    folder = recorded.path.with_name("exports")
    assert command("verify", str(folder)).stdout == f"{folder} is sound\n"
    (path,) = folder.glob("*.csv.gz")
    path.write_bytes(b"x")

    damaged = command("verify", str(folder))

    assert damaged.exit_code == 1
    assert damaged.stdout == f"{path.name} is not what was exported: its SHA-256 differs\n"
    assert damaged.stderr == f"Error: {folder} is damaged, faults: 1\n"


def test_the_rows_of_a_snapshot_feed_are_exported_by_its_name(command, moons: Database, tmp_path: Path):
    with moons.write() as cursor:
        arrivals.append(cursor, [Snapshot("moons/JUPITER", START, START, (("Io", 0.5, None),))])

    done = command("export", "--index", "moons/JUPITER", *RANGE, "--to", str(tmp_path))
    refused = command("export", "--index", "moons/JUPITER", "--interval", "1m")

    path = tmp_path / "JUPITER-moons-20261101T120000Z-20261101T130000Z.parquet"
    assert done.stdout.startswith(f"{path}: moons 1, bytes ")
    assert pd.read_parquet(path)["moon_name"].to_list() == ["Io"]
    assert (refused.exit_code, refused.stderr.splitlines()[-1]) == (
        1,
        "Error: candles are made of prices, and moons/JUPITER has none: export its rows",
    )


def test_a_series_has_the_rows_of_all_its_markets_or_of_those_that_are_named(command, moons: Database, tmp_path: Path):
    nothing = command("export", "--series", "moons")
    with moons.write() as cursor:
        snapshots = [Snapshot(f"moons/{name}", START, START, (("Io", 0.5, None),)) for name in ("JUPITER", "SATURN")]
        arrivals.append(cursor, snapshots)

    done = [command("export", "--series", "moons", *more, *RANGE) for more in ((), ("--index", "SATURN"))]
    refused = [command("export", "--series", *words).stderr for words in (("stars",), ("moons", "--index", "btc_usd"))]

    assert [each.stdout.partition(": ")[2].partition(",")[0] for each in done] == ["moons 2", "moons 1"]
    assert nothing.stderr.endswith("Error: --series moons: no rows are stored\n")
    assert [line.splitlines()[-1] for line in refused] == [
        "Error: --series stars: must be one of moons",
        "Error: --index btc_usd: must be one of JUPITER, SATURN",
    ]


def test_an_export_works_beside_a_recorder(recorded: Database, simulator):
    settings = {"database": recorded.path, "deribit_url": simulator.url, "poll_seconds": 1, "indexes": "btc_usd"}
    with Program("poller", **settings):
        wait_until(lambda: live(recorded) > 201)
        code, out, _ = Program("poller", "export", "--end", f"{START:%Y-%m-%d}T14:00Z", **settings).finish()
        before = live(recorded)
        wait_until(lambda: live(recorded) > before)

    assert code == 0
    assert ": ticks 200, bytes" in out


def live(database: Database) -> int:
    with database.read() as cursor:
        found = cursor.execute("SELECT count(*) FROM ticks WHERE source = 'simulator' AND resolution_s = 0").fetchall()
    return int(found[0][0])
