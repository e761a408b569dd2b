"""A card that goes on reporting a profile as enabled although it has enabled another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.guarding import REGISTERED, enabled, ended, guarding, rolled_back
from engine.lab import FIRST, SECOND, result_of
from lpad.engine.change.change import Kind, State
from lpad.engine.switch import condition_watch

if TYPE_CHECKING:
    from pathlib import Path

    from engine.lab import Lab
    from lpad.simulator.pki.pki import Pki

STATE, ALWAYS_ENABLED = 0x9F70, bytes.fromhex("9F700101")
DENIED = 3


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condition_watch, "STEADY", 0.3)
    monkeypatch.setattr(condition_watch, "FIRST_PAUSE", 0.1)


def lie(lab: Lab) -> None:
    lab.card.distort(FIRST, without=(STATE,), tail=ALWAYS_ENABLED)


def test_a_guarded_switch_is_kept(tmp_path: Path, pki: Pki) -> None:
    """The card's yes and the modem tell which of two profiles is enabled; the modem is not restarted."""
    with guarding(tmp_path, pki) as lab:
        lie(lab)
        change = ended(lab, REGISTERED)
        assert change.error is None, change
        assert change.result is not None
        assert result_of(change)["guard"] == "met"
        assert "AT+CFUN=0" not in lab.modem.received
        assert enabled(lab) == SECOND


def test_a_guarded_switch_goes_back(tmp_path: Path, pki: Pki) -> None:
    """The profile before is enabled by a command, although the card reports it as enabled all the time."""
    with guarding(tmp_path, pki, registration={SECOND: DENIED}) as lab:
        lie(lab)
        rolled_back(ended(lab, REGISTERED, within=3.0))
        assert enabled(lab) == FIRST


def test_people_switch_back_and_get_no_guard(tmp_path: Path, pki: Pki) -> None:
    """Nobody knows then which profile is enabled: a guard has no way back, and each switch is sent."""
    with guarding(tmp_path, pki) as lab:
        lie(lab)
        assert lab.carry_out(Kind.ENABLE, iccid=SECOND).error is None
        refused = ended(lab, REGISTERED, iccid=FIRST)
        assert refused.error is not None
        assert (refused.error.kind, enabled(lab)) == ("conflict", SECOND)
        assert "several profiles as enabled" in refused.error.sentence
        assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
        assert enabled(lab) == FIRST
