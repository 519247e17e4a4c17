"""The command line: `python -m poller` records. Every other command is in a module beside this one."""

import click

import settings as all_settings

from . import data, look, record
from .alerts import alerts
from .imports import import_from
from .lake import lake


@click.group(invoke_without_command=True)
@click.version_option(all_settings.VERSION, prog_name="tickwell")
@click.pass_context
def main(context: click.Context) -> None:
    """Record index prices of the Deribit exchange. Without a command: run."""
    if context.invoked_subcommand is None:
        context.invoke(record.run)


for command in (
    record.run,
    record.once,
    record.simulate,
    look.status,
    look.list_gaps,
    look.verify,
    data.backfill,
    data.back_up,
    data.restore_from,
    data.rebuild,
    data.export_to,
    alerts,
    import_from,
    lake,
):
    main.add_command(command)
