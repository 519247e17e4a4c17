"""A reader with a role and a key of his own reads a lake as docs/lake.md says, and changes nothing."""

import re
from typing import Any

import duckdb
import pytest
import yaml

from settings import ROOT
from store.backup.spare import restore_from_lake
from store.errors import StoreError
from store.file.database import Database
from store.lake import extensions
from store.lake.notice import Notice
from store.lake.status import status
from tests.conftest import START
from tests.store.lake.recordings import in_file, in_lake, observe, share
from tests.support.documents import block
from tests.support.servers import IN_URL

DOCUMENT = (ROOT / "docs/lake.md").read_text()


def _load(connection: duckdb.DuckDBPyConnection) -> None:
    for name in extensions.NAMES:
        extensions.load(connection, name)


@pytest.fixture
def role(place, lake):
    """The address of the catalog with the role that the document makes."""
    with place.server.connected(place.url.rpartition("/")[2]) as connection:
        for statement in block(DOCUMENT, "sql").split(";"):
            if statement.strip():
                connection.execute(statement)
        yield place.url.replace(f"tickwell:{IN_URL}", "reader:another%20password")
        connection.execute("DROP OWNED BY reader")
        connection.execute("DROP ROLE reader")


def test_a_role_that_reads_sees_the_status_and_publishes_nothing(file, place, lake, role):
    database = file("a")
    observe(database, range(3))
    share(database, lake)
    observe(database, range(3, 5))
    reader = place.lake(role)

    found = status(reader, Notice(), START)
    with pytest.raises(StoreError) as refused:
        share(database, reader)

    assert found.tables["ticks"].rows == 3
    assert "access is refused" in str(refused.value)
    assert "password" not in str(refused.value)
    assert len(in_lake(lake, "ticks")) == 3


def test_a_role_that_reads_makes_a_file_from_the_lake(file, place, lake, role, tmp_path):
    database, spare = file("a"), Database(tmp_path / "spare.duckdb")
    observe(database, range(3))
    share(database, lake)

    restore_from_lake(place.lake(role), spare)

    assert in_file(spare, "ticks") == in_file(database, "ticks")


def test_the_role_of_readers_that_compose_makes_reads_a_lake_that_is_made_later(file, place):
    content = yaml.safe_load((ROOT / "deploy/lake.compose.yaml").read_text())["configs"]["roles"]["content"]
    with place.server.connected(place.url.rpartition("/")[2]) as connection:
        connection.execute(re.sub(r"\$\{LAKE_READER_PASSWORD.*?\}", "another password", content))
        database = file("a")
        observe(database, range(3))
        share(database, place.make())
        reader = place.lake(place.url.replace(f"tickwell:{IN_URL}", "reader:another%20password"))

        try:
            assert status(reader, Notice(), START).tables["ticks"].rows == 3
        finally:
            connection.execute("DROP OWNED BY reader")
            connection.execute("DROP ROLE reader")


def test_the_example_for_duckdb_and_pandas_reads_the_ticks(file, place, lake, role, monkeypatch):
    database = file("a")
    observe(database, range(3))
    share(database, lake)
    example = block(DOCUMENT, "python")
    example = example.replace('lake.execute("INSTALL ducklake; INSTALL postgres; INSTALL httpfs")\n', "load(lake)\n")
    example = re.sub(r"postgresql://reader:.*?(?=')", role, example)
    store = f"ENDPOINT '{place.keys.endpoint.removeprefix('http://')}', URL_STYLE 'path', USE_SSL false, REGION"
    names: dict[str, Any] = {"load": _load}

    exec(compile(example.replace("REGION", store), "docs/lake.md", "exec"), names)  # noqa: S102 our own example

    assert isinstance(names["lake"], duckdb.DuckDBPyConnection)
    names["lake"].close()
    assert names["ticks"]["price"].tolist() == [row[3] for row in in_file(database, "ticks")]
