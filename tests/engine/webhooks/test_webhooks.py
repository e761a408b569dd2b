"""Endpoints that accept, refuse, hang and answer wrongly: order, retries, and no loss across restarts."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from standardwebhooks import Webhook

from engine.clocks import DAY, Clocks
from engine.webhooks.receiver import LONG, SECRET, Answer, Got, Receiver, endpoint, holding
from lpad.base.deadline import Deadline
from lpad.base.errors import JournalUnavailable, NotFound
from lpad.engine.environment.clock_and_network import Environment
from lpad.engine.environment.wall_clock_validity import Clock
from lpad.engine.events import event_types as types
from lpad.engine.events.event_data import ProfileData
from lpad.engine.events.happening import Happening
from lpad.engine.journal import Journal
from lpad.engine.webhooks import endpoint_progress
from lpad.engine.webhooks.endpoint_progress import BACKOFF, PATIENCE, Standing
from lpad.engine.webhooks.webhooks import Webhooks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lpad.engine.events.event_types import EventType
    from lpad.engine.webhooks.endpoint import Endpoint
    from lpad.engine.webhooks.endpoint_progress import Progress

ICCID = "8900101000000000017"


class Bench:
    """A journal whose clock the test moves, and webhooks that send its events."""

    def __init__(self, folder: Path, *, clock: Clock | None = None) -> None:
        self._folder = folder
        self._clock = clock
        self.clocks = Clocks()
        self.endpoints: tuple[Endpoint, ...] = ()
        self.open()

    def open(self) -> None:
        self.journal = Journal(self._folder / "journal.db", clock=self.clocks.clock())
        self.journal.start()
        self.webhooks = Webhooks(self.journal, Environment(clock=self._clock))
        self.webhooks.become(self.endpoints)
        self.webhooks.start()

    def close(self) -> None:
        self.webhooks.stop()
        self.webhooks.join(deadline=Deadline.after(LONG))
        assert not self.webhooks.alive
        self.journal.close()

    def serve(self, *endpoints: Endpoint) -> None:
        self.endpoints = endpoints
        self.webhooks.become(endpoints)

    def happen(self, *changes: int, type_: EventType = types.PROFILE_ENABLED) -> None:
        data = [ProfileData(euicc="modem", iccid=ICCID, change=change) for change in changes]
        self.journal.events.record([Happening(type=type_, data=each, euicc="modem") for each in data])

    def progress(self, name: str = "backend") -> Progress:
        return self.webhooks.get(name).progress

    def until(self, good: Callable[[Progress], bool], name: str = "backend") -> Progress:
        """Return an endpoint's progress once it satisfies a condition."""
        deadline = Deadline.after(LONG)
        while not good(self.progress(name)):
            assert not deadline.passed, self.progress(name)
        return self.progress(name)

    def tried(self, times: int) -> Progress:
        """Return the progress once an event was tried `times` times, or was set aside."""
        return self.until(lambda now: now.attempts >= times or now.given_up > 0)

    def pass_by(self, seconds: float) -> None:
        self.clocks.pass_by(seconds)
        self.webhooks.wake()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    try:
        yield made
    finally:
        made.close()


def change(got: Got) -> int:
    found: int = json.loads(got.body)["data"]["change"]
    return found


@contextmanager
def receivers(*answers: Answer, number: int = 1) -> Iterator[list[Receiver]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Receiver(*answers)) for _ in range(number)]


def test_events_arrive_in_order_and_signed(bench: Bench) -> None:
    """An endpoint gets signed events in order, from its first appearance in the settings on."""
    bench.happen(1)
    with Receiver() as receiver:
        bench.serve(endpoint(receiver))
        bench.happen(*range(2, 12))
        got = [receiver.take() for _ in range(10)]
        assert [change(each) for each in got] == list(range(2, 12))
        assert len({each.id for each in got}) == 10
        for each in got:
            Webhook(SECRET).verify(each.body, dict(each.headers))
            assert each.headers["content-type"] == "application/cloudevents+json"
        assert bench.until(lambda now: now.delivered == 10).position == 11


def test_filters_are_each_endpoints_own(bench: Bench) -> None:
    """Each endpoint gets the event types of its own filter, in order."""
    with receivers(number=2) as (one, other):
        bench.serve(
            endpoint(one, "one", types=("org.lpad.profile.enabled.v1",)),
            endpoint(other, "other", types=("org.lpad.profile.d*",)),
        )
        bench.happen(1)
        bench.happen(2, type_=types.PROFILE_DISABLED)
        bench.happen(3)
        bench.happen(4, type_=types.PROFILE_DELETED)
        assert [change(one.take()) for _ in range(2)] == [1, 3]
        assert [change(other.take()) for _ in range(2)] == [2, 4]


@pytest.mark.parametrize("status", [300, 301, 307, 308, 400, 401, 403, 404, 422, 429, 500, 502, 503])
def test_any_other_answer_is_tried_again(bench: Bench, status: int) -> None:
    """After an answer that does not accept an event, the event is sent again before later ones."""
    moved = {"Location": "/elsewhere"} if 300 <= status < 400 else {}
    with Receiver(Answer(status, moved)) as receiver:
        bench.serve(endpoint(receiver))
        bench.happen(1, 2)
        first = receiver.take()
        seen = bench.until(lambda now: now.attempts == 1)
        assert (seen.last_status, seen.position) == (status, 0)
        assert str(status) in seen.last
        bench.pass_by(BACKOFF.seconds[0] * 1.2)
        second, third = receiver.take(), receiver.take()
        assert (second.id, second.body, second.path) == (first.id, first.body, "/lpad")
        assert change(third) == 2


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_accepts(bench: Bench, status: int) -> None:
    """Every 2xx status accepts an event, whatever the body of the answer is."""
    with Receiver(Answer(status, body=b"" if status == 204 else b"<html>Oh no!</html>")) as receiver:
        bench.serve(endpoint(receiver))
        bench.happen(1, 2)
        assert [change(receiver.take()) for _ in range(2)] == [1, 2]


def test_pauses_grow_as_standard_webhooks_wants(bench: Bench) -> None:
    """Pauses follow the standard's table from the second attempt on, spread by a fifth."""
    table: tuple[float, ...] = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    assert BACKOFF.seconds == table
    with Receiver(*[Answer(500)] * 6) as receiver:
        bench.serve(endpoint(receiver))
        bench.happen(1)
        for number, wait in enumerate(table[:6], start=1):
            receiver.take()
            seen = bench.tried(number)
            assert seen.due is not None
            left = seen.due - bench.journal.clock.now().steady
            assert 0.8 * wait <= left <= 1.2 * wait
            bench.pass_by(left)
        receiver.take()
        bench.until(lambda now: now.delivered == 1)


def test_retry_after_is_obeyed(bench: Bench) -> None:
    """Retry-After applies if it is longer than the table's pause, up to a day."""
    for header, wait in (("3600", 3600), ("1", 5), ("99999999999", DAY), ("nonsense", 5)):
        with Receiver(Answer(503, {"Retry-After": header})) as receiver:
            bench.serve(endpoint(receiver, header.lower()))
            bench.happen(1)
            receiver.take()
            seen = bench.until(lambda now: now.attempts == 1, header.lower())
            assert seen.due is not None
            assert 0.8 * wait <= seen.due - bench.journal.clock.now().steady <= 1.2 * wait


def test_410_ends_an_endpoint(bench: Bench, tmp_path: Path) -> None:
    """After a 410, nothing more is sent to the endpoint until a user resumes it or changes its address."""
    with Receiver(Answer(410)) as receiver, Receiver() as other:
        bench.serve(endpoint(receiver))
        bench.happen(1, 2)
        receiver.take()
        bench.until(lambda now: now.standing is Standing.ENDED)
        bench.close()
        bench.open()
        bench.happen(3)
        assert bench.webhooks.get("backend").pending == 0
        assert receiver.got.empty()
        bench.webhooks.resume("backend")
        assert [change(receiver.take()) for _ in range(3)] == [1, 2, 3]
        receiver.answers.put(Answer(410))
        bench.happen(4)
        receiver.take()
        bench.until(lambda now: now.standing is Standing.ENDED)
        bench.serve(endpoint(other))
        assert change(other.take()) == 4


def failing_for_five_days(bench: Bench, *, silent: bool = False) -> None:
    """Move the clock to each attempt until an event is set aside; `silent`: no answer arrived."""
    number = 0
    while not bench.progress().given_up:
        number += 1
        seen = bench.tried(number)
        if seen.given_up:
            break
        assert seen.due is not None
        bench.pass_by(seen.due - bench.journal.clock.now().steady)
    assert number >= len(BACKOFF.seconds) - 1
    assert (bench.progress().last_status is None) is silent


def test_after_five_days_the_next_event_is_sent(bench: Bench) -> None:
    """After five days of failures an event is set aside and the next is sent; a user can resend the first."""
    with Receiver(*[Answer(500)] * 20) as receiver:
        bench.serve(endpoint(receiver))
        began = bench.journal.clock.now().ran
        bench.happen(1, 2)
        failing_for_five_days(bench)
        assert PATIENCE <= bench.journal.clock.now().ran - began <= PATIENCE + 2.4 * DAY
        assert bench.progress().set_aside == (1,)
        bench.until(lambda now: now.attempts == 1)  # The next event was refused, too, and is due later.
        while not receiver.answers.empty():
            receiver.answers.get()
        bench.pass_by(2 * DAY)
        bench.until(lambda now: now.position == 2)
        while not receiver.got.empty():
            receiver.take()
        assert bench.webhooks.redeliver("backend", None) == 1
        assert change(receiver.take()) == 1
        assert bench.until(lambda now: now.delivered == 2).set_aside == ()


def test_a_jump_of_the_clock_sets_nothing_aside(bench: Bench) -> None:
    """Clock jumps and 30 days without power set no event aside: only lpad's running time counts."""
    with Receiver(*[Answer(500)] * 9) as receiver:
        bench.serve(endpoint(receiver))
        bench.happen(1)
        for number, jump in enumerate((365 * DAY, -400 * DAY), start=1):
            receiver.take()
            bench.tried(number)
            bench.clocks.wall += jump
            bench.pass_by(1.3 * DAY)
        bench.close()
        bench.clocks.reboot(off=30 * DAY)
        bench.open()
        bench.pass_by(1.3 * DAY)
        assert bench.progress().given_up == 0


def test_an_event_is_delivered_after_days_without_network(bench: Bench) -> None:
    """An endpoint that was unreachable for five days gets the event after it has accepted another one."""
    with Receiver() as receiver:
        address = receiver.url()
    bench.serve(endpoint(address))
    bench.happen(1, 2)
    failing_for_five_days(bench, silent=True)
    assert bench.progress().unreached == (1,)
    with Receiver() as receiver:
        bench.serve(endpoint(receiver))
        assert [change(receiver.take()) for _ in range(2)] == [2, 1]
        bench.until(lambda now: now.delivered == 2 and not now.unreached)


def test_a_network_that_is_back_is_used_immediately(bench: Bench) -> None:
    """When a network is back, unreached endpoints are tried immediately, unless they were just tried."""
    with Receiver() as receiver:
        address = receiver.url()
    bench.serve(endpoint(address))
    bench.happen(1)
    bench.until(lambda now: now.attempts == 1)
    bench.webhooks.network_is_back()
    assert bench.progress().due is not None
    bench.clocks.pass_by(61)
    bench.webhooks.network_is_back()
    bench.until(lambda now: now.attempts == 2)


def test_a_restart_repeats_nothing_and_forgets_nothing(bench: Bench) -> None:
    """After a restart, the pause between two attempts continues, and later events wait for it."""
    with Receiver(Answer(204), Answer(500)) as receiver:
        bench.serve(endpoint(receiver))
        bench.happen(1, 2)
        bench.until(lambda now: now.attempts == 1)
        bench.close()
        bench.open()
        bench.happen(3)
        assert bench.progress().attempts == 1
        bench.pass_by(6)
        assert [change(receiver.take()) for _ in range(4)] == [1, 2, 2, 3]


def test_an_unrecorded_delivery_is_repeated_with_the_same_id(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a delivery could not be recorded, the event is sent once more after a restart, with the same ID."""

    def full(*_: object) -> None:
        raise JournalUnavailable("no space", reason="journal-full")

    with Receiver() as receiver:
        bench.serve(endpoint(receiver))
        bench.happen(1)
        first = receiver.take()
        bench.until(lambda now: now.delivered == 1)
        with monkeypatch.context() as patched:
            patched.setattr(bench.journal.memos, "put", full)
            bench.happen(2)
            second = receiver.take()
            bench.until(lambda now: now.delivered == 2)
        bench.close()
        bench.open()
        third = receiver.take()
        assert first.id != second.id == third.id


def test_pause_and_resume(bench: Bench) -> None:
    """The events of a paused endpoint wait, even across a restart, and are then sent in order."""
    with Receiver() as receiver:
        bench.serve(endpoint(receiver))
        bench.webhooks.pause("backend")
        bench.happen(1, 2)
        bench.close()
        bench.open()
        assert bench.webhooks.get("backend").pending == 2
        assert receiver.got.empty()
        bench.webhooks.resume("backend")
        assert [change(receiver.take()) for _ in range(2)] == [1, 2]


def test_one_event_is_sent_once_more(bench: Bench) -> None:
    """A user can have an event sent again with the same ID; an event that does not exist is refused."""
    with Receiver() as receiver:
        bench.serve(endpoint(receiver))
        bench.happen(1, 2)
        got = [receiver.take() for _ in range(2)]
        bench.until(lambda now: now.delivered == 2)
        assert bench.webhooks.redeliver("backend", 1) == 1
        assert receiver.take().id == got[0].id
        with pytest.raises(NotFound):
            bench.webhooks.redeliver("backend", 99)
        with pytest.raises(NotFound):
            bench.webhooks.redeliver("other", 1)


def test_a_test_states_what_the_endpoint_answers(bench: Bench) -> None:
    """A test event reaches even a paused endpoint; it is signed, has no number, and is not in the outbox."""
    with Receiver(Answer(200), Answer(401)) as receiver:
        bench.serve(endpoint(receiver))
        bench.webhooks.pause("backend")
        outcomes = [bench.webhooks.test("backend") for _ in range(2)]
        assert [each.status for each in outcomes] == [200, 401]
        got = receiver.take()
        Webhook(SECRET).verify(got.body, dict(got.headers))
        told = json.loads(got.body)
        assert (told["type"], told["data"]) == ("org.lpad.events.test.v1", {"endpoint": "backend"})
        assert "sequence" not in told
        assert bench.journal.events.last() == 0
    unreached = bench.webhooks.test("backend")
    assert (unreached.status, "server-unreachable" in unreached.told) == (None, True)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(raw=b""),
        Answer(raw=b"\x00" * 5000),
        Answer(raw=b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 200_000),
        Answer(raw=b"HTTP/1.1 100 Continue\r\n\r\n" * 50),
        Answer(raw=b"HTTP/1.1 999 Strange\r\nContent-Length: 0\r\n\r\n"),
    ],
    ids=["hangs up", "noise", "endless head", "endless 1xx", "odd status"],
)
def test_a_hostile_endpoint_harms_itself_only(bench: Bench, answer: Answer) -> None:
    """A hostile answer counts as a failure, and another endpoint gets all events meanwhile."""
    with Receiver(answer) as hostile, Receiver() as other:
        bench.serve(endpoint(hostile, "hostile"), endpoint(other, "other"))
        bench.happen(1, 2)
        assert [change(other.take()) for _ in range(2)] == [1, 2]
        assert bench.until(lambda now: now.attempts == 1, "hostile").position == 0
        bench.pass_by(6)
        bench.until(lambda now: now.delivered == 2, "hostile")


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 100_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab",
    ],
    ids=["huge", "broken chunks", "not gzip", "cut off"],
)
def test_a_success_status_with_a_bad_body_is_an_acceptance(bench: Bench, raw: bytes) -> None:
    """An answer with a 2xx status accepts an event even if the answer's body is malformed."""
    with Receiver(Answer(raw=raw)) as receiver:
        bench.serve(endpoint(receiver))
        bench.happen(1, 2)
        assert [change(receiver.take()) for _ in range(2)] == [1, 2]
        assert bench.until(lambda now: now.delivered == 2).attempts == 0


def test_a_silent_endpoint_delays_no_other_and_no_stop(bench: Bench) -> None:
    """A silent endpoint delays no other endpoint, no thread that writes events, and no stop."""
    with holding() as event, Receiver(Answer(until=event)) as mute, Receiver() as other:
        bench.serve(endpoint(mute, "mute"), endpoint(other, "other"))
        bench.happen(1)
        mute.take()
        bench.happen(2, 3)
        assert [change(other.take()) for _ in range(3)] == [1, 2, 3]
        bench.close()
        bench.open()
        assert change(mute.take()) == 1  # An unfinished delivery is repeated.


def test_a_reload_keeps_each_endpoints_place(bench: Bench) -> None:
    """An endpoint whose settings change continues at its place; a removed one is forgotten."""
    with Receiver() as receiver:
        bench.serve(endpoint(receiver))
        bench.happen(1)
        receiver.take()
        bench.until(lambda now: now.delivered == 1)
        bench.webhooks.pause("backend")
        bench.happen(2)
        bench.serve(endpoint(receiver, types=("org.lpad.*",)))
        bench.webhooks.resume("backend")
        assert change(receiver.take()) == 2
        bench.until(lambda now: now.delivered == 2)
        bench.serve()
        bench.happen(3)
        bench.serve(endpoint(receiver))
        bench.happen(4)
        assert change(receiver.take()) == 4


def test_nothing_is_sent_before_the_clock_is_set(tmp_path: Path) -> None:
    """Before the clock is set, nothing is sent, because the signature's time would be wrong."""
    clock = Clock(unset_before=1e12)
    bench = Bench(tmp_path, clock=clock)
    with Receiver() as receiver:
        bench.serve(endpoint(receiver))
        bench.happen(1)
        assert bench.webhooks.get("backend").pending == 1
        clock._unset_before = 0
        bench.webhooks.wake()
        assert change(receiver.take()) == 1
        bench.close()


def test_a_full_outbox_states_what_an_endpoint_missed(bench: Bench) -> None:
    """If a full outbox drops events that an endpoint awaits, the endpoint gets an event with their number."""
    with Receiver() as receiver:
        bench.serve(endpoint(receiver, types=("org.lpad.profile.*", "org.lpad.events.dropped.v1")))
        bench.webhooks.pause("backend")
        bench.journal.events.most = 20
        bench.happen(*range(1, 25))
        assert bench.journal.events.dropped()["org.lpad.profile.enabled.v1"] >= 4
        bench.webhooks.resume("backend")
        seen: dict[str, Any] = {}
        got = []
        while seen.get("type") != types.EVENTS_DROPPED.name:
            seen = json.loads(receiver.take().body)
            got.append(seen)
        assert got[0]["data"]["change"] > 1
        assert seen["data"]["count"] >= 1


def test_failing_endpoints_delay_no_other(bench: Bench) -> None:
    """Of thirty endpoints, a third of which fail, each of the others gets all events, in order."""
    with receivers(number=30) as found:
        for bad in found[::3]:
            for _ in range(5):
                bad.answers.put(Answer(500))
        bench.serve(*[endpoint(each, f"e{number}") for number, each in enumerate(found)])
        bench.happen(1, 2, 3)
        for number, each in enumerate(found):
            if number % 3:
                assert [change(each.take()) for _ in range(3)] == [1, 2, 3]


def test_the_table_of_pauses_covers_five_days() -> None:
    """The table's pauses add up to less than the five days after which an event is set aside."""
    assert endpoint_progress.PATIENCE == 5 * DAY
    assert sum(BACKOFF.seconds) < PATIENCE
