"""The image has what the project needs, and no other file."""

import io
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from typing import Any

import pytest
import yaml
from apprise import Apprise
from dotenv import dotenv_values
from honcho import environ

from settings import PREFIX, ROOT, Settings, load
from tests.hosting.files import UNIT, image, sent_to_the_builder, services, settings_of, unit
from tests.hosting.stage import USER
from tests.support.rooms import ARROWS

_LIST = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]

# Files that may lie in a project's folder and must not get into an image.
SECRETS = [
    ".env",
    ".git/config",
    ".streamlit/secrets.toml",
    ".venv/bin/python",
    ".venv-old-duckdb/bin/python",
    "data/README.md",
    "data/ticks.duckdb",
    "data/exports/btc.parquet",
    "deploy/id_rsa",
    "notes.txt",
    "pages/__pycache__/overview.cpython-313.pyc",
    "pages/common/__pycache__/text.cpython-313.pyc",
    "tests/test_docs.py",
]


@pytest.fixture
def project(tmp_path):
    """The project's files, with secrets among them."""
    listed = subprocess.run(_LIST, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in [*listed.splitlines(), *SECRETS]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            shutil.copy(ROOT / name, tmp_path / name)
        else:
            (tmp_path / name).touch()
    return tmp_path


def test_the_image_has_each_part_of_the_project_and_nothing_else(project):
    parts = [path for part in ARROWS for path in (project / part, *(project / part).rglob("*")) if path.is_file()]
    code = {str(path.relative_to(project)) for path in parts if "__pycache__" not in path.parts}

    sent = sent_to_the_builder(project)

    assert sent == code | {"requirements.txt", ".streamlit/config.toml", "deploy/healthcheck.py", "alerts.example.toml"}
    assert not sent & set(SECRETS)


def test_the_python_of_the_image_is_one_that_is_supported():
    found = re.fullmatch(r"python:3\.(\d+)-slim", image().base)

    assert found is not None
    assert 11 <= int(found[1]) <= 13


def test_the_image_runs_as_a_user_without_rights_and_keeps_its_data_in_the_volume():
    assert image().user == str(USER) != "0"
    assert image().volume == f"{image().workdir}/{Settings.model_fields['database'].default.parent}"


@pytest.mark.parametrize(
    ("profiles", "in_env", "pollers"),
    [
        ((), None, {"dashboard": None}),
        ((), "external", {"dashboard": "external"}),
        (("recorder",), None, {"dashboard": "external", "recorder": None}),
        (("recorder",), "embedded", {"dashboard": "external", "recorder": "embedded"}),
        (("recorder", "more"), "", {"dashboard": "external", "recorder": ""}),
    ],
)
def test_the_env_file_decides_who_records_unless_the_profile_has_a_recorder(project, profiles, in_env, pollers):
    (project / ".env").write_text("" if in_env is None else f"TICKWELL_POLLER={in_env}\n")

    started = services(*profiles)

    assert {name: settings_of(each, project).get("TICKWELL_POLLER") for name, each in started.items()} == pollers


@pytest.mark.parametrize("profiles", [(), ("recorder",)])
def test_each_service_may_write_the_volume_alone_and_has_time_to_stop(profiles):
    for service in services(*profiles).values():
        assert service["stop_grace_period"] == "45s"
        assert service["volumes"] == [f"data:{image().volume}"]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])


def test_the_unit_restarts_the_recorder_after_any_end_and_gives_it_time_to_stop():
    assert unit()["Restart"] == ["always"]
    assert "StartLimitIntervalSec=0" in UNIT.read_text().splitlines()
    assert 30 < int(unit()["TimeoutStopSec"][0]) < 90


def test_the_dashboard_of_compose_can_be_reached_from_this_machine_alone():
    assert services()["dashboard"]["ports"] == ["127.0.0.1:8501:8501"]
    assert "localhost" in unit()["ExecStart"][0].split()


def test_the_template_of_secrets_has_settings_that_a_start_accepts(tmp_path, monkeypatch):
    page = (ROOT / "docs/streamlit-cloud.md").read_text()
    template = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert template is not None
    secrets = tmp_path / "secrets.toml"
    secrets.write_text(template[1])
    monkeypatch.setitem(Settings.model_config, "toml_file", [secrets])

    loaded = load()

    given = {name.removeprefix(PREFIX).lower() for name in tomllib.loads(template[1])}
    assert given <= loaded.model_fields_set
    assert {"indexes", "poll_seconds"} <= given


def of_tickwell(line: str) -> object:
    return dict(dotenv_values(stream=io.StringIO(line))).get("NAME")


def of_honcho(line: str) -> object:
    return environ.parse(line).get("NAME")


def of_docker_run(line: str) -> object:
    """As `docker run` and, but for quotes and backslashes, systemd take it: all after the first `=`."""
    name, _, value = line.partition("=")
    return value if name == "NAME" else None


def test_a_line_as_the_page_on_settings_shows_it_means_the_same_to_all():
    page = (ROOT / "docs/settings.md").read_text().partition("## One .env for all")[2]
    (block,) = re.findall(r"```sh\n(.*?)```", page.partition("\n## ")[0], re.DOTALL)

    for shown in block.splitlines():
        line = f"NAME={shown.partition('=')[2]}"
        assert of_tickwell(line) == of_honcho(line) == of_docker_run(line)
        assert not set(line) & set("'\"\\$# ")
    mail: Any = Apprise.instantiate("mailtos://me:pa%24%24w%23rd@example.com")
    assert (mail.user, mail.password) == ("me", "pa$$w#rd")


@pytest.mark.parametrize(
    ("line", "tickwell", "honcho"),
    [
        ("export NAME=x", "x", None),
        ("NAME='x'", "x", "x"),
        ("NAME=x # comment", "x", "x"),
        ("NAME=x, y", "x, y", "x,y"),
        ("NAME=a${NOWHERE}b", "ab", "a${NOWHERE}b"),
        ("NAME=a#b", "a#b", "a"),
        ('NAME=a"b"c', 'a"b"c', "abc"),
        ("NAME=a\\b", "a\\b", "ab"),
    ],
)
def test_each_sign_that_the_page_on_settings_warns_of_means_different_things(line, tickwell, honcho):
    assert (of_tickwell(line), of_honcho(line)) == (tickwell, honcho)
    assert len({tickwell, honcho, of_docker_run(line)}) > 1


@pytest.mark.parametrize("page", ["docker", "procfile", "streamlit-cloud", "systemd"])
def test_each_page_on_hosting_is_reached_from_the_readme(page):
    assert "](docs/hosting.md)" in (ROOT / "README.md").read_text()
    assert f"]({page}.md)" in (ROOT / "docs/hosting.md").read_text()


def test_the_workflow_does_all_checks_on_each_push_and_pull_request():
    workflow = yaml.safe_load((ROOT / ".github/workflows/checks.yml").read_text())
    commands = [step["run"] for step in workflow["jobs"]["checks"]["steps"] if "run" in step]

    assert workflow[True].keys() == {"push", "pull_request"}  # YAML reads the word `on` as true
    assert commands[-1] == ".ci/run"
    assert os.access(ROOT / ".ci/run", os.X_OK)


def test_the_pre_commit_hooks_are_the_projects_own_tools():
    (own,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    programs = [shlex.split(hook["entry"])[0] for hook in own["hooks"]]

    assert own["repo"] == "local"
    assert set(programs) == {".venv/bin/ruff", ".venv/bin/mypy"}
    assert {hook["language"] for hook in own["hooks"]} == {"system"}
