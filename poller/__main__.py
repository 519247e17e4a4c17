"""The command line: `python -m poller` records; its other commands look, try once, or simulate."""

import asyncio
import contextlib
import json
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import click

import settings as all_settings
from settings import Settings, TickwellError
from store import Database, Miss, Tick, utc_now
from store.status import age_in_words, health

from .logs import configure_logging
from .once import poll_once
from .recorder import Recorder
from .simulator import Simulator


def _one_line(command: Callable[..., None]) -> Callable[..., None]:
    """Turn each expected error into one line on stderr and exit code 1."""

    @wraps(command)
    def wrapped(*args: Any, **options: Any) -> None:
        try:
            command(*args, **options)
        except TickwellError as error:
            raise click.ClickException(str(error)) from error

    return wrapped


@click.group(invoke_without_command=True)
@click.version_option(all_settings.VERSION, prog_name="tickwell")
@click.pass_context
def main(context: click.Context) -> None:
    """Record index prices of the Deribit exchange. Without a command: run."""
    if context.invoked_subcommand is None:
        context.invoke(run)


@main.command()
@_one_line
def run() -> None:
    """Record until stopped (SIGTERM, Ctrl+C)."""
    settings = _load()
    recorder = Recorder(settings, _database(settings), "external")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    recorder.start()
    while not (stop.wait(0.1) or recorder.wait(0)):
        pass
    recorder.stop()
    if recorder.failure is not None:
        raise recorder.failure


@main.command()
@_one_line
def once() -> None:
    """Record one tick of each index, now; exit 1 if one of them fails."""
    settings = _load()
    _tell(asyncio.run(poll_once(settings, _database(settings))))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="The object that /api/health answers.")
@_one_line
def status(*, as_json: bool) -> None:
    """Say how recording goes; works beside a recorder and without one."""
    settings = _load()
    report = health(_database(settings), settings, utc_now())
    click.echo(json.dumps(report) if as_json else _report_in_words(report))


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8601, show_default=True, help="0 picks a free one.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, other prices.")
def simulate(host: str, port: int, seed: int) -> None:
    """Serve made-up prices the way Deribit serves real ones, with faults on demand (POST /faults)."""
    simulator = Simulator(host, port, seed)
    try:
        simulator.start()
    except OSError as error:
        raise click.ClickException(f"--port {port} on {host} can't be used: {error.strerror}") from error
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        click.echo(f"Simulating Deribit: TICKWELL_DERIBIT_URL={simulator.url}, faults at {simulator.faults_url}")
        simulator.serve_forever()


def _load() -> Settings:
    settings = all_settings.load()
    configure_logging(settings.log_level)
    return settings


def _database(settings: Settings) -> Database:
    return Database(settings.database, settings.memory_limit)


def _tell(outcomes: Sequence[Tick | Miss]) -> None:
    for outcome in outcomes:
        click.echo(_outcome_in_words(outcome))
    if any(isinstance(outcome, Miss) for outcome in outcomes):
        sys.exit(1)


def _outcome_in_words(outcome: Tick | Miss) -> str:
    if isinstance(outcome, Tick):
        return f"{outcome.index_name} {outcome.price} at {outcome.ts:%Y-%m-%d %H:%M:%S.%f} UTC ({outcome.source})"
    return f"{outcome.index_name}: {outcome.cause}, {outcome.detail}"


def _report_in_words(report: dict[str, Any]) -> str:
    lines = [f"{report['status']}: {report['poller']['words']}", f"database {report['database']['path']}"]
    if report["database"]["error"]:
        lines.append(report["database"]["error"])
    lines += [
        f"{name} {index['price']}, {age_in_words(index['age_s'])}, ticks: {index['ticks']} since {index['first']}"
        for name, index in report["indexes"].items()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
