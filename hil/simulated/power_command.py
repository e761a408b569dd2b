"""A lab's command that switches a place's power: `python power_command.py SOCKET PLACE on|off`."""

from __future__ import annotations

import socket
import sys

_PATIENCE = 60.0


def main() -> int:
    """Send the request to the stage, wait for the answer, and return the exit status."""
    where, place, state = sys.argv[1:]
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(_PATIENCE)
        line.connect(where)
        line.sendall(f"{place} {state}".encode())
        answer = line.recv(4096)
    if answer != b"done":
        sys.stderr.write(f"{answer.decode()}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
