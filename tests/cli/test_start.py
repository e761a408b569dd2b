"""lpactl starts often, from scripts: a command loads what it needs, and little else."""

from __future__ import annotations

import subprocess
import sys

import msgspec

from lpad.client import views

NOT_NEEDED = frozenset(
    {
        "anyio",
        "asyncio",
        "certifi",
        "click.shell_completion",
        "ctypes",
        "getpass",
        "http",
        "httpcore",
        "logging",
        "rich",
        "sqlite3",
        "ssl",
        "subprocess",
    }
)
"""Libraries that take as long to load as the command itself; a table at a terminal needs rich."""
OF_THE_DAEMON = (
    "lpad.api",
    "lpad.card",
    "lpad.daemon",
    "lpad.engine",
    "lpad.lpa",
    "lpad.remote",
    "lpad.simulator",
)
OF_OTHER_COMMANDS = frozenset(
    {
        "lpad.cli.changes.changes_command",
        "lpad.cli.commands.changing_commands",
        "lpad.cli.commands.network_command",
        "lpad.cli.commands.outbox_command",
        "lpad.cli.commands.provision_command",
        "lpad.cli.commands.activation_code_qr_command",
        "lpad.cli.discovery.discover_command",
        "lpad.cli.doctor.doctor_command",
        "lpad.cli.lines.line_command",
        "lpad.cli.commands.event_listeners_command",
        "lpad.cli.webhooks.webhooks_command",
    }
)
"""Modules of commands that `status` does not use."""


def loaded(script: str) -> set[str]:
    """Return the modules that a new interpreter has loaded after a script."""
    shown = subprocess.run(
        [sys.executable, "-c", f"import sys\n{script}\nprint('\\n'.join(sys.modules))"],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(shown.stdout.split())


COMMAND = """
import click
from lpad.cli.lpactl import cli
assert cli.get_command(click.Context(cli), "status") is not None
"""


def test_lpactl_loads_what_a_command_needs() -> None:
    """A command of lpactl loads h11, but no other large library, and no module of the daemon."""
    modules = loaded(COMMAND)
    assert "h11" in modules
    assert modules & NOT_NEEDED == set()
    assert [each for each in modules if each.startswith(OF_THE_DAEMON)] == []


def test_lpactl_loads_one_command() -> None:
    """A command of lpactl loads only its own module, not the modules of the other commands."""
    modules = loaded(COMMAND)
    assert "lpad.cli.commands.showing_commands" in modules
    assert modules & OF_OTHER_COMMANDS == set()


def test_lpactl_loads_no_command_before_it_is_known() -> None:
    """The module of a command is loaded when the command is called; a list of commands loads all modules."""
    assert [each for each in loaded("import lpad.cli.lpactl") if each.endswith("_command")] == []
    every = (
        "cli.list_commands(click.Context(cli)): assert cli.get_command(click.Context(cli), each).name == each"
    )
    assert loaded(f"import click\nfrom lpad.cli.lpactl import cli\nfor each in {every}") >= OF_OTHER_COMMANDS


def test_the_client_is_small() -> None:
    """A local program that imports lpad.client loads nothing of the daemon."""
    modules = loaded("import lpad.client")
    assert modules & NOT_NEEDED == set()
    assert [each for each in modules if each.startswith(OF_THE_DAEMON)] == []


def test_answers_are_decoded_without_compiling_annotations() -> None:
    """No annotation of the client's types is a string, which msgspec would have to compile."""
    kinds = [
        each for each in vars(views).values() if isinstance(each, type) and issubclass(each, msgspec.Struct)
    ]
    assert len(kinds) > 20
    told = [note for kind in kinds for note in kind.__annotations__.values()]
    assert [note for note in told if isinstance(note, str)] == []
