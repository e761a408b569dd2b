"""Consent without a user: what the policy refuses and confirms, and how lpad reports both."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from engine.lab import CARD, FIRST, SECOND, Lab
from lpad.daemon.log.journald import JournalHandler
from lpad.engine.change import results
from lpad.engine.change.change import Kind, QuestionKind, State
from lpad.engine.policy.install_policies_by_card import Policies
from lpad.engine.running.change_question_answer import Answer
from lpad.lpa.owner_install_policy import Asking, InstallPolicy
from lpad.simulator.smdp.store.profile_metadata import Owner, ProfileMetadata, ProfilePolicyRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.engine.change.change import Change
    from lpad.engine.change.event_subscriptions import Event, Subscription
    from lpad.simulator.smdp.store.order import Order

LOCKED = ProfileMetadata(
    iccid=FIRST,
    name="Locked",
    service_provider="Example Mobile",
    rules=(ProfilePolicyRule.PPR1,),
    owner=Owner("00101"),
)


class Heard(logging.Handler):
    """A log handler that keeps the fields that journald would get."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[dict[str, str]] = []
        self._journal = JournalHandler()

    def emit(self, record: logging.LogRecord) -> None:
        self.entries.append(self._journal._fields(record, record.getMessage()))

    @property
    def decisions(self) -> list[tuple[str, str, str, str]]:
        names = ("EUICC", "CHANGE_ID", "DECISION", "RULE")
        return [tuple(map(each.get, names)) for each in self.entries if "DECISION" in each]  # type: ignore[misc]  # four


@pytest.fixture
def heard() -> Iterator[Heard]:
    handler = Heard()
    logger = logging.getLogger("lpad")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(before)
    handler._journal.close()


def submitted(lab: Lab, order: Order) -> Change:
    return lab.submit(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)})


def decisions(subscription: Subscription) -> list[Event]:
    return [event for event in subscription.take() if event.type == "decision"]


def test_a_refusal_is_logged_as_a_decision_and_told(lab: Lab, heard: Heard) -> None:
    """A refused download fails with the rule's name; log and events report the decision once."""
    lab.policies.become(Policies(InstallPolicy(operators=("262-*",))))
    lab.start()
    subscription = lab.engine.subscribe(lambda: None)
    order = lab.order(metadata=LOCKED)
    change = lab.ended(submitted(lab, order).id)
    assert change.error is not None
    assert (change.error.kind, change.error.details) == ("policy-refused", {"rule": "operators"})
    assert not change.error.retryable
    assert lab.server.orders.get(order.id).reason == "end user rejection"
    (event,) = decisions(subscription)
    assert (event.euicc, event.change) == (CARD, change.id)
    assert event.data == {
        "id": change.id,
        "decision": "refuse",
        "rule": "operators",
        "sentence": change.error.sentence,
    }
    assert heard.decisions == [(CARD, str(change.id), "refuse", "operators")]
    assert lab.card.profiles == ()


def test_rules_of_the_card_are_decisions_too(lab: Lab, heard: Heard) -> None:
    """A profile that the card's table of rules forbids is logged as a decision, too."""
    metadata = ProfileMetadata(iccid=FIRST, rules=(ProfilePolicyRule.PPR1,))
    order = lab.order(metadata=metadata)
    change = lab.ended(submitted(lab, order).id)
    assert change.error is not None
    assert change.error.details == {"rule": "card_rules", "rules": "ppr1"}
    assert heard.decisions == [(CARD, str(change.id), "refuse", "card_rules")]


@pytest.mark.parametrize(
    ("decision", "state", "reason"),
    [
        ("accept", State.DONE, None),
        ("reject", State.FAILED, "end user rejection"),
        ("postpone", State.FAILED, "postponed"),
    ],
)
def test_a_local_program_confirms(
    lab: Lab, heard: Heard, decision: str, state: State, reason: str | None
) -> None:
    """A local program is asked about the offered profile; lpad carries out and logs the program's answer."""
    lab.policies.become(Policies(InstallPolicy(confirm=Asking.ALWAYS)))
    order = lab.order(metadata=LOCKED)
    asked = lab.asked(submitted(lab, order).id)
    assert asked.state is State.WAITING
    assert asked.question is not None
    assert asked.question.kind is QuestionKind.CONSENT
    shown = asked.question.profile
    assert shown is not None
    assert (shown.iccid, shown.name, shown.provider) == (FIRST, "Locked", "Example Mobile")
    assert (shown.profile_class, shown.policy_rules) == ("operational", ("ppr1",))
    assert shown.owner == results.Owner(mcc_mnc="001-01")
    lab.engine.answer(asked.id, Answer(decision=decision))
    assert lab.ended(asked.id).state is state
    if reason is not None:
        assert lab.server.orders.get(order.id).reason == reason
    assert heard.decisions == [(CARD, str(asked.id), decision, "confirm")]


def test_without_an_answer_nothing_is_installed(lab: Lab, heard: Heard) -> None:
    """Without an answer nothing is installed, and the order stays open."""
    lab.patient(answer=0.1)
    lab.policies.become(Policies(InstallPolicy(confirm=Asking.ALWAYS)))
    order = lab.order()
    change = lab.ended(submitted(lab, order).id)
    assert change.error is not None
    assert (change.error.kind, change.error.details) == ("declined", {"decision": "timeout"})
    assert lab.server.orders.get(order.id).reason == "timeout"
    assert heard.decisions == [(CARD, str(change.id), "timeout", "confirm")]


def test_a_profile_without_policy_rules_needs_no_answer(lab: Lab, heard: Heard) -> None:
    """By default a profile without policy rules is installed without a question."""
    lab.install()
    assert heard.decisions == []


def test_reloaded_settings_apply_to_the_next_download(lab: Lab) -> None:
    """A download that waits continues under the policy that it began with."""
    lab.policies.become(Policies(InstallPolicy(confirm=Asking.ALWAYS)))
    waiting = lab.asked(submitted(lab, lab.order()).id)
    lab.policies.become(Policies(own={CARD: InstallPolicy(providers=("Nobody",))}))
    lab.engine.answer(waiting.id, Answer(decision="accept"))
    assert lab.ended(waiting.id).state is State.DONE
    refused = lab.ended(submitted(lab, lab.order(iccid=SECOND)).id)
    assert refused.error is not None
    assert refused.error.details == {"rule": "providers"}


def test_a_card_s_own_policy_is_only_its_own(lab: Lab) -> None:
    """A card's policy is not affected by the policy of another card, or of an absent one."""
    lab.policies.become(Policies(own={"other": InstallPolicy(classes=())}))
    lab.install()
