"""The events of changes, on a software eUICC behind a modem: each once, with its subject."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.guarding import REGISTERED, THIRD, ended, guarding, stuck
from engine.lab import CARD, FIRST, SECOND, Lab
from lpad.engine.change.change import Kind
from lpad.engine.switch import condition_watch

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.engine.change.change import Json
    from lpad.simulator.pki.pki import Pki


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condition_watch, "STEADY", 0.3)
    monkeypatch.setattr(condition_watch, "FIRST_PAUSE", 0.1)


def told(lab: Lab, after: int = 0) -> list[tuple[str, dict[str, Json]]]:
    """Return the events of changes, without those of the connection's layers."""
    return [
        (each.type.removeprefix("org.lpad.").removesuffix(".v1"), each.body.data)
        for each in lab.engine.events.after(after, limit=999)
        if each.type.startswith(("org.lpad.profile", "org.lpad.switch"))
    ]


def test_a_profiles_life(lab: Lab) -> None:
    """Each stage of a profile's life, from download to deletion, is an event with card and change."""
    lab.install()
    enabled = lab.carry_out(Kind.ENABLE, iccid=FIRST)
    lab.carry_out(Kind.ENABLE, iccid=FIRST)  # The profile is enabled already, so nothing happens.
    disabled = lab.carry_out(Kind.DISABLE, iccid=FIRST, accept_offline=True)
    deleted = lab.carry_out(Kind.DELETE, iccid=FIRST)
    lab.carry_out(Kind.DELETE, iccid=FIRST, missing_ok=True)
    eid = lab.engine.snapshot(CARD).eid
    about = {"euicc": CARD, "eid": eid, "iccid": FIRST}
    assert told(lab) == [
        ("profile.downloaded", {**about, "change": 1}),
        ("profile.installed", {**about, "change": 1}),
        ("profile.enabled", {**about, "change": enabled.id}),
        ("profile.disabled", {**about, "change": disabled.id}),
        ("profile.deleted", {**about, "change": deleted.id}),
    ]


def test_a_guarded_switch_that_is_kept(tmp_path: Path, pki: Pki) -> None:
    """A kept switch has three events: started (with the previous profile), confirmed and enabled."""
    with guarding(tmp_path, pki) as lab:
        before = lab.engine.events.last()
        change = ended(lab, REGISTERED)
        eid = lab.engine.snapshot(CARD).eid
        about = {"euicc": CARD, "eid": eid, "iccid": SECOND, "change": change.id, "previous": FIRST}
        assert told(lab, before) == [
            ("switch.started", about),
            ("switch.confirmed", about),
            ("profile.enabled", about),
        ]


def test_a_guarded_switch_that_is_rolled_back(tmp_path: Path, pki: Pki) -> None:
    """A rollback's event has the profile that is enabled now, the failed layer, and the cause in one word."""
    with guarding(tmp_path, pki, registration={SECOND: 3}) as lab:
        before = lab.engine.events.last()
        change = ended(lab, REGISTERED, within=1)
        eid = lab.engine.snapshot(CARD).eid
        about = {"euicc": CARD, "eid": eid, "iccid": SECOND, "change": change.id, "previous": FIRST}
        (_, (type_, data)) = told(lab, before)
        assert type_ == "switch.rolled-back"
        assert data.pop("cause") in ("time-limit", "denied")
        assert data == {**about, "enabled": FIRST, "layer": "registered"}


def test_a_switch_that_is_stuck(tmp_path: Path, pki: Pki) -> None:
    """A switch that ends stuck has an event for its start, and one of the type `switch.stuck`."""
    with guarding(tmp_path, pki) as lab:
        before = lab.engine.events.last()
        change = stuck(lab)
        (_, (type_, data), *_) = told(lab, before)
        assert (type_, data["change"], data["cause"]) == ("switch.stuck", change.id, "refused")


def test_a_guarded_download_that_is_rolled_back(tmp_path: Path, pki: Pki) -> None:
    """The profile is reported as installed before its switch begins, and stays installed."""
    with guarding(tmp_path, pki, registration={THIRD: 3}) as lab:
        before = lab.engine.events.last()
        change = lab.carry_out(
            Kind.DOWNLOAD,
            secrets={"activation_code": lab.code(lab.order(iccid=THIRD, name="Third"))},
            enable=True,
            guard={"until": [REGISTERED], "within": 1},
        )
        found = told(lab, before)
        assert [type_ for type_, _ in found] == [
            "profile.downloaded",
            "profile.installed",
            "switch.started",
            "switch.rolled-back",
        ]
        assert {(data["iccid"], data["change"]) for _, data in found} == {(THIRD, change.id)}


def test_a_reset_deletes_each_profile(lab: Lab) -> None:
    """A reset has one event for each deleted profile."""
    lab.install()
    lab.install(iccid=SECOND, name="Second")
    before = lab.engine.events.last()
    lab.carry_out(Kind.RESET, operational_profiles=True, test_profiles=False, default_smdp=False)
    assert sorted((type_, str(data["iccid"])) for type_, data in told(lab, before)) == [
        ("profile.deleted", FIRST),
        ("profile.deleted", SECOND),
    ]
