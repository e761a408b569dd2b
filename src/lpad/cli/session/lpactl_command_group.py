"""The command lpactl, to which the other modules add their commands."""

from __future__ import annotations

import click

import lpad
from lpad.cli.session.completion_from_daemon import complete_card
from lpad.cli.terminal import exit_codes
from lpad.cli.terminal.lazy_commands import LazyGroup


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}, epilog=exit_codes.table()
)
@click.version_option(lpad.__version__, prog_name="lpactl")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--socket", envvar="LPAD_SOCKET", metavar="PATH", help="Socket of the daemon [LPAD_SOCKET].")
@click.option(
    "-e",
    "--euicc",
    metavar="NAME",
    shell_complete=complete_card,
    help="Name of the card; needed if there are several.",
)
def cli(as_json: bool, socket: str | None, euicc: str | None) -> None:
    """Manage the eSIM profiles of this device through the lpad daemon."""
