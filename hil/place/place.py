"""A place: its card, its power and its own daemon."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from hil.orders.activation_code_pool import CodePool
from hil.orders.own_smdp import OwnServer
from hil.place.card_identity import check_eid, probe
from hil.place.careful_client import CarefulClient
from hil.place.place_states import Stand, Strategy
from hil.place.power_switch import power_switch
from hil.place.restore_ledger import Before, Ledger
from lpad.base.errors import CardUnreachable
from lpad.base.identifiers import Eid, Iccid
from lpad.testing.daemon_process import DaemonProcess

if TYPE_CHECKING:
    from hil.bench_file.bench_file import BenchFile
    from hil.orders.order import Order
    from lpad.client import Change, Euicc

PATIENCE = 300.0
"""The time limit in seconds for a change on a slow modem with a slow card."""
_PAUSE = 0.2
_REMOVAL = 60.0
_SETTLING = 1.5
_ORPHANS_END = ("setpriv", "--pdeathsig", "TERM")
"""util-linux's setpriv: the daemon ends when the bench is killed, and does not keep the card."""


class Place:
    """A place, as tests use it: `client` and `name` for its daemon, and the bench's own data.

    Attributes:
        name: the place's name, which is also the card's name in the daemon.
        section: the place's section of the bench file.
        features: declared and derived features.
        client: the client of the daemon, with the bench's rules.
        ledger: the data that outlives the run.
        strategy: the state of the place.
        power: the power switch; None if the bench file describes none.
        evidence: the folder of this run for this place.
        server: the bench's own SM-DP+; None if the place lacks the feature `server`.
    """

    def __init__(self, file: BenchFile, name: str, *, evidence: Path) -> None:
        """Create a place; the bench uses no device before `strategy.to`.

        Args:
            file: the bench file.
            name: the name of the place in the bench file.
            evidence: the folder for this run's evidence; created if missing.
        """
        evidence.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.section = file.bench.places[name]
        self.features = file.features(name)
        self.eid = str(Eid.parse(self.section.eid))
        self.evidence = evidence
        self.cycles = file.bench.cycles
        self.power = power_switch(self.section.power) if self.section.power is not None else None
        state = file.resolve(file.bench.state) / name
        self.ledger = Ledger(state, expendable=[str(Iccid.parse(iccid)) for iccid in self.section.expendable])
        self.strategy = Strategy(self)
        self._pool = (
            CodePool(file.resolve(self.section.codes), place=name) if self.section.codes is not None else None
        )
        own = file.bench.server if "server" in self.features else None
        self.server = OwnServer(file, own, folder=evidence / "private" / "server") if own else None
        self._bench = file.bench
        # A Unix socket's path has at most 107 characters, and the path of the evidence may be longer.
        self._folder = Path(tempfile.mkdtemp(prefix="lpad-hil-"))
        self._daemon = DaemonProcess(
            self._folder / "lpad.yaml", launcher=_ORPHANS_END if shutil.which("setpriv") else ()
        )
        self._state = state
        self._off_since = 0.0
        self._probed = False
        self.client = CarefulClient(str(self._folder / "socket"), ledger=self.ledger)
        self.report: dict[str, Any] = {}
        """The report of the probe before the daemon was started."""

    def __enter__(self) -> Self:
        if self.server is not None:
            self.server.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        try:
            self.client.close()
            self._daemon.stop()
        finally:
            if self.server is not None:
                self.server.stop()
            if (self._folder / "log").exists():
                shutil.copy(self._folder / "log", self.evidence / "daemon.log")
            shutil.rmtree(self._folder, ignore_errors=True)

    # The steps of the strategy.

    def power_on(self) -> None:
        """Turn the power on, and wait for the right card, without changing it."""
        if self.power is not None:
            self.power.on()
        within = self.section.power.up_within if self.section.power is not None else 0.0
        self.report = probe(self.section, within=within)
        check_eid(self.name, self.eid, self.report.get("eid"))

    def start_daemon(self) -> None:
        """Start a daemon for this card only."""
        self._write_settings()
        self._daemon.start()

    def know_card(self) -> None:
        """Check that the right card is ready, and record its state before any change."""
        euicc = self.until_ready()
        check_eid(self.name, self.eid, euicc.eid)
        self.client.recall(self.name)
        self.ledger.remember(
            Before(
                eid=self.eid,
                enabled=self.enabled(),
                default_smdp=euicc.addresses.default_smdp if euicc.addresses is not None else None,
            )
        )

    def stop_daemon(self) -> None:
        """Stop the daemon cleanly."""
        self._daemon.stop()

    def power_off(self) -> None:
        """Turn the power off, if there is a switch."""
        if self.power is not None:
            self.power.off()

    # Actions for tests.

    def cut_power(self) -> None:
        """Turn the power off while the daemon runs; afterwards the card must be identified again."""
        assert self.power is not None, "mark the test with needs('power')"
        self.strategy.lost()
        self.power.off()
        self._off_since = time.monotonic()

    def give_power(self) -> None:
        """Turn the power on again, and wait until the card is ready."""
        assert self.power is not None, "mark the test with needs('power')"
        assert self.section.power is not None, "the bench file describes no power switch"
        time.sleep(max(0.0, self._off_since + self.section.power.off_for - time.monotonic()))
        self.power.on()
        # Contacts bounce: pcscd has been seen to reset a card again shortly after the card had answered.
        self.until_ready()
        time.sleep(_SETTLING)

    def until_ready(self, *, within: float | None = None) -> Euicc:
        """Have lpad read the card until the card is ready, and return its information.

        Raises:
            CardUnreachable: the card was not ready in time.
        """
        power = self.section.power
        end = time.monotonic() + (within or (power.up_within if power is not None else 0.0) + 30.0)
        while True:
            change = self.client.refresh(self.name, wait=PATIENCE)
            euicc = self.client.euicc(self.name)
            if euicc.state == "ready" and change.state == "done":
                return euicc
            if time.monotonic() >= end:
                told = change.error or euicc.error
                raise CardUnreachable(f"the card at {self.name} is not ready: {told and told.sentence}")
            time.sleep(_PAUSE)

    def enabled(self) -> str | None:
        """Return the ICCID of the enabled profile; None if no profile is enabled."""
        profiles = self.client.profiles(self.name)
        return next((profile.iccid for profile in profiles if profile.state == "enabled"), None)

    def enable(self, iccid: str, **options: Any) -> Change:
        """Enable a profile, by default without a guard; return the change when it ends or asks a question."""
        return self.client.enable(self.name, iccid, wait=PATIENCE, **{"guard": None, **options})

    def deliver(self, *iccids: str) -> None:
        """Have all notifications delivered now, and check that those of the given profiles were delivered.

        An interrupted run may have left notifications for its own server; lpad tries to deliver them, too,
        but they may stay undelivered.
        """
        self.client.deliver_notifications(self.name, wait=PATIENCE)
        owed = [
            each
            for each in self.client.notifications(self.name)
            if each.iccid in iccids and each.state not in ("delivered", "removing")
        ]
        assert not owed, f"the servers have not received these notifications: {owed}"

    def until_removed(self, iccid: str) -> None:
        """Wait until a profile's delivered notifications have left the card and lpad's outbox."""
        end = time.monotonic() + _REMOVAL
        while left := [each for each in self.client.notifications(self.name) if each.iccid == iccid]:
            assert time.monotonic() < end, f"notifications were not removed in {_REMOVAL:g} s: {left}"
            time.sleep(_PAUSE)

    def lease(self, *, confirmation: bool = False, default: bool = False) -> Order | None:
        """Return an order from the pool, or else from the bench's own server; None if neither has one."""
        found: Order | None = None
        if self._pool is not None:
            found = self._pool.lease(confirmation=confirmation, default=default)
        if found is None and self.server is not None:
            found = self.server.order(self.eid, confirmation=confirmation, default=default)
        return found

    def restore(self) -> None:
        """Restore the state that the card had before the run, if the run has changed that state."""
        before = self.ledger.before
        if before is None:
            return
        if self.strategy.stand is not Stand.KNOWN_CARD:
            self.strategy.broken = None
            if self.power is not None and self.strategy.stand is Stand.DAEMON_UP:
                self.power.on()
            self.strategy.to(Stand.KNOWN_CARD)
        self._end_policy_rules()
        now = self.enabled()
        if now != before.enabled:
            if before.enabled is not None:
                self.enable(before.enabled).check()
            elif now is not None:
                self.client.disable(self.name, now, accept_offline=True, wait=PATIENCE).check()
        addresses = self.client.euicc(self.name).addresses
        if addresses is not None and addresses.default_smdp != before.default_smdp:
            self.client.set_default_smdp(self.name, before.default_smdp or "", wait=PATIENCE).check()
        self.ledger.restored()

    def _end_policy_rules(self) -> None:
        """Reset the card if a profile that the bench installed has policy rules, which only a reset ends."""
        profiles = self.client.profiles(self.name)
        if any(each.policy_rules and self.ledger.is_own(each.iccid) for each in profiles):
            self.client.reset(
                self.name, operational_profiles=True, accept_offline=True, wait=PATIENCE
            ).check()

    def clean(self) -> None:
        """Delete the disabled profiles that expendable codes have installed; call this after `restore`."""
        for profile in self.client.profiles(self.name):
            if self.ledger.is_own(profile.iccid) and profile.state != "enabled":
                self.client.delete(self.name, profile.iccid, wait=PATIENCE)

    def _write_settings(self) -> None:
        self._state.mkdir(parents=True, exist_ok=True)
        private = self.evidence / "private"
        private.mkdir(mode=0o700, exist_ok=True)
        where = (
            {"port": self.section.port} if self.section.port is not None else {"reader": self.section.reader}
        )
        settings: dict[str, Any] = {
            "socket": str(self._folder / "socket"),
            "state_folder": str(self._state / "daemon"),
            "euiccs": {self.name: where | self.section.euicc},
            "log": {"level": "debug", "apdus": str((private / "apdus.jsonl").absolute())},
            "downloads": {"retry_for": 0},
        } | self._bench.settings
        if self.server is not None:
            remote = settings.setdefault("remote", {})
            settings["remote"] = remote | {
                "hosts": remote.get("hosts", {}) | {self.server.address: "127.0.0.1"}
            }
        (self._folder / "lpad.yaml").write_text(json.dumps(settings), encoding="utf-8")
