"""One trial: a device in a scenario's initial state, a cut, and the result."""

from __future__ import annotations

import shutil
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from faults.cut_trials.scenario import FIRST, LATER, SCENARIOS, iccid
from faults.cut_trials.verdict import holds, violations
from faults.device.device import CARD, FALLBACK_PORT, PATIENCE, USUAL, Device, Late, apn_of
from faults.device.watched_peers import WatchedModem
from faults.injected.cut_kinds import FILLS, Counted, Kind
from lpad.client import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from faults.cut_trials.scenario import Scenario
    from faults.injected.cut_kinds import Cut
    from lpad.client import Change

OUTAGE = 0.6
"""Seconds for which the card, the port, the disk or the server is unavailable."""
RUNS = 3
"""The number of runs that count a scenario's steps, and the maximum number of attempts to reach a cut."""
_NOTICING = 5.0
"""Seconds to wait for a cut at the very end of a scenario."""
_ENDING = 3.0
"""Seconds within which a change on a full disk normally ends."""
_WISHES = 3
"""The maximum number of repeated requests for a wish."""
_LOOKS = 3
_BETWEEN_LOOKS = 0.05
_IGNORED = (
    "port",
    FALLBACK_PORT,
    "lpad.sock",
    "notify",
    "log",
    "writes",
    "disk",
    "uevents",
    "bus",
    "runner.sock",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of a cut.

    Attributes:
        scenario: the scenario's key.
        cut: the cut, as text.
        met: whether the scenario reached the cut.
        violations: the violated checks, as sentences.
        seconds: the duration of the trial.
        log: the daemon's last log lines if a check is violated; otherwise empty.
        change: the outcome of the change, in one or two words.
    """

    scenario: str
    cut: str
    met: bool
    violations: tuple[str, ...]
    seconds: float
    log: tuple[str, ...] = ()
    change: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """The place where trials run.

    Attributes:
        bases: a folder with a prepared device for each scenario.
        folder: the folder for devices that are cut off.
        host: the stage's own loopback address.
        port: the servers' port, which is part of their addresses.
    """

    bases: Path
    folder: Path
    host: str
    port: int

    def prepare(self, key: str) -> None:
        """Create the device with which a scenario begins."""
        scenario = SCENARIOS[key]
        with Device(
            self.bases / key,
            host=self.host,
            port=self.port,
            applier=scenario.applier,
            modem_port=scenario.modem_port,
            two_ports=scenario.two_ports,
            fast_line=scenario.fast_line,
            hooks=scenario.hooks,
        ) as device:
            device.reporting = scenario.reporting
            device.start()
            device.ready()
            scenario.prepare(device)
            if not scenario.offline:
                device.until("all is quiet", lambda: _quiet(device))
            device.stop()

    def count(self, key: str) -> Mapping[Counted, int]:
        """Run a scenario repeatedly without a cut, and return the lowest number of steps of each kind.

        The number depends on timing: lpad sometimes removes an accepted notification in a session that is
        open for another notification, which saves one session.

        Raises:
            Late: the scenario does not end.
            AssertionError: the scenario ends in a wrong state.
        """
        runs = [self._count(key) for _ in range(RUNS)]
        return {counted: min(run[counted] for run in runs) for counted in runs[0]}

    def _count(self, key: str) -> Mapping[Counted, int]:
        with self._device(key, "count", small_disk=False) as device:
            scenario = SCENARIOS[key]
            _begin(device, scenario)
            device.arm(None)
            change = scenario.act(device)
            _await_discovered(device, scenario)
            device.until("all changes have ended", lambda: _ended(device))
            device.until("all is quiet", lambda: _quiet(device))
            device.disarm()
            counts = device.counts()
            change = device.client.change(change.id)
            assert (change.state == "done") is scenario.may_be_done, change
            assert not (wrong := violations(device, scenario, change)), wrong
            device.stop()
        shutil.rmtree(device.folder)
        return counts

    def run(self, key: str, cut: Cut, *, keep: bool = False) -> Outcome:
        """Run a scenario with a cut, and return the outcome; repeat a run that did not reach the cut.

        Args:
            key: the scenario's key.
            cut: the cut to make.
            keep: whether to keep the device's folder.
        """
        for _ in range(RUNS):
            outcome = self._try(key, cut, keep=keep)
            if outcome.met or outcome.violations:
                break
        return outcome

    def _try(self, key: str, cut: Cut, *, keep: bool) -> Outcome:
        began = time.perf_counter()
        scenario = SCENARIOS[key]
        name = f"{key}-{cut}".replace(":", "-")
        with self._device(key, name, small_disk=cut.kind in FILLS) as device:
            trial = _Trial(device, scenario, cut)
            try:
                trial.run()
            except (Late, ApiError) as error:
                trial.violations.append(str(error))
            log = tuple(device.log) if trial.violations else ()
        if not keep:
            shutil.rmtree(device.folder)
        return Outcome(
            scenario=key,
            cut=str(cut),
            met=trial.met,
            violations=tuple(trial.violations),
            seconds=time.perf_counter() - began,
            log=log,
            change=_told(trial.change),
        )

    def _device(self, key: str, name: str, *, small_disk: bool) -> Device:
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.bases / key, folder, symlinks=True, ignore=shutil.ignore_patterns(*_IGNORED))
        scenario = SCENARIOS[key]
        return Device(
            folder,
            host=self.host,
            port=self.port,
            applier=scenario.applier,
            modem_port=scenario.modem_port,
            two_ports=scenario.two_ports,
            fast_line=scenario.fast_line,
            small_disk=small_disk,
            platform=scenario.platform,
            hooks=scenario.hooks,
        )


class _Trial:
    def __init__(self, device: Device, scenario: Scenario, cut: Cut) -> None:
        self._device = device
        self._scenario = scenario
        self._cut = cut
        self._before = 0
        self._told: Change | None = None
        self.change: Change | None = None
        self.met = False
        self.flip: str | None = None
        """The flipped bit of the journal, as text; None: no bit was flipped."""
        self.violations: list[str] = []

    def run(self) -> None:
        """Begin, make the cut, restore everything that the cut removed, wait, restart the daemon, and check.

        Raises:
            Late: an awaited event did not happen in time.
            ApiError: the daemon refuses a valid request.
        """
        device = self._device
        _begin(device, self._scenario)
        self._before = max((each.id for each in device.client.changes()), default=0)
        device.arm(self._cut)
        try:
            self.change = self._scenario.act(device)
        except ApiError as error:
            if error.kind != "daemon-unreachable" and not device.hit():
                raise
        self._await_cut()
        device.disarm()
        if self._cut.kind is Kind.DISK_KILL and self.met:
            self._await_end()
            device.kill()
        if self._cut.kills and self.met:
            device.buried()
            if self._cut.kind is Kind.TORN_WRITE:
                device.disk.tear()
            elif self._cut.kind is Kind.FLIP:
                self.flip = str(device.disk.flip(self._cut.place))
            device.mend()
            device.start()
        else:
            threading.Event().wait(OUTAGE if self.met else 0)
            device.mend()
            self._settle()
            device.stop()
            device.start()
        self._settle()
        if self._scenario.platform is not None:
            self._fulfil()
        lost = self.flip is not None and self.change is None
        self.violations += violations(device, self._scenario, self.change, lost=lost)
        if self._told is not None and _told(self._told) != _told(self.change):
            self.violations.append(
                f"{_told(self.change)}, although lpad had reported that it ended {_told(self._told)}"
            )
        self._download()
        if self._scenario.fast_line:
            self._release()

    def _release(self) -> None:
        """Stop the daemon, and check that the modem's line has its usual speed again."""
        modem = self._device.modem
        assert isinstance(modem, WatchedModem), "the modem has an AT port"
        self._device.stop()
        if modem.line_rate != USUAL:
            self.violations.append(f"the modem's line is still at {modem.line_rate} baud")

    def _await_cut(self) -> None:
        device = self._device

        def over() -> bool:
            if device.hit():
                return True
            over = self.change is not None and device.client.change(self.change.id).ended and _quiet(device)
            return over and (not self._scenario.discovers or holds(device, self._scenario.after))

        try:
            device.until("the cut is made", over)
            if not device.hit():
                device.until("the cut is made", device.hit, patience=OUTAGE)
        except Late:
            pass
        except ApiError:
            device.until("the cut is made", device.hit, patience=_NOTICING)
        self.met = device.hit()
        if self._cut.counted is Counted.LINES:
            device.tell_of_port()

    def _await_end(self) -> None:
        """Give the change time to end while the disk is full, and remember how it ended."""
        device = self._device
        if self.change is None:
            return
        change_id = self.change.id
        with suppress(Late):
            device.until("it has ended", lambda: device.client.change(change_id).ended, patience=_ENDING)
            self._told = device.client.change(change_id)

    def _settle(self) -> None:
        """Wait until the change has ended and nothing is left to do."""
        device = self._device
        device.ready()
        if self.change is None:  # the answer was lost, or lpad never accepted the request
            later = [each for each in device.client.changes() if each.id > self._before]
            self.change = min(later, key=lambda each: each.id, default=None)
        if self.change is not None:
            change_id = self.change.id
            if self._is_lost(change_id):
                self.change = None
                return
            _await_discovered(device, self._scenario)
            device.until("all changes have ended", lambda: _ended(device))
            self.change = device.client.change(change_id)
        try:
            device.until("all is quiet", lambda: _quiet(device), patience=PATIENCE / 2)
        except Late:
            notifications = device.client.notifications(CARD)
            self.violations.append(
                f"not quiet: {len(device.card.notifications)} notifications on the card, channels"
                f" {device.open_channels}, outbox {notifications}"
            )

    def _fulfil(self) -> None:
        """Request a failed wish again, because it is still open."""
        for _ in range(_WISHES):
            if self.change is not None and self.change.state == "done":
                return
            self.change = self._scenario.act(self._device)
            self._settle()

    def _is_lost(self, change_id: int) -> bool:
        """Return whether a wrong bit has destroyed a change's record, and the journal's health reports it."""
        if self.flip is None:
            return False
        try:
            self._device.client.change(change_id)
        except ApiError as error:
            repairs = self._device.client.system().health.journal.repairs
            return error.kind == "not-found" and any(change_id in each.lost_changes for each in repairs)
        return False

    def _download(self) -> None:
        """Check that the next download works, and that its notification arrives."""
        device = self._device
        code = device.code(device.order(LATER))
        change = device.client.download(CARD, activation_code=code, wait=PATIENCE)
        if change.state != "done":
            self.violations.append(f"the next download is {change.state}: {change.error}")
            return
        device.until("the next download is reported", lambda: _quiet(device))


def _begin(device: Device, scenario: Scenario) -> None:
    if scenario.offline:
        device.go_offline()
    device.start()
    device.ready()
    if device.gateway is not None:  # otherwise a copied device would report events older than the copy
        device.client.enable(CARD, iccid(FIRST), wait=PATIENCE).check()
        device.until("it is connected", lambda: device.apn == apn_of(iccid(FIRST)))
    if not scenario.offline:
        device.until("all is quiet", lambda: _quiet(device))


def _await_discovered(device: Device, scenario: Scenario) -> None:
    """Wait for the download that follows from a discovery; the verdict reports a missing one."""
    if scenario.discovers:
        with suppress(Late):
            device.until("the discovered profile is enabled", lambda: holds(device, scenario.after))


def _ended(device: Device) -> bool:
    return all(each.ended for each in device.client.changes())


def _quiet(device: Device) -> bool:
    """Return whether nothing is left to do: no notification is on the card or in the outbox, no channel open.

    The outbox also opens sessions, so a single check may fall between two sessions.
    """
    for _ in range(_LOOKS):
        if not _idle(device):
            return False
        threading.Event().wait(_BETWEEN_LOOKS)
    return _idle(device)


def _idle(device: Device) -> bool:
    return not (device.card.notifications or device.open_channels or device.client.notifications(CARD))


def _told(change: Change | None) -> str:
    if change is None:
        return "never accepted"
    return f"{change.state}: {change.error.kind}" if change.error else change.state
