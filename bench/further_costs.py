"""Further figures: a switch in seconds, lpactl's own time, a long history, and many cards."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.download_and_enable_costs import SIZE, wait_until_quiet
from bench.figure_with_goal import Figure, at_most
from bench.process_usage import usage
from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.base.errors import CardUnreachable
from lpad.base.identifiers import Eid, Iccid
from lpad.engine.change.params import RefreshParams
from lpad.engine.journal import Journal
from lpad.engine.journal.changes import Retention
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.modem.personality import ModemPersonality
from lpad.simulator.modem.pty_modem import PtyModem
from lpad.simulator.profile_package.made_up_profile import made_up_profile

if TYPE_CHECKING:
    from collections.abc import Callable

BAUD = 115_200
FAST = 921_600
FASTER_LINE = 0.49
"""The goal: half of lpac's time at 115,200 baud, set when lpad took 1.02 times lpac's time there."""
RUNS = 5
"""The number of runs. The shortest counts, because other work on the machine only adds time."""
MANY = 10_000
FEW = 100
PAGE = 20
CARDS = 32
FIRST_DIGITS = "89049032123451234512345678"
CLIENT_LIBRARIES = "click, h11, msgspec"


def further_costs() -> list[Figure]:
    """Measure all further figures."""
    return [_enable_told(), _faster_line(), *_lpactl_download(), _long_history(), _many_cards()]


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
                _seconds(lambda: gateway.client.enable(CARD, iccids[0], guard=None, wait=PATIENCE).check())
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
            seconds.append(_seconds(lambda: gateway.download(code).check()))  # noqa: B023  called immediately
    return min(seconds)


def _lpactl_download() -> list[Figure]:
    """Measure the time that `lpactl download` adds, and its ratio to an import of `CLIENT_LIBRARIES`."""
    added, libraries = [], []
    with Gateway(settings={"log": "warning"}) as gateway:
        gateway.client.refresh(CARD, wait=PATIENCE).check()
        for number in range(1, RUNS + 1):
            code = gateway.order(made_up_profile(Iccid.parse(f"894400000000000000{number}"), size=1500))
            command = [sys.executable, "-m", "lpad.cli.lpactl", "--socket", str(gateway.socket)]
            whole = _seconds(lambda: _run([*command, "download", code]))  # noqa: B023  called immediately
            (change,) = gateway.client.changes(limit=1)
            assert change.ended_at is not None
            added.append(whole - (change.ended_at - change.created_at).total_seconds())
            libraries.append(_seconds(lambda: _run([sys.executable, "-c", f"import {CLIENT_LIBRARIES}"])))
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


def _long_history() -> Figure:
    """Compare a page in the middle of a long history with one of a short history."""
    few, many = (_page_seconds(number) for number in (FEW, MANY))
    return Figure("page from 10,000 changes, against a page from 100", many, few, "s", 1.5)


def _page_seconds(number: int) -> float:
    # The journal is in memory, because the measurement does not include writing the history.
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="lpad-bench-") as folder:
        journal = Journal(Path(folder) / "journal.db")
        journal.changes.retention = Retention(number=number)
        for _ in range(number):
            change = journal.changes.add(CARD, RefreshParams(), secrets={})
            journal.changes.save(change.run().failed(CardUnreachable("gone")))
        journal.close()
        settings = {"log": "warning", "state_folder": folder, "history": {"changes": MANY}}
        with Gateway(settings=settings) as gateway:
            before = number // 2 + PAGE
            return min(
                _seconds(lambda: gateway.client.changes(limit=PAGE, before=before)) for _ in range(10 * RUNS)
            )


def _many_cards() -> Figure:
    """Measure the memory of a daemon with many idle cards."""
    with ExitStack() as stack:
        gateway = Gateway(settings=(settings := {"log": "warning"}))
        ports = {CARD: {"port": str(gateway.folder / "port")}}
        for number in range(1, CARDS):
            eid = Eid.with_check_digits(f"{FIRST_DIGITS}{number:04}")
            card = stack.enter_context(SoftCard(gateway.folder / f"card{number}", pki=gateway.pki, eid=eid))
            path = gateway.folder / f"port{number}"
            personality = ModemPersonality(imei=f"49015420323{number:04}")
            stack.enter_context(PtyModem(card, path=path, personality=personality))
            ports[f"modem{number}"] = {"port": str(path)}
        settings["euiccs"] = ports  # type: ignore[assignment]  # settings are any JSON
        stack.enter_context(gateway)
        gateway.until(lambda: gateway.client.system().health.cards_ready == CARDS)
        assert gateway.process is not None
        return at_most(
            "resident memory, 32 cards", usage(gateway.process.pid).resident_mib, 60, "MiB", spread=0.03
        )


def _seconds(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)
