"""Run programs against a daemon with a simulated card: on_gateway.py COMMAND...

Each argument is a shell command with LPAD_SOCKET and an unused activation code, LPAD_CODE, as variables.
"""

from __future__ import annotations

import os
import subprocess
import sys

from lpad.testing.simulated_gateway import Gateway

LONGEST = 240.0
"""The time limit in seconds for one command."""


def main(commands: list[str]) -> int:
    """Run the commands one after the other; stop at and return the first exit code other than 0."""
    with Gateway() as gateway:
        gateway.ready()
        for command in commands:
            given = {"LPAD_SOCKET": str(gateway.socket), "LPAD_CODE": gateway.order_profile()}
            ended = subprocess.run(
                ["/bin/sh", "-c", command], env=os.environ | given, timeout=LONGEST, check=False
            )
            if ended.returncode:
                return ended.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
