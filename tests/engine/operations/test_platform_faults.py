"""Faults during a wish: old journals, ended lines, a single route, repeated requests, and a full disk."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.lab import CARD, result_of
from engine.operations.platform_lab import PLATFORM, PlatformLab, hurry
from lpad.base.backoff import Backoff
from lpad.base.deadline import Deadline
from lpad.engine.change.change import Kind, QuestionKind, State
from lpad.engine.change.params import GuardParams
from lpad.engine.journal import Journal
from lpad.engine.provisioning import platform_query_limit, query_times
from lpad.engine.worker.queue import retry_rules
from lpad.simulator.platform.faults import PlatformFault
from lpad.simulator.platform.reservations import Line
from lpad.simulator.smdp.store.order import OrderState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.engine.change.change import Change
    from lpad.simulator.pki.pki import Pki
    from lpad.simulator.platform.platform_base import Faulty
    from lpad.simulator.platform.request_and_answer import Answer, Request


@pytest.fixture(params=["desk", "kore", "twilio"])
def lab(
    request: pytest.FixtureRequest, tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PlatformLab]:
    """Yield a lab for each kind of platform that activates lines."""
    hurry(monkeypatch)
    with PlatformLab(tmp_path, pki, like=request.param) as made:
        yield made


@pytest.fixture
def kore(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlatformLab]:
    """Yield a lab with a platform that takes no order back."""
    hurry(monkeypatch)
    with PlatformLab(tmp_path, pki, like="kore") as made:
        yield made


def waiting(lab: PlatformLab) -> Change:
    """Order a profile that stays pending, and stop lpad while its change waits; return the change."""
    lab.platform.faults.add(PlatformFault.NEVER_AVAILABLE, call="order")
    change = lab.asked_or_paused(lab.provision().id)
    lab.until_true(lambda: lab.platform.calls["look"] > 0)
    lab.stop()
    lab.platform.stock.reserved[0].never = False
    return change


def test_an_older_journal(lab: PlatformLab) -> None:
    """A device whose journal was restored from before its order finds the order, and makes no second one."""
    lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.eid is not None)
    lab.stop()
    kept = lab.folder / "kept"
    kept.mkdir()
    for path in lab.folder.glob("journal.db*"):
        shutil.copy(path, kept)
    waiting(lab)
    for path in lab.folder.glob("journal.db*"):
        path.unlink()
    for path in kept.iterdir():
        shutil.copy(path, lab.folder)
    ended = lab.ended(lab.provision().id)
    assert (ended.error, ended.state, lab.platform.orders, len(lab.enabled)) == (None, State.DONE, 1, 1)


@pytest.mark.parametrize("other", ["earlier", "later"])
def test_another_version_of_lpad(lab: PlatformLab, other: str) -> None:
    """A waiting wish that an earlier or a later lpad has written is continued, with its order."""
    change = waiting(lab)
    name = f"wish:{lab.card.eid}"
    journal = Journal(lab.folder / "journal.db")
    journal.start()
    record: dict[str, Any] | None = journal.memos.get(name, dict[str, Any])
    assert record is not None
    if other == "earlier":
        record = {key: record[key] for key in ("platform", "change", "reservation", "ordered_at")}
        record["reservation"] = {key: record["reservation"][key] for key in ("id", "profile")}
    else:
        record |= {"colour": "blue", "reservation": {**record["reservation"], "profile": "half-baked"}}
    journal.memos.put(name, record)
    journal.close()
    lab.start()
    ended = lab.ended(change.id)
    assert (ended.error, ended.state, lab.platform.orders, len(lab.enabled)) == (None, State.DONE, 1, 1)


def test_an_activation_that_is_never_answered(lab: PlatformLab) -> None:
    """A query shows whether a line was activated; the request is not repeated for a served line."""
    lab.platform.faults.add(PlatformFault.LOST_ANSWER, call="activate", times=0)
    ended = lab.ended(lab.provision().id)
    assert (ended.error, lab.platform.orders, lab.platform.calls["activate"]) == (None, 1, 1)
    assert len(lab.enabled) == 1


def test_a_line_that_is_refused_is_activated_later(lab: PlatformLab) -> None:
    """If the platform refuses to activate the line, the change ends before the download; a retry works."""
    lab.platform.faults.add(PlatformFault.LINE_REFUSED, call="activate")
    ended = lab.ended(lab.provision().id)
    assert ended.error is not None
    assert (ended.error.kind, ended.error.details["cause"]) == ("platform-refused", "settings")
    assert lab.card.profiles == ()
    again = lab.ended(lab.provision().id)
    assert (again.error, lab.platform.orders, lab.platform.calls["activate"]) == (None, 1, 2)
    assert len(lab.enabled) == 1


@pytest.mark.parametrize("dropped", [False, True])
def test_a_line_that_stays_scheduled(lab: PlatformLab, *, dropped: bool) -> None:
    """Without service, lpad rolls back; later it enables the profile, and activates an idle line."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        address = found.getsockname()
    path = (f"tcp:127.0.0.1:{address[1]}@lo",)
    lab.platform.faults.add(PlatformFault.LINE_STUCK, call="activate")
    first = lab.ended(lab.provision(guard=GuardParams(until=path, within=1.0)).id)
    assert first.error is not None
    assert (first.error.kind, lab.enabled, len(lab.card.profiles)) == ("switch-rolled-back", [], 1)
    (reserved,) = lab.platform.stock.reserved
    assert reserved.line is Line.CHANGING
    reserved.stuck = False
    if dropped:
        reserved.line = Line.IDLE
    with socket.create_server(address):
        again = lab.ended(lab.provision(guard=GuardParams(until=path, within=60.0)).id)
    assert (again.error, lab.platform.orders) == (None, 1)
    assert (len(lab.enabled), len(lab.card.profiles)) == (1, 1)
    assert lab.platform.calls["activate"] == 1 + dropped
    assert lab.engine.card(CARD).wish() is None


def test_over_the_bootstrap_alone(kore: PlatformLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """All requests go over the bootstrap profile that is replaced, and notifications over the new one."""
    bootstrap = kore.install()
    assert kore.carry_out(Kind.ENABLE, iccid=bootstrap).error is None
    kore.until_true(lambda: kore.card.notifications == ())
    asked: list[str] = []
    carried_out, served = kore.platform.carry_out, kore.server.carry_out

    def platform(request: Request) -> tuple[Answer, Faulty]:
        asked.extend(kore.enabled)
        if not kore.enabled:
            raise ConnectionAbortedError
        return carried_out(request)

    def server(*arguments: Any) -> Any:
        if not kore.enabled:
            raise ConnectionAbortedError
        return served(*arguments)

    monkeypatch.setattr(kore.platform, "carry_out", platform)
    monkeypatch.setattr(kore.server, "carry_out", server)
    ended = kore.ended(kore.provision().id)
    assert (ended.error, kore.platform.orders) == (None, 1)
    assert {*asked} == {bootstrap}
    assert kore.enabled == [result_of(ended)["iccid"]]
    kore.until_true(lambda: kore.card.notifications == ())
    told = {(each.event, each.iccid) for each in kore.server.notifications}
    assert {("install", kore.enabled[0]), ("disable", bootstrap), ("enable", kore.enabled[0])} <= told


def test_repeated_callbacks_cause_no_further_queries(
    lab: PlatformLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often a callback repeats the request, there is one wish, and lpad queries no more often."""
    monkeypatch.setattr(query_times, "BACKOFF", Backoff((3600.0,)))
    monkeypatch.setattr(platform_query_limit, "EVERY", 60.0)
    lab.platform.faults.add(PlatformFault.NEVER_AVAILABLE, call="order")
    change = lab.asked_or_paused(lab.provision().id)
    looks = lab.platform.calls["look"]
    for _ in range(20):
        assert lab.provision().id == change.id
    assert lab.carry_out(Kind.REFRESH).error is None
    assert lab.platform.calls["look"] == looks
    lab.engine.cancel(change.id)


def test_a_reservation_that_vanishes(lab: PlatformLab) -> None:
    """A reservation that the platform no longer knows leads to a question, and not to another order."""
    lab.platform.faults.add(PlatformFault.VANISHES, call="look", times=0)
    change = lab.asked(lab.provision().id)
    assert change.question is not None
    assert change.question.kind is QuestionKind.SECOND_ORDER
    assert "gone" in str(change.question.reason)
    assert lab.platform.orders == 1


def test_a_line_that_the_operator_ends(lab: PlatformLab) -> None:
    """If the operator ends the enabled profile's line, lpad orders nothing, and keeps the profile."""
    assert lab.ended(lab.provision().id).error is None
    lab.platform.faults.add(PlatformFault.LINE_ENDED)
    known = lab.platforms.get(PLATFORM)
    assert known is not None
    with known.opened() as platform:
        line = platform.line_of(lab.enabled[0], deadline=Deadline.after(30))
    assert line is not None
    assert line.line.value in ("ended", "idle")
    lab.stop()
    lab.start()
    assert lab.carry_out(Kind.REFRESH).error is None
    assert (lab.platform.orders, len(lab.enabled)) == (1, 1)


SCRIPT = Path(__file__).with_name("wish_on_small_disk.py")


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    """While a full disk prevents the note of the step, lpad sends no order; with space, it sends one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    command = ["unshare", "--mount", *user, sys.executable, str(SCRIPT), str(folder)]
    path = os.pathsep.join([str(SCRIPT.parents[2]), *sys.path])
    run = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {"full": ["journal", 0], "space": 1}


def test_a_draft_that_dies(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the platform drops an unconfirmed draft, lpad orders again, because the draft cost nothing."""
    hurry(monkeypatch)
    with PlatformLab(tmp_path, pki, like="soracom") as lab:
        lab.platform.faults.add(PlatformFault.STATUS, call="confirm", value="503", times=0)
        change = lab.provision()
        lab.until_true(lambda: lab.platform.calls["confirm"] > 1)
        lab.stop()
        assert [each.confirmed for each in lab.platform.stock.reserved] == [False]
        lab.platform.stock.reserved.clear()
        lab.platform.faults.clear()
        lab.start()
        ended = lab.ended(change.id)
        assert (ended.error, len(lab.enabled)) == (None, 1)
        assert [each.confirmed for each in lab.platform.stock.reserved] == [True]


@pytest.mark.parametrize("like", ["desk", "kore", "soracom", "telnyx", "twilio", "yoni"])
def test_a_package_that_is_lost_on_its_way(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch, like: str
) -> None:
    """A profile that counts as downloaded but is not on the card is downloaded again, without a question."""
    hurry(monkeypatch)
    monkeypatch.setattr(retry_rules, "BACKOFF", dict.fromkeys(retry_rules.BACKOFF, Backoff((0.01,))))
    with PlatformLab(tmp_path, pki, like=like) as lab:
        carry_out = lab.server.carry_out
        lost: list[str] = []

        def losing(function: str, *rest: Any) -> Any:
            if function == "cancelSession" and lost:
                raise ConnectionAbortedError
            answer = carry_out(function, *rest)
            if function == "getBoundProfilePackage" and not lost:
                lost.append(function)
                raise ConnectionAbortedError
            return answer

        monkeypatch.setattr(lab.server, "carry_out", losing)
        change = lab.provision(retry_for=3600.0)
        ended = lab.asked(change.id)
        assert (ended.question, ended.error, ended.state) == (None, None, State.DONE)
        assert (lost, lab.platform.orders, len(lab.enabled)) == (["getBoundProfilePackage"], 1, 1)


@pytest.mark.parametrize("like", ["desk", "kore", "twilio", "soracom", "telnyx", "yoni"])
def test_the_package_and_the_journal_are_lost(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch, like: str
) -> None:
    """An order whose package was lost is found, and not made again, by a device that has lost its journal."""
    hurry(monkeypatch)
    with PlatformLab(tmp_path, pki, like=like) as lab:
        carry_out = lab.server.carry_out
        loses = True

        def losing(function: str, *rest: Any) -> Any:
            if function == "cancelSession" and loses:
                raise ConnectionAbortedError
            answer = carry_out(function, *rest)
            if function == "getBoundProfilePackage" and loses:
                raise ConnectionAbortedError
            return answer

        monkeypatch.setattr(lab.server, "carry_out", losing)
        change = lab.provision(retry_for=3600.0)
        lab.until_true(lambda: len(lab.server.orders.all()) == 1)
        order = lab.server.orders.all()[0]
        lab.until_true(lambda: lab.server.orders.get(order.id).state is OrderState.DOWNLOADED)
        lab.asked_or_paused(change.id)
        lab.stop()
        for path in lab.folder.glob("journal.db*"):
            path.unlink()
        loses = False
        lab.start()
        ended = lab.ended(lab.provision().id)
        assert (ended.error, lab.platform.orders, len(lab.enabled)) == (None, 1, 1)


def test_a_code_for_another_card(kore: PlatformLab) -> None:
    """If the code is for another card, lpad asks the user, and makes no further order without an answer."""
    kore.platform.faults.add(PlatformFault.BUSY, call="activate", value="0", times=0)
    change = kore.provision()
    kore.until_true(lambda: len(kore.server.orders.all()) == 1)
    (order,) = kore.server.orders.all()
    kore.server.orders.change(order.id, eid="89049032123451234512345678901326")
    kore.platform.faults.clear()
    ended = kore.until(
        lambda: kore.engine.change(change.id), lambda each: each.state.ended or each.question is not None
    )
    assert (kore.platform.orders, kore.card.profiles) == (1, ())
    assert ended.question is not None, ended.error
    assert ended.question.kind is QuestionKind.SECOND_ORDER


@pytest.mark.parametrize("call", ["order", "look", "activate"])
def test_the_settings_drop_the_card_during_a_call(
    lab: PlatformLab, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """If the settings drop a card, its order and wish stay, and are resumed once the card is listed again."""
    if call != "activate":
        lab.platform.faults.add(PlatformFault.NEVER_AVAILABLE, call="order")
    carry_out = lab.platform.carry_out
    dropped: list[str] = []

    def dropping(request: Request) -> tuple[Answer, Faulty]:
        answer = carry_out(request)
        found = lab.platform.vendor.named(request)
        if found is not None and found[0] == call and not dropped:
            dropped.append(call)
            lab.engine.become([])
        return answer

    monkeypatch.setattr(lab.platform, "carry_out", dropping)
    ended = lab.ended(lab.provision().id)
    assert (ended.state, dropped, lab.platform.orders) == (State.CANCELLED, [call], 1)
    assert ended.error is not None
    assert "no longer name a card" in ended.error.sentence
    assert "the next request continues with it" in ended.error.sentence
    assert lab.platform.calls["release"] == 0
    (reserved,) = lab.platform.stock.reserved
    reserved.never = False
    lab.engine.become([lab.port])
    again = lab.ended(lab.provision().id)
    assert (again.error, lab.platform.orders, len(lab.enabled)) == (None, 1, 1)
    assert lab.platform.calls["release"] == 0
