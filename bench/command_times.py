"""The time of a switch, of a download over a faster line, and of lpactl itself."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from bench.download_and_enable_costs import SIZE, wait_until_quiet
from bench.figure_with_goal import Figure, at_most
from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.base.identifiers import Iccid
from lpad.simulator.modem.personality import ModemPersonality
from lpad.simulator.profile_package.made_up_profile import made_up_profile

if TYPE_CHECKING:
    from collections.abc import Callable

BAUD = 115_200
FAST = 921_600
FASTER_LINE = 0.49
"""The goal, set when lpad took 1.02 times lpac's time at 115,200 baud: half of lpac's time."""
RUNS = 5
"""The number of runs. The shortest counts, because other work on the machine only adds time."""
CLIENT_LIBRARIES = "click, h11, msgspec"


def command_times() -> list[Figure]:
    """Measure the times until an enable and a download have their results, and the time that lpactl adds."""
    return [_enable_told(), _faster_line(), *_lpactl_download()]


def _enable_told() -> Figure:
    """Measure the time until the caller has the result of an enable that card and modem have confirmed."""
    with Gateway(baud=BAUD, settings={"log": "warning"}) as gateway:
        gateway.client.refresh(CARD, wait=PATIENCE).check()
        iccids = [gateway.install_profile(enable=True), gateway.install_profile()]
        seconds = []
        for _ in range(RUNS):
            iccids.reverse()
            wait_until_quiet(gateway)
            seconds.append(
                seconds_of(lambda: gateway.client.enable(CARD, iccids[0], guard=None, wait=PATIENCE).check())
            )
    return at_most("enable at 115200 until its result, modem verified", min(seconds), 0.3, "s")


def _faster_line() -> Figure:
    """Compare a download over a line at 921,600 baud (AT+IPR) with one over the same line at 115,200."""
    usual, faster = (_download_seconds(euicc) for euicc in ({}, {"fast_baud": FAST}))
    return Figure("download until its result, fast line against 115200", faster, usual, "s", FASTER_LINE, 0.3)


def _download_seconds(euicc: dict[str, Any]) -> float:
    personality = ModemPersonality(line_rates=(BAUD, FAST))
    with Gateway(baud=BAUD, personality=personality, euicc=euicc, settings={"log": "warning"}) as gateway:
        gateway.client.refresh(CARD, wait=PATIENCE).check()
        assert gateway.modem.line_rate == euicc.get("fast_baud", BAUD)
        seconds = []
        for number in range(1, RUNS + 1):
            code = gateway.order(made_up_profile(Iccid.parse(f"894400000000000000{number}"), size=SIZE))
            wait_until_quiet(gateway)
            seconds.append(seconds_of(lambda: gateway.download(code).check()))  # noqa: B023  called immediately
    return min(seconds)


def _lpactl_download() -> list[Figure]:
    """Measure the time that `lpactl download` adds, also in starts of Python with `CLIENT_LIBRARIES`."""
    added, libraries = [], []
    with Gateway(settings={"log": "warning"}) as gateway:
        gateway.client.refresh(CARD, wait=PATIENCE).check()
        for number in range(1, RUNS + 1):
            code = gateway.order(made_up_profile(Iccid.parse(f"894400000000000000{number}"), size=1500))
            command = [sys.executable, "-m", "lpad.cli.lpactl", "--socket", str(gateway.socket)]
            whole = seconds_of(lambda: _run([*command, "download", code]))  # noqa: B023  called immediately
            (change,) = gateway.client.changes(limit=1)
            assert change.ended_at is not None
            added.append(whole - (change.ended_at - change.created_at).total_seconds())
            libraries.append(seconds_of(lambda: _run([sys.executable, "-c", f"import {CLIENT_LIBRARIES}"])))
    seconds = min(added)
    return [
        Figure("time that lpactl download adds", seconds, 0.1, "s", float("inf")),
        at_most(
            "time that lpactl download adds, in starts of Python",
            seconds / min(libraries),
            1,
            "starts",
            spread=0.3,
        ),
    ]


def seconds_of(act: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)
