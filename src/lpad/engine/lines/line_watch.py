"""The watch of lines: queries platforms for the lines of installed profiles, in a separate thread.

lpad queries the line of a new profile once, then daily, and more often while the line changes. lpad also
queries immediately when a profile is about to be enabled or has stopped working, because the line may be the
cause. As long as no platform of the settings can report lines, no thread is started.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.base.backoff import Backoff
from lpad.base.cancellation import Cancellation
from lpad.base.deadline import Deadline
from lpad.base.errors import Cancelled, LpadError
from lpad.base.liveness import resting, watched
from lpad.engine.change.change import Kind, State
from lpad.engine.change.event_subscriptions import PROGRESS
from lpad.engine.lines.line_search import find_line, platforms_with_lines
from lpad.engine.lines.platform_line_report import LineRecord
from lpad.engine.snapshot.profile import Profile
from lpad.provisioning.platform_interface import Line, Reservation

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.engine.change.event_subscriptions import Event, Hub
    from lpad.engine.change.steady_clock import Moment
    from lpad.engine.lines.known_lines import KnownLines
    from lpad.engine.provisioning.platforms import Platforms
    from lpad.engine.snapshot.snapshot import Snapshot

log = logging.getLogger(__name__)

SPREAD = 60.0
"""Seconds over which lpad spreads the first query for a new profile, to spread the queries of a fleet."""
DAILY = Backoff((86_400,))
CHANGING = Backoff((30, 60, 120, 300, 600, 1800, 3600))
"""Seconds between two queries for a changing line."""
TROUBLED = Backoff((900, 3600, 6 * 3600, 86_400))
"""Seconds between two queries after failed attempts."""
UNKNOWN = Backoff((7 * 86_400,))
"""Seconds between two queries for a profile whose line no platform knows."""
FRESH = 30.0
"""Seconds after a report during which an event of the profile does not cause another query."""
SHORTEST = 1.0
"""The minimum number of seconds between two checks for due queries."""
NO_CLOCK = 60.0
"""Seconds until lpad checks again whether the clock was set."""
CONVERSATION = 60.0
"""Seconds for one conversation with a platform."""


class LineWatch:
    """Watches the lines of the profiles on all cards."""

    def __init__(
        self,
        lines: KnownLines,
        *,
        platforms: Platforms,
        hub: Hub,
        snapshots: Callable[[], list[Snapshot]],
        clock_set: Callable[[], bool],
        now: Callable[[], Moment],
    ) -> None:
        """Create the watch; `begin` starts the queries.

        Args:
            lines: stores the states of lines.
            platforms: the platforms of the settings.
            hub: reports events of cards and profiles.
            snapshots: returns the last snapshots of the cards.
            clock_set: returns whether the clock is set, so that certificates can be verified.
            now: returns the present moment.
        """
        self._lines = lines
        self._platforms = platforms
        self._hub = hub
        self._snapshots = snapshots
        self._clock_set = clock_set
        self._now = now
        self._news = threading.Event()
        self._stopping = False
        self._stop = Cancellation()
        self._network_back = False
        self._first: dict[str, float] = {}
        """When lpad first queries the line of each new profile, in monotonic time."""
        self._urgent: set[str] = set()
        self._hints: dict[int, str] = {}
        """The last state of each change that was a reason to query the line again."""
        self._changing: dict[str, int] = {}
        """The number of consecutive reports that a line is changing, by ICCID."""
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Start if a platform of the settings can report lines; a later call applies new settings."""
        if self._thread is None and not self._stopping and platforms_with_lines(self._platforms):
            self._subscription = self._hub.subscribe(self._news.set, ignored=PROGRESS)
            self._thread = threading.Thread(target=self._run, name="lines", daemon=True)
            self._thread.start()
        self._news.set()

    def network_is_back(self) -> None:
        """Repeat failed attempts now."""
        self._network_back = True
        self._news.set()

    def stop(self) -> None:
        """Have the watch end, without waiting for this."""
        self._stopping = True
        self._stop.cancel("lpad was stopped")
        self._news.set()

    def join(self, *, deadline: Deadline) -> None:
        """Wait until the watch has ended, at most until the deadline."""
        if self._thread is not None:
            self._thread.join(deadline.remaining())

    @property
    def alive(self) -> bool:
        """Whether the watch's thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        with watched("the watch of lines"):
            while not self._stopping:
                # The flag is cleared before events are taken: another thread sets it after adding them.
                self._news.clear()
                try:
                    for event in self._subscription.take():
                        self._heard(event)
                    seconds = self._step()
                except Cancelled:
                    break
                except Exception as error:
                    # The thread continues, because a later report may name the cause of a lost connection.
                    log.exception("internal-error", extra={"kind": type(error).__name__})
                    seconds = TROUBLED.seconds[0]
                with resting():
                    self._news.wait(seconds)
        self._subscription.close()

    def _step(self) -> float | None:
        """Query the lines that are due; return the seconds until the next query, None if there is none."""
        names = tuple(each.name for each in platforms_with_lines(self._platforms))
        if not names:
            return None
        if not self._clock_set():
            return NO_CLOCK
        back, self._network_back = self._network_back, False
        waits = []
        for card in self._snapshots():
            for iccid in _operational(card):
                wait = self._wait(iccid, names, network_back=back)
                if wait <= 0:
                    self._urgent.discard(iccid)
                    self._look(card, iccid, names)
                    wait = self._wait(iccid, names, network_back=False)
                waits.append(max(wait, SHORTEST))
        return min(waits, default=None)

    def _wait(self, iccid: str, names: tuple[str, ...], *, network_back: bool) -> float:
        """Return the seconds until lpad queries the line of a profile; 0 or less: now."""
        record = self._lines.get(iccid)
        if record is not None and record.seen_at and self._now().since(record.seen_at) < FRESH:
            self._urgent.discard(iccid)
        if iccid in self._urgent or (network_back and record is not None and record.failures):
            return 0.0
        if record is not None and (record.platform in names or set(record.asked) == set(names)):
            return self._now().until(record.due_at, longest=UNKNOWN.longest)
        spread = random.uniform(0, SPREAD)  # noqa: S311 - no secret
        return self._first.setdefault(iccid, time.monotonic() + spread) - time.monotonic()

    def _look(self, card: Snapshot, iccid: str, names: tuple[str, ...]) -> None:
        before = self._lines.get(iccid) or LineRecord()
        self._first.pop(iccid, None)
        try:
            found = find_line(iccid, self._platforms, known=before, deadline=self._deadline)
        except Cancelled:
            raise
        except LpadError as error:
            failures = before.failures + 1
            due = self._now().steady + TROUBLED.after(failures)
            self._lines.put(iccid, replace(before, failures=failures, due_at=due, asked=names))
            log.log(
                logging.WARNING if failures == 1 else logging.INFO,
                "%s: cannot ask for the line of a profile: %s (%s)", card.name, error, error.kind,
            )  # fmt: skip
            return
        if found is None and before.platform not in names:
            due = self._now().steady + UNKNOWN.after(1)
            self._lines.put(iccid, replace(before, failures=0, due_at=due, asked=names))
            return
        # None: the platform no longer knows the line, because the operator has deleted it.
        seen = Reservation(platform=before.platform, id="") if found is None else found[1]
        looks = self._changing.get(iccid, 0) + 1 if seen.line is Line.CHANGING else 0
        self._changing[iccid] = looks
        due_in = CHANGING.after(looks) if looks else DAILY.after(1)
        self._lines.learned(iccid, seen, euicc=card.name, own_imei=card.imei, due_in=due_in)

    def _deadline(self) -> Deadline:
        return Deadline.after(CONVERSATION, cancellation=self._stop)

    def _heard(self, event: Event) -> None:
        """Make the query of a profile's line urgent if the line may have caused an event."""
        name: object = None
        if event.type == "failover" and event.data["standing"] == "ailing":
            name = event.data["profile"]
        elif event.type == "change":
            name = self._hinted(event)
        card = next((each for each in self._snapshots() if each.name == event.euicc), None)
        profile = card.listed.named(name) if card is not None and isinstance(name, str) else None
        if profile is not None and profile.iccid is not None:
            self._urgent.add(profile.iccid)

    def _hinted(self, event: Event) -> object:
        """Return the profile of a switch that begins or failed, or of a failed download; None otherwise."""
        number, state = event.change or 0, str(event.data["state"])
        known = self._hints.get(number)
        if state == State.RUNNING:
            self._hints[number] = state
        else:
            self._hints.pop(number, None)
        error, params = event.data.get("error"), event.data.get("params")
        details = error.get("details") if isinstance(error, dict) else None
        if state == State.FAILED and isinstance(details, dict) and "installed" in details:
            return details["installed"]
        news = state == State.FAILED or (state == State.RUNNING and known is None)
        switch = news and event.data.get("kind") == Kind.ENABLE and isinstance(params, dict)
        return params.get("iccid") if switch and isinstance(params, dict) else None


def _operational(card: Snapshot) -> list[str]:
    """Return the ICCIDs of a card's profiles, except test profiles, which have no line at a platform."""
    return [each.iccid for each in card.listed if isinstance(each, Profile) and each.profile_class != "test"]
