"""Completion on the command line, by the shell itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from package.completion import COMMANDS, PLACES, write

ASK = """
source "$1"
COMP_WORDS=(lpactl ena); COMP_CWORD=1
_lpactl_completion lpactl
echo "${COMPREPLY[@]}"
"""


def test_every_shell_has_its_file(tmp_path: Path) -> None:
    """bash, zsh and fish find completions for both commands."""
    write(tmp_path)
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {place.format(name) for place in PLACES.values() for name in COMMANDS}


def test_bash_completes_a_command(tmp_path: Path) -> None:
    """`lpactl ena<TAB>` becomes `lpactl enable`."""
    write(tmp_path)
    script = tmp_path / "bash-completion" / "completions" / "lpactl"
    found = subprocess.run(
        ["bash", "-c", ASK, "bash", str(script)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )
    assert found.stdout.strip() == "enable"
