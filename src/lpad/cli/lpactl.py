"""lpactl: the command line of the daemon for users and scripts."""

from __future__ import annotations

import sys

import click

from lpad.cli.changes import changes_command
from lpad.cli.commands import (
    changing_commands,
    network_command,
    outbox_command,
    probe_command,
    provision_command,
    qr_code_command,
    showing_commands,
    trust_command,
)
from lpad.cli.discovery import discover_command
from lpad.cli.doctor import doctor_command
from lpad.cli.lines import line_command
from lpad.cli.session.lpactl_group import cli
from lpad.cli.terminal import exit_codes
from lpad.cli.terminal.output import OutputLostError, end_without_output
from lpad.cli.webhooks import listeners_command, webhooks_command

__all__ = [
    "changes_command",
    "changing_commands",
    "cli",
    "discover_command",
    "doctor_command",
    "line_command",
    "listeners_command",
    "main",
    "network_command",
    "outbox_command",
    "probe_command",
    "provision_command",
    "qr_code_command",
    "showing_commands",
    "trust_command",
    "webhooks_command",
]


def main() -> None:
    """Run lpactl."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(exit_codes.INTERRUPTED)
    except KeyboardInterrupt:
        sys.exit(exit_codes.INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(exit_codes.USAGE)
    except OutputLostError as error:
        end_without_output(error)


if __name__ == "__main__":
    main()
