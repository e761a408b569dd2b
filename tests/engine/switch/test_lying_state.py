"""A card that continues reporting a profile as enabled although it has enabled another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.guarding import REGISTERED, THIRD, enabled, ended, guarding, out_of_time, rolled_back
from engine.lab import FIRST, SECOND, result_of
from engine.time_lapse import time_lapse
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
    """If the card's list shows an old state, lpad relies on the card's result and the modem's ICCID."""
    with guarding(tmp_path, pki) as lab:
        lie(lab)
        change = ended(lab, REGISTERED)
        assert change.error is None, change
        assert change.result is not None
        assert result_of(change)["guard"] == "met"
        assert "AT+CFUN=0" not in lab.modem.received
        assert enabled(lab) == SECOND


def test_a_guarded_switch_goes_back(tmp_path: Path, pki: Pki) -> None:
    """The previous profile is enabled by a command, although the card reports it as enabled all the time."""
    with time_lapse() as pass_by, guarding(tmp_path, pki, registration={SECOND: DENIED}) as lab:
        lie(lab)
        rolled_back(out_of_time(lab, pass_by, REGISTERED, seen="denied"))
        assert enabled(lab) == FIRST


def test_people_switch_back_and_get_no_guard(tmp_path: Path, pki: Pki) -> None:
    """If the modem reports no ICCID, a guarded switch is refused, and an unguarded one is sent."""
    with guarding(tmp_path, pki, iccid_commands=frozenset(), patience=2) as lab:
        lie(lab)
        assert lab.carry_out(Kind.ENABLE, iccid=SECOND).error is None
        refused = ended(lab, REGISTERED, iccid=FIRST)
        assert refused.error is not None
        assert (refused.error.kind, enabled(lab)) == ("conflict", SECOND)
        assert "several profiles as enabled" in refused.error.sentence
        assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
        assert enabled(lab) == FIRST


def test_the_profile_that_the_modem_reads_is_not_switched_to_under_a_guard(tmp_path: Path, pki: Pki) -> None:
    """A guarded switch to the profile that the modem reads is refused: it would be its own way back."""
    with guarding(tmp_path, pki) as lab:
        lab.card.distort(SECOND, without=(STATE,), tail=ALWAYS_ENABLED)
        refused = ended(lab, REGISTERED, iccid=FIRST)
        assert refused.error is not None
        assert refused.error.kind == "conflict"
        assert enabled(lab) == FIRST


@pytest.mark.parametrize("works", [True, False])
def test_a_profile_on_another_port_of_the_card_hinders_no_guard(
    tmp_path: Path, pki: Pki, *, works: bool
) -> None:
    """If a card with several ports has several enabled profiles, the modem's ICCID shows the way back."""
    with guarding(tmp_path, pki, registration={} if works else {SECOND: DENIED}) as lab:
        lab.install(iccid=THIRD, name="Third")
        lab.card.distort(THIRD, without=(STATE,), tail=ALWAYS_ENABLED)
        change = ended(lab, REGISTERED, within=60 if works else 3)
        assert change.guard is not None
        assert change.guard.previous == FIRST
        if not works:
            rolled_back(change)
        assert enabled(lab) == (SECOND if works else FIRST)
