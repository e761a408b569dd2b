"""A fleet in simulated time: a thousand real wishes at a platform with a limit of calls per minute.

The operation with its waiting rules, the records of the wishes, the declared platform with its calls, and
the simulated platform's answers are real. The clock, the way to the platform, the card and the SM-DP+ are
simulated.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import httpx
import msgspec

from lpad.engine.change.change import EID, Change, Kind, now
from lpad.engine.change.notes import ProvisionNotes
from lpad.engine.change.params import ProvisionParams
from lpad.engine.change.results import DownloadResult
from lpad.engine.operations.provision import provision
from lpad.engine.provisioning.platforms import Platforms
from lpad.engine.provisioning.wish_store import WishStore
from lpad.engine.running.run import Postponed
from lpad.provisioning.declared import platform_opening
from lpad.provisioning.declared.platform_opening import OpenablePlatform, PlatformSettings
from lpad.provisioning.http.token_store import Tokens
from lpad.remote.https.proxy_and_interface import Route
from lpad.simulator.platform.platform_kinds import CREDENTIALS, OPTIONS, PRODUCTS, VENDORS
from lpad.simulator.platform.request_and_answer import Answer, Request
from lpad.simulator.platform.reservations import Pace, Placed, Profile, Stock

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from lpad.engine.change.notes import Noting
    from lpad.simulator.platform.reservations import Reserved

PLATFORM = "mine"
MINUTE = 60.0


class Shelf:
    """An SM-DP+ that always has a profile."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def place(self, *, eid: str | None) -> Placed:
        number = next(self._numbers)
        return Placed(str(number), f"8944{number:015}", "smdp.example.com", f"CODE-{number}")

    def progress(self, order: str) -> Profile:
        return Profile.AVAILABLE

    def withdraw(self, order: str) -> None:
        raise AssertionError("nothing is released")


class SlowStock(Stock):
    """An SM-DP+ that has a profile ready some seconds after its order."""

    seconds = 0.0

    def look(self, each: Reserved) -> Reserved:
        each.never = self.now() - each.created < self.seconds
        return super().look(each)


class CrowdedPlatform(httpx.BaseTransport):
    """A simulated platform that answers a limited number of calls per minute, and all others with 429."""

    def __init__(self, like: str, *, per_minute: int, retry_after: int | None, ready: float) -> None:
        self.now = 0.0
        self.stock = SlowStock(Shelf(), lambda: self.now, Pace(profile=0, line=0))
        self.stock.seconds = ready
        self.vendor = VENDORS[like](self.stock)
        self.answered: Counter[int] = Counter()
        """The number of calls in each minute."""
        self.refused: list[float] = []
        """The times at which calls were refused."""
        self.free_at = 0.0
        """The time at which a refused client may call again."""
        self._per_minute = per_minute
        self._retry_after = retry_after

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer to a request, which is 429 beyond the limit per minute."""
        minute = int(self.now // MINUTE)
        if self.answered[minute] >= self._per_minute:
            self.refused.append(self.now)
            self.free_at = self.now + (self._retry_after or 0)
            headers = {} if self._retry_after is None else {"Retry-After": str(self._retry_after)}
            return httpx.Response(429, headers=headers, json={"message": "too many requests"})
        self.answered[minute] += 1
        answer = self._carried_out(request)
        return httpx.Response(answer.status, headers=dict(answer.headers), json=answer.content)

    def _carried_out(self, request: httpx.Request) -> Answer:
        came = Request(
            method=request.method,
            host=request.url.host,
            path=request.url.path,
            query=dict(parse_qsl(request.url.query.decode())),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=request.read(),
        )
        found = self.vendor.named(came)
        assert found is not None, came
        name, named = found
        return self.vendor.answer(name, came, named, {})


class FleetRun:
    """One device's change, as far as its operation sees it."""

    def __init__(self, number: int, fleet: Fleet) -> None:
        self.eid = f"89049032{number:024}"
        self.change = Change(
            id=number,
            euicc="modem",
            kind=Kind.PROVISION,
            params=ProvisionParams(platform=PLATFORM),
            created_at=now(),
        )
        self.interruption = None
        self.tokens = Tokens()
        self.code = ""
        self._fleet = fleet
        self._notes: ProvisionNotes = ProvisionNotes()

    def secret(self, name: str) -> str | None:
        return self.eid if name == EID else None

    def keep_secret(self, name: str, value: str) -> None:
        self.code = value

    def notes_of(self, _: type[ProvisionNotes]) -> ProvisionNotes:
        return self._notes

    def note(self, notes: Noting) -> None:
        self._notes = notes.on(self._notes)

    def now(self) -> Any:
        return SimpleNamespace(steady=self._fleet.platform.now)

    def step(self, name: str) -> None: ...

    def follow(self, name: str) -> None: ...

    def tell(self, type_: str, **data: object) -> None: ...


class Memory(dict[str, bytes]):
    """The journal's named values, encoded as on the disk."""

    def get(self, name: str, type_: Any) -> Any:  # type: ignore[override]  # as the journal's
        return msgspec.json.decode(self[name], type=type_) if name in self else None

    def put(self, name: str, value: object, *, happenings: object = ()) -> None:
        del happenings  # No backend listens for events.
        self[name] = msgspec.json.encode(value)

    def drop(self, name: str, *, happenings: object = ()) -> None:
        del happenings
        self.pop(name, None)


class Fleet:
    """A fleet of devices that boot within some seconds, and the results of their wishes."""

    def __init__(
        self,
        platform: CrowdedPlatform,
        like: str,
        monkeypatch: pytest.MonkeyPatch,
        *,
        wishes: WishStore | None = None,
    ) -> None:
        self.platform = platform
        self.ended: list[float] = []
        """The time at which each device had its profile."""
        self.early: list[float] = []
        """Seconds by which a refused device calls earlier than the platform's `Retry-After`."""
        self.refusals: Counter[int] = Counter()
        """Turns that ended with a refusal, by device."""
        monkeypatch.setattr(platform_opening, "HttpsTransport", lambda **_: platform)
        monkeypatch.setattr("lpad.engine.operations.provision.download", self._downloaded)
        settings = PlatformSettings(
            name=PLATFORM,
            like=like,
            base="https://platform.example.com" if like in ("desk", "yoni") else None,
            credentials=CREDENTIALS[like],
            options=OPTIONS.get(like, {}),
            product=PRODUCTS.get(like),
        )
        self._openable = OpenablePlatform(settings, route=Route())
        self._wishes = wishes or WishStore(Memory())  # type: ignore[arg-type]  # like the journal's
        self._runs: list[FleetRun] = []

    def boot(self, devices: int, *, within: float) -> None:
        """Boot all devices, and run until each has its profile.

        Args:
            devices: the number of devices.
            within: the seconds in which they boot.
        """
        runs = [FleetRun(number, self) for number in range(1, devices + 1)]
        chance = random.Random(3)
        order = itertools.count()
        waiting = [(chance.uniform(0, within), next(order), run) for run in runs]
        heapq.heapify(waiting)
        while waiting:
            self.platform.now, _, run = heapq.heappop(waiting)
            for due in self._turn(run):
                heapq.heappush(waiting, (due, next(order), run))

    def turn(self, number: int) -> None:
        """Let one device work until it has its profile.

        Raises:
            Postponed: the device has to wait.
        """
        run = FleetRun(number, self)
        provision(run, self._context(run))  # type: ignore[arg-type]  # as far as the operation sees it

    def _turn(self, run: FleetRun) -> Iterator[float]:
        """Let a device work until it has to wait; yield when it continues."""
        refused = len(self.platform.refused)
        self._openable._tokens = run.tokens
        try:
            provision(run, self._context(run))  # type: ignore[arg-type]  # as far as the operation sees it
        except Postponed as postponed:
            due = float(postponed.notes.fields["due"])  # type: ignore[arg-type]  # a number
            if len(self.platform.refused) > refused and due < self.platform.free_at:
                self.early.append(self.platform.free_at - due)
            yield due
        else:
            self.ended.append(self.platform.now)
        self.refusals[run.change.id] += len(self.platform.refused) - refused

    def _context(self, run: FleetRun) -> Any:
        snapshot = SimpleNamespace(eid=run.eid, listed=SimpleNamespace(named=lambda _: None))
        return SimpleNamespace(
            wishes=self._wishes,
            platforms=Platforms([self._openable]),
            snapshot=lambda: snapshot,
            card=SimpleNamespace(
                imei=lambda: None, port=SimpleNamespace(provisioning=SimpleNamespace(most_orders=1))
            ),
            environment=SimpleNamespace(clock=SimpleNamespace(check=lambda: None)),
        )

    @staticmethod
    def _downloaded(run: FleetRun, context: object, *, installed: object) -> DownloadResult:
        assert run.code, "there is a code"
        return DownloadResult(iccid="8944", enabled=True)
