"""The watch of lines: what platforms report on installed profiles, and the causes that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from engine.guarding import REGISTERED, guarded, port, told
from engine.lab import CARD, FIRST, LONG, SECOND
from engine.lines.line_lab import lines
from engine.time_lapse import time_lapse
from lpad.base.backoff import Backoff
from lpad.base.guard_condition import Condition
from lpad.engine.lines import line_watch
from lpad.engine.policy.health_rules import FailoverPolicy, HealthRule
from lpad.engine.switch import condition_watch
from lpad.engine.unattended.failover import Standing
from lpad.simulator.platform.faults import PlatformFault
from lpad.simulator.platform.reservations import Line

if TYPE_CHECKING:
    from pathlib import Path

    from engine.lines.line_lab import LineLab
    from lpad.simulator.pki.pki import Pki


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SPREAD": 0.0, "FRESH": 0.0, "SHORTEST": 0.01}.items():
        monkeypatch.setattr(line_watch, name, value)
    monkeypatch.setattr(condition_watch, "STEADY", 0.1)
    monkeypatch.setattr(condition_watch, "FIRST_PAUSE", 0.1)


def look_now(lab: LineLab, iccid: str) -> None:
    """Have the watch query a line, as it does after a change of its profile."""
    lab.engine._line_watch._urgent.add(iccid)
    lab.engine._line_watch._news.set()


def test_new_profiles_are_looked_up(tmp_path: Path, pki: Pki) -> None:
    """The line of each profile on a card is known soon, without a request."""
    with lines(tmp_path, pki) as lab:
        assert lab.known(FIRST, Line.LIVE).word == "ACTIVE"
        lab.known(SECOND, Line.LIVE)
        assert {call for call, times in lab.platform.calls.items() if times} == {"find"}


def test_a_known_line_is_asked_for_daily(tmp_path: Path, pki: Pki) -> None:
    """A known line is queried once a day; after a restart, only lines that are due are queried."""
    with lines(tmp_path, pki) as lab:
        lab.known(FIRST, Line.LIVE)
        lab.known(SECOND, Line.LIVE)
        lab.stop()
        before = lab.platform.calls.total()
        lab.set_line(FIRST, Line.ENDED)
        lab.start()
        record = lab.engine.line(FIRST)
        assert record is not None
        assert 0.8 * 86_400 <= record.due_at - record.seen_at <= 1.2 * 86_400
        assert lab.platform.calls.total() == before


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (Line.IDLE, "its line, which is idle ('SUSPENDED') at the platform 'mine': 'lpactl line activate'"),
        (Line.ENDED, "its line, which is ended ('RETIRED') at the platform 'mine': a line that has ended"),
    ],
)
def test_the_cause_in_a_switchs_error(tmp_path: Path, pki: Pki, line: Line, cause: str) -> None:
    """If a guard fails because the modem does not register, the error names the line as the likely cause."""
    with time_lapse() as pass_by, lines(tmp_path, pki, registration={SECOND: 3}) as lab:
        lab.known(SECOND, Line.LIVE)
        lab.set_line(SECOND, line)
        change = guarded(lab, REGISTERED, within=600)
        told(lab, change, "CEREG 3")
        lab.known(SECOND, line)
        pass_by(600)
        ended = lab.ended(change.id)
        assert ended.error is not None
        assert cause in ended.error.sentence
        assert ended.error.details["layer"] == "registered"


def test_a_live_line_is_not_a_cause(tmp_path: Path, pki: Pki) -> None:
    """An error after a switch does not mention a line that is live."""
    with lines(tmp_path, pki, registration={SECOND: 3}) as lab:
        lab.known(SECOND, Line.LIVE)
        change = guarded(lab, REGISTERED, within=2)
        ended = lab.ended(change.id)
        assert ended.error is not None
        assert "likely cause" not in ended.error.sentence


def test_the_cause_in_failover(tmp_path: Path, pki: Pki) -> None:
    """A failing profile's line is queried immediately, and failover names it as the likely cause."""
    with lines(tmp_path, pki) as lab:
        lab.known(FIRST, Line.LIVE)
        rules = [
            HealthRule(iccid=iccid, conditions=(Condition.parse(REGISTERED),), interval=0.2, lasting=LONG)
            for iccid in (FIRST, SECOND)
        ]
        lab.stop()
        lab.start(replace(port(lab), failover=FailoverPolicy(rules=tuple(rules), within=LONG, cooldown=LONG)))
        lab.until(
            lambda: lab.engine.card(CARD).failover(),
            lambda seen: seen is not None and seen.standing is Standing.WELL,
        )
        lab.set_line(FIRST, Line.IDLE)
        lab.modem.register(FIRST, 3)
        lab.known(FIRST, Line.IDLE)
        cause = "the likely cause is its line, which is idle ('SUSPENDED')"
        lab.until_true(lambda: cause in str(lab.engine.card(CARD).failover()))


def test_a_platform_that_does_not_answer(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed query is repeated later, or as soon as the network is back; the last report is kept."""
    monkeypatch.setattr(line_watch, "SPREAD", 1e6)
    with lines(tmp_path, pki) as lab:
        lab.platform.faults.add(PlatformFault.STATUS, call="find", value="500", times=1)
        look_now(lab, FIRST)
        lab.until_true(lambda: (record := lab.engine.line(FIRST)) is not None and record.failures == 1)
        lab.engine.network_is_back()
        lab.until_true(lambda: (record := lab.engine.line(FIRST)) is not None and record.failures == 0)


def test_a_line_that_changes_is_looked_at_again(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A changing line is queried repeatedly until it no longer changes."""
    monkeypatch.setattr(line_watch, "CHANGING", Backoff((0.01,)))
    with lines(tmp_path, pki, like="desk") as lab:
        lab.known(FIRST, Line.LIVE)
        lab.platform.stock.pace.line = 3
        lab.set_line(FIRST, Line.CHANGING)
        before = lab.platform.calls["line"]
        look_now(lab, FIRST)
        lab.known(FIRST, Line.CHANGING)
        lab.known(FIRST, Line.LIVE)
        assert lab.platform.calls["line"] == before + 3


def test_a_line_that_the_operator_deletes(tmp_path: Path, pki: Pki) -> None:
    """A line that its platform no longer knows is unknown, and nothing fails."""
    with lines(tmp_path, pki) as lab:
        lab.known(FIRST, Line.LIVE)
        lab.platform.stock.reserved.clear()
        look_now(lab, FIRST)
        assert lab.known(FIRST, "unknown").platform == "mine"


def test_without_platforms_there_is_no_thread(tmp_path: Path, pki: Pki) -> None:
    """Without a platform that knows lines the watch does not run; a reload that adds one starts it."""
    with lines(tmp_path, pki) as lab:
        lab.stop()
        lab.platforms.become([])
        lab.start()
        assert not lab.engine._line_watch.alive
        lab.platforms.become([lab.openable()])
        lab.engine.become((port(lab),))
        assert lab.engine._line_watch.alive
