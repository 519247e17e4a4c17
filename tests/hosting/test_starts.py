"""Each file that a host reads starts what it says, from what is deployed, and stops it in an orderly way."""

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
import yaml

from pages.common.site import PAGES
from settings import ROOT
from store.prices import ticks
from tests.conftest import wait_until
from tests.hosting.files import INSTALLED, UNIT, copy_into_image, image, services, settings_of, unit
from tests.hosting.stage import BIN, IS_ROOT, NOBODY, Host, Started, health_under, wait_until_well
from tests.support.dashboard import free_port

ENDED = {0, -signal.SIGTERM}
"""Exit codes of an orderly end. A web server ends by its stop signal, unless it is process number 1."""

_VISIT = """
from pages.common.site import PAGES
from streamlit.testing.v1 import AppTest
for page in PAGES:
    visit = AppTest.from_file("dashboard.py", default_timeout=30).switch_page(page.path).run()
    print(page.path, visit.exception, [error.value for error in visit.error])
"""


# In a container of compose.yaml everything but the volume and a folder for temporary files is read-only.
_READ_ONLY = (
    *("unshare", "--mount", "sh", "-c"),
    'mount --bind data data && mount -t tmpfs tmpfs /var/tmp && mount -o remount,ro,bind / && exec "$@"',
    "sh",
)


@pytest.fixture
def host(tmp_path, simulator):
    """A folder with the files of the image, and no others."""
    app = tmp_path / "copy"
    app.mkdir()
    copy_into_image(app)
    for file in (ROOT / "deploy").glob("*.env"):  # Compose reads them, not the image
        shutil.copy(file, app / "deploy")
    host = Host(app, simulator.url)
    host.give_data()
    return host


def here(words: list[str], app: Path, port: int) -> list[str]:
    """A command of the image, adapted to the host's folder and a free port."""
    return [word.replace("8501", str(port)).replace(image().workdir, str(app)) for word in words]


def start(host: Host, service: Mapping[str, Any], port: int) -> Started:
    """A service of compose.yaml, as process number 1."""
    command = here(service.get("command", image().start), host.app, port)
    return Started(host, command, in_service(host, service), contained=True)


def in_service(host: Host, service: Mapping[str, Any]) -> dict[str, str]:
    of_image = {name: value.replace(image().workdir, str(host.app)) for name, value in image().environment.items()}
    return host.environment(**of_image, **settings_of(service, host.app))


def test_the_image_records_says_that_it_is_well_and_ends_its_run_when_it_is_stopped(host):
    (service,) = services().values()
    environment, port = in_service(host, service), free_port()
    check = here(image().check, host.app, port)
    before = host.run(check, environment)

    with start(host, service, port) as dashboard:
        wait_until_well(port)
        well = host.run(check, environment)
        under = [health_under(name, port) for name in ("localhost", "192.0.2.7", "evil.example")]
        alive = [health_under("192.0.2.7", port, path) for path in probes()]
        visits = host.run([sys.executable, "-c", _VISIT], environment | {"TICKWELL_POLLER": "external"})
        code, said = dashboard.stop()

    assert (before.returncode, well.returncode, well.stderr) == (1, 0, "")
    assert under == [200, 200, 421]
    assert alive == [200, 200]
    assert "Connection refused" in before.stderr
    assert [line.split(" ", 1)[1] for line in visits.stdout.splitlines()] == ["ElementList() []"] * len(PAGES), (
        visits.stderr
    )
    assert (code in ENDED, host.ends_of_runs()) == (True, [True]), said


def probes() -> list[str]:
    """The paths that the example for Kubernetes probes."""
    (pod,) = map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/hosting.md").read_text(), re.DOTALL))
    (container,) = pod["spec"]["template"]["spec"]["containers"]
    return [container[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe")]


def test_files_get_into_the_container_and_out_of_it_as_the_page_on_docker_says(host, tmp_path):
    (service,) = services().values()
    page = (ROOT / "docs/docker.md").read_text().partition("## Files in and out")[2].partition("\n## ")[0]
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "prices.csv").write_text("ts,price\n2026-11-01T12:00:00Z,100\nnever,1\n")
    (outside / "prices.csv").chmod(0o600)
    docker = outside / "docker"  # `docker compose exec [-T] dashboard COMMAND` runs the command in the container
    in_it = shlex.join((*_READ_ONLY, *NOBODY) if IS_ROOT else ())
    docker.write_text(f'#!/bin/sh\nshift 2\n[ "$1" = -T ] && shift\nshift\ncd {host.app}\nexec {in_it} "$@"\n')
    docker.chmod(0o755)
    environment = in_service(host, service)
    environment["PATH"] = f"{outside}:{environment['PATH']}"

    for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL):
        done = subprocess.run(
            ["sh", "-e", "-c", block], cwd=outside, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    assert len(pq.read_table(outside / "btc_usd.parquet")) == 1
    assert "never" in (outside / "bad-rows.csv").read_text()
    assert not [path.name for path in (host.app / "data").iterdir() if path.suffix in {".parquet", ".json"}]


def test_the_profile_has_a_recorder_and_a_dashboard_that_shows_what_it_records(host):
    two, port = services("recorder"), free_port()
    environment = in_service(host, two["recorder"])
    kind, check = two["recorder"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    before = host.run(["sh", "-c", check], environment)

    with start(host, two["recorder"], port) as recorder, start(host, two["dashboard"], port) as dashboard:
        wait_until_well(port)
        well = host.run(["sh", "-c", check], environment)
        report = json.loads(host.run(["python", "-m", "poller", "status", "--json"], environment).stdout)
        ends = dashboard.stop(), recorder.stop()

    assert (before.returncode, well.returncode, well.stderr) == (1, 0, "")
    assert report["poller"]["mode"] == "external"
    assert ({code for code, _ in ends} <= ENDED, host.ends_of_runs()) == (True, [True]), ends


def test_the_procfile_starts_a_dashboard_and_a_recorder_that_share_a_file_and_stops_both(host):
    shutil.copy(ROOT / "Procfile", host.app)
    port = free_port()

    with Started(host, ["honcho", "start"], host.environment(PORT=str(port))) as honcho:
        wait_until_well(port)
        under = health_under("prices.example.com", port)
        answers = answers_during_slots(port, 5)
        _, said = honcho.stop()

    assert under == 200
    assert {answer.status_code for answer in answers} == {200}
    assert host.ends_of_runs() == [True], said
    assert "stopped, all is written" in said
    assert not re.search(r"lock|Traceback", said)
    with host.database.read() as cursor:
        recorded = [int(each.ts.timestamp()) for each in ticks.newest_first(cursor, "btc_usd", 999) if each.received_at]
    assert recorded == list(range(recorded[0], recorded[-1] - 1, -1))


def answers_during_slots(port: int, slots: int) -> list[httpx.Response]:
    """The answers of a dashboard, asked for its newest price until that many more slots are recorded."""
    answers: list[httpx.Response] = []

    def times() -> set[int]:
        answers.append(client.get("/api/prices/btc_usd/latest"))
        return {answer.json()["timestamp"] // 1000 for answer in answers if answer.is_success}

    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        wait_until(lambda: len(times()) > slots, look_again_s=0.05)
    return answers


def test_the_procfile_alone_records_where_processes_share_no_disk(host):
    (web,) = [line for line in (ROOT / "Procfile").read_text().splitlines() if line.startswith("web: ")]
    port = free_port()
    environment = host.environment(PORT=str(port), TICKWELL_POLLER="embedded")

    with Started(host, ["sh", "-c", web.removeprefix("web: ")], environment) as dashboard:
        wait_until_well(port)
        code, said = dashboard.stop()

    assert (code in ENDED, host.ends_of_runs()) == (True, [True]), said


def test_the_unit_of_systemd_records_into_the_one_folder_that_it_may_write(host):
    (command,) = unit()["ExecStart"]
    folder = str(host.app / "data")
    settings = dict(line.replace("/var/lib/tickwell", folder).split("=", 1) for line in unit()["Environment"])
    port = free_port()
    words = [word.replace(f"{INSTALLED}/.venv/bin", str(BIN)) for word in shlex.split(command)]

    settings["STREAMLIT_BROWSER_SERVER_ADDRESS"] = "prices.example.com"

    with Started(host, [*words, "--server.port", str(port)], host.environment(**settings)) as dashboard:
        wait_until_well(port)
        under = [health_under(name, port) for name in ("localhost", "prices.example.com", "evil.example")]
        code, said = dashboard.stop()

    assert under == [200, 200, 421]
    assert unit()["WorkingDirectory"] == [str(INSTALLED)]
    assert unit()["ReadWritePaths"] == ["/var/lib/tickwell"]
    assert (code in ENDED, host.ends_of_runs()) == (True, [True]), said


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_knows_each_setting_of_the_unit(tmp_path):
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace(f"{INSTALLED}/.venv/bin", str(BIN)).replace(str(INSTALLED), str(ROOT)))

    verified = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)

    assert (verified.returncode, verified.stderr) == (0, "")
