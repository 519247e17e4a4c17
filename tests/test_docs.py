"""The documents say what is true."""

import re
import shlex
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

from poller.commands.main import main
from settings import PREFIX, ROOT, VERSION, Settings
from store.alerts.rules.bounded import Bounded
from store.alerts.rules.condition import Condition
from store.alerts.rules.kinds import KINDS
from store.alerts.rules.rules import Rule
from store.file.database import Database
from tests.support.documents import table
from tests.support.rooms import ARROWS, ROOMS

README = (ROOT / "README.md").read_text()
ALERTS = (ROOT / "docs/alerts.md").read_text()
TABLES = (ROOT / "data/README.md").read_text()

MOST_README_BYTES = 9_000
"""A newcomer reads it in three minutes."""

DOCUMENTS = [
    *("README.md", "CONTRIBUTING.md", "data/README.md"),
    *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))),
]

LINK = r"\]\((?!http)([^)#]+)"


def default(field: str) -> str:
    value = Settings.model_fields[field].default
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return ""
    return ",".join(value) if isinstance(value, tuple) else str(value)


SETTINGS = [[PREFIX + name.upper(), default(name), field.description] for name, field in Settings.model_fields.items()]


def test_the_readme_stays_short():
    assert len(README.encode()) <= MOST_README_BYTES


def test_the_page_on_settings_lists_each_with_its_default_and_meaning():
    assert table((ROOT / "docs/settings.md").read_text(), "# Settings") == [
        [name, f"`{value}`" if value else "–", meaning] for name, value, meaning in SETTINGS
    ]


def test_the_example_file_lists_each_setting_with_its_default():
    lines = [line.removeprefix("# ") for line in (ROOT / ".env.example").read_text().splitlines() if "=" in line]

    assert lines == [f"{name}={value}" for name, value, _ in SETTINGS]


def test_each_setting_that_a_document_sets_exists():
    names = {name for name, *_ in SETTINGS}

    for path in DOCUMENTS:
        assert set(re.findall(rf"\b{PREFIX}(?!NAME)[A-Z_]+", (ROOT / path).read_text())) <= names, path


def test_the_page_on_the_command_line_lists_exactly_the_commands_that_there_are():
    rows = table((ROOT / "docs/commands.md").read_text(), "# Command line")
    listed = set(re.findall(r"`python -m poller ([a-z]+)", "\n".join(map(str, rows))))

    assert listed == set(main.list_commands(click.Context(main)))


@pytest.mark.parametrize("path", DOCUMENTS)
def test_each_command_and_option_that_a_document_shows_exists(path):
    text = (ROOT / path).read_text()
    for line in re.findall(r"^(?:\.venv/bin/)?python -m poller .*$", text, re.MULTILINE):
        words = shlex.split(line, comments=True)
        command = main.get_command(click.Context(main), words[3])
        assert command is not None, words[3]
        if isinstance(command, click.Group):
            command = command.commands[words[4]]
        assert {word for word in words if word.startswith("-")} - {"-m"} <= {
            option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
        }


def test_each_make_target_that_a_document_names_exists_and_contributing_names_all():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        path: set(re.findall(r"(?:`|^)make ([a-z-]+)", (ROOT / path).read_text(), re.MULTILINE)) for path in DOCUMENTS
    }

    assert {path: names - targets for path, names in named.items() if names - targets} == {}
    assert {"run", "demo", "test"} <= named["README.md"]
    assert named["CONTRIBUTING.md"] == targets


@pytest.mark.parametrize("path", DOCUMENTS)
def test_each_file_that_a_document_links_or_shows_exists(path):
    text = (ROOT / path).read_text()
    named = re.findall(LINK, text) + re.findall(r'(?:src|srcset)="([^"]+)"', text)

    assert [name for name in named if not (ROOT / path).parent.joinpath(name).exists()] == []


def test_contributing_lists_each_part_and_room():
    rows = table((ROOT / "CONTRIBUTING.md").read_text(), "## Rooms")
    rooms = {f"{part}.{room}".replace(".", "/") for part, its in ROOMS.items() for room in its}

    assert [row[0].strip("`") for row in rows if not row[1]] == []
    assert {row[0].strip("`") for row in rows} == rooms | set(ARROWS)


def test_the_index_of_the_documents_links_each_of_them():
    linked = {(ROOT / "docs" / name).resolve() for name in re.findall(LINK, (ROOT / "docs/README.md").read_text())}

    assert {(ROOT / path).resolve() for path in DOCUMENTS} - linked == {ROOT / "docs/README.md"}
    assert "](docs/README.md)" in README


def test_each_table_is_described_with_its_columns_and_types(database: Database):
    with database.read() as cursor:
        stored = cursor.execute(
            """
            SELECT table_name, column_name, data_type
            FROM duckdb_columns()
            WHERE schema_name = 'main'
              AND NOT internal
            ORDER BY table_name, column_index
            """
        ).fetchall()
    tables = {name: [list(column) for _, *column in stored if _ == name] for name, *_ in stored}

    described = {
        name: [row[:2] for row in table(TABLES, f"## {names}\n")]
        for names in re.findall(r"^## (\w+(?:, \w+)*)", TABLES, re.MULTILINE)
        for name in names.split(", ")
    }

    assert described == tables


def test_the_changelog_begins_with_this_version():
    first = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert first is not None
    assert first.group(1) == VERSION


def test_the_python_example_of_the_readme_reads_the_ticks(database: Database, monkeypatch, capsys):
    example = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert example is not None
    with database.write() as cursor:
        cursor.execute("INSERT INTO ticks VALUES ('btc_usd', '2026-11-01', NULL, 101515.7, 'live', 0)")
    monkeypatch.setenv("TICKWELL_DATABASE", str(database.path))

    exec(compile(example.group(1), str(Path("README.md")), "exec"), {})  # noqa: S102 our own example, run as a reader would

    assert "101515.7" in capsys.readouterr().out


def fields(model: type[BaseModel], names: Collection[str]) -> list[list[str]]:
    found = []
    for name, field in model.model_fields.items():
        if name in names:
            value = "" if field.is_required() or field.default in {None, ()} else written(field.default)
            found.append([name, f"`{value}`" if value else "–", field.description or ""])
    return found


def written(value: object) -> str:
    if isinstance(value, timedelta):
        minutes, seconds = divmod(value // timedelta(seconds=1), 60)
        return f"{minutes}m" if minutes and not seconds else f"{60 * minutes + seconds}s"
    return str(value).lower()


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_on_alerts_lists_each_field_of_a_kind(kind):
    model = KINDS[kind]
    shared: type[Rule] = Condition if issubclass(model, Condition) else Rule
    shared = Bounded if issubclass(model, Bounded) else shared
    common = fields(shared, set(shared.model_fields) - {"hysteresis"})
    own = [row for row in fields(model, set(model.model_fields) - {"kind"}) if row not in common]

    assert sorted(table(ALERTS, f"### {kind}\n")) == sorted(own)


def test_the_page_on_alerts_lists_what_all_rules_share():
    common = fields(Condition, set(Condition.model_fields) - set(Rule.model_fields))

    assert table(ALERTS, "## Rules") == fields(Rule, Rule.model_fields)
    assert table(ALERTS, "All kinds but `gap`") == [
        ["hysteresis", "by kind", row[2]] if row[0] == "hysteresis" else row for row in common
    ]
    assert table(ALERTS, "## Numbers of a market") == fields(
        Bounded, set(Bounded.model_fields) - set(Condition.model_fields)
    )
