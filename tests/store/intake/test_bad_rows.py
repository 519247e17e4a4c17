"""Bad rows are written to a file of their own, and never over one that is there."""

from pathlib import Path

from tests.store.histories import at
from tests.store.intake.test_kinds import imported
from tests.support.foreign_files import written
from tests.support.rights import without_access

READ_ONLY = 0o500


def with_a_bad_row(path: Path, bad: str = "x") -> Path:
    rows = [(at(1).isoformat(), 1, "btc_usd"), (at(2).isoformat(), bad, "btc_usd")]
    return written(path, "ts,price,index_name", *rows)


def test_a_file_of_bad_rows_that_the_user_mended_is_not_written_over(database, tmp_path):
    path = with_a_bad_row(tmp_path / "a.csv")
    first = imported(database, path).bad_rows
    assert first is not None
    mended = first.read_text().replace(",x,", ",2,")
    first.write_text(mended)

    second = imported(database, path).bad_rows
    again = imported(database, path).bad_rows

    assert first.read_text() == mended
    assert second is not None
    assert (first.name, second) == ("a.csv.bad-rows.csv", tmp_path / "a.csv.bad-rows-2.csv")
    assert ",x," in second.read_text()
    assert again == second
    assert imported(database, first).stored == 1


def test_other_bad_rows_take_a_new_name(database, tmp_path):
    (tmp_path / "a.csv.bad-rows.csv").mkdir()

    names = [imported(database, with_a_bad_row(tmp_path / "a.csv", bad)).bad_rows for bad in ("x", "y")]

    assert names == [tmp_path / "a.csv.bad-rows-2.csv", tmp_path / "a.csv.bad-rows-3.csv"]


def test_bad_rows_of_a_folder_that_may_not_be_written_are_beside_the_database(database, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    path = with_a_bad_row(folder / "a.csv")

    with without_access(folder, READ_ONLY):
        result = imported(database, path)

    assert result.bad_rows is not None
    assert result.bad_rows == database.path.parent / "a.csv.bad-rows.csv"
    assert result.bad_rows.read_text().count("\n") == 2
    assert (result.stored, list(folder.iterdir())) == (1, [path])
