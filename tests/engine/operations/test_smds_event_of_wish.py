"""A platform that announces its profile at an SM-DS: the wish waits for the event instead of a code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from engine.lab import CARD, FIRST, result_of
from engine.operations.platform_lab import PlatformLab, hurry
from lpad.base.server_address import ServerAddress
from lpad.engine.change.change import Kind, State
from lpad.engine.operations import smds_event_of_wish
from lpad.engine.policy.discovery import DiscoveryPolicy
from lpad.engine.policy.install_policies_by_card import Policies
from lpad.lpa.owner_install_policy import InstallPolicy
from lpad.simulator.platform.faults import PlatformFault
from lpad.simulator.platform.smdp_orders import SmdpShelf
from lpad.simulator.smdp.functions.faults import Fault, FaultKind
from lpad.simulator.smdp.store.order import OrderState
from lpad.simulator.smds.server import events_of, make_smds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.engine.change.change import Change
    from lpad.engine.running.card.card_with_open_link import CardPort
    from lpad.simulator.pki.pki import Pki
    from lpad.simulator.smdp.store.order import Order


class EventLab(PlatformLab):
    """A lab with a desk that gives no codes, and the SM-DS at which it registers its orders."""

    def __init__(self, folder: Path, pki: Pki) -> None:
        super().__init__(folder, pki, like="desk")
        self.smds = self._stack.enter_context(make_smds(folder / "smds", pki=pki))
        self.silent = False
        shelf = SmdpShelf(self.server.orders, address=lambda: self.server.address, announce=self.announce)
        self.platform.stock.shelf = shelf

    def announce(self, order: Order) -> None:
        """Register an order's event, unless the desk is late."""
        if not self.silent:
            self.event(order)

    def event(self, order: Order) -> None:
        file = events_of(self.smds.folder).register(
            eid=self.card.eid.digits, address=self.server.address, event_id=order.matching_id
        )
        self.server.orders.change(order.id, events=(file,))

    def stale_event(self) -> None:
        """Register an event whose order the SM-DP+ no longer has."""
        events_of(self.smds.folder).register(
            eid=self.card.eid.digits, address=self.server.address, event_id="STALE-1"
        )

    @property
    def port(self) -> CardPort:
        """The card's port, with the SM-DS in its settings."""
        servers = (ServerAddress.parse(self.smds.address),)
        return replace(super().port, discovery=DiscoveryPolicy(servers=servers))

    def events(self) -> list[tuple[str, str]]:
        """Return the events of a discovery with their states."""
        change = self.carry_out(Kind.DISCOVER)
        return [(each["event_id"], each["state"]) for each in result_of(change)["events"]]

    def paused(self, change_id: int, words: str) -> Change:
        """Return the change once its pause gives a reason."""
        return self.until(
            lambda: self.engine.change(change_id),
            lambda each: each.pause is not None and words in each.pause.error.sentence,
        )


@pytest.fixture
def lab(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> Iterator[EventLab]:
    hurry(monkeypatch)
    monkeypatch.setattr(smds_event_of_wish, "ASK_EVERY", 0.01)
    with EventLab(tmp_path, pki) as made:
        yield made


def test_from_an_empty_card_over_an_event_to_an_enabled_profile(lab: EventLab) -> None:
    """The desk orders once and gives no code; the event at the SM-DS leads to the profile."""
    change = lab.ended(lab.provision().id)
    assert change.error is None, change.error
    assert lab.enabled == [result_of(change)["iccid"]]
    assert (lab.platform.orders, lab.engine.card(CARD).wish()) == (1, None)
    order = lab.server.orders.all()[0]
    lab.until_true(lambda: lab.server.orders.get(order.id).state is OrderState.INSTALLED)
    assert lab.events() == [(order.matching_id, "installed")]


def test_the_event_is_late(lab: EventLab) -> None:
    """Without an event the wish waits, gives the reason, and survives a restart; there is one order."""
    lab.silent = True
    change = lab.provision()
    waiting = lab.paused(change.id, "no SM-DS lists an event for it yet")
    assert waiting.state is State.WAITING
    lab.stop()
    lab.start()
    lab.paused(change.id, "no SM-DS lists an event for it yet")
    lab.event(lab.server.orders.all()[0])
    ended = lab.ended(change.id)
    assert (ended.error, lab.platform.orders, len(lab.enabled)) == (None, 1, 1)


def test_a_restart_in_the_middle_of_the_download(lab: EventLab) -> None:
    """After a restart, a begun event is continued: it neither counts as handled nor is downloaded twice."""
    lab.server.faults.add(Fault(kind=FaultKind.DROP_AFTER, function="authenticateClient"))
    change = lab.provision()
    lab.until_true(lambda: (wish := lab.engine.card(CARD).wish()) is not None and wish.event is not None)
    lab.stop()
    lab.start()
    ended = lab.ended(change.id)
    assert (ended.error, lab.platform.orders, len(lab.enabled)) == (None, 1, 1)


def test_a_stale_event_hides_no_other(lab: EventLab) -> None:
    """An event whose order is gone is set aside, without a question about another order."""
    lab.stale_event()
    change = lab.ended(lab.provision().id)
    assert (change.error, lab.platform.orders, len(lab.enabled)) == (None, 1, 1)
    assert ("STALE-1", "failed") in lab.events()


def test_an_event_for_another_profile(lab: EventLab) -> None:
    """The profile of an event that the platform did not order is installed and reported, but not enabled."""
    other = lab.order(iccid=FIRST, matching_id="OTHER-1", eid=lab.card.eid)
    lab.event(other)
    ended = lab.ended(lab.provision().id)
    assert ended.error is not None
    assert "differs from the profile that the platform" in ended.error.sentence
    assert (lab.enabled, [str(each.iccid) for each in lab.card.profiles]) == ([], [FIRST])
    assert ("OTHER-1", "installed") in lab.events()


def test_no_sm_ds_answers(lab: EventLab) -> None:
    """If no SM-DS answers, the failed attempt counts, and the next attempt leads to the profile."""
    lab.smds.faults.add(Fault(kind=FaultKind.HTTP_STATUS, function="initiateAuthentication", value=500))
    change = lab.provision()
    ended = lab.ended(change.id)
    assert (ended.error, lab.platform.orders, len(lab.enabled)) == (None, 1, 1)
    assert ended.attempts == 1, "the failure counts"


def test_no_sm_ds_is_known(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """If no SM-DS is known, the error names the setting, and the order is kept for the next request."""
    hurry(monkeypatch)
    with EventLab(tmp_path, pki) as lab:
        lab.start(replace(lab.port, discovery=DiscoveryPolicy()))
        ended = lab.ended(lab.provision().id)
        assert ended.error is not None
        assert "'discovery.servers'" in ended.error.sentence
        wish = lab.engine.card(CARD).wish()
        assert wish is not None
        assert wish.paid


def test_a_server_that_the_policy_forbids(lab: EventLab) -> None:
    """An event that leads to a forbidden server is not followed, and the pause names server and setting."""
    lab.policies = Policies(InstallPolicy(servers=("*.operator.example",)))
    change = lab.provision()
    paused = lab.paused(change.id, "which 'policy.servers' does not allow")
    assert paused.pause is not None
    assert lab.server.address in paused.pause.error.sentence
    assert lab.card.profiles == ()
    lab.engine.cancel(change.id)
    assert lab.ended(change.id).state is State.CANCELLED


def test_a_platform_that_never_fails_over_to_an_event(lab: EventLab) -> None:
    """If the platform reports the profile as installed, but no event was downloaded, a user has to decide."""
    lab.silent = True
    change = lab.provision()
    lab.paused(change.id, "no SM-DS lists an event")
    lab.server.orders.change(lab.server.orders.all()[0].id, state=OrderState.INSTALLED)
    asked = lab.asked(change.id)
    assert asked.question is not None
    assert asked.question.kind == "second-order"
    lab.engine.cancel(change.id)


def test_a_code_is_still_a_code(lab: EventLab) -> None:
    """A desk that gives a code is not asked for events."""
    lab.platform.stock.shelf = SmdpShelf(lab.server.orders, address=lambda: lab.server.address)
    lab.platform.faults.add(PlatformFault.LOST_ANSWER, call="order")
    change = lab.ended(lab.provision().id)
    assert (change.error, len(lab.enabled)) == (None, 1)
    assert lab.events() == []
