"""A pcscd for tests, with virtual readers; it does not disturb a pcscd that the machine runs."""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Self

from msgspec.structs import replace

from card.scripted_card import ScriptedCard
from lpad.base.deadline import Deadline
from lpad.card.pcsc.calls import CARD_PRESENT, Context
from lpad.protocol.apdu import Command
from lpad.simulator.euicc.chip.answer_to_reset import ANSWER_TO_RESET

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.simulator.euicc.card import SoftCard

DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
MISSING = "install the Debian packages pcscd and vsmartcard-vpcd"
READER = "lpad test"
FIRST, SECOND = f"{READER} 00 00", f"{READER} 00 01"
ATR_T0 = ANSWER_TO_RESET
ATR_T1 = bytes.fromhex("3B800181")
_USED = 0x0180
"""Bits of a reader's state: in use exclusively, or shared."""
PATIENCE = 30.0

# The socket of pcscd. The library reads its name once in a process, so it must be set before that.
FOLDER = Path(tempfile.mkdtemp(prefix="lpad-pcscd-"))
SOCKET = FOLDER / "comm"
os.environ["PCSCLITE_CSOCK_NAME"] = os.fspath(SOCKET)
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)


class PrivatePcscd:
    """pcscd with two virtual readers; a context manager that stops it.

    pcscd listens on one fixed socket, unless it inherits a socket, as from systemd.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_pair()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self.kill()

    def start(self, *, reader: str = READER) -> None:
        """Start pcscd and wait until it answers; its readers have the given name and 00 00 or 00 01."""
        pcscd = shutil.which("pcscd", path=os.environ.get("PATH", "") + ":/usr/sbin")
        assert pcscd, MISSING
        assert DRIVER.exists(), MISSING
        settings = FOLDER / "readers"
        settings.mkdir(exist_ok=True)
        (settings / "vpcd").write_text(
            f'FRIENDLYNAME "{reader}"\nDEVICENAME /dev/null:{self.port:#x}\n'
            f"LIBPATH {DRIVER}\nCHANNELID {self.port:#x}\n",
            encoding="ascii",
        )
        SOCKET.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listening, (FOLDER / "log").open("ab") as log:
            listening.bind(os.fspath(SOCKET))
            listening.listen(16)
            self._process = subprocess.Popen(
                [
                    "/bin/sh",
                    "-c",
                    'LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" --foreground --error --config "$@" 3<&0',
                    pcscd,
                    os.fspath(settings),
                    *_without_polkit(pcscd),
                ],
                stdin=listening.fileno(),
                stdout=log,
                env=os.environ | {"PCSCLITE_HP_DROPDIR": os.fspath(settings)},  # leaves real readers alone
            )
        with closing(Context()) as context:
            assert len(context.readers()) == 2, (FOLDER / "log").read_text()

    def kill(self) -> None:
        """Kill pcscd without notice to its clients."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(PATIENCE)
        SOCKET.unlink(missing_ok=True)


def _without_polkit(pcscd: str) -> tuple[str, ...]:
    """Return --disable-polkit for pcscd 2, which otherwise refuses even root if polkit does not run."""
    option = "--disable-polkit"
    told = subprocess.run([pcscd, "--help"], capture_output=True, text=True, check=False).stdout
    return (option,) if option in told else ()


class Slot:
    """The slot of a virtual reader, into which tests put cards."""

    def __init__(self) -> None:
        self.card: ScriptedCard | SoftCard = ScriptedCard()
        self.atr = ATR_T0

    def transmit(self, apdu: bytes) -> bytes:
        return self.card.transmit(apdu)

    def reset(self) -> bytes:
        self.card.reset()
        return self.atr


class BlockCard(ScriptedCard):
    """A card that uses T=1: it requires Le = 00 with a command whose answer has data."""

    def transmit(self, apdu: bytes, *, deadline: Deadline | None = None) -> bytes:
        if apdu[1] != 0xE2 or not apdu[2] & 0x80:
            return super().transmit(apdu, deadline=deadline)
        command = Command.parse(apdu)
        assert command.le is not None, "T=1 wants Le"
        return super().transmit(bytes(replace(command, le=None)) if command.le == 256 else apdu)


def wait_for_cards(*, present: set[str]) -> None:
    """Wait until pcscd sees cards in these readers and in no others."""
    _wait(lambda states: {name for name, state in states.items() if state & CARD_PRESENT} == present)


def wait_until_free(reader: str) -> None:
    """Wait until pcscd has noticed that a reader's user is gone."""
    _wait(lambda states: not states[reader] & _USED)


def _wait(wanted: Callable[[dict[str, int]], bool]) -> None:
    deadline = Deadline.after(PATIENCE)
    with closing(Context()) as context:
        while not wanted(states := context.look(context.readers())):
            assert not deadline.passed, states
            # pcscd reports that a card comes or goes, but not that a program died, so this asks repeatedly.
            context.wait(states, deadline=deadline.within(0.1))


def _free_pair() -> int:
    """Return a free TCP port whose successor is free as well."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("0.0.0.0", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("0.0.0.0", port + 1))
            except (OSError, OverflowError):
                continue
            return port
