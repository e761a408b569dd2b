"""The time for a page of a long history, and the memory of a daemon with many cards."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.command_times import RUNS, seconds_of
from bench.figure_with_goal import Figure, at_most
from bench.process_usage import usage
from journeys.gateway import CARD, Gateway
from lpad.base.errors import CardUnreachable
from lpad.base.identifiers import Eid
from lpad.engine.change.params import RefreshParams
from lpad.engine.journal import Journal
from lpad.engine.journal.changes import Retention
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.modem.personality import ModemPersonality
from lpad.simulator.modem.pty_modem import PtyModem

MANY = 10_000
FEW = 100
PAGE = 20
CARDS = 32
FIRST_DIGITS = "89049032123451234512345678"


def history_and_fleet_costs() -> list[Figure]:
    """Measure the costs of a long history and of many cards."""
    return [_long_history(), _many_cards()]


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
                seconds_of(lambda: gateway.client.changes(limit=PAGE, before=before))
                for _ in range(10 * RUNS)
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
