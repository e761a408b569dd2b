"""Completion at the shell asks the running daemon, and is silent without one."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from engine.lab import CARD, FIRST, SECOND

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Terminal


def completed(folder: Path, socket: Path, *words: str, shell: str = "bash") -> list[str]:
    """Return what the shell gets for a command line whose last word is to be completed."""
    program = folder / "lpactl"
    program.write_text(
        f"#!{sys.executable}\nfrom lpad.cli.lpactl import main\nmain()\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    environment = os.environ | {
        "_LPACTL_COMPLETE": f"{shell}_complete",
        "LPAD_SOCKET": str(socket),
        "COMP_WORDS": " ".join(["lpactl", *words]),
        "COMP_CWORD": words[-1] if shell == "fish" else str(len(words)),
    }
    done = subprocess.run([str(program)], env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line]


def test_profiles_cards_and_changes(tmp_path: Path, terminal: Terminal) -> None:
    """Completed ICCIDs are shown with name and nickname, changes with their kind; -e completes cards."""
    terminal.lab.install()
    terminal.lab.install(iccid=SECOND, name="Second")
    terminal.lpactl("rename", SECOND, "home").ok()
    found = completed(tmp_path, terminal.socket, "enable", "89")
    assert [f"plain,{FIRST}", f"plain,{SECOND}"] == found
    assert completed(tmp_path, terminal.socket, "enable", "hom") == [f"plain,{SECOND}"]
    fish = completed(tmp_path, terminal.socket, "enable", SECOND[:19], shell="fish")
    assert f"plain,{SECOND}\tSecond, home" in fish
    zsh = completed(tmp_path, terminal.socket, "delete", "89", shell="zsh")
    assert "Second, home" in zsh
    assert completed(tmp_path, terminal.socket, "status", "-e", "mo") == [f"plain,{CARD}"]
    changes = completed(tmp_path, terminal.socket, "changes", "1", shell="fish")
    assert any(each.startswith("plain,1\tdownload on modem: done") for each in changes)


def test_without_a_daemon(tmp_path: Path) -> None:
    """Without a daemon, completion suggests nothing and prints no error."""
    assert completed(tmp_path, tmp_path / "none.sock", "enable", "89") == []
