"""An empty card gets its first profile without a request, if the settings allow this."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from engine.clocks import TODAY, YEAR, Clocks
from engine.holding import silent
from engine.lab import CARD, FIRST, FROM_DEFAULT_SMDP, LONG, SECOND, Lab
from lpad.base.backoff import Backoff
from lpad.base.server_address import ServerAddress
from lpad.engine.change.change import Change, Kind, PauseReason, State
from lpad.engine.policy.provisioning import NO_PROVISIONING
from lpad.engine.snapshot.snapshot import CardState
from lpad.engine.unattended import first_profile
from lpad.simulator.smdp.functions.faults import Fault, FaultKind

if TYPE_CHECKING:
    from lpad.engine.running.card.card_with_open_link import CardPort


def empty(lab: Lab, *, default: bool = True) -> CardPort:
    address = ServerAddress.parse(lab.server.address) if default else None
    return replace(lab.port, provisioning=FROM_DEFAULT_SMDP, default_smdp=address)


def asked(lab: Lab) -> list[Change]:
    """Return the changes that lpad began without a request, oldest first."""
    return [change for change in reversed(lab.engine.changes()) if change.origin == "provision"]


def ended(lab: Lab, *, number: int = 1) -> Change:
    seen = lab.until(
        lambda: asked(lab), lambda changes: len(changes) >= number and changes[number - 1].state.ended
    )
    return seen[number - 1]


def offer(lab: Lab) -> None:
    """Create an order that the server finds by the EID of the lab's card."""
    lab.order(eid=lab.card.eid)


def test_an_empty_card_gets_its_profile(lab: Lab) -> None:
    """When lpad starts, an empty card gets and enables a profile from the default SM-DP+."""
    offer(lab)
    lab.start(empty(lab))
    change = ended(lab)
    assert change.state is State.DONE, change.error
    assert change.kind is Kind.DOWNLOAD
    assert [(str(each.iccid), each.enabled) for each in lab.card.profiles] == [(FIRST, True)]
    assert lab.carry_out(Kind.REFRESH).state is State.DONE
    assert len(asked(lab)) == 1
    assert lab.engine.card(CARD).provisioning() == first_profile.ProvisioningState()


def test_by_default_no_first_profile_is_requested(lab: Lab) -> None:
    """Without `provision: on_empty`, an empty card stays empty."""
    offer(lab)
    lab.start(replace(empty(lab), provisioning=NO_PROVISIONING))
    assert lab.carry_out(Kind.REFRESH).state is State.DONE
    assert asked(lab) == []
    assert lab.engine.card(CARD).provisioning() is None


def test_a_card_with_a_profile_is_left_alone(lab: Lab) -> None:
    """For a card with an operational profile, enabled or not, lpad requests no first profile."""
    lab.install(iccid=SECOND)
    lab.stop()
    offer(lab)
    lab.start(empty(lab))
    assert lab.carry_out(Kind.REFRESH).state is State.DONE
    assert asked(lab) == []


def test_without_a_default_address_no_server_is_asked(lab: Lab) -> None:
    """If neither the card nor the settings name a default SM-DP+, lpad requests no first profile."""
    lab.start(empty(lab, default=False))
    assert lab.carry_out(Kind.REFRESH).state is State.DONE
    assert asked(lab) == []


def test_the_cards_own_address_is_asked(lab: Lab) -> None:
    """If the settings name no default SM-DP+, lpad uses the card's address as soon as the card has one."""
    offer(lab)
    lab.start(empty(lab, default=False))
    lab.carry_out(Kind.SET_DEFAULT_SMDP, default_smdp=lab.server.address)
    assert ended(lab).state is State.DONE


def test_a_restart_does_not_ask_again(lab: Lab) -> None:
    """The number of attempts and the time of the next one survive a restart."""
    lab.start(empty(lab))
    assert ended(lab).state is State.FAILED  # The server has no order for this card.
    before = lab.engine.card(CARD).provisioning()
    assert before is not None
    assert before.attempts == 1
    for _ in range(2):
        lab.stop()
        lab.start(empty(lab))
        lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)
        assert lab.carry_out(Kind.REFRESH).state is State.DONE
    assert len(asked(lab)) == 1
    assert lab.engine.card(CARD).provisioning() == before


def test_a_failed_attempt_is_repeated_later(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failed attempt, the next one begins when it is due, and may succeed."""
    monkeypatch.setattr(first_profile, "BACKOFF", Backoff((0.5,)))
    lab.start(empty(lab))
    assert ended(lab).state is State.FAILED
    offer(lab)
    lab.until_true(lambda: any(each.enabled for each in lab.card.profiles))
    done = lab.until(lambda: asked(lab), lambda changes: changes[-1].state is State.DONE)
    assert len(done) >= 2


@pytest.mark.parametrize(
    ("before", "after"), [(100.0, TODAY), (TODAY + 2 * YEAR, TODAY), (TODAY, TODAY + YEAR / 2)]
)
def test_a_jump_of_the_clock_during_the_first_attempt_moves_no_other(
    lab: Lab, before: float, after: float
) -> None:
    """If the clock is set during the first attempt, the second one is still due minutes after the first."""
    clocks = lab.clocks = Clocks(wall=before)
    with silent(lab, "initiateAuthentication") as reached:
        lab.start(empty(lab))
        assert reached.acquire(timeout=LONG)
        clocks.wall = after
    assert ended(lab).state is State.FAILED
    state = lab.engine.card(CARD).provisioning()
    assert state is not None
    assert state.attempts == 1
    left = lab.engine.now().until(state.next_at, longest=10 * YEAR)
    assert 0 < left <= 2 * first_profile.BACKOFF.seconds[0]
    lab.stop()
    clocks.pass_by(left)
    lab.start(empty(lab))
    assert ended(lab, number=2).state is State.FAILED


def test_intervals_grow_to_a_day() -> None:
    """Intervals grow from minutes to a day, and are spread so that a fleet does not ask at one moment."""
    waits = [first_profile.BACKOFF.seconds[number] for number in range(4)]
    assert waits == sorted(waits)
    assert waits[-1] == 24 * 3600
    assert len({first_profile.BACKOFF.after(9) for _ in range(5)}) > 1


def test_without_a_network_it_waits_for_one(lab: Lab) -> None:
    """An attempt without a network waits, and the same change continues once a network is available."""
    offer(lab)
    lab.server.faults.add(Fault(function="initiateAuthentication", kind=FaultKind.DROP_BEFORE))
    lab.start(empty(lab))
    lab.until(
        lambda: asked(lab),
        lambda seen: bool(seen and seen[0].pause and seen[0].pause.reason is PauseReason.NETWORK),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lpad.engine.worker.queue.awaiting_retry.REST", 0.0)
        lab.engine.network_is_back()
    assert ended(lab).state is State.DONE
    assert len(asked(lab)) == 1


def test_an_attempt_that_was_taken_back_is_not_repeated_immediately(lab: Lab) -> None:
    """After a user has cancelled an attempt, the next one does not begin immediately."""
    lab.server.faults.add(Fault(function="initiateAuthentication", kind=FaultKind.DROP_BEFORE, times=99))
    lab.start(empty(lab))
    seen = lab.until(lambda: asked(lab), lambda found: bool(found and found[0].pause))
    lab.engine.cancel(seen[0].id)
    assert lab.carry_out(Kind.REFRESH).state is State.DONE
    assert [change.state for change in asked(lab)] == [State.CANCELLED]


def test_a_journal_that_cant_be_read_hides_no_card(lab: Lab) -> None:
    """If the journal cannot be read, the card's provisioning state shows no attempts, and is not an error."""
    offer(lab)
    lab.start(empty(lab))
    assert ended(lab).state is State.DONE
    engine = lab.engine
    lab.stop()  # This closes the journal, too.
    assert engine.card(CARD).provisioning() == first_profile.ProvisioningState()
