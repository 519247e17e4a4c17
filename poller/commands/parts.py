"""What commands share: the settings, each expected error in one line, and progress bars."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import click

import settings as all_settings
from poller.feeds.chosen import feeds_of, periods_s
from poller.logs import configure_logging
from settings import Settings, TickwellError
from store.export.selection import other_feeds
from store.file.database import Database
from store.prices.indexes import index_names


def one_line(command: Callable[..., None]) -> Callable[..., None]:
    """Turn each expected error, and each error of a path, into one line on stderr and exit code 1."""

    @wraps(command)
    def wrapped(*args: Any, **options: Any) -> None:
        try:
            command(*args, **options)
        except TickwellError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if error.filename is None:
                raise
            raise click.ClickException(f"{error.filename} can't be used: {error.strerror}") from error

    return wrapped


def load() -> Settings:
    settings = all_settings.load()
    configure_logging(settings.log_level)
    return settings


def database_of(settings: Settings) -> Database:
    return Database(settings.database, settings.memory_limit)


def known_indexes(database: Database, settings: Settings) -> list[str]:
    with database.read() as cursor:
        return index_names(cursor, settings.indexes)


def known_feeds(database: Database, settings: Settings) -> list[str]:
    """The indexes, then the other feeds that are configured or have rows."""
    with database.read() as cursor:
        known = [*index_names(cursor, settings.indexes), *periods_s(feeds_of(settings)), *other_feeds(cursor)]
    return list(dict.fromkeys(known))


@contextlib.contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal; call what it yields with the number of finished steps and of all steps."""
    with click.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def tell(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield tell


@contextlib.contextmanager
def progress_bars() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar for each kind of work, with rate and time left; call what it yields with kind and counts."""
    with contextlib.ExitStack() as stack:
        bar: Any = None

        def tell(what: str, done: int, total: int) -> None:
            nonlocal bar
            if bar is None or bar.label != what:
                stack.close()
                bar = stack.enter_context(_counting_bar(what, total))
            bar.update(done - bar.pos, done)

        yield tell


def _counting_bar(label: str, total: int) -> Any:
    started = time.monotonic()

    def rate(done: int | None) -> str:
        return f"{(done or 0) / (time.monotonic() - started):,.0f} a second"

    return click.progressbar(length=total, label=label, file=sys.stderr, show_pos=True, item_show_func=rate)
