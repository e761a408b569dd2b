"""lpactl starts often, from scripts: a command loads what it needs, and little else."""

from __future__ import annotations

import subprocess
import sys

NOT_NEEDED = frozenset(
    {
        "anyio",
        "asyncio",
        "certifi",
        "ctypes",
        "http",
        "httpcore",
        "logging",
        "rich",
        "sqlite3",
        "ssl",
        "subprocess",
    }
)
"""Libraries that cost as much as the command itself. A table at a terminal needs rich."""
OF_THE_DAEMON = (
    "lpad.api",
    "lpad.card",
    "lpad.daemon",
    "lpad.engine",
    "lpad.lpa",
    "lpad.remote",
    "lpad.simulator",
)


def loaded(script: str) -> set[str]:
    """Return the modules that a new interpreter has loaded after a script."""
    shown = subprocess.run(
        [sys.executable, "-c", f"import sys\n{script}\nprint('\\n'.join(sys.modules))"],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(shown.stdout.split())


def test_lpactl_loads_what_its_commands_need() -> None:
    """The client has a socket and h11; pictures, secrets and tables load the rest when they are used."""
    modules = loaded("import lpad.cli.lpactl")
    assert "h11" in modules
    assert modules & NOT_NEEDED == set()


def test_the_client_is_small() -> None:
    """A local program that imports lpad.client loads nothing of the daemon."""
    modules = loaded("import lpad.client")
    assert modules & NOT_NEEDED == set()
    assert [each for each in modules if each.startswith(OF_THE_DAEMON)] == []
