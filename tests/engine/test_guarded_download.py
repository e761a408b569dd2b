"""Downloads whose profile is enabled under a guard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.guarding import REGISTERED, THIRD, enabled, guarding, port, rolled_back, watched
from engine.lab import CARD, FIRST, SECOND, Lab, result_of
from engine.switch.test_guarded_switch import PERMITS_PPR1
from lpad.engine.change.change import Kind, State
from lpad.engine.policy.install_policies_by_card import Policies
from lpad.engine.running.change_question_answer import Answer
from lpad.engine.switch import condition_watch
from lpad.lpa.owner_install_policy import Asking, InstallPolicy
from lpad.simulator.smdp.store.profile_metadata import Owner, ProfileMetadata, ProfilePolicyRule

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.engine.change.change import Change
    from lpad.simulator.pki.pki import Pki


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condition_watch, "STEADY", 0.3)
    monkeypatch.setattr(condition_watch, "FIRST_PAUSE", 0.1)


def download(lab: Lab, *until: str, within: float = 20.0, **order: Any) -> Change:
    """Request a third profile, enabled under a guard, and return the change immediately."""
    code = lab.code(lab.order(iccid=THIRD, name="Third", **order))
    guard = {"until": list(until), "within": within}
    return lab.submit(Kind.DOWNLOAD, secrets={"activation_code": code}, enable=True, guard=guard)


def installed(lab: Lab) -> list[str]:
    return [str(profile.iccid) for profile in lab.card.profiles]


def test_a_profile_that_registers_is_kept(tmp_path: Path, pki: Pki) -> None:
    """A download under a guard keeps a profile that registers, and its result contains the guard."""
    with guarding(tmp_path, pki) as lab:
        change = lab.ended(download(lab, REGISTERED).id)
        assert change.error is None, change.error
        assert change.result is not None
        assert result_of(change)["iccid"] == THIRD
        assert result_of(change)["enabled"] is True
        assert (result_of(change)["guard"], result_of(change)["previous"]) == ("met", FIRST)
        assert enabled(lab) == THIRD


def test_a_profile_that_does_not_register_stays_installed(tmp_path: Path, pki: Pki) -> None:
    """If the downloaded profile does not register, the switch is rolled back, and the profile stays."""
    with guarding(tmp_path, pki, registration={THIRD: 3}) as lab:
        change = lab.ended(download(lab, REGISTERED, within=2).id)
        details = rolled_back(change)
        assert (details["installed"], details["enabled"], details["reason"]) == (THIRD, FIRST, "time-limit")
        assert change.error is not None
        assert "is installed, but" in change.error.sentence
        assert enabled(lab) == FIRST
        assert installed(lab) == [FIRST, SECOND, THIRD]


def test_a_rolled_back_profile_is_not_downloaded_again(tmp_path: Path, pki: Pki) -> None:
    """Downloads are retried, but a profile that was rolled back is not put on trial again."""
    with guarding(tmp_path, pki) as lab:
        lab.stop()
        lab.patient(retry=3600)
        lab.start(port(lab))
        change = lab.asked(download(lab, "confirm").id)
        lab.engine.answer(change.id, Answer(confirm=False))
        change = lab.ended(change.id)
        assert rolled_back(change)["reason"] == "refused"
        assert change.attempts == 0


def test_taking_the_change_back_takes_the_switch_back(tmp_path: Path, pki: Pki) -> None:
    """If the change is cancelled, the switch is rolled back, and the installed profile stays on the card."""
    with guarding(tmp_path, pki) as lab:
        change = lab.asked(download(lab, "confirm").id)
        lab.engine.cancel(change.id)
        change = lab.ended(change.id)
        assert change.state is State.CANCELLED
        assert change.error is not None
        assert change.error.details["installed"] == THIRD
        assert enabled(lab) == FIRST


@pytest.mark.parametrize("retry", [0.0, 3600.0])
def test_stopped_under_the_guard_it_continues_with_the_next_start(
    tmp_path: Path, pki: Pki, retry: float
) -> None:
    """After a stop under the guard, the profile is neither downloaded nor enabled again."""
    with guarding(tmp_path, pki) as lab:
        lab.stop()
        lab.patient(retry=retry)
        lab.start(port(lab))
        change = lab.asked(download(lab, "confirm", within=60).id)
        lab.stop()
        connections = lab.server.counters.tcp_connects
        lab.start(port(lab))
        change = lab.asked(change.id)
        assert enabled(lab) == THIRD
        lab.engine.answer(change.id, Answer(confirm=True))
        change = lab.ended(change.id)
        assert change.error is None, change.error
        assert change.result is not None
        assert (result_of(change)["iccid"], result_of(change)["guard"]) == (THIRD, "met")
        assert result_of(change)["settled"] is True
        lab.until_true(lambda: lab.engine.card(CARD).notifications() == [])
        functions = [each.event for each in lab.server.notifications]
        assert functions.count("install") == 6  # Two notifications for each profile.
        assert lab.server.counters.tcp_connects <= connections + 1


def test_a_port_that_goes_under_the_guard_is_waited_for(tmp_path: Path, pki: Pki) -> None:
    """If the port disappears under the guard, the change ends only after the rollback."""
    with guarding(tmp_path, pki, registration={THIRD: 2}) as lab:
        change = download(lab, REGISTERED, within=3)
        watched(lab, change.id)
        lab.modem.vanish()
        lab.until(lambda: lab.engine.snapshot(CARD), lambda card: card.state != "ready")
        assert not lab.engine.change(change.id).state.ended
        lab.modem.come_back()
        assert rolled_back(lab.ended(change.id))["enabled"] == FIRST


def test_a_download_that_cannot_be_guarded_is_refused(tmp_path: Path, pki: Pki) -> None:
    """A download whose guard cannot be checked is refused before any server is contacted."""
    with guarding(tmp_path, pki, registration_commands=()) as lab:
        change = lab.ended(download(lab, REGISTERED).id)
        assert change.error is not None
        assert change.error.kind == "conflict"
        assert change.steps == ()
        assert installed(lab) == [FIRST, SECOND]


def test_a_profile_without_a_way_back_is_installed_and_not_enabled(tmp_path: Path, pki: Pki) -> None:
    """A profile that turns out to forbid disabling is installed, but not enabled under a guard."""
    rules = (ProfilePolicyRule.PPR1,)
    metadata = ProfileMetadata(iccid=THIRD, name="Third", rules=rules, owner=Owner("00101"))
    with guarding(tmp_path, pki, behaviour=PERMITS_PPR1) as lab:
        lab.policies.become(Policies(InstallPolicy(confirm=Asking.CARD)))
        change = lab.ended(download(lab, "confirm", metadata=metadata).id)
        assert change.error is not None
        assert change.error.kind == "conflict"
        assert "rollback would be impossible" in change.error.sentence
        assert change.error.details["installed"] == THIRD
        assert enabled(lab) == FIRST
