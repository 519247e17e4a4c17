"""Each file that a host reads starts what it says, from what is deployed, and stops it in an orderly way."""

import json
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pages.common.site import PAGES
from settings import ROOT
from tests.hosting.files import INSTALLED, UNIT, copy_into_image, image, services, settings_of, unit
from tests.hosting.stage import BIN, Host, Started, health_under, wait_until_well
from tests.support.dashboard import free_port

ENDED = {0, -signal.SIGTERM}
"""Exit codes of an orderly end. A web server ends by its stop signal, unless it is process number 1."""

_VISIT = """
from pages.common.site import PAGES
from streamlit.testing.v1 import AppTest
for page in PAGES:
    visit = AppTest.from_file("dashboard.py", default_timeout=30).run().switch_page(page.path).run()
    print(page.path, visit.exception, [error.value for error in visit.error])
"""


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
        visits = host.run([sys.executable, "-c", _VISIT], environment | {"TICKWELL_POLLER": "external"})
        code, said = dashboard.stop()

    assert (before.returncode, well.returncode, well.stderr) == (1, 0, "")
    assert under == [200, 200, 421]
    assert "Connection refused" in before.stderr
    assert [line.split(" ", 1)[1] for line in visits.stdout.splitlines()] == ["ElementList() []"] * len(PAGES), (
        visits.stderr
    )
    assert (code in ENDED, host.ends_of_runs()) == (True, [True]), said


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


def test_the_procfile_starts_a_dashboard_and_a_recorder_and_stops_both(host):
    shutil.copy(ROOT / "Procfile", host.app)
    port = free_port()

    with Started(host, ["honcho", "start"], host.environment(PORT=str(port))) as honcho:
        wait_until_well(port)
        under = health_under("prices.example.com", port)
        _, said = honcho.stop()

    assert under == 200
    assert host.ends_of_runs() == [True], said
    assert "stopped, all is written" in said
    assert "Traceback" not in said


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
