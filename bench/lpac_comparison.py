"""A comparison of downloads by lpad and lpac, alternately, with the same card and server."""

from __future__ import annotations

import dataclasses
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.figure_with_goal import at_most
from bench.lpac.program import Lpac
from bench.lpac.slow_network import SlowNetwork
from bench.recording_card import RecordingCard
from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.base.identifiers import Iccid
from lpad.simulator.modem.personality import Handles, ModemPersonality
from lpad.simulator.profile_package.made_up_profile import made_up_profile
from lpad.simulator.smdp.server import SmDp
from lpad.simulator.virtual_reader import VirtualReaderCard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.figure_with_goal import Figure

RUNS = 5
"""The number of downloads by each program. The shortest counts, because other work only adds time."""
SIZE = 11_800
"""Bytes of the profile package."""
QUIET = 1.0
"""Seconds without a command for the card after which a change and its notifications are complete."""
SPREAD = 0.3
"""The share by which equal runs may differ on a machine with other work."""
ROUND_TRIP = 0.2
BAUD = 115_200
FAST_BAUD = 921_600
BEHIND = "127.0.0.2"
"""The server's address if a relay uses the server's usual address."""
DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
"""The driver of virtual readers."""
MODEM = ModemPersonality(handles=Handles.NUMBER)
"""A modem with +CCHO and +CGLA, which Debian's lpac uses for APDUs instead of +CSIM."""


@dataclass(frozen=True, slots=True)
class Download:
    """The seconds of one download."""

    result: float
    """The seconds until the caller has the result."""
    delivered: float
    """The seconds until the server has the notification."""


@dataclass(frozen=True, slots=True)
class Place:
    """A simulated network, line or reader that both programs use, with the goals for lpad."""

    name: str
    result_goal: float
    delivered_goal: float
    """The largest accepted ratio of lpad's `delivered` to lpac's; `result_goal` is that of `result`."""
    baud: int | None = None
    fast_baud: int | None = None
    """The speed to which lpad sets the line (AT+IPR); lpac uses the line as it is."""
    round_trip: float = 0.0
    reader: bool = False


PLACES = (
    Place("200 ms round trip, AT unpaced", 0.6, 0.42, round_trip=ROUND_TRIP),
    Place("at 115200", 0.88, 0.66, baud=BAUD),
    Place("at 115200, line made faster", 0.5, 0.5, baud=BAUD, fast_baud=FAST_BAUD),
    Place("no delay, PC/SC", 0.9, 0.7, reader=True),
)


def comparison(program: Path) -> list[Figure]:
    """Compare the two programs in each place.

    Args:
        program: lpac's executable file.
    """
    places: tuple[Place, ...] = PLACES
    if (missing := _missing_for_readers()) is not None:
        print(f"no comparison in a reader: {missing}", file=sys.stderr)
        places = tuple(place for place in PLACES if not place.reader)
    return [figure for place in places for figure in _compared(place, program)]


def _missing_for_readers() -> str | None:
    if find_spec("smartcard") is None:
        return "install pyscard"
    return None if DRIVER.exists() else "install the Debian packages pcscd and vsmartcard-vpcd"


def _compared(place: Place, program: Path) -> list[Figure]:
    with _gateway(place) as (gateway, card, reader):
        lpac = Lpac(program, reader=reader) if reader else Lpac(program, port=gateway.folder / "port")
        ours, theirs = [], []
        for number in range(1, 2 * RUNS + 1, 2):
            theirs.append(_with_lpac(gateway, card, lpac, number))
            ours.append(_with_lpad(gateway, card, number + 1))
    return [
        _figure(place, "result", place.result_goal, ours, theirs),
        _figure(place, "delivered", place.delivered_goal, ours, theirs),
    ]


def _figure(place: Place, end: str, goal: float, ours: list[Download], theirs: list[Download]) -> Figure:
    lpad, lpac = (min(getattr(each, end) for each in times) for times in (ours, theirs))
    name = f"against lpac, {place.name}: {end}"
    print(f"{name}: lpad {lpad:.3f} s, lpac {lpac:.3f} s", file=sys.stderr)
    return at_most(name, lpad / lpac, goal, "times", spread=SPREAD)


@contextmanager
def _gateway(place: Place) -> Iterator[tuple[Gateway, RecordingCard, str | None]]:
    """Start the daemon and all simulators; yield the gateway, its card, and the card's reader or None."""
    cards: list[RecordingCard] = []

    def recorded(card: Any) -> RecordingCard:
        cards.append(RecordingCard(card))
        return cards[0]

    with ExitStack() as stack:
        euicc: dict[str, Any] = {}
        reader = None
        if place.reader:
            # Imported only here, because card.private_pcscd chooses pcscd's socket for the whole process.
            from card.private_pcscd import FIRST, PrivatePcscd, wait_for_cards  # noqa: PLC0415

            reader = FIRST
            euicc["reader"] = reader
            pcscd = stack.enter_context(PrivatePcscd())
        personality = MODEM
        if place.fast_baud is not None:
            euicc["fast_baud"] = place.fast_baud
            personality = dataclasses.replace(MODEM, line_rates=(BAUD, place.fast_baud))
        settings = {"log": "warning"}
        gateway = Gateway(
            wrap=recorded, personality=personality, baud=place.baud, settings=settings, euicc=euicc
        )
        if place.reader:
            stack.enter_context(VirtualReaderCard(cards[0], port=pcscd.port))
            wait_for_cards(present={FIRST})
        if place.round_trip:
            gateway.server = SmDp(gateway.folder / "smdp", pki=gateway.pki, bind=BEHIND)
        stack.enter_context(gateway)
        if place.round_trip:
            port = gateway.server.port
            stack.enter_context(
                SlowNetwork((BEHIND, port), listen=("127.0.0.1", port), round_trip=place.round_trip)
            )
        gateway.client.refresh(CARD, wait=PATIENCE).check()
        yield gateway, cards[0], reader


def _with_lpad(gateway: Gateway, card: RecordingCard, number: int) -> Download:
    code = gateway.order(made_up_profile(_iccid(number), size=SIZE))
    found = _timed(gateway, lambda: gateway.download(code).check(), lambda: None)
    _delete(gateway, card)
    return found


def _with_lpac(gateway: Gateway, card: RecordingCard, lpac: Lpac, number: int) -> Download:
    """Download with lpac while the daemon is stopped, because the daemon would keep the card for itself."""
    code = gateway.order(made_up_profile(_iccid(number), size=SIZE))
    gateway.stop()
    lpac.prepare()
    found = _timed(gateway, lambda: lpac.download(code), lpac.deliver)
    gateway.start()
    gateway.client.refresh(CARD, wait=PATIENCE).check()
    _delete(gateway, card)
    return found


def _timed(gateway: Gateway, download: Callable[[], object], deliver: Callable[[], object]) -> Download:
    """Measure the time until a download ends, and the time until the server has its notification."""
    gateway.server.counters.reset()
    times: list[float] = []
    watch = threading.Thread(target=lambda: times.append(_notified(gateway.server)))
    start = time.perf_counter()
    watch.start()
    download()
    result = time.perf_counter() - start
    deliver()
    watch.join()
    return Download(result, times[0] - start)


def _notified(server: SmDp) -> float:
    """Wait until a server has received a notification, and return the time by time.perf_counter."""
    end = time.perf_counter() + PATIENCE
    while not server.counters.requests["handleNotification"]:
        assert time.perf_counter() < end, "the server received no notification"
        threading.Event().wait(0.002)
    return time.perf_counter()


def _delete(gateway: Gateway, card: RecordingCard) -> None:
    """Delete the profile and wait for silence, so that each download finds the card in the same state."""
    gateway.until(lambda: not gateway.card.notifications)
    (profile,) = gateway.client.profiles(CARD)
    gateway.client.delete(CARD, profile.iccid, wait=PATIENCE).check()
    gateway.until(lambda: not gateway.card.notifications)
    commands, since = -1, time.monotonic()
    while time.monotonic() - since < QUIET:
        if len(card.log) != commands:
            commands, since = len(card.log), time.monotonic()
        threading.Event().wait(0.05)


def _iccid(number: int) -> Iccid:
    return Iccid.parse(f"89440000000000000{number:02}")
