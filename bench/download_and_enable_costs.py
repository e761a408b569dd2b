"""Counts of downloads and an enable: AT lines, APDUs, syncs, bytes, handshakes, round trips, memory."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from bench.figure_with_goal import Figure, at_most
from bench.process_usage import usage
from bench.recording_card import RecordingCard
from bench.traced_file_writes import Strace
from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.base.identifiers import Iccid
from lpad.simulator.modem.personality import ModemPersonality
from lpad.simulator.profile_package.made_up_profile import made_up_profile

if TYPE_CHECKING:
    from lpad.simulator.euicc.card import SoftCard

BAUD = 115_200
SIZE = 11_800
"""Bytes of the profile package."""
QUIET = 2.0
"""Seconds without a command after which a change and its notifications are complete."""
SPREAD = 0.03
"""The share by which memory may differ between runs, because it depends a little on the order of threads."""
SMALL_BLOCKS = ModemPersonality(manufacturer="Fibocom Wireless Inc.", model="L850-GL", firmware="18500")
"""A modem that accepts 255-byte blocks, although its quirk requires 120."""
BEFORE_PACKAGE = ("initiateAuthentication", "authenticateClient", "getBoundProfilePackage")


def counts() -> list[Figure]:
    """Measure all counts."""
    return [*_changes(), *_first_contact(), *_block_sizes()]


def _changes() -> list[Figure]:
    """Count the AT lines of an enable, the writes of an enable and of a download, and the memory."""
    with Gateway(baud=BAUD, settings={"log": "warning"}) as gateway:
        assert gateway.process is not None
        gateway.client.refresh(CARD, wait=PATIENCE).check()
        idle = usage(gateway.process.pid).resident_mib
        gateway.install_profile(enable=True)
        iccid = gateway.install_profile()
        code = gateway.order(_profile(9))
        wait_until_quiet(gateway)
        after = usage(gateway.process.pid).resident_mib
        with Strace(gateway.process.pid, gateway.folder / "strace") as strace:
            calls, lines = strace.count(), gateway.modem.counters.commands
            gateway.client.enable(CARD, iccid, guard=None, wait=PATIENCE).check()
            told = gateway.modem.counters.commands - lines
            wait_until_quiet(gateway)
            in_all, enable = gateway.modem.counters.commands - lines, strace.count().since(calls)
            calls = strace.count()
            gateway.download(code).check()
            wait_until_quiet(gateway)
            download = strace.count().since(calls)
    return [
        at_most("AT lines of an enable until its result", told, 20, "lines"),
        at_most("AT lines of an enable in all", in_all, 36, "lines"),
        at_most("fdatasync per download", download.syncs, 8, "calls"),
        at_most("fdatasync per enable", enable.syncs, 5, "calls"),
        _without_goal("bytes written to flash per download", download.written, "bytes"),
        _without_goal("bytes written to flash per enable", enable.written, "bytes"),
        at_most("resident memory, one card idle", idle, 38, "MiB", spread=SPREAD),
        at_most("resident memory after a download", after, 42, "MiB", spread=SPREAD),
    ]


def _first_contact() -> list[Figure]:
    """Count connections to a server that only the card's CI confirms, and round trips to a trusted server."""
    with Gateway(settings={"log": "warning", "trust": {}}) as gateway:
        gateway.client.refresh(CARD, wait=PATIENCE).check()
        figures = []
        gateway.server.counters.reset()
        gateway.download(gateway.order(_profile(1))).check()
        wait_until_quiet(gateway)
        # Connections count as handshakes: one that only fetches certificates ends within its handshake.
        handshakes = gateway.server.counters.tcp_connects
        figures.append(at_most("TLS handshakes at first contact", handshakes, 1, "handshakes"))
    with Gateway(settings={"log": "warning"}) as gateway:
        gateway.client.refresh(CARD, wait=PATIENCE).check()
        gateway.server.counters.reset()
        gateway.download(gateway.order(_profile(1))).check()
        wait_until_quiet(gateway)
        seen = gateway.server.counters
        opening = seen.tcp_connects + seen.tls_handshakes  # with TLS 1.3, each takes one round trip
        before = opening + sum(seen.requests[name] for name in BEFORE_PACKAGE)
        in_all = opening + sum(seen.requests.values())
    return [
        *figures,
        at_most("round trips before the first package byte", before, 6, "round trips"),
        at_most("round trips of a download in all", in_all, 7, "round trips"),
    ]


def _block_sizes() -> list[Figure]:
    """Count a download's APDUs, and a second download's through a modem whose quirk requires small blocks."""
    plain = _apdus(None, downloads=1)
    small = _apdus(SMALL_BLOCKS, downloads=2)
    return [
        at_most("APDUs of a download of 11.8 kB", plain, 82, "APDUs"),
        at_most("APDUs of a second download, quirk of 120-byte blocks", small, 1.1 * plain, "APDUs"),
    ]


def _apdus(personality: ModemPersonality | None, *, downloads: int) -> int:
    cards: list[RecordingCard] = []

    def recorded(card: SoftCard) -> RecordingCard:
        cards.append(RecordingCard(card))
        return cards[0]

    with Gateway(wrap=recorded, personality=personality, settings={"log": "warning"}) as gateway:
        gateway.client.refresh(CARD, wait=PATIENCE).check()
        for number in range(1, downloads + 1):
            wait_until_quiet(gateway)
            cards[0].log.clear()
            gateway.download(gateway.order(_profile(number))).check()
        wait_until_quiet(gateway)
        return len(cards[0].log)


def wait_until_quiet(gateway: Gateway) -> None:
    """Wait until the modem has received no command for `QUIET` seconds."""
    lines, since = -1, time.monotonic()
    while time.monotonic() - since < QUIET:
        if gateway.modem.counters.commands != lines:
            lines, since = gateway.modem.counters.commands, time.monotonic()
        threading.Event().wait(0.1)


def _profile(number: int) -> bytes:
    return made_up_profile(Iccid.parse(f"894400000000000000{number}"), size=SIZE)


def _without_goal(name: str, measured: float, unit: str) -> Figure:
    return Figure(name, measured, 0.0, unit, float("inf"))
