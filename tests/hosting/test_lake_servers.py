"""The servers of a shared lake, as Compose starts them."""

import json
import os
import subprocess
from typing import Any

import pytest
import yaml

from settings import ROOT

GIVEN = {
    "LAKE_PASSWORD": "a",
    "LAKE_READER_PASSWORD": "b",
    "LAKE_SECRET_KEY": "c",
    "LAKE_READER_SECRET_KEY": "d",
}


def expanded(**variables: str) -> subprocess.CompletedProcess[str]:
    """The file as Compose reads it; the shell expands ${…} likewise."""
    script = f"cat <<END\n{(ROOT / 'deploy/lake.compose.yaml').read_text()}\nEND\n"
    environment = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run(["sh"], input=script, env=environment, capture_output=True, text=True, check=False)


def servers(**variables: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(expanded(**GIVEN, **variables).stdout)
    return found


@pytest.mark.parametrize("missing", GIVEN)
def test_servers_without_one_of_their_passwords_are_not_started(missing):
    done = expanded(**{name: value for name, value in GIVEN.items() if name != missing})

    assert done.returncode != 0
    assert missing in done.stderr


def test_servers_hear_this_machine_alone_unless_another_address_is_named():
    def addresses(**variables: str) -> set[str]:
        services = servers(**variables)["services"].values()
        return {port.rpartition(":")[0].rpartition(":")[0] for each in services for port in each["ports"]}

    assert addresses() == {"127.0.0.1"}
    assert addresses(LAKE_ADDRESS="10.0.0.5") == {"10.0.0.5"}


def test_the_bucket_has_a_key_that_writes_and_one_that_only_reads():
    keys = json.loads(servers()["configs"]["keys"]["content"])["identities"]

    secrets = {each["name"]: [pair["secretKey"] for pair in each["credentials"]] for each in keys}
    actions = {each["name"]: set(each["actions"]) for each in keys}
    assert secrets == {"recorders": ["c"], "readers": ["d"]}
    assert {"Read", "Write", "List"} <= actions["recorders"]
    assert actions["readers"] == {"Read:tickwell", "List:tickwell"}


def test_what_servers_keep_is_in_volumes_and_what_they_are_told_is_there():
    file = servers()

    for name, service in file["services"].items():
        (volume,) = service["volumes"]
        assert volume.split(":")[0] == name
        assert name in file["volumes"]
        assert {each["source"] for each in service["configs"]} <= file["configs"].keys()
