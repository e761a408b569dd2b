"""Run in a namespace with mbim-proxy: a whole daemon switches profiles while mbimcli uses the same modem.

Prints the numbers of mbimcli's calls, of those that failed, and of the switches that are done.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import subprocess
import threading
from typing import TYPE_CHECKING

from journeys.gateway import CARD, PATIENCE
from journeys.mbim_gateway import mbim_gateway
from lpad.base.identifiers import Iccid

if TYPE_CHECKING:
    from lpad.simulator.mbim.control_port import MbimModem

PROFILES = ("8900101000000000017", "8900101000000000025")
SWITCHES = 6
_SET_FLAGS, _UP = 0x8914, 1


def loopback_up() -> None:
    """Bring the namespace's loopback interface up, for the simulated SM-DP+."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sh", b"lo", _UP))


def ask(modem: MbimModem, done: threading.Event, answers: list[int]) -> None:
    """Ask in turns, as ModemManager does, until the end."""
    queries = ("--query-device-caps", "--query-subscriber-ready-status", "--query-registration-state")
    while not done.is_set():
        for query in queries:
            told = subprocess.run(
                ["mbimcli", "-d", modem.path, "-p", query], capture_output=True, check=False, timeout=60
            )
            answers.append(told.returncode)


def main() -> None:
    """Switch between the two profiles."""
    loopback_up()
    answers: list[int] = []
    done = threading.Event()
    with mbim_gateway() as (gateway, modem):
        gateway.ready()
        for iccid in PROFILES:
            gateway.install_profile(iccid=Iccid.parse(iccid))
        other = threading.Thread(target=ask, args=(modem, done, answers))
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
        # the last notifications are still to be delivered
        gateway.until(lambda: not gateway.card.notifications and not modem.function.channels.open)
        groups = set(modem.function.channels.open.values())
    print(len(answers), sum(map(bool, answers)), switched, len(groups))


if __name__ == "__main__":
    main()
