"""lpactl: the command line of the daemon for users and scripts."""

from __future__ import annotations

import sys

import click

from lpad.cli.session.lpactl_command_group import cli
from lpad.cli.terminal import exit_codes
from lpad.cli.terminal.output import OutputLostError, end_without_output

__all__ = ["cli", "main"]


def _changes_command() -> None:
    from lpad.cli.changes import changes_command  # noqa: F401, PLC0415 - only its commands need it


def _changing_commands() -> None:
    from lpad.cli.commands import changing_commands  # noqa: F401, PLC0415 - only its commands need it


def _network_command() -> None:
    from lpad.cli.commands import network_command  # noqa: F401, PLC0415 - only its commands need it


def _outbox_command() -> None:
    from lpad.cli.commands import outbox_command  # noqa: F401, PLC0415 - only its commands need it


def _probe_command() -> None:
    from lpad.cli.commands import probe_command  # noqa: F401, PLC0415 - only its commands need it


def _provision_command() -> None:
    from lpad.cli.commands import provision_command  # noqa: F401, PLC0415 - only its commands need it


def _qr_code_command() -> None:
    from lpad.cli.commands import activation_code_qr_command  # noqa: F401, PLC0415 - only its commands need it


def _showing_commands() -> None:
    from lpad.cli.commands import showing_commands  # noqa: F401, PLC0415 - only its commands need it


def _trust_command() -> None:
    from lpad.cli.commands import trust_command  # noqa: F401, PLC0415 - only its commands need it


def _discover_command() -> None:
    from lpad.cli.discovery import discover_command  # noqa: F401, PLC0415 - only its commands need it


def _doctor_command() -> None:
    from lpad.cli.doctor import doctor_command  # noqa: F401, PLC0415 - only its commands need it


def _line_command() -> None:
    from lpad.cli.lines import line_command  # noqa: F401, PLC0415 - only its commands need it


def _listeners_command() -> None:
    from lpad.cli.commands import event_listeners_command  # noqa: F401, PLC0415 - only its commands need it


def _webhooks_command() -> None:
    from lpad.cli.webhooks import webhooks_command  # noqa: F401, PLC0415 - only its commands need it


cli.import_later(
    {
        _changes_command: ("changes",),
        _changing_commands: (
            "answer",
            "cancel",
            "confirm",
            "default-smdp",
            "delete",
            "disable",
            "download",
            "enable",
            "rename",
            "reset",
            "restart-modem",
        ),
        _network_command: ("network",),
        _outbox_command: ("notifications",),
        _probe_command: ("probe",),
        _provision_command: ("close-wish", "provision"),
        _qr_code_command: ("code",),
        _showing_commands: ("events", "info", "profiles", "status"),
        _trust_command: ("trust",),
        _discover_command: ("discover",),
        _doctor_command: ("doctor",),
        _line_command: ("line",),
        _listeners_command: ("listeners",),
        _webhooks_command: ("webhooks",),
    }
)


def main() -> None:
    """Run lpactl."""
    try:
        cli.main(standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        sys.exit(exit_codes.INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(exit_codes.USAGE)
    except OutputLostError as error:
        end_without_output(error)


if __name__ == "__main__":
    main()
