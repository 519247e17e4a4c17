"""The files that hosts read, parsed as far as the tests need it."""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from docker.utils import exclude_paths
from dotenv import dotenv_values

from settings import ROOT

UNIT = ROOT / "deploy/tickwell.service"
INSTALLED = Path("/opt/tickwell")
"""The folder in which the unit expects the project."""


@dataclass(frozen=True)
class Image:
    """What the Dockerfile makes: its base, its variables, the commands that start and check it, its user and volume."""

    base: str
    environment: dict[str, str]
    start: list[str]
    check: list[str]
    user: str
    volume: str
    workdir: str


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """Each instruction of a Dockerfile with what follows it, in order."""
    lines = [line for line in dockerfile.splitlines() if line and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in joined)]


def image() -> Image:
    said = dict(instructions((ROOT / "Dockerfile").read_text()))
    _, _, check = said["HEALTHCHECK"].partition(" CMD ")
    return Image(
        base=said["FROM"],
        environment=dict(pair.split("=", 1) for pair in shlex.split(said["ENV"])),
        start=json.loads(said["CMD"]),
        check=json.loads(check),
        user=said["USER"],
        volume=said["VOLUME"],
        workdir=said["WORKDIR"],
    )


def sent_to_the_builder(folder: Path) -> set[str]:
    """The files of a folder that .dockerignore lets into the image."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    sent = exclude_paths(str(folder), [line for line in lines if line and not line.startswith("#")])
    return {name for name in sent if (folder / name).is_file()} - {"Dockerfile", ".dockerignore"}


def copy_into_image(app: Path) -> None:
    """What the COPY instructions put into the image's folder."""
    copies = [rest for name, rest in instructions((ROOT / "Dockerfile").read_text()) if name == "COPY"]
    assert copies == ["requirements.txt .", ". ."], "teach these tests what else is copied"
    for name in sent_to_the_builder(ROOT):
        (app / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, app / name)


def services(*profiles: str) -> dict[str, Any]:
    """The services of compose.yaml that start with these profiles; the shell expands ${…} as Compose does."""
    script = f"cat <<END\n{(ROOT / 'compose.yaml').read_text()}\nEND\n"
    environment = {"PATH": os.environ["PATH"], "COMPOSE_PROFILES": ",".join(profiles)}
    text = subprocess.run(["sh"], input=script, env=environment, capture_output=True, text=True, check=True).stdout
    found: dict[str, Any] = yaml.safe_load(text)["services"]
    return {name: service for name, service in found.items() if set(service.get("profiles", profiles)) <= set(profiles)}


def settings_of(service: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """The variables that Compose gives to a service of a project in a folder; the last of several files wins."""
    found: dict[str, str] = {}
    for file in service["env_file"]:
        assert (folder / file["path"]).is_file() or file["required"] is False
        found |= {name: value or "" for name, value in dotenv_values(folder / file["path"]).items()}
    assert "environment" not in service, "teach these tests what overrides the files"
    return found


def unit() -> dict[str, list[str]]:
    """The settings of the systemd unit's [Service], each with all of its values."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().partition("[Service]")[2].partition("[Install]")[0].splitlines():
        if line and not line.startswith("#"):
            name, _, setting = line.partition("=")
            found.setdefault(name, []).append(setting)
    return found
