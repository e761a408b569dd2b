"""A bench without hardware: two virtual readers and two pty modems, with a bench file like any other.

    python -m hil.simulated.stage FOLDER [--] COMMAND…

creates the stage, runs a command in which {bench} is replaced by the bench file, and removes the stage. The
bench cannot distinguish the stage from hardware: pcscd has the readers, ports are serial lines, and a command
switches the power (power_command.py).
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import yaml

from card.private_pcscd import FIRST, SECOND, PrivatePcscd, wait_for_cards
from lpad.base.identifiers import Eid
from lpad.cli.simulated.order_creation import add_order
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.euicc.chip.behaviour import Answers, CardBehaviour
from lpad.simulator.modem.pdp_contexts import Subscription
from lpad.simulator.modem.pty_modem import PtyModem
from lpad.simulator.personalities import find_personality
from lpad.simulator.pki.pki import Pki
from lpad.simulator.smdp.server import SmDp
from lpad.simulator.virtual_reader import VirtualReaderCard

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.simulator.modem.commands import Card

EIDS = {
    "first-reader": "89049032000000000000000000000066",
    "second-reader": "89049032000000000000000000000163",
    "one-modem": "89049032000000000000000000000260",
    "other-modem": "89049032000000000000000000000357",
}
READERS = {"first-reader": FIRST, "second-reader": SECOND}
MODEMS = {"one-modem": "cgla-hex64", "other-modem": "notices-radio-power"}
CARD_BEHAVIOURS = {
    "first-reader": CardBehaviour(needs_terminal_capability=True),
    "second-reader": CardBehaviour(answers=Answers.CORRECTED, refresh_qualifier=0x09, first_channel=4),
}
FEATURES = {
    "first-reader": ["pcsc", "t0"],
    "second-reader": ["pcsc", "t0"],
    "one-modem": ["cgla", "registers", "data"],
    "other-modem": ["cgla", "registers", "data"],
}
APN = "lab.example"
NETWORK = {"applier": "at", "patterns": [{"iccid": "89", "apn": APN}]}
"""The modems make the connection themselves, because their ports carry no PPP."""
SUBSCRIPTION = Subscription(apns=(APN, ""))
"""The simulated network knows `APN`, and has a default APN (the empty name)."""
HURRY = {
    "quirks": {
        "refresh_ladder": [
            {"step": "wait", "seconds": 0.3},
            {"step": "radio-cycle", "down": ["AT+CFUN=0"], "up": ["AT+CFUN=1"], "seconds": 0.5},
            {"step": "modem-reset", "up": ["AT+CFUN=1,1"], "seconds": 20, "port_goes": True},
        ]
    }
}
"""A refresh ladder with short waits, because the simulated modems restart quickly."""


class Stage:
    """A bench without hardware, for a `with` statement; `bench` is the bench file."""

    def __init__(self, folder: Path, *, cycles: int = 2) -> None:
        """Create the folder; entering the context creates everything else.

        Args:
            folder: the folder for all files; its path must be short, because ports and sockets are in it.
            cycles: the number of cycles of each endurance case.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.bench = folder / "bench.yaml"
        self.cards: dict[str, SoftCard] = {}
        self._cycles = cycles
        self._switches: dict[str, Callable[[bool], None]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._set_up()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stack.close()

    def _set_up(self) -> None:
        stack = self._stack
        pki = Pki.open(self.folder / "pki")
        server = stack.enter_context(SmDp(self.folder / "smdp", pki=pki))
        pcscd = stack.enter_context(PrivatePcscd())
        for slot, name in enumerate(READERS):
            card = self._card(name, pki, CARD_BEHAVIOURS[name])
            reader = stack.enter_context(VirtualReaderCard(card, port=pcscd.port + slot))
            self._switches[name] = lambda on, reader=reader: reader.insert() if on else reader.pull()  # type: ignore[misc]  # bound now
        wait_for_cards(present=set(READERS.values()))
        for name, personality in MODEMS.items():
            chosen = find_personality(personality)
            card = self._card(name, pki, chosen.card)
            known = replace(chosen.modem, unlisted_subscription=SUBSCRIPTION)
            modem = stack.enter_context(PtyModem(card, path=self._port(name), personality=known))
            self._switches[name] = lambda on, modem=modem, card=card: _plug(modem, card, on=on)  # type: ignore[misc]  # bound now
        self._listen()
        self._write(server)

    def _card(self, name: str, pki: Pki, behaviour: CardBehaviour) -> SoftCard:
        card = SoftCard(self.folder / name, pki=pki, eid=Eid.parse(EIDS[name]), behaviour=behaviour)
        self.cards[name] = self._stack.enter_context(card)
        return card

    def _port(self, name: str) -> Path:
        return self.folder / f"tty-{name}"

    def _write(self, server: SmDp) -> None:
        codes: list[dict[str, Any]] = []
        for index in range(8):
            confirmation = "1234" if index < 2 else None
            order = add_order(
                server.orders, name=f"Pool {index}", provider="lab", confirmation_code=confirmation
            )
            code = {"code": order.activation_code(server.address, server.oid), "expendable": True}
            codes.append(code | ({"confirmation_code": confirmation} if confirmation else {}))
        (self.folder / "codes.yaml").write_text(yaml.safe_dump({"codes": codes}), encoding="utf-8")
        places = {
            name: {
                "eid": eid,
                "features": ["network", "test-ci", *FEATURES[name]],
                "codes": "codes.yaml",
                "power": {
                    "command": [*_switching(self.folder), name, "{state}"],
                    "up_within": 30,
                    "off_for": 1,
                },
            }
            | (
                {"reader": READERS[name]}
                if name in READERS
                else {"port": str(self._port(name)), "euicc": HURRY}
            )
            for name, eid in EIDS.items()
        }
        bench = {
            "places": places,
            "server": {"certificates": "pki"},
            "settings": {"remote": {"hosts": {server.address: "127.0.0.1"}}, "network": NETWORK},
            "cycles": self._cycles,
        }
        self.bench.write_text(yaml.safe_dump(bench), encoding="utf-8")

    def _listen(self) -> None:
        """Receive requests such as "one-modem off" at a socket, and answer once a request is carried out."""
        line = self._stack.enter_context(socket.socket(socket.AF_UNIX))
        (self.folder / "power").unlink(missing_ok=True)  # left over from an earlier stage
        line.bind(os.fspath(self.folder / "power"))
        line.listen()
        threading.Thread(target=self._serve, args=(line,), daemon=True).start()
        self._stack.callback(line.shutdown, socket.SHUT_RDWR)

    def _serve(self, line: socket.socket) -> None:
        while True:
            try:
                caller, _ = line.accept()
            except OSError:
                return
            with caller:
                name, _, state = caller.recv(256).decode().partition(" ")
                try:
                    self._switches[name](state == "on")
                    caller.sendall(b"done")
                except Exception as error:  # noqa: BLE001 - reported to the client that switched
                    caller.sendall(str(error).encode())


def _plug(modem: PtyModem, card: Card, *, on: bool) -> None:
    if on:
        card.reset()
        modem.come_back()
    else:
        modem.vanish()


def _switching(folder: Path) -> list[str]:
    command = Path(__file__).with_name("power_command.py")
    return [sys.executable, os.fspath(command), os.fspath(folder / "power")]


def main() -> int:
    """Create a stage, run a command on it, and return the command's exit status."""
    folder, *command = sys.argv[1:]
    with Stage(Path(folder)) as stage:
        words = [word.replace("{bench}", os.fspath(stage.bench)) for word in command if word != "--"]
        return subprocess.run(words, check=False).returncode  # noqa: S603 - the command is the caller's


if __name__ == "__main__":
    sys.exit(main())
