"""A profile from a platform: from an empty card to an enabled profile, and never two orders for one wish."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec.structs import replace

from engine.guarding import listening
from engine.guarding import port as guarding_port
from engine.lab import CARD, FIRST, result_of
from engine.operations.platform_lab import PLATFORM, PlatformLab, hurry
from engine.test_full_disk import no_space
from lpad.base.errors import Conflict, JournalUnavailable, NotFound
from lpad.base.server_address import ServerAddress
from lpad.engine.change.change import EID, Kind, QuestionKind, State
from lpad.engine.change.params import GuardParams
from lpad.engine.policy.network_policy import NetworkPolicy
from lpad.engine.policy.provisioning import ProvisioningPolicy
from lpad.engine.provisioning.wish_record import KeptReservation, WishRecord
from lpad.engine.running.change_question_answer import Answer
from lpad.engine.running.run import Run
from lpad.network.at_applier import AtApplier
from lpad.network.owner_hooks import Hooks
from lpad.simulator.euicc.chip.behaviour import CardBehaviour
from lpad.simulator.platform.faults import PlatformFault
from lpad.simulator.smdp.store.order import OrderState
from network.runner_bench import runner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki

LIKES = ("desk", "kore", "twilio")


@pytest.fixture(params=LIKES)
def lab(
    request: pytest.FixtureRequest, tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PlatformLab]:
    """Yield a lab for each kind of platform, in which nothing waits for long."""
    hurry(monkeypatch)
    with PlatformLab(tmp_path, pki, like=request.param) as made:
        yield made


@pytest.fixture
def desk(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlatformLab]:
    """Yield a lab with a desk."""
    hurry(monkeypatch)
    with PlatformLab(tmp_path, pki, like="desk") as made:
        yield made


@pytest.fixture
def kore(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlatformLab]:
    """Yield a lab with a platform that takes no order back, and finds orders by EID."""
    hurry(monkeypatch)
    with PlatformLab(tmp_path, pki, like="kore") as made:
        yield made


def test_from_an_empty_card_to_an_enabled_profile(lab: PlatformLab) -> None:
    """The profile is ordered once, waited for, activated, downloaded and enabled, and the wish is closed."""
    change = lab.ended(lab.provision().id)
    assert change.error is None, change.error
    assert change.result is not None
    assert lab.enabled == [result_of(change)["iccid"]]
    assert result_of(change)["platform"] == PLATFORM
    assert (lab.platform.orders, lab.platform.calls["activate"]) == (1, 1)
    assert lab.engine.card(CARD).wish() is None
    assert lab.server.orders.all()[0].state is OrderState.INSTALLED


@pytest.mark.parametrize("like", ["soracom", "telnyx", "yoni"])
@pytest.mark.parametrize("lost", [False, True])
def test_each_other_platform_gives_a_code_with_one_order(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch, like: str, *, lost: bool
) -> None:
    """With each other platform, an empty card gets a code with one order, even after a lost answer."""
    hurry(monkeypatch)
    with PlatformLab(tmp_path, pki, like=like) as lab:
        if lost:
            lab.platform.faults.add(PlatformFault.LOST_ANSWER, call="order")
        change = lab.ended(lab.provision().id)
        assert change.error is None, change.error
        assert (lab.platform.orders, len(lab.enabled)) == (1, 1)
        assert lab.server.orders.all()[0].matching_id


@pytest.mark.parametrize("call", ["order", "confirm", "look", "profiles"])
def test_a_draft_is_confirmed(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """If the answer to any call about a draft is lost, lpad finds the draft and confirms it."""
    hurry(monkeypatch)
    with PlatformLab(tmp_path, pki, like="soracom") as lab:
        lab.platform.faults.add(PlatformFault.LOST_ANSWER, call=call)
        change = lab.ended(lab.provision().id)
        assert change.error is None, change.error
        assert (lab.platform.orders, len(lab.enabled)) == (1, 1)


def test_a_platform_for_lines_activates_the_line(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a platform for lines the profile comes from the default SM-DP+, and its line is activated."""
    hurry(monkeypatch)
    with PlatformLab(tmp_path, pki, like="things") as lab:
        thing = lab.platform.stock.order(eid=str(lab.card.eid))
        for _ in range(2):
            lab.platform.stock.look(thing)
        lab.start(replace(lab.port, default_smdp=ServerAddress.parse(lab.server.address)))
        change = lab.ended(lab.provision().id)
        assert change.error is None, change.error
        assert len(lab.enabled) == 1
        assert thing.line.value == "live"
        assert lab.platform.calls["order"] == 0


@pytest.mark.parametrize("named", [False, True])
def test_lines_only_without_a_profile(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch, *, named: bool
) -> None:
    """If the default SM-DP+ is not set, or has no profile for the EID, the error states this and a remedy."""
    hurry(monkeypatch)
    with PlatformLab(tmp_path, pki, like="things") as lab:
        smdp = ServerAddress.parse(lab.server.address)
        lab.start(replace(lab.port, default_smdp=smdp if named else None))
        error = lab.ended(lab.provision().id).error
        assert error is not None
        assert "default SM-DP+" in error.sentence
        assert "'lpactl default-smdp ADDRESS'" in error.sentence
        assert "activation code" not in error.sentence
        if named:
            told = f"the server {smdp} has no profile for this card's EID"
            assert told in error.sentence
            assert error.details["subject_code"] == "8.2.6"
            wish = lab.engine.card(CARD).wish()
            assert wish is None or not wish.spent, "no order is used up"
        assert lab.card.profiles == ()


def test_nothing_is_ordered_twice_after_a_lost_answer(lab: PlatformLab) -> None:
    """An order whose answer is lost is searched for, and found, before anything is ordered again."""
    lab.platform.faults.add(PlatformFault.LOST_ANSWER, call="order")
    change = lab.ended(lab.provision().id)
    assert (change.state, lab.platform.orders, lab.platform.calls["order"]) == (State.DONE, 1, 1)


def test_an_order_that_never_arrived_is_made(lab: PlatformLab) -> None:
    """An order that was lost on the way is sent again, once lpad knows that it had no effect."""
    lab.platform.faults.add(PlatformFault.LOST_REQUEST, call="order")
    change = lab.ended(lab.provision().id)
    assert (change.state, lab.platform.orders, lab.platform.calls["order"]) == (State.DONE, 1, 2)


@pytest.mark.parametrize(
    "fault",
    [
        PlatformFault.HTML,
        PlatformFault.EMPTY,
        PlatformFault.TRUNCATED,
        PlatformFault.STATUS,
        PlatformFault.BUSY,
        PlatformFault.UNAVAILABLE,
        PlatformFault.REDIRECT,
        PlatformFault.UNKNOWN_STATE,
        PlatformFault.LOST_ANSWER,
    ],
)
@pytest.mark.parametrize("call", ["find", "order", "look", "activate"])
def test_trouble_that_passes(desk: PlatformLab, fault: PlatformFault, call: str) -> None:
    """Whatever a platform sends instead of an answer, at any call, lpad makes one order for one profile."""
    desk.platform.faults.add(fault, call=call)
    change = desk.ended(desk.provision().id)
    assert change.error is None, change.error
    assert (desk.platform.orders, len(desk.enabled)) == (1, 1)


def test_a_reservation_that_is_there_is_adopted(lab: PlatformLab) -> None:
    """A reservation that the platform already has for this card is used, and nothing is ordered."""
    eid = str(lab.card.eid)
    lab.platform.stock.order(eid=eid, reference=WishRecord(platform=PLATFORM).reference(eid))
    change = lab.ended(lab.provision().id)
    assert (change.error, lab.platform.calls["order"]) == (None, 0)


def test_the_only_available_profile_is_taken_without_a_question(kore: PlatformLab) -> None:
    """If one profile is available for this card, lpad uses it without a question and orders nothing."""
    made = kore.platform.stock.order(eid=str(kore.card.eid))
    for _ in range(2):
        kore.platform.stock.look(made)
    change = kore.asked(kore.provision().id)
    assert (change.question, change.error, kore.platform.calls["order"]) == (None, None, 0)


def test_two_available_together(kore: PlatformLab) -> None:
    """If two profiles are available for this card, lpad asks; after a yes, it uses one and orders nothing."""
    made = [kore.platform.stock.order(eid=str(kore.card.eid)) for _ in range(2)]
    for each in made * 2:
        kore.platform.stock.look(each)
    change = kore.asked(kore.provision().id)
    assert change.question is not None
    assert change.question.kind is QuestionKind.ADOPT
    assert "keeps 2 profiles" in str(change.question.reason)
    kore.engine.answer(change.id, Answer(confirm=True))
    assert kore.ended(change.id).state is State.DONE
    assert kore.platform.calls["order"] == 0


def test_a_profile_that_fails_needs_a_person(lab: PlatformLab) -> None:
    """A second order is made only after a user has agreed, and if the day's limit allows it."""
    lab.provisioning = ProvisioningPolicy(most_orders=2)
    lab.platform.faults.add(PlatformFault.FAILS, call="order")
    change = lab.asked(lab.provision().id)
    assert change.question is not None
    assert change.question.kind is QuestionKind.SECOND_ORDER
    assert "the profile failed" in str(change.question.reason)
    assert lab.platform.orders == 1
    lab.engine.answer(change.id, Answer(confirm=True))
    ended = lab.ended(change.id)
    assert (ended.error, lab.platform.orders, len(lab.enabled)) == (None, 2, 1)


def test_a_question_outlives_a_restart(desk: PlatformLab) -> None:
    """A question about an order is still open after a restart, and nothing was ordered meanwhile."""
    desk.provisioning = ProvisioningPolicy(most_orders=2)
    desk.platform.faults.add(PlatformFault.FAILS, call="order")
    change = desk.asked(desk.provision().id)
    desk.stop()
    desk.start()
    asked = desk.asked(change.id)
    assert asked.question is not None
    assert (asked.question.kind, desk.platform.orders) == (QuestionKind.SECOND_ORDER, 1)
    desk.engine.answer(change.id, Answer(confirm=True))
    assert (desk.ended(change.id).error, desk.platform.orders) == (None, 2)


def test_a_person_says_no(desk: PlatformLab) -> None:
    """If the user answers no, the wish is closed; the next request begins another wish."""
    desk.platform.faults.add(PlatformFault.FAILS, call="order")
    change = desk.asked(desk.provision().id)
    desk.engine.answer(change.id, Answer(confirm=False))
    ended = desk.ended(change.id)
    assert ended.error is not None
    assert (ended.error.kind, desk.platform.orders) == ("declined", 1)
    assert desk.engine.card(CARD).wish() is None


def test_the_days_limit_holds_for_answered_orders(desk: PlatformLab) -> None:
    """Even if the user answers yes, lpad makes no more than `most_orders` orders; the wish stays open."""
    desk.platform.faults.add(PlatformFault.FAILS, call="order")
    change = desk.asked(desk.provision().id)
    desk.engine.answer(change.id, Answer(confirm=True))
    ended = desk.ended(change.id)
    assert ended.error is not None
    assert (ended.error.kind, desk.platform.orders) == ("conflict", 1)
    assert "most_orders" in ended.error.sentence
    assert desk.engine.card(CARD).wish() is not None


def test_a_code_that_was_spent(lab: PlatformLab) -> None:
    """If the SM-DP+ refuses the code permanently, lpad asks, and orders nothing without an answer."""
    lab.platform.faults.add(PlatformFault.BUSY, call="activate", value="0", times=0)
    change = lab.provision()
    lab.until_true(lambda: len(lab.server.orders.all()) == 1)
    lab.server.orders.cancel(lab.server.orders.all()[0].id)
    lab.platform.stock.shelf.progress = lambda _: lab.platform.stock.reserved[0].profile  # type: ignore[method-assign, assignment]
    lab.platform.faults.clear()
    asked = lab.asked(change.id)
    assert asked.question is not None, asked.error
    assert asked.question.kind is QuestionKind.SECOND_ORDER
    assert lab.platform.orders == 1


@pytest.mark.parametrize("like", LIKES)
def test_a_card_that_refuses_the_profile(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch, like: str
) -> None:
    """If the card is full, the change ends without a question; once there is room, the same order is used."""
    hurry(monkeypatch)
    with PlatformLab(tmp_path, pki, like=like, behaviour=CardBehaviour(memory=10_000)) as lab:
        lab.install(size=5000)
        ended = lab.asked(lab.provision().id)
        assert (ended.state, ended.question) == (State.FAILED, None)
        assert ended.error is not None
        assert ended.error.kind == "card-refused"
        assert lab.carry_out(Kind.DELETE, iccid=FIRST).state is State.DONE
        again = lab.asked(lab.provision().id)
        assert (again.state, again.question) == (State.DONE, None), again.error
        assert lab.platform.orders == 1


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (PlatformFault.NO_STOCK, "no-stock"),
        (PlatformFault.NO_BALANCE, "no-balance"),
        (PlatformFault.NOT_ELIGIBLE, "not-eligible"),
    ],
)
def test_refusals_end_the_change(desk: PlatformLab, fault: PlatformFault, cause: str) -> None:
    """A refusal ends the change with lpad's cause and the platform's words; a later request may work."""
    desk.platform.faults.add(fault, call="order")
    ended = desk.ended(desk.provision().id)
    assert ended.error is not None
    assert (ended.error.kind, ended.error.details["cause"]) == ("platform-refused", cause)
    assert ended.error.details["words"] == f"the desk says {fault.value}"
    assert desk.platform.orders == 0
    assert desk.ended(desk.provision().id).error is None


def test_a_profile_that_was_not_reserved_is_not_enabled(lab: PlatformLab) -> None:
    """A profile that is not the reserved one is installed, reported and not enabled."""
    lab.platform.faults.add(PlatformFault.OTHER_ICCID, times=0)
    ended = lab.ended(lab.provision().id)
    assert ended.error is not None
    assert ended.error.kind == "conflict"
    assert "differs from the profile that the platform" in ended.error.sentence
    assert (len(lab.card.profiles), lab.enabled) == (1, [])


def test_a_status_that_goes_backwards(lab: PlatformLab) -> None:
    """If a platform calls a downloaded profile available, lpad does not download it again."""
    lab.platform.faults.add(PlatformFault.BACKWARDS, times=0)
    assert lab.ended(lab.provision().id).error is None
    assert len(lab.card.profiles) == 1


def test_one_wish_at_a_time(desk: PlatformLab) -> None:
    """A second request for a profile while the first is in progress leads to the same change."""
    desk.platform.faults.add(PlatformFault.NEVER_AVAILABLE, call="order")
    first = desk.provision()
    desk.asked_or_paused(first.id)
    assert desk.provision().id == first.id
    assert desk.platform.orders == 1


def test_cancelling_releases_the_reservation(desk: PlatformLab) -> None:
    """If a waiting change is cancelled, its reservation is released."""
    desk.platform.faults.add(PlatformFault.NEVER_AVAILABLE, call="order")
    change = desk.asked_or_paused(desk.provision().id)
    desk.engine.cancel(change.id)
    ended = desk.ended(change.id)
    assert (ended.state, desk.platform.calls["release"]) == (State.CANCELLED, 1)
    assert desk.platform.stock.reserved == []
    assert desk.engine.card(CARD).wish() is None


@pytest.mark.parametrize("step", ["put_off", "give_way"])
@pytest.mark.parametrize("undo", [True, False])
def test_cancelled_between_the_work_and_the_wait(
    desk: PlatformLab, monkeypatch: pytest.MonkeyPatch, *, step: str, undo: bool
) -> None:
    """A change that is cancelled just before it begins to wait ends like one that waits."""
    if step == "put_off":
        desk.platform.faults.add(PlatformFault.NEVER_AVAILABLE, call="order")
    else:
        desk.platform.faults.add(PlatformFault.VANISHES, call="look", times=0)
    wait = getattr(Run, step)

    def cancelled(run: Run, *arguments: object) -> None:
        wait(run, *arguments)
        if run.change.kind is Kind.PROVISION:
            desk.engine.cancel(run.change.id, undo=undo)

    monkeypatch.setattr(Run, step, cancelled)
    change = desk.provision()
    if step == "give_way":
        desk.asked(change.id)
        assert desk.carry_out(Kind.REFRESH).error is None
    ended = desk.ended(change.id)
    assert (ended.state, desk.engine.card(CARD).wish() is None) == (State.CANCELLED, undo)
    assert ended.error is not None
    assert ("the next request continues with it" in ended.error.sentence) is not undo


def test_only_a_person_gives_an_order_back(desk: PlatformLab) -> None:
    """A change that lpad itself ends leaves its order at the platform, and the next request resumes it."""
    desk.platform.faults.add(PlatformFault.NEVER_AVAILABLE, call="order")
    change = desk.asked_or_paused(desk.provision().id)
    desk.engine.cancel(change.id, undo=False)
    ended = desk.ended(change.id)
    assert ended.error is not None
    assert "the next request continues with it" in ended.error.sentence
    assert (ended.state, desk.platform.calls["release"]) == (State.CANCELLED, 0)
    desk.platform.stock.reserved[0].never = False
    assert desk.ended(desk.provision().id).error is None
    assert desk.platform.orders == 1


def test_an_order_that_cannot_be_released_is_resumed(kore: PlatformLab) -> None:
    """A platform that takes no order back keeps the order, and the next request resumes it."""
    kore.platform.faults.add(PlatformFault.NEVER_AVAILABLE, call="order")
    change = kore.asked_or_paused(kore.provision().id)
    kore.engine.cancel(change.id)
    ended = kore.ended(change.id)
    assert ended.error is not None
    assert "does not take orders back" in ended.error.sentence
    kore.platform.stock.reserved[0].never = False
    assert kore.ended(kore.provision().id).error is None
    assert kore.platform.orders == 1


@pytest.mark.parametrize("like", ["kore", "twilio", "yoni", "telnyx", "desk"])
def test_a_person_closes_a_paid_wish(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch, like: str
) -> None:
    """A wish that waits forever can be closed; its order stays; a later request uses that one order."""
    hurry(monkeypatch)
    with PlatformLab(tmp_path, pki, like=like) as lab:
        lab.platform.faults.add(PlatformFault.NEVER_AVAILABLE, call="order")
        change = lab.asked_or_paused(lab.provision().id)
        with pytest.raises(Conflict, match=f"lpactl cancel {change.id}"):
            lab.engine.close_wish(CARD)
        lab.engine.cancel(change.id, undo=False)
        lab.ended(change.id)
        subscription = lab.engine.subscribe(lambda: None)
        assert lab.engine.close_wish(CARD).paid
        assert lab.engine.card(CARD).wish() is None
        with pytest.raises(NotFound, match="no open wish"):
            lab.engine.close_wish(CARD)
        assert [(each.type, each.data["phase"]) for each in subscription.take()] == [
            ("provisioning", "closed")
        ]
        lab.stop()
        lab.start()
        assert lab.engine.card(CARD).wish() is None, "it stays closed"
        lab.platform.stock.reserved[0].never = False
        ended = lab.ended(lab.provision().id)
        assert (ended.error, lab.platform.orders, len(lab.enabled)) == (None, 1, 1)


def test_closing_waits_for_the_journal(desk: PlatformLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the journal cannot be written, closing a wish raises this error, and the wish stays open."""
    desk.platform.faults.add(PlatformFault.NEVER_AVAILABLE, call="order")
    change = desk.asked_or_paused(desk.provision().id)
    desk.engine.cancel(change.id, undo=False)
    desk.ended(change.id)
    with no_space(), pytest.raises(JournalUnavailable):
        desk.engine.close_wish(CARD)
    assert desk.engine.card(CARD).wish() is not None


def test_a_restart_while_waiting(lab: PlatformLab) -> None:
    """A wish survives a restart, and is not ordered again."""
    lab.platform.faults.add(PlatformFault.NEVER_AVAILABLE, call="order")
    change = lab.asked_or_paused(lab.provision().id)
    lab.stop()
    lab.platform.stock.reserved[0].never = False
    lab.start()
    ended = lab.ended(change.id)
    assert (ended.error, ended.state, lab.platform.orders) == (None, State.DONE, 1)


def test_a_lost_journal(lab: PlatformLab) -> None:
    """A device that has lost its journal finds the order that it made."""
    lab.platform.faults.add(PlatformFault.NEVER_AVAILABLE, call="order")
    lab.asked_or_paused(lab.provision().id)
    lab.stop()
    for path in lab.folder.glob("journal.db*"):
        path.unlink()
    lab.platform.stock.reserved[0].never = False
    lab.start()
    ended = lab.ended(lab.provision().id)
    assert (ended.error, ended.state, lab.platform.orders) == (None, State.DONE, 1)


def test_a_platform_that_is_no_longer_named(desk: PlatformLab) -> None:
    """If the settings no longer list a wish's platform, the change waits until they list it again."""
    desk.platform.faults.add(PlatformFault.NEVER_AVAILABLE, call="order")
    change = desk.asked_or_paused(desk.provision().id)
    known = desk.platforms.get(PLATFORM)
    assert known is not None
    desk.platforms.become([])
    waiting = desk.until(
        lambda: desk.engine.change(change.id),
        lambda each: each.pause is not None and "no longer list" in each.pause.error.sentence,
    )
    assert not waiting.state.ended
    desk.platform.stock.reserved[0].never = False
    desk.platforms.become([known])
    assert desk.ended(change.id).state is State.DONE


def test_an_unknown_platform(desk: PlatformLab) -> None:
    """A platform that the settings do not name is refused."""
    ended = desk.ended(desk.provision(platform="other").id)
    assert ended.error is not None
    assert "list no platform 'other'" in ended.error.sentence


def test_no_order_goes_out_that_is_not_noted(desk: PlatformLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the step cannot be written to the journal, nothing is ordered."""
    store = desk.engine._wishes
    put = store.put
    refused: list[int] = []

    def full(eid: str, record: WishRecord) -> None:
        if record.unfinished_step == "order" and not refused:
            refused.append(desk.platform.calls["order"])
            raise JournalUnavailable("the disk is full", reason="full")
        put(eid, record)

    monkeypatch.setattr(store, "put", full)
    change = desk.provision()
    paused = desk.until(
        lambda: desk.engine.change(change.id), lambda each: each.pause is not None or each.state.ended
    )
    assert paused.pause is not None, paused.error
    assert (paused.pause.reason.value, refused, desk.platform.calls["order"]) == ("journal", [0], 0)
    assert paused.attempts == 1


def test_events_report_the_phases_and_no_secret(desk: PlatformLab) -> None:
    """Each phase of a wish is an event; neither the events nor the change contain the activation code."""
    subscription = desk.engine.subscribe(lambda: None)
    change = desk.ended(desk.provision().id)
    events = subscription.take()
    phases = [each.data["phase"] for each in events if each.type == "provisioning"]
    assert phases == ["ordered", "activated", "fulfilled"]
    assert f"1${desk.server.address}$" not in str(events) + str(change)


def test_the_platforms_apn_is_kept(desk: PlatformLab) -> None:
    """The APN that a platform reports is stored for the profile, as if it came with the order."""
    change = desk.ended(desk.provision().id)
    assert change.result is not None
    chosen = desk.engine.card(CARD).network(desk.enabled[0])
    assert (chosen.settings.apn, chosen.given_by.value) == ("iot.example", "order")


def test_the_first_enable_takes_every_step(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """With hooks, the platform's APN and a guard, a profile that lpad orders is enabled like any other."""
    hurry(monkeypatch)
    (tmp_path / "runner").mkdir()
    with runner(tmp_path / "runner") as serving, PlatformLab(tmp_path, pki, like="desk") as lab:
        network = NetworkPolicy(applier=AtApplier(), hooks=Hooks(serving.client))
        ports = (replace(guarding_port(lab), provisioning=lab.provisioning, network=network),)
        with listening() as reached:
            lab.start(*ports)
            guard = GuardParams(until=("registered", f"tcp:127.0.0.1:{reached}"), within=60)
            change = lab.ended(lab.provision(guard=guard).id)
            assert change.error is None, change.error
        assert lab.modem.contexts[1][1] == "iot.example"
        sequence = [
            "downloaded",
            "pre-switch",
            "prepare-network",
            "enable-profile",
            "verify",
            "apply-network",
            "watch",
            "connect-network",
            "post-switch",
            "confirmed",
        ]
        assert [each.name for each in change.steps if each.name in sequence] == sequence


def test_an_unmet_guard_keeps_the_wish(desk: PlatformLab) -> None:
    """If the guard is not met, the profile is disabled again, and nothing more is ordered."""
    guard = GuardParams(until=("tcp:192.0.2.1:9@lo",), within=1.0)
    change = desk.ended(desk.provision(guard=guard).id)
    assert change.error is not None
    assert change.error.kind == "switch-rolled-back"
    assert (desk.enabled, len(desk.card.profiles), desk.platform.orders) == ([], 1, 1)
    assert desk.engine.card(CARD).wish() is not None


def test_another_card_is_there(desk: PlatformLab) -> None:
    """If the card is exchanged after the order, the new card gets nothing; the reservation is released."""
    eid = "89049032123451234512345678901326"
    made = desk.platform.stock.order(eid=eid, reference="lpad-other")
    kept = KeptReservation(id=made.reference, profile="pending")
    desk.until(lambda: desk.engine.snapshot(CARD), lambda seen: seen.eid is not None)
    desk.engine._wishes.put(eid, WishRecord(platform=PLATFORM, reservation=kept, ordered_at=(1.0,)))
    change = desk.submit(Kind.PROVISION, secrets={EID: eid}, platform=PLATFORM)
    ended = desk.ended(change.id)
    assert ended.error is not None
    assert ended.error.kind == "conflict"
    assert (desk.platform.calls["release"], desk.platform.stock.reserved) == (1, [])
    assert (desk.engine._wishes.get(eid), desk.card.profiles) == (None, ())


@pytest.mark.parametrize("told", [FIRST, FIRST[:-1], f"{FIRST}F"])
def test_a_profile_that_is_there_already(desk: PlatformLab, told: str) -> None:
    """A wish is fulfilled if the card has the ordered profile, in whatever form its ICCID is reported."""
    desk.install(iccid=FIRST)
    kept = KeptReservation(id="7", profile="installed", iccid=told)
    eid = str(desk.card.eid)
    desk.engine._wishes.put(eid, WishRecord(platform=PLATFORM, reservation=kept, ordered_at=(1.0,)))
    ended = desk.ended(desk.provision().id)
    assert ended.error is None, ended.error
    assert (desk.enabled, desk.platform.orders) == ([FIRST], 0)


def test_a_pending_profile_is_reported_once(desk: PlatformLab) -> None:
    """A pending profile, and one in an unknown state, are each reported once, and lpad continues to query."""
    openable = desk.openable()
    openable.can = replace(openable.can, look_for=0.0)
    openable.declaration = msgspec.structs.replace(
        openable.declaration, can=msgspec.structs.replace(openable.declaration.can, look_for=0.0)
    )
    desk.platforms.become([openable])
    desk.platform.faults.add(PlatformFault.NEVER_AVAILABLE, call="order")
    desk.platform.faults.add(PlatformFault.UNKNOWN_STATE, call="look", times=0)
    subscription = desk.engine.subscribe(lambda: None)
    change = desk.provision()
    desk.until_true(lambda: desk.platform.calls["look"] >= 4)
    phases = [each.data["phase"] for each in subscription.take() if each.type == "provisioning"]
    assert (phases.count("stalled"), phases.count("unknown-state")) == (1, 1)
    desk.engine.cancel(change.id)
    assert desk.ended(change.id).state is State.CANCELLED
