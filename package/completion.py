"""Write the shell completion of lpad's commands: `python package/completion.py SHARE`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from click.shell_completion import BashComplete, FishComplete, ZshComplete

from lpad.cli.lpactl import cli as lpactl
from lpad.cli.lpad import cli as lpad

if TYPE_CHECKING:
    import click

COMMANDS: dict[str, click.Command] = {"lpad": lpad, "lpactl": lpactl}
PLACES = {
    BashComplete: "bash-completion/completions/{}",
    ZshComplete: "zsh/vendor-completions/_{}",
    FishComplete: "fish/vendor_completions.d/{}.fish",
}


def write(share: Path) -> None:
    """Write one file for each shell and command, where Debian's shells find it.

    Args:
        share: the folder that becomes /usr/share.
    """
    for shell, place in PLACES.items():
        for name, command in COMMANDS.items():
            path = share / place.format(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            completion = shell(command, {}, name, f"_{name.upper()}_COMPLETE")
            # not source(), because source() queries this machine's shell for its version
            path.write_text(completion.source_template % completion.source_vars(), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
