"""Which switches get the default guard, and how the result of another switch gives the reason."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from engine.guarding import REGISTERED, THIRD, enabled, guarding, port, rolled_back, steps
from engine.lab import FIRST, SECOND, Lab
from engine.switch.test_guarded_switch import PERMITS_PPR1, install_locked
from lpad.engine.change.change import FAILOVER, RESCUE, Kind, State
from lpad.engine.change.params import EnableParams, GuardParams
from lpad.engine.change.results import SwitchResult
from lpad.engine.policy.switching import SwitchPolicy
from lpad.engine.switch import condition_watch
from lpad.simulator.modem.personality import DENIED, SEARCHING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.engine.change.change import Change
    from lpad.simulator.pki.pki import Pki

DEFAULT = SwitchPolicy(default_guard=GuardParams(until=(REGISTERED,), within=20))


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condition_watch, "STEADY", 0.3)


@contextmanager
def defaulting(folder: Path, pki: Pki, *, within: float = 20, **habits: Any) -> Iterator[Lab]:
    """Yield a lab with two profiles, the first enabled, and the default guard."""
    with guarding(folder, pki, **habits) as lab:
        guard = GuardParams(until=(REGISTERED,), within=within)
        lab.engine.become([replace(port(lab), policy=SwitchPolicy(default_guard=guard), device="/dev/x")])
        yield lab


def unguarded(change: Change) -> str:
    assert change.state is State.DONE, change.error
    assert isinstance(change.result, SwitchResult)
    assert change.guard is None
    assert change.result.guard is None
    return change.result.unguarded or ""


def test_a_plain_enable_is_guarded(tmp_path: Path, pki: Pki) -> None:
    """Although no guard was requested, the switch is kept only if the modem registers again."""
    with defaulting(tmp_path, pki) as lab:
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert isinstance(change.result, SwitchResult)
        assert (change.result.guard, change.result.unguarded) == ("met", None)
        assert "watch" in steps(change)


def test_a_profile_that_never_registers_is_not_kept(tmp_path: Path, pki: Pki) -> None:
    """If the profile never registers, the default guard is not met, and lpad rolls back."""
    with defaulting(tmp_path, pki, within=2, registration={SECOND: SEARCHING}) as lab:
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert rolled_back(change)["layer"] == "registered"
        assert enabled(lab) == FIRST


def test_an_installed_profile_is_guarded_too(tmp_path: Path, pki: Pki) -> None:
    """A download with `enable` gets the default guard for its switch."""
    with defaulting(tmp_path, pki, within=2, registration={THIRD: SEARCHING}) as lab:
        code = lab.code(lab.order(iccid=THIRD, name="Third"))
        change = lab.carry_out(Kind.DOWNLOAD, secrets={"activation_code": code}, enable=True)
        assert rolled_back(change)["installed"] == THIRD
        assert enabled(lab) == FIRST


def test_null_means_none(tmp_path: Path, pki: Pki) -> None:
    """With `guard: null` a switch has no guard, and its result gives no reason for that."""
    with defaulting(tmp_path, pki, registration={SECOND: SEARCHING}) as lab:
        assert unguarded(lab.carry_out(Kind.ENABLE, iccid=SECOND, unguarded=True)) == ""
        assert enabled(lab) == SECOND


def test_a_modem_that_was_not_registered_gives_no_guard(tmp_path: Path, pki: Pki) -> None:
    """If the modem is not registered, there is no default guard, and the result states why."""
    with defaulting(tmp_path, pki, registration={FIRST: DENIED, SECOND: SEARCHING}) as lab:
        assert "not registered before" in unguarded(lab.carry_out(Kind.ENABLE, iccid=SECOND))


def test_a_modem_that_reports_no_registration_gives_no_guard(tmp_path: Path, pki: Pki) -> None:
    """If the modem does not report its registration, there is no default guard."""
    with defaulting(tmp_path, pki, registration_commands=()) as lab:
        assert "does not report" in unguarded(lab.carry_out(Kind.ENABLE, iccid=SECOND))


def test_a_profile_that_forbids_disabling_gives_no_guard(tmp_path: Path, pki: Pki) -> None:
    """If the operator forbids disabling the profile, there is no default guard; the result has the reason."""
    with defaulting(tmp_path, pki, behaviour=PERMITS_PPR1, registration={THIRD: SEARCHING}) as lab:
        install_locked(lab)
        assert "forbids disabling it (ppr1)" in unguarded(lab.carry_out(Kind.ENABLE, iccid=THIRD))
        assert enabled(lab) == THIRD


def test_without_a_profile_to_go_back_to_there_is_no_guard(tmp_path: Path, pki: Pki) -> None:
    """Without a previous profile to return to, a switch has no default guard."""
    with defaulting(tmp_path, pki) as lab:
        lab.carry_out(Kind.DISABLE, iccid=FIRST, accept_offline=True)
        assert "no other profile" in unguarded(lab.carry_out(Kind.ENABLE, iccid=SECOND))


def test_an_enabled_profile_is_neither_guarded_nor_told_why(tmp_path: Path, pki: Pki) -> None:
    """Enabling the enabled profile is done immediately; its result has no guard, and no reason for that."""
    with defaulting(tmp_path, pki) as lab:
        change = lab.carry_out(Kind.ENABLE, iccid=FIRST)
        assert unguarded(change) == ""


def test_a_rescue_is_never_guarded(tmp_path: Path, pki: Pki) -> None:
    """The switch of a rescue has no default guard, because a slow network must not prevent the rescue."""
    with defaulting(tmp_path, pki, registration={SECOND: SEARCHING}) as lab:
        asked = lab.engine.submit("modem", EnableParams(iccid=SECOND), origin=RESCUE).change
        assert unguarded(lab.ended(asked.id)) == ""


def test_a_failover_without_a_rule_has_it(tmp_path: Path, pki: Pki) -> None:
    """Failover uses the guard of the profile's rule; without a rule, the default guard applies."""
    with defaulting(tmp_path, pki, within=2, registration={SECOND: SEARCHING}) as lab:
        asked = lab.engine.submit("modem", EnableParams(iccid=SECOND), origin=FAILOVER).change
        rolled_back(lab.ended(asked.id))
        assert enabled(lab) == FIRST


def test_a_locked_sim_ends_the_watch_immediately(tmp_path: Path, pki: Pki) -> None:
    """If the SIM requires a PIN, the default guard ends immediately, as no user is there to enter it."""
    with defaulting(tmp_path, pki, within=600, pin_locked=(SECOND,)) as lab:
        details = rolled_back(lab.carry_out(Kind.ENABLE, iccid=SECOND))
        assert details["reason"] == "sim-locked"
        assert enabled(lab) == FIRST


def test_a_default_guard_survives_a_restart(tmp_path: Path, pki: Pki) -> None:
    """After a restart during a default guard, the guard continues, and a profile that registers is kept."""
    with defaulting(tmp_path, pki, within=60, registration={SECOND: SEARCHING}) as lab:
        ports = [replace(port(lab), policy=DEFAULT, device="/dev/x")]
        change = lab.submit(Kind.ENABLE, iccid=SECOND)
        lab.until(
            lambda: lab.engine.change(change.id),
            lambda seen: seen.guard is not None and seen.guard.phase == "watching",
        )
        lab.stop()
        lab.modem.register(SECOND, 1)
        lab.start(*ports)
        ended = lab.ended(change.id)
        assert ended.state is State.DONE, ended.error
        assert enabled(lab) == SECOND
