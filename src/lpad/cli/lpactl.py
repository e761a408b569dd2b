"""lpactl: speaks to the daemon for people and scripts."""

from __future__ import annotations

import os
import sys

import click

from lpad.cli import acting, exit_codes, notifying, probing, showing, trusting
from lpad.cli.lpactl_group import cli
from lpad.cli.output import OutputLostError

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
        # Nothing more can be written, not even what Python would flush at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if error.reader_gone:
            sys.exit(exit_codes.READER_GONE)
        click.echo(f"the result can't be written: {error}; what was asked for may be done", err=True)
        sys.exit(exit_codes.INTERNAL)


if __name__ == "__main__":
    main()
