"""lpactl: speaks to the daemon for people and scripts."""

from __future__ import annotations

import sys

import click

from lpad.cli import acting, exit_codes, notifying, probing, showing, trusting
from lpad.cli.lpactl_group import cli
from lpad.cli.output import OutputLostError, end_without_output

__all__ = ["acting", "cli", "main", "notifying", "probing", "showing", "trusting"]


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
