"""Tests with Debian's own NetworkManager and ModemManager: for root, on a machine that has both."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from debian_daemons.rig import Rig

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from lpad.simulator.modem.pty_modem import PtyModem

# .ci/run starts these tests with sudo if it does not run as root.
collect_ignore_glob = [] if os.geteuid() == 0 else ["test_*.py"]


@pytest.fixture
def rig_of(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Callable[..., Rig]]:
    """Return a function that starts a rig, whose bus lpad then uses."""
    started: list[Rig] = []

    def start(iccid: str, *, modem: PtyModem | None = None) -> Rig:
        rig = Rig(iccid, modem=modem)
        started.append(rig)
        request.node.stash[_RIGS] = started
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", rig.address)
        return rig.__enter__()

    yield start
    for rig in started:
        rig.__exit__()


_RIGS = pytest.StashKey[list[Rig]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the logs of the daemons and the modem after a failed test."""
    report = yield
    if call.excinfo is not None:
        for rig in item.stash.get(_RIGS, []):
            report.sections.extend(rig.said())
    return report
