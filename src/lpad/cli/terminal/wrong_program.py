"""Commands that were given to the wrong one of the two programs, lpad and lpactl."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.cli.terminal.untruncated_help import CompleteHelpGroup

if TYPE_CHECKING:
    import click

COMMANDS = {
    "lpad": ("check-config", "demo", "hook-runner", "platform", "port-opener", "serve", "setup", "sim"),
    "lpactl": (
        *("answer", "cancel", "changes", "close-wish", "code", "confirm", "default-smdp", "delete"),
        *("disable", "discover", "doctor", "download", "enable", "events", "info", "line", "listeners"),
        *("network", "notifications", "profiles", "provision", "rename", "reset", "restart-modem", "status"),
        *("trust", "webhooks"),
    ),
}
"""The commands that only one of the programs has, by program."""


class ProgramGroup(CompleteHelpGroup):
    """The commands of lpad or of lpactl; the error for the other program's command shows how to run it."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the named command, with its name and the remaining arguments.

        Raises:
            click.UsageError: there is no such command.
        """
        name = args[0]
        if self.get_command(ctx, name) is None:
            for program, commands in COMMANDS.items():
                if name in commands:
                    ctx.fail(f"'{name}' is a command of {program}: run '{program} {name}'")
        return super().resolve_command(ctx, args)
