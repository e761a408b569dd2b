"""Commands whose modules are imported when they are called, listed or completed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lpad.cli.terminal.wrong_program import ProgramGroup

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import click


class LazyGroup(ProgramGroup):
    """A group of commands that add themselves to it when their module is imported.

    So lpactl, which scripts start often, imports only the command that it runs.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        """Create a group without commands; the arguments are click's own."""
        super().__init__(*args, **settings)
        self._modules: dict[str, Callable[[], object]] = {}

    def import_later(self, modules: Mapping[Callable[[], object], tuple[str, ...]]) -> None:
        """Declare the commands that can be imported.

        Args:
            modules: for each function that imports a module, the names of the commands that the module adds.
        """
        self._modules |= {name: load for load, names in modules.items() for name in names}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands in alphabetical order."""
        return sorted({*super().list_commands(ctx), *self._modules})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, whose module is imported first; None: there is no such command."""
        if cmd_name in self._modules:
            self._modules[cmd_name]()
        return super().get_command(ctx, cmd_name)
