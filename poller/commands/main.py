"""The command line: `python -m poller` records. Every other command is in a module beside this one."""

import importlib

import click

import settings as all_settings

from .record import run

_COMMANDS = {
    "run": "record.run",
    "once": "record.once",
    "simulate": "record.simulate",
    "status": "look.status",
    "gaps": "look.list_gaps",
    "verify": "look.verify",
    "backfill": "data.backfill",
    "backup": "data.back_up",
    "restore": "data.restore_from",
    "rebuild": "data.rebuild",
    "export": "data.export_to",
    "alerts": "alerts.alerts",
    "import": "imports.import_from",
    "lake": "lake.lake",
}
"""The module and the function of each command."""


class _Commands(click.Group):
    """Imports a command when it is asked for: a recorder keeps in memory what records alone."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 as click calls it
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 as above
        if cmd_name not in _COMMANDS:
            return None
        module, function = _COMMANDS[cmd_name].split(".")
        command: click.Command = getattr(importlib.import_module(f"{__package__}.{module}"), function)
        return command


@click.group(cls=_Commands, invoke_without_command=True)
@click.version_option(all_settings.VERSION, prog_name="tickwell")
@click.pass_context
def main(context: click.Context) -> None:
    """Record index prices of the Deribit exchange. Without a command: run."""
    if context.invoked_subcommand is None:
        context.invoke(run)
