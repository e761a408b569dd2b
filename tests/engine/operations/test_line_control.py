"""The lines of installed profiles: shown, activated, suspended and retired at their platform."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from engine.lab import CARD, result_of
from engine.operations.platform_lab import PLATFORM, PlatformLab, hurry
from lpad.base.errors import WouldGoOffline
from lpad.base.identifiers import Imei
from lpad.engine.change.change import Kind, State
from lpad.engine.lines import line_watch
from lpad.simulator.platform.faults import PlatformFault
from lpad.simulator.platform.reservations import Line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.engine.change.change import Change
    from lpad.simulator.pki.pki import Pki
    from lpad.simulator.platform.reservations import Reserved

LIKES = ("desk", "kore", "twilio", "things", "telnyx")
RETIRES = ("desk", "things")
NEVER = 1e6


def with_profile(folder: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch, like: str) -> PlatformLab:
    """Return a lab with an enabled profile and its live line, which lpad queries only if requested."""
    hurry(monkeypatch)
    monkeypatch.setattr(line_watch, "SPREAD", NEVER)
    lab = PlatformLab(folder, pki, like=like)
    made = lab.platform.stock.order(eid=str(lab.card.eid))
    for _ in range(2):
        lab.platform.stock.look(made)
    assert made.placed is not None
    made.line = Line.LIVE
    order = lab.server.orders.all()[0]
    change = lab.carry_out(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)}, enable=True)
    assert change.error is None, change.error
    return lab


@pytest.fixture(params=LIKES)
def lab(
    request: pytest.FixtureRequest, tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PlatformLab]:
    """Yield a lab for each kind of platform that knows lines."""
    with with_profile(tmp_path, pki, monkeypatch, request.param) as made:
        yield made


@pytest.fixture
def desk(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlatformLab]:
    """Yield a lab with a desk."""
    with with_profile(tmp_path, pki, monkeypatch, "desk") as made:
        yield made


@pytest.fixture
def things(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlatformLab]:
    """Yield a lab with a platform for lines only, which has its own words for their states."""
    with with_profile(tmp_path, pki, monkeypatch, "things") as made:
        yield made


def line_of(lab: PlatformLab) -> Reserved:
    """Return the platform's record of the line."""
    return lab.platform.stock.reserved[0]


def ask(lab: PlatformLab, action: str) -> Change:
    """Request an action on the line of the enabled profile; return the ended change."""
    return lab.carry_out(Kind.LINE, iccid=lab.enabled[0], action=action)


def test_a_line_is_shown_suspended_and_activated(lab: PlatformLab) -> None:
    """Each platform that knows lines shows a line, suspends it and makes it live again."""
    shown = ask(lab, "show")
    assert shown.error is None, shown.error
    assert result_of(shown)["line"] == "live"
    assert result_of(shown)["platform"] == PLATFORM
    suspended = ask(lab, "suspend")
    assert suspended.error is None, suspended.error
    assert result_of(suspended)["line"] == "idle"
    assert line_of(lab).line is not Line.LIVE
    active = ask(lab, "activate")
    assert active.error is None, active.error
    assert result_of(active)["line"] in ("live", "changing")
    assert result_of(ask(lab, "show"))["line"] == "live"
    assert [step.name for step in active.steps] == ["look-at-line", "activate-line"]


def test_a_repetition_changes_nothing(desk: PlatformLab) -> None:
    """A line that is already as requested is left alone, and the change reports this."""
    assert result_of(ask(desk, "activate"))["already"] is True
    assert desk.platform.calls["activate_line"] == 0
    ask(desk, "suspend")
    assert result_of(ask(desk, "suspend"))["already"] is True
    assert desk.platform.calls["suspend"] == 1


@pytest.mark.parametrize("like", LIKES)
def test_a_retired_line_has_ended(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch, like: str
) -> None:
    """Retiring a line is final; if the platform has no call for it, the error states what to do."""
    with with_profile(tmp_path, pki, monkeypatch, like) as lab:
        change = ask(lab, "retire")
        if like not in RETIRES:
            assert change.error is not None
            assert "use the operator's portal" in change.error.sentence
            assert line_of(lab).line is Line.LIVE
            return
        assert change.error is None, change.error
        assert (result_of(change)["line"], line_of(lab).line) == ("ended", Line.ENDED)
        again = ask(lab, "activate")
        assert again.error is not None
        assert "cannot be undone" in again.error.sentence


def test_the_platforms_own_word_is_kept(things: PlatformLab) -> None:
    """The result has the line's state in lpad's word and in the platform's."""
    suspended = result_of(ask(things, "suspend"))
    assert (suspended["line"], suspended["word"]) == ("idle", "SUSPENDED")


@pytest.mark.parametrize("action", ["suspend", "retire"])
def test_the_line_that_the_modem_uses(things: PlatformLab, action: str) -> None:
    """Suspending or retiring the enabled profile's line is refused unless the device may go offline."""
    things.stop()
    things.start(replace(things.port, device="/dev/ttyUSB2"))
    things.until(lambda: things.engine.snapshot(CARD).listed.enabled, bool)
    iccid = things.enabled[0]
    with pytest.raises(WouldGoOffline, match=r"the line of profile .* would take the device offline"):
        things.submit(Kind.LINE, iccid=iccid, action=action)
    assert line_of(things).line is Line.LIVE
    assert things.carry_out(Kind.LINE, iccid=iccid, action="show").error is None
    assert things.carry_out(Kind.LINE, iccid=iccid, action=action, accept_offline=True).error is None
    assert line_of(things).line is not Line.LIVE


def test_a_line_that_no_platform_knows(desk: PlatformLab) -> None:
    """If no platform has the line, or the card lacks the profile, the change fails."""
    desk.platform.stock.reserved.clear()
    change = ask(desk, "show")
    assert change.error is not None
    assert change.error.kind == "not-found"
    assert "lpad platform list" in change.error.sentence
    missing = desk.carry_out(Kind.LINE, iccid="8900101000000000999", action="show")
    assert missing.error is not None
    assert "the card contains no profile" in missing.error.sentence


def test_without_a_platform_that_knows_lines_no_query_is_sent(desk: PlatformLab) -> None:
    """If no platform knows lines, the error reports this, and lpad sends no query."""
    before = desk.platform.calls.total()
    desk.platforms.become([])
    change = ask(desk, "suspend")
    assert change.error is not None
    assert "no platform in the settings knows the line" in change.error.sentence
    assert desk.platform.calls.total() == before


@pytest.mark.parametrize("fault", [PlatformFault.LOST_ANSWER, PlatformFault.HTML, PlatformFault.TRUNCATED])
def test_an_answer_that_leaves_the_outcome_open(desk: PlatformLab, fault: PlatformFault) -> None:
    """After an unclear answer lpad queries the line: the change is done, or fails with the reason."""
    desk.platform.faults.add(fault, call="suspend")
    change = ask(desk, "suspend")
    carried_out = fault is not PlatformFault.HTML
    assert (change.state is State.DONE) is carried_out
    assert (line_of(desk).line is Line.IDLE) is carried_out
    assert desk.platform.calls["suspend"] == 1


def test_a_refusal_has_the_platforms_words(desk: PlatformLab) -> None:
    """If the platform refuses to suspend a line, the error contains the platform's words and lpad's cause."""
    desk.platform.faults.add(PlatformFault.LINE_REFUSED, call="suspend")
    change = ask(desk, "suspend")
    assert change.error is not None
    assert (change.error.kind, change.error.details["cause"]) == ("platform-refused", "settings")
    assert "the desk says line-refused" in change.error.sentence


def test_platforms_are_queried_until_one_has_the_line(desk: PlatformLab) -> None:
    """Platforms are queried in turn until one has the line; later queries go to that platform first."""
    other = desk.openable(name="other", credentials={"key": "wrong"})
    desk.platforms.become([other, desk.openable()])
    assert result_of(ask(desk, "show"))["platform"] == PLATFORM
    before = desk.platform.calls.total()
    assert result_of(ask(desk, "show"))["platform"] == PLATFORM
    assert desk.platform.calls.total() == before + 1


def test_a_deleted_profiles_line_is_forgotten(desk: PlatformLab) -> None:
    """When a profile is deleted, the reports on its line are deleted, too."""
    iccid = desk.enabled[0]
    ask(desk, "show")
    assert desk.engine.line(iccid) is not None
    desk.carry_out(Kind.DISABLE, iccid=iccid)
    assert desk.carry_out(Kind.DELETE, iccid=iccid).error is None
    assert desk.engine.line(iccid) is None


def test_a_report_outlives_a_restart(desk: PlatformLab) -> None:
    """After a restart, lpad still knows the last report on a line."""
    ask(desk, "suspend")
    desk.stop()
    record = desk.engine.line(desk.enabled[0])
    assert record is not None
    assert (record.platform, record.line) == (PLATFORM, "idle")


def test_a_changed_line_is_an_event(desk: PlatformLab) -> None:
    """If a line's reported state has changed, there is an event with the previous and the new state."""
    subscription = desk.engine.subscribe(lambda: None)
    ask(desk, "suspend")
    told = [event.data for event in subscription.take() if event.type == "line"]
    assert [(each["before"], each["line"]) for each in told] == [(None, "live"), ("live", "idle")]


@pytest.mark.parametrize(
    ("seen", "own", "number"),
    [
        ("490154203237518", "490154203237518", 0),
        ("4901542032375101", "490154203237518", 0),
        ("356938035643809", "490154203237518", 1),
        (None, "490154203237518", 0),
    ],
)
def test_another_imei_is_an_event(things: PlatformLab, seen: str | None, own: str, number: int) -> None:
    """An IMEI other than this device's is reported once; a software version in it is not a difference."""
    things.stop()
    things.start(replace(things.port, imei=Imei.parse(own)))
    things.until(lambda: things.engine.snapshot(CARD).imei, bool)
    line_of(things).imei = seen
    subscription = things.engine.subscribe(lambda: None)
    ask(things, "show")
    assert result_of(ask(things, "show"))["imei"] == seen
    told = [event.data for event in subscription.take() if event.type == "imei"]
    assert [(each["imei"], each["previous"]) for each in told] == [(seen, own)] * number
