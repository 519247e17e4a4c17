"""Grafana understands the dashboard."""

import json
from collections.abc import Iterator
from typing import Any

from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from settings import ROOT

DASHBOARD: dict[str, Any] = json.loads((ROOT / "docs/grafana-dashboard.json").read_text())
COLUMNS = 24


def not_understood(given: Any, read: Any, path: str = "") -> Iterator[str]:
    """The parts of a document that are missing or different after Grafana's schema read it."""
    if isinstance(given, dict) and isinstance(read, dict):
        for key, its in given.items():
            yield from not_understood(its, read.get(key), f"{path}/{key}")
    elif isinstance(given, list) and isinstance(read, list) and len(given) == len(read):
        for number, pair in enumerate(zip(given, read, strict=True)):
            yield from not_understood(*pair, f"{path}/{number}")
    elif given != read:
        yield f"{path}: {given!r} was read as {read!r}"


def test_grafanas_own_schema_knows_every_field_of_the_dashboard():
    plugins.register_default_plugins()

    read = json.loads(JSONEncoder().encode(Dashboard.from_json(DASHBOARD)))

    assert list(not_understood(DASHBOARD, read)) == []


def test_each_panel_has_a_title_a_description_and_a_place_of_its_own():
    places = set[tuple[int, int]]()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        its = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}

        assert panel["title"]
        assert panel["description"]
        assert not its & places
        assert at["x"] + at["w"] <= COLUMNS
        places |= its

    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_every_query_goes_to_the_prometheus_and_the_jobs_that_are_chosen_at_the_top():
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    queries = [target for panel in DASHBOARD["panels"] for target in panel["targets"]]

    assert variables.keys() == {"datasource", "job"}
    assert {query["datasource"]["uid"] for query in queries} == {"${datasource}"}
    assert [
        query["expr"] for query in queries if query["expr"].count('job=~"$job"') != query["expr"].count("tickwell_")
    ] == []
