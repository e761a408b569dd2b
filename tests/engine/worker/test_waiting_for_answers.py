"""A download that waits for a user's answer releases the card, and does not ask a question twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.holding import silent
from engine.lab import CARD, FIRST, LONG, SECOND, Lab
from lpad.engine.change.change import Kind, QuestionKind, State
from lpad.engine.running.change_question_answer import Answer
from lpad.simulator.smdp.store.order import OrderState
from lpad.simulator.smdp.store.profile_metadata import ProfileMetadata

if TYPE_CHECKING:
    from lpad.engine.change.change import Change
    from lpad.simulator.smdp.store.order import Order

CODE = "code-1234"


def asking(lab: Lab, order: Order, **params: object) -> Change:
    """Start a download without an announced code, and return it once it waits for an answer."""
    secrets = {"activation_code": lab.code(order).removesuffix("$$1")}
    change = lab.asked(lab.submit(Kind.DOWNLOAD, secrets=secrets, **params).id)
    assert change.question is not None, change.error
    return change


def sessions(lab: Lab) -> int:
    return lab.server.counters.requests["authenticateClient"]


def released(lab: Lab, change: Change) -> Change:
    """Have a refresh carried out, and return the download, which still waits."""
    assert lab.carry_out(Kind.REFRESH).state is State.DONE
    waiting = lab.engine.change(change.id)
    assert waiting.state is State.WAITING
    assert waiting.question == change.question
    return waiting


def good(change: Change) -> Change:
    assert change.state is State.DONE, change.error
    return change


def test_an_answered_download_continues_in_its_session(lab: Lab) -> None:
    """If no other change uses the card, an answered download continues in its first session."""
    change = asking(lab, lab.order(confirmation_code=CODE))
    lab.engine.answer(change.id, Answer(confirmation_code=CODE))
    good(lab.ended(change.id))
    assert sessions(lab) == 1


def test_a_confirmation_code_after_others_had_the_card(lab: Lab) -> None:
    """If another change uses the card, the session ends; a new one uses the code without a question."""
    order = lab.order(confirmation_code=CODE)
    change = released(lab, asking(lab, order))
    lab.until_true(lambda: lab.server.orders.get(order.id).reason == "postponed")
    lab.engine.answer(change.id, Answer(confirmation_code=CODE))
    ended = good(lab.asked(change.id))
    assert (ended.attempts, ended.overtaken) == (0, 0)
    assert sessions(lab) == 2


def test_consent_after_others_had_the_card(lab: Lab) -> None:
    """If a new session offers the profile that the user has accepted, lpad does not ask again."""
    change = released(lab, asking(lab, lab.order(), confirm=True))
    lab.engine.answer(change.id, Answer(decision="accept"))
    good(lab.asked(change.id))


def test_consent_and_code_are_asked_once_each(lab: Lab) -> None:
    """A user is asked once for consent and once for the code, even if others use the card."""
    change = released(lab, asking(lab, lab.order(confirmation_code=CODE), confirm=True))
    lab.engine.answer(change.id, Answer(decision="accept"))
    change = lab.asked(change.id)
    assert change.question is not None
    assert change.question.kind is QuestionKind.CONFIRMATION_CODE
    released(lab, change)
    lab.engine.answer(change.id, Answer(confirmation_code=CODE))
    good(lab.asked(change.id))


def test_another_profile_is_shown_again(lab: Lab) -> None:
    """If the server offers other metadata in the new session, lpad asks for consent again."""
    order = lab.order()
    change = released(lab, asking(lab, order, confirm=True))
    other = ProfileMetadata(iccid=FIRST, name="Other")
    lab.server.orders.change(order.id, metadata=other)
    lab.engine.answer(change.id, Answer(decision="accept"))
    again = lab.asked(change.id)
    assert again.question is not None
    assert again.question.profile is not None
    assert again.question.profile.name == "Other"
    lab.engine.answer(change.id, Answer(decision="accept"))
    good(lab.asked(change.id))


def test_a_refused_code_is_asked_for_again(lab: Lab) -> None:
    """After a refused code, lpad asks for another; the same one again ends the download."""
    change = released(lab, asking(lab, lab.order(confirmation_code=CODE)))
    lab.engine.answer(change.id, Answer(confirmation_code="0000"))
    again = lab.asked(change.id)
    assert again.question is not None
    assert again.question.code_refused
    released(lab, again)
    before = sessions(lab)
    lab.engine.answer(change.id, Answer(confirmation_code="0000"))
    ended = lab.ended(change.id)
    assert ended.error is not None
    assert ended.error.kind == "confirmation-code-required"
    assert sessions(lab) == before


@pytest.mark.parametrize(
    ("decision", "state"), [("reject", OrderState.CANCELLED), ("postpone", OrderState.RELEASED)]
)
def test_declined_after_others_had_the_card(lab: Lab, decision: str, state: OrderState) -> None:
    """A rejected order is cancelled at the server, a postponed one stays open; each decision is one event."""
    order = lab.order()
    change = released(lab, asking(lab, order, confirm=True))
    subscription = lab.engine.subscribe(lambda: None)
    lab.engine.answer(change.id, Answer(decision=decision))
    ended = lab.ended(change.id)
    told = [event.data["decision"] for event in subscription.take() if event.type == "decision"]
    subscription.close()
    assert told == [decision]
    assert ended.error is not None
    assert (ended.error.kind, ended.error.details) == ("declined", {"decision": decision})
    assert lab.server.orders.get(order.id).state is state


def test_rejected_while_the_server_is_away(lab: Lab) -> None:
    """A rejected download ends as declined, even if the server cannot be informed."""
    change = released(lab, asking(lab, lab.order(), confirm=True))
    lab.server.stop()
    lab.engine.answer(change.id, Answer(decision="reject"))
    ended = lab.ended(change.id)
    assert ended.error is not None
    assert ended.error.kind == "declined"


def test_no_code_after_others_had_the_card(lab: Lab) -> None:
    """If the user gives no code, the download ends, and lpad opens no further session."""
    change = released(lab, asking(lab, lab.order(confirmation_code=CODE)))
    lab.engine.answer(change.id, Answer(decision="postpone"))
    ended = lab.ended(change.id)
    assert ended.error is not None
    assert ended.error.kind == "confirmation-code-required"
    assert sessions(lab) == 1


def test_an_unanswered_download_leaves_its_order_open(lab: Lab) -> None:
    """If a download's question is not answered in time, the download ends, and its order stays open."""
    lab.patient(answer=2)
    order = lab.order()
    change = released(lab, asking(lab, order, confirm=True))
    ended = lab.ended(change.id)
    assert ended.error is not None
    assert (ended.error.kind, ended.error.details) == ("declined", {"decision": "timeout"})
    assert lab.server.orders.get(order.id).state is OrderState.RELEASED


def test_taken_back_after_others_had_the_card(lab: Lab) -> None:
    """A change that released the card while it waited can be cancelled, and ends immediately."""
    change = released(lab, asking(lab, lab.order(), confirm=True))
    assert lab.engine.cancel(change.id).state is State.CANCELLED


def test_answered_and_restarted(lab: Lab) -> None:
    """An accepted profile is not shown again after a switch; a code's question survives a restart."""
    lab.install(iccid=SECOND, name="Second")
    change = released(lab, asking(lab, lab.order(confirmation_code=CODE), confirm=True))
    with silent(lab, "initiateAuthentication") as asked:
        lab.engine.answer(change.id, Answer(decision="accept"))
        assert asked.acquire(timeout=LONG)
        good(lab.carry_out(Kind.ENABLE, iccid=SECOND))
    change = lab.asked(change.id)
    assert change.question is not None
    assert change.question.kind is QuestionKind.CONFIRMATION_CODE
    released(lab, change)
    lab.stop()
    lab.start()
    assert lab.engine.change(change.id).question is not None
    lab.engine.answer(change.id, Answer(confirmation_code=CODE))
    good(lab.asked(change.id))


def test_the_code_of_the_activation_code(lab: Lab) -> None:
    """Lpad asks for a code that the activation code announces before it contacts the server."""
    order = lab.order(confirmation_code=CODE)
    change = lab.asked(lab.submit(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)}).id)
    released(lab, change)
    assert lab.server.counters.requests["initiateAuthentication"] == 0
    lab.engine.answer(change.id, Answer(confirmation_code=CODE))
    good(lab.asked(change.id))
    assert lab.engine.snapshot(CARD).listed.find(FIRST) is not None
