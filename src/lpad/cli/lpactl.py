"""lpactl: the command line of the daemon for users and scripts."""

from __future__ import annotations

import sys

import click

from lpad.cli.commands import (
    changing as acting,
)
from lpad.cli.commands import (
    code_command as coding,
)
from lpad.cli.commands import (
    network_command as networking,
)
from lpad.cli.commands import (
    outbox_command as notifying,
)
from lpad.cli.commands import (
    probe_command as probing,
)
from lpad.cli.commands import (
    provision_command as provisioning,
)
from lpad.cli.commands import (
    showing,
)
from lpad.cli.commands import (
    trust_command as trusting,
)
from lpad.cli.commands.group import cli
from lpad.cli.terminal import exit_codes
from lpad.cli.terminal.output import OutputLostError, end_without_output

__all__ = [
    "acting",
    "cli",
    "coding",
    "main",
    "networking",
    "notifying",
    "probing",
    "provisioning",
    "showing",
    "trusting",
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
