"""Help that lists each command with its whole first sentence."""

from __future__ import annotations

import click

_LONGEST = 1000
"""The maximum number of characters of a first sentence; click would cut it after 45."""


class CompleteHelpGroup(click.Group):
    """A group whose list of commands breaks long sentences instead of cutting them."""

    group_class = type

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands and their first sentences."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [
            (name, command.get_short_help_str(limit=_LONGEST))
            for name, command in commands
            if command is not None and not command.hidden
        ]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)
