"""A whole gateway: the daemon in a separate process, a software eUICC in a software modem, an SM-DP+."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from lpad.cli.simulated.order_creation import add_order
from lpad.client import Client
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.modem.pty_modem import PtyModem
from lpad.simulator.pki.pki import Pki
from lpad.simulator.smdp.server import SmDp
from lpad.testing.daemon_process import PATIENCE, DaemonProcess

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from lpad.client import Change, Euicc
    from lpad.simulator.euicc.chip.behaviour import CardBehaviour
    from lpad.simulator.euicc.chip.faults import CardFaults
    from lpad.simulator.modem.commands import Card
    from lpad.simulator.modem.personality import ModemPersonality

CARD = "modem"


class Gateway:
    """A gateway that runs in a `with` statement; its daemon can be stopped, killed and started again.

    Attributes:
        folder: the folder with the daemon's state and log, the card's memory and the server's orders.
        card: the eUICC.
        modem: the modem with the card; its AT port is a pty.
        server: the SM-DP+.
        socket: path of the daemon's Unix socket.
        client: a client of the daemon.
    """

    def __init__(
        self,
        *,
        sgp26: Path | None = None,
        behaviour: CardBehaviour | None = None,
        card_faults: CardFaults | None = None,
        personality: ModemPersonality | None = None,
        baud: int | None = None,
        settings: dict[str, Any] | None = None,
        euicc: dict[str, Any] | None = None,
        wrap: Callable[[SoftCard], Card] = lambda card: card,
    ) -> None:
        """Prepare a gateway; nothing runs before `with`.

        Args:
            sgp26: a folder of certificates; None: new ones are created.
            behaviour: the card's behaviour.
            card_faults: the card's faults.
            personality: the modem's personality.
            baud: the port's speed; None: as fast as possible.
            settings: additions to the daemon's settings.
            euicc: additions to the card's section of the settings.
            wrap: a function that wraps the card for the modem.
        """
        # The path is short, because a Unix socket's path has at most 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="lpad-test-"))
        self.pki = Pki.open(sgp26 or self.folder / "pki", minted=self.folder / "minted")
        self.card = SoftCard(self.folder / "card", pki=self.pki, behaviour=behaviour, faults=card_faults)
        self.slot = wrap(self.card)
        self.modem = PtyModem(self.slot, path=self.folder / "port", baud=baud, personality=personality)
        self.server = SmDp(self.folder / "smdp", pki=self.pki)
        self.socket = self.folder / "lpad.sock"
        self.client = Client(str(self.socket))
        self._daemon = DaemonProcess(self.folder / "lpad.yaml")
        self._ci = sorted((sgp26 or self.folder / "pki").glob("ci/*.der"))
        self._settings = settings or {}
        self._euicc = euicc or {}

    def __enter__(self) -> Self:
        try:
            self.server.start()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        try:
            self.client.close()
            self.stop()
        finally:
            self.server.stop()
            self.modem.close()
            self.card.close()
            shutil.rmtree(self.folder)

    @property
    def log(self) -> str:
        """The log of the daemons of this gateway."""
        return self._daemon.log

    def write_settings(self) -> Path:
        """Write the daemon's settings file and return its path."""
        trust = {"extra_ca_files": [str(path) for path in self._ci]}
        where = {} if "reader" in self._euicc else {"port": str(self.folder / "port")}
        # A test does not need the modem's connection, and the default guard costs five seconds per switch.
        euicc = {"switching": {"default_guard": None, "accept_offline": True}} | where | self._euicc
        settings = {
            "socket": str(self.socket),
            "state_folder": str(self.folder / "state"),
            "euiccs": {CARD: euicc},
            "trust": trust,
            "downloads": {"retry_for": 0},
            "remote": {"hosts": {self.server.address: "127.0.0.1"}},
        } | self._settings
        path = self.folder / "lpad.yaml"
        path.write_text(json.dumps(settings), encoding="utf-8")
        return path

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The daemon's process; None while the daemon does not run."""
        return self._daemon.process

    @property
    def ready_seconds(self) -> float:
        """Seconds from the start of the latest daemon to its READY=1."""
        return self._daemon.ready_seconds

    def start(self) -> None:
        """Start the daemon and wait until it sends READY=1."""
        self.write_settings()
        self._daemon.start()

    def stop(self) -> None:
        """Stop the daemon as systemd does, and check that it ends successfully."""
        self._daemon.stop()

    def kill(self) -> None:
        """Kill the daemon, as a power cut would."""
        self._daemon.kill()

    def ready(self) -> Euicc:
        """Wait until the card is ready, and return it."""
        self.until(lambda: self.client.euicc(CARD).state == "ready")
        return self.client.euicc(CARD)

    def download(self, code: str, **options: Any) -> Change:
        """Download a profile; return the change when it has ended or asks a question."""
        return self.client.download(CARD, activation_code=code, wait=PATIENCE, **options)

    def order_profile(
        self, *, name: str = "Test profile", provider: str = "Test operator", **details: Any
    ) -> str:
        """Order a made-up profile at the SM-DP+ and return its activation code.

        Args:
            name: the profile's name, as in `GET /v1/euiccs/modem/profiles`.
            provider: the operator's name.
            details: `confirmation_code`, `size` in bytes, `iccid`, and the fields of an order.
        """
        order = add_order(self.server.orders, name=name, provider=provider, **details)
        return order.activation_code(self.server.address, self.server.oid)

    def install_profile(self, *, enable: bool = False, **details: Any) -> str:
        """Order a profile, download it and return its ICCID.

        Args:
            enable: whether to enable the profile after the download.
            details: as for `order_profile`.
        """
        result = self.download(self.order_profile(**details), enable=enable).check().result
        assert result is not None, "a download that is done has a result"
        return str(result["iccid"])

    def order(self, profile: bytes, **details: Any) -> str:
        """Order a profile package and return its activation code."""
        order = self.server.orders.add_order(profile, **details)
        return order.activation_code(self.server.address, self.server.oid)

    @staticmethod
    def until(holds: Callable[[], bool]) -> None:
        """Wait until `holds` returns True, for a condition that no event reports."""
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end, "the condition was not met in time"
            threading.Event().wait(0.02)
