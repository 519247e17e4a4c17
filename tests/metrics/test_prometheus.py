"""A real Prometheus, as Debian packages it, scrapes real recorders and dashboards as docs/prometheus.yml says."""

import json
import math
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from poller.simulator.faults import Fault
from poller.simulator.server import Simulator
from settings import ROOT
from store.file.database import Database
from store.health import checks
from store.lake.notice import Notice, desk
from store.market import chains
from store.models import utc_now
from tests.conftest import Program, wait_until
from tests.support.dashboard import dashboard_at, free_port
from tests.support.documents import table
from tests.support.market import chain

CONFIGURATION = (ROOT / "docs/prometheus.yml").read_text()
DASHBOARD = json.loads((ROOT / "docs/grafana-dashboard.json").read_text())
ALERTS = [row[0].strip("`") for row in table((ROOT / "docs/metrics.md").read_text(), "| expression |")]

EXPRESSIONS = {
    f"{panel['title']}, {target['refId']}": target["expr"]
    for panel in DASHBOARD["panels"]
    for target in panel["targets"]
}
TWO_PROCESSES, ONE_PROCESS = "tickwell|tickwell-recorder", "tickwell-embedded"
EMBEDDED = """
  - job_name: tickwell-embedded
    metrics_path: /api/metrics
    static_configs:
      - targets: ["localhost:{port}"]
"""

Series = list[dict[str, Any]]


def program(name: str) -> str:
    """The path of a program of Prometheus. Without it a test is skipped, or fails if REQUIRE_PROMETHEUS is set."""
    path = shutil.which(name)
    if path is None:
        reason = f"no {name} was found on the PATH"
        if os.environ.get("REQUIRE_PROMETHEUS"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


NOWHERE = "postgresql://nobody@127.0.0.1:9/lake"
"""A lake that a dashboard without a recorder tells of, and does not ask."""


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus with its targets; the exchange of each job can be made to fail."""

    url: str
    targets: dict[str, str]
    exchanges: dict[str, Simulator]

    def query(self, expression: str) -> Series:
        """The answer of Prometheus to a query, now."""
        reply = httpx.get(f"{self.url}/api/v1/query", params={"query": expression})
        answer = reply.json()
        assert answer["status"] == "success", answer
        found: Series = answer["data"]["result"]
        return found

    def numbers(self, expression: str) -> dict[tuple[str, ...], float]:
        """The values of its answer by the values of their labels, without NaN."""
        values = {
            tuple(series["metric"][name] for name in sorted(series["metric"])): float(series["value"][1])
            for series in self.query(expression)
        }
        return {labels: value for labels, value in values.items() if not math.isnan(value)}


@contextmanager
def prometheus_at(port: int, configuration: str, folder: Path) -> Iterator[str]:
    (folder / "prometheus.yml").write_text(configuration)
    command = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, cwd=folder) as process:
        try:
            wait_until(lambda: answers(f"http://127.0.0.1:{port}/-/ready"), timeout_s=30)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


def with_a_market(path: Path) -> Path:
    """A new database with a chain and its checks, as a recorder of markets would have stored them; it is shared."""
    database, now = Database(path), utc_now()
    database.migrate()
    with database.write() as cursor:
        chains.append(cursor, [chain("BTC", now.replace(second=0, microsecond=0))])
        checks.note(cursor, checks.due(cursor, now))
    with desk(path) as place:
        place.put(Notice(shared_to=now))
    return path


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that scrapes a dashboard, a recorder, and a dashboard that records, each second."""
    program("prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    apart, embedded, headless, own = (free_port() for _ in range(4))
    with Simulator(limits=False) as exchange, Simulator(limits=False) as other:
        path = with_a_market(folder / "apart.duckdb")
        settings: dict[str, Any] = {"database": path, "deribit_url": exchange.url, "poll_seconds": 3}
        alone: dict[str, Any] = {"database": folder / "embedded.duckdb", "deribit_url": other.url, "poll_seconds": 3}
        configuration = CONFIGURATION + EMBEDDED.format(port=embedded)
        for shown, used in (("localhost:8501", f"localhost:{apart}"), ("localhost:9464", f"localhost:{headless}")):
            assert shown in configuration
            configuration = configuration.replace(shown, used)
        with (
            Program("poller", **settings, metrics_port=headless),
            # The dashboards share the recorder's setting, as they would its .env, and leave its port alone.
            dashboard_at(apart, **settings, poller="external", metrics_port=headless, lake=NOWHERE),
            dashboard_at(embedded, **alone, metrics_port=headless),
            prometheus_at(own, configuration.replace("scrape_interval: 15s", "scrape_interval: 1s"), folder) as url,
        ):
            targets = {
                "tickwell": f"http://localhost:{apart}/api/metrics",
                "tickwell-recorder": f"http://localhost:{headless}/metrics",
                "tickwell-embedded": f"http://localhost:{embedded}/api/metrics",
            }
            yield Prometheus(url, targets, {TWO_PROCESSES: exchange, ONE_PROCESS: other})


def filled_in(expression: str, job: str) -> str:
    """An expression as Grafana sends it, with the chosen jobs and a window that fits the range."""
    return expression.replace("$job", job).replace("$__rate_interval", "10s")


def test_each_target_of_the_example_is_scraped(prometheus: Prometheus):
    wait_until(lambda: len(prometheus.numbers("up == 1")) == 3, timeout_s=30)

    assert {labels[-1] for labels in prometheus.numbers("up == 1")} == prometheus.targets.keys()


@pytest.mark.parametrize("job", [TWO_PROCESSES, ONE_PROCESS], ids=["two processes", "one process"])
@pytest.mark.parametrize("where", EXPRESSIONS)
def test_each_expression_of_the_dashboard_returns_a_series(prometheus: Prometheus, where: str, job: str):
    expression = filled_in(EXPRESSIONS[where], job)

    assert "$" not in expression
    assert wait_until(lambda: prometheus.numbers(expression), timeout_s=40, look_again_s=0.1)


@pytest.mark.parametrize("job", [TWO_PROCESSES, ONE_PROCESS], ids=["two processes", "one process"])
def test_an_exchange_that_fails_shows_as_retries_failed_polls_and_missed_slots(prometheus: Prometheus, job: str):
    wait_until(lambda: prometheus.numbers(f'tickwell_polls_total{{job=~"{job}", outcome="ok"}} > 0'), timeout_s=30)
    faults = prometheus.exchanges[job].faults
    price = "get_index_price"

    def total(panel: str) -> float:
        shown = prometheus.numbers(filled_in(EXPRESSIONS[panel], job))
        return sum(value for labels, value in shown.items() if labels != ("ok",))

    faults.add(Fault("error", method=price, code=13028, message="temporarily_unavailable", times=1))
    wait_until(lambda: total("Retries, A") > 0, timeout_s=20)
    faults.add(Fault("error", method=price, code=-32602, message="Invalid params", times=1))

    assert wait_until(lambda: total("Polls a second, by outcome, A") > 0, timeout_s=20)
    assert wait_until(lambda: total("Missed slots, by cause, A") > 0, timeout_s=20)


@pytest.mark.parametrize(
    "metric", ["tickwell_ticks_stored_total", "tickwell_missed_slots_total", "tickwell_gap_seconds"]
)
def test_both_processes_give_the_same_metrics_of_the_file(prometheus: Prometheus, metric: str):
    told = f'without (job, instance) ({metric}{{job=~"{TWO_PROCESSES}", index_name="btc_usd"}})'
    alike = f"(max {told} == min {told}) and (count {told} == 2)"

    assert wait_until(
        lambda: len(prometheus.query(alike)) == len(prometheus.query(f"max {told}")) > 0, timeout_s=30, look_again_s=0.1
    )


@pytest.mark.parametrize("expression", ALERTS)
def test_each_alert_can_be_evaluated_and_uses_metrics_that_exist(prometheus: Prometheus, expression: str):
    prometheus.query(expression)

    for name in re.findall(r"tickwell_\w+", expression):
        assert wait_until(partial(prometheus.query, name), timeout_s=30)


@pytest.mark.parametrize("job", ["tickwell", "tickwell-recorder", "tickwell-embedded"])
def test_promtool_finds_nothing_wrong_with_the_metrics(prometheus: Prometheus, job: str):
    text = httpx.get(prometheus.targets[job]).content

    checked = subprocess.run([program("promtool"), "check", "metrics"], input=text, capture_output=True, check=False)

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_promtool_finds_nothing_wrong_with_the_example():
    assert promtool_checks(ROOT / "docs/prometheus.yml")


def test_promtool_finds_nothing_wrong_with_the_example_that_sends_a_token(tmp_path: Path):
    token = tmp_path / "token"
    token.write_text("a-token-for-the-api")
    sending = re.sub(r"^(\s*)# (authorization:|  credentials_file:)", r"\1\2", CONFIGURATION, flags=re.MULTILINE)
    (tmp_path / "prometheus.yml").write_text(sending.replace("/etc/prometheus/tickwell-token", str(token)))

    assert "\n    authorization:\n      credentials_file: " in sending
    assert promtool_checks(tmp_path / "prometheus.yml")


def promtool_checks(configuration: Path) -> bool:
    command = [program("promtool"), "check", "config", str(configuration)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    return "SUCCESS" in checked.stdout
