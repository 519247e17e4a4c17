"""What is wrong with a lake is one line that says what to do, and has no secret."""

import traceback
from datetime import timedelta

import duckdb
import pytest

from settings import BucketKeys
from store.errors import NewerSchemaError, StoreError
from store.lake import connection, tables
from store.lake.connection import Lake, format_option
from store.lake.extensions import load, package_of
from store.lake.faults import in_one_line
from store.lake.notice import read_notice
from store.models import utc_now
from tests.store.lake.recordings import observe, share
from tests.support.lakes import IMPATIENT, Place
from tests.support.servers import BUCKET, IN_URL, PASSWORD

WRONG = "wrong-password"
SECRETS = (PASSWORD, IN_URL, WRONG, "the secret's key", "another-secret")
ACCESS = "check the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and the rights of the user"


def refusal(lake: Lake) -> str:
    with pytest.raises(StoreError) as refused, lake.open() as cursor:
        tables.origin(cursor)
    assert refused.value.__cause__ is None  # a traceback would show its text
    return str(refused.value)


def note_in_catalog(place: Place, key: str, value: str) -> None:
    with place.server.connected(place.url.rpartition("/")[2]) as server:
        server.execute("UPDATE ducklake_metadata SET value = %s WHERE key = %s", [value, key])


def test_a_wrong_password_is_told_without_it(place):
    assert refusal(place.lake(place.url.replace(IN_URL, WRONG))) == (
        f"{place.lake().where}: PostgreSQL refuses the user or the password: correct TICKWELL_LAKE"
    )


def test_a_database_that_is_not_there_is_told(place):
    url = place.server.url("nowhere")

    assert refusal(place.lake(url)) == 'lake 127.0.0.1/nowhere: FATAL: database "nowhere" does not exist'


def test_a_server_that_is_not_there_is_told(place):
    text = refusal(place.lake(f"postgresql://tickwell:{IN_URL}@127.0.0.1:1/lake"))

    assert text.startswith("lake 127.0.0.1/lake: ")
    assert "Connection refused" in text
    assert [secret for secret in SECRETS if secret in text] == []


def test_a_database_without_a_lake_is_told(place):
    assert refusal(place.lake()) == (
        f"{place.lake().where}: there is no lake yet: python -m poller lake create s3://bucket/folder"
    )


def test_a_lake_is_made_once_and_a_creation_that_was_interrupted_is_repeated(place):
    lake = place.lake()
    with lake.made(place.files):
        pass
    assert refusal(lake) == "the lake has no tables yet: repeat python -m poller lake create"
    place.make()

    with pytest.raises(StoreError, match="the lake exists already, and was left as it is"):
        place.make()


def test_a_lake_keeps_its_place(place, lake):
    with pytest.raises(StoreError) as refused, lake.made(f"s3://{BUCKET}/elsewhere"):
        pass

    assert str(refused.value) == (
        f"{lake.where}: its files are in {place.files}/ already; another place needs another database"
    )


@pytest.mark.parametrize("unset", ["key_id", "endpoint"])
def test_a_lake_may_have_its_files_in_a_folder(place, tmp_path, file, unset):
    database, lake = file("a"), place.lake(**{unset: ""})
    observe(database, [1])

    with lake.made(str(tmp_path / "shared")) as cursor:
        tables.make(cursor, utc_now())
    share(database, lake)

    assert list((tmp_path / "shared").rglob("*.parquet"))


@pytest.mark.parametrize("version", ["9.9", "0.3"])
def test_a_catalog_of_another_version_is_left_as_it_is(place, lake, version):
    note_in_catalog(place, "version", version)

    assert refusal(lake) == (
        f"{lake.where}: its catalog has version {version}, and this DuckDB has 1.0: install the DuckDB of the other "
        "machines"
    )


def test_tables_of_a_newer_version_are_refused(place, lake):
    with lake.open() as cursor:
        cursor.execute("UPDATE lake SET layout = 99")

    with pytest.raises(NewerSchemaError, match="layout 99, and this version knows layouts"), lake.open() as cursor:
        tables.origin(cursor)


def test_a_wrong_bucket_is_told_before_anything_is_made(place):
    with pytest.raises(StoreError) as refused, place.lake().made("s3://no-such-bucket/folder"):
        pass

    assert str(refused.value) == f"{place.lake().where}: its bucket does not exist"
    assert "there is no lake yet" in refusal(place.lake())


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            "HTTP Error: HTTP GET error reading 's3://tickwell/x' in region 'us-east-1' (HTTP 403 Forbidden)",
            f"lake db/x: access is refused: {ACCESS}",
        ),
        (
            'Failed to flush changes: Failed to execute query "INSERT INTO t\nVALUES (1)": ERROR:  disk full',
            "lake db/x: Failed to flush changes: ERROR: disk full",
        ),
        ("no route, password another-secret\n\nLINE 1: …", "lake db/x: no route, password …"),
    ],
)
def test_an_error_is_one_line(error, line):
    assert in_one_line("lake db/x", duckdb.Error(error), ["another-secret"]) == line


def with_a_wrong_password(place: Place, _: pytest.MonkeyPatch) -> Lake:
    return place.lake(place.url.replace(IN_URL, WRONG))


def with_a_missing_extension(place: Place, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setattr(connection, "NAMES", ("ducklake", "of_nobody"))
    return place.lake()


def with_a_newer_catalog(place: Place, _: pytest.MonkeyPatch) -> Lake:
    note_in_catalog(place, "version", "9.9")
    return place.lake()


def with_a_wrong_bucket(place: Place, _: pytest.MonkeyPatch) -> Lake:
    note_in_catalog(place, "data_path", "s3://no-such-bucket/folder/")
    return place.lake()


def with_a_wrong_clock(place: Place, _: pytest.MonkeyPatch) -> Lake:
    return Lake(place.url, place.keys, patience=IMPATIENT, clock=lambda: utc_now() - timedelta(hours=1))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (with_a_wrong_password, "PostgreSQL refuses the user or the password"),
        (with_a_missing_extension, "has no extension of_nobody here"),
        (with_a_newer_catalog, "its catalog has version 9.9"),
        (with_a_wrong_bucket, "its bucket does not exist"),
        (with_a_wrong_clock, "this machine's clock is 1 h behind PostgreSQL's"),
    ],
)
def test_a_publication_that_fails_tells_no_secret_anywhere(file, place, lake, monkeypatch, fault, words):
    database = file("a")
    observe(database, [1])

    with pytest.raises(StoreError, match=words) as refused:
        share(database, fault(place, monkeypatch))

    line, noted = str(refused.value), read_notice(database.path)
    told = "".join(traceback.format_exception(refused.value))
    assert (noted.trouble, noted.shared_to, len(line.splitlines())) == (line, None, 1)
    assert [secret for secret in SECRETS if secret in f"{told} {noted}"] == []


def test_keys_are_in_no_text_of_a_lake():
    keys = BucketKeys("the-key-id", "the secret's key", "another-secret", "", "https://store.example.com")
    lake = Lake(f"postgresql://tickwell:{IN_URL}@127.0.0.1:1/lake", keys)

    assert [secret for secret in SECRETS if secret in f"{lake.where} {keys}"] == []


def test_a_missing_extension_names_the_package_to_install(tmp_path):
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as connection:
        connection.execute("SET extension_directory = $folder", {"folder": str(tmp_path / "installed")})
        connection.execute("SET custom_extension_repository = 'http://127.0.0.1:9'")

        with pytest.raises(StoreError) as refused:
            load(connection, "postgres_scanner", packages=tmp_path)

    version = duckdb.__version__
    assert str(refused.value) == (
        f"DuckDB {version} has no extension postgres_scanner here and can't download it: pip install "
        f"{package_of('postgres_scanner', version)}=={version}"
    )


def test_an_extension_of_a_package_is_tried_before_a_download(tmp_path):
    folder = tmp_path / "duckdb_extension_ducklake/extensions"
    folder.mkdir(parents=True)
    (folder / "ducklake.duckdb_extension").write_bytes(b"no extension")
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as connection:
        connection.execute("SET extension_directory = $folder", {"folder": str(tmp_path / "installed")})
        connection.execute("SET custom_extension_repository = 'http://127.0.0.1:9'")

        with pytest.raises(StoreError, match="has no extension ducklake here"):
            load(connection, "ducklake", packages=tmp_path)


def test_packages_and_formats_go_by_the_version_of_duckdb():
    assert package_of("postgres_scanner", "1.5.5") == "duckdb-extension-postgres-scanner"
    assert package_of("ducklake", "2.0.0") == "duckdb-core-ext-ducklake"
    assert format_option("1.5.5") == ""
    assert format_option("2.0.0") == ", DUCKLAKE_VERSION '1.0'"
