"""Run in a namespace with a proxy: a whole daemon switches profiles while another program uses its modem.

The argument is `mbim` or `qmi`. Prints the numbers of the other program's calls, of those that failed, of the
switches that are done, and of the channels that lpad has left open.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import subprocess
import sys
import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from journeys.gateway import CARD, PATIENCE, Gateway
from journeys.mbim_gateway import mbim_gateway
from journeys.qmi_gateway import qmi_gateway
from lpad.base.identifiers import Iccid
from lpad.simulator.modem.personality import ModemPersonality, Notices

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

PROFILES = ("8900101000000000017", "8900101000000000025")
SWITCHES = 6
_SET_FLAGS, _UP = 0x8914, 1


@dataclass(frozen=True)
class Shared:
    """A gateway whose modem another program uses, with that program and its queries."""

    gateway: Callable[[], AbstractContextManager[tuple[Gateway, Any]]]
    program: Sequence[str]
    queries: Sequence[str]


KINDS = {
    "mbim": Shared(
        mbim_gateway,
        ("mbimcli", "-p"),
        ("--query-device-caps", "--query-subscriber-ready-status", "--query-registration-state"),
    ),
    # By default, the double reads the card at each query, even between an answer 61xx and its GET RESPONSE.
    "qmi": Shared(
        partial(qmi_gateway, personality=ModemPersonality(notices=Notices.REFRESH)),
        ("qmicli", "-p", "--device-open-qmi"),
        ("--dms-get-ids", "--uim-get-card-status", "--nas-get-serving-system"),
    ),
}


def loopback_up() -> None:
    """Bring the namespace's loopback interface up, for the simulated SM-DP+."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sh", b"lo", _UP))


def ask(kind: Shared, port: str, done: threading.Event, answers: list[int]) -> None:
    """Run the other program's queries in turn until `done` is set, as ModemManager does."""
    while not done.is_set():
        for query in kind.queries:
            told = subprocess.run(
                [*kind.program, "-d", port, query], capture_output=True, check=False, timeout=60
            )
            answers.append(told.returncode)


def main(kind: Shared) -> None:
    """Switch between the two profiles while the other program asks, and print the numbers."""
    loopback_up()
    answers: list[int] = []
    done = threading.Event()
    with kind.gateway() as (gateway, modem):
        gateway.ready()
        for iccid in PROFILES:
            gateway.install_profile(iccid=Iccid.parse(iccid))
        other = threading.Thread(target=ask, args=(kind, modem.path, done, answers))
        other.start()
        switched = 0
        try:
            for number in range(SWITCHES):
                wanted = PROFILES[number % 2]
                gateway.client.enable(CARD, wanted, guard=("registered",), within=60.0, wait=PATIENCE).check()
                switched += str(gateway.card.enabled_iccid) == wanted
        finally:
            done.set()
            other.join()
        # Wait until the last notifications are delivered.
        gateway.until(lambda: not gateway.card.notifications and not gateway.card.open_channels)
        left = len(gateway.card.open_channels)
    print(len(answers), sum(map(bool, answers)), switched, left)


if __name__ == "__main__":
    main(KINDS[sys.argv[1]])
