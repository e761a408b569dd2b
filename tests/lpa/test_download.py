"""Downloads that succeed, or that the caller or a policy ends, with a simulated card and server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpa.bench import DEVICE, GOOD_WAY, ICCID, OTHER_ICCID, Caller, soon
from lpad.base.errors import Cancelled, ConfirmationCodeRequired, Declined, PolicyRefused, ServerRefused
from lpad.base.identifiers import Iccid
from lpad.codec import es10_intents
from lpad.codec.asn1 import tlv
from lpad.codec.messages.authentication import UNKNOWN_TAC, DeviceCapabilities, DeviceInfo, release
from lpad.lpa import notification_delivery
from lpad.lpa.download import Decision, Download, Order
from lpad.protocol.apdu import Apdu
from lpad.protocol.download_state_table import Step
from lpad.simulator.euicc.chip.behaviour import CardBehaviour, Operator, RatRule
from lpad.simulator.pki.pki import Pki
from lpad.simulator.profile_package.made_up_profile import made_up_profile
from lpad.simulator.smdp.store.profile_metadata import Owner, ProfileMetadata, ProfilePolicyRule

if TYPE_CHECKING:
    from pathlib import Path

    from lpa.bench import Bench
    from lpa.conftest import MakeBench
    from lpad.codec.es10_intents import Intent
    from lpad.simulator.pki.credential import Curve

CANCELLED = Step.CANCEL_SESSION


def installed(bench: Bench) -> list[str]:
    return [str(profile.iccid) for profile in bench.card.profiles]


def test_by_activation_code(bench: Bench) -> None:
    """A profile arrives unchanged and disabled on the card, and the caller gets each step once, in order."""
    profile = made_up_profile(Iccid.parse(ICCID), size=20_000)
    caller = Caller()
    result = bench.download(bench.order(profile=profile), caller)
    (stored,) = bench.card.profiles
    assert stored.package == profile
    assert not stored.enabled
    assert result.iccid == stored.iccid == Iccid.parse(ICCID)
    assert result.isdp_aid == stored.aid
    assert str(result.server) == bench.smdp.address
    assert caller.steps == GOOD_WAY


def test_each_command_carries_its_intent_to_the_port(bench: Bench) -> None:
    """During a download, each block of a command reaches the link with the command's intent."""
    bench.download(bench.order())
    stated: dict[Intent, None] = {}
    for apdu in bench.contacts.apdus:
        assert isinstance(apdu, Apdu)
        assert bytes(apdu.command) == apdu
        if apdu.command.block is not None:
            stated[apdu.command.intent] = None
        else:
            assert apdu.command.intent is es10_intents.UNSTATED
    assert tuple(stated) == (
        es10_intents.GET_EUICC_INFO,
        es10_intents.GET_EUICC_CHALLENGE,
        es10_intents.AUTHENTICATE_SERVER,
        es10_intents.PREPARE_DOWNLOAD,
        es10_intents.LOAD_BOUND_PROFILE_PACKAGE,
    )


def test_a_card_that_does_not_name_its_profile(bench: Bench) -> None:
    """A download is done even if the card's successful result does not give the profile's AID."""

    def without_details(answer: bytes) -> bytes:
        if not answer:
            return answer
        metadata = tlv.parse(answer).get(0xBF27).get(0xBF2F).raw
        success = tlv.encode(0xA2, tlv.encode(0xA0))
        return tlv.encode(0xBF37, tlv.encode(0xBF27, metadata, success))

    bench.card.faults.corrupt(0xBF36, without_details, times=100)
    caller = Caller()
    result = bench.download(bench.order(), caller)
    assert (str(result.iccid), result.isdp_aid) == (ICCID, None)
    assert installed(bench) == [ICCID]
    assert caller.steps == GOOD_WAY


def test_progress_by_byte(bench: Bench) -> None:
    """The reported number of bytes increases with each block, up to the size of the whole package."""
    caller = Caller()
    bench.download(bench.order(size=20_000), caller)
    sent = [sent for sent, _ in caller.progress]
    totals = {total for _, total in caller.progress}
    assert sent == sorted(set(sent))
    assert totals == {sent[-1]}
    assert len(sent) > 20_000 / 255


def test_one_connection_for_download_and_notification(bench: Bench) -> None:
    """A download and the delivery of its notifications use one TCP connection and one TLS handshake."""
    order = Order.from_activation_code(bench.code(bench.order()))
    with bench.euicc() as euicc, bench.server() as server:
        result = Download(euicc, server, order, device=DEVICE, listener=Caller()).run(deadline=soon())
        pending = notification_delivery.retrieve(euicc, deadline=soon())
        assert pending[0].sequence_number == result.sequence_number
        assert pending[0].payload == result.result
        for notification in pending:
            assert str(notification.recipient) == bench.smdp.address
            notification_delivery.deliver(notification, server, deadline=soon())
            notification_delivery.remove(euicc, notification.sequence_number, deadline=soon())
    assert bench.smdp.counters.tcp_connects == bench.smdp.counters.tls_handshakes == 1
    assert bench.card.notifications == ()
    assert all(notification.verified for notification in bench.smdp.notifications)
    assert bench.smdp.notifications[0].installed


def test_downloads_work_on_either_curve(make_bench: MakeBench, curve: Curve) -> None:
    """A download works with a card that has only one of the two curves, for either curve."""
    with make_bench(behaviour=CardBehaviour(signing_curves=(curve,), verification_curves=(curve,))) as bench:
        bench.download(bench.order())
        assert installed(bench) == [ICCID]


def test_by_default_smdp(bench: Bench) -> None:
    """Without a matching ID, the server finds the order by the card's EID."""
    bench.order(by_eid=True)
    bench.order(OTHER_ICCID)
    bench.download(Order())
    assert installed(bench) == [ICCID]


def test_server_behind_a_port_that_knows_its_bare_name(bench: Bench) -> None:
    """A download works if the server signs its name without the port that the request's address has."""
    bench.download(bench.order(), address=f"testsmdpplus1.example.com:{bench.smdp.port}")
    assert installed(bench) == [ICCID]


def test_oid_of_the_activation_code(bench: Bench) -> None:
    """An activation code that contains the server's own OID is accepted, even 2.999.10."""
    assert bench.smdp.oid == "2.999.10"
    bench.download(bench.order(oid_in_code=True))
    assert installed(bench) == [ICCID]


def test_the_devices_capabilities_reach_card_and_server(bench: Bench) -> None:
    """The server gets the device's TAC: an order for this TAC is accepted, and one for another is refused."""
    bench.download(bench.order(tacs=("35290611",)))
    with pytest.raises(ServerRefused) as caught:
        bench.download(bench.order(OTHER_ICCID, tacs=("01234567",)))
    assert caught.value.details["subject_code"] == "8.2.5"


def test_without_an_imei_the_log_gives_the_reason(bench: Bench) -> None:
    """If the server refuses an unknown TAC, the error names the setting `tac`; otherwise not."""
    unnamed = DeviceInfo(tac=UNKNOWN_TAC, capabilities=DEVICE.capabilities)
    bench.download(bench.order(), device=unnamed)
    with pytest.raises(ServerRefused, match=r"refuse the TAC 00000000.*'tac'") as caught:
        bench.download(bench.order(OTHER_ICCID, tacs=("35290611",)), device=unnamed)
    assert caught.value.details["subject_code"] == "8.2.5"
    with pytest.raises(ServerRefused) as named:
        bench.download(bench.order(OTHER_ICCID, tacs=("01234567",)))
    assert "00000000" not in named.value.sentence


def test_later_radios_only_if_the_card_knows_them(bench: Bench) -> None:
    """Device capabilities of later versions are sent only to cards that report support for them."""
    device = DeviceInfo(
        tac=DEVICE.tac, capabilities=DeviceCapabilities(eutran_epc=release(15), nr_5gc=release(16))
    )
    bench.download(bench.order(), device=device)
    with bench.euicc() as euicc:
        knows = "deviceInfoExtensibilitySupport" in euicc.get_euicc_info2(deadline=soon()).rsp_capabilities
    nr_5gc = bytes.fromhex("8903100000")
    assert any(nr_5gc in apdu for apdu in bench.contacts.apdus) is knows


def test_offer_shows_the_profile(bench: Bench) -> None:
    """The caller gets an offer with the operator's description before the profile is bound."""
    icon = b"\x89PNG" + bytes(100)
    metadata = ProfileMetadata(iccid=ICCID, service_provider="Operator", name="Gateway plan", icon=icon)
    caller = Caller(decision=Decision.REJECT)
    with pytest.raises(Declined):
        bench.download(bench.order(metadata=metadata), caller)
    (offer,) = caller.offers
    assert str(offer.iccid) == ICCID
    assert (offer.service_provider_name, offer.profile_name) == ("Operator", "Gateway plan")
    assert offer.profile_class == "operational"
    assert offer.icon == icon
    assert offer.policy_rules == offer.rules_needing_consent == ()
    assert not offer.confirmation_code_required


@pytest.mark.parametrize(
    ("decision", "state"),
    [
        (Decision.REJECT, ("cancelled", "end user rejection")),
        (Decision.POSTPONE, ("released", "postponed")),
        (Decision.TIMEOUT, ("released", "timeout")),
    ],
)
def test_a_refused_offer_ends_as_declined(bench: Bench, decision: Decision, state: tuple[str, str]) -> None:
    """A refused offer ends as Declined; the server gets the reason, and the next download works."""
    order = bench.order()
    caller = Caller(decision=decision)
    with pytest.raises(Declined) as caught:
        bench.download(order, caller)
    assert caught.value.details == {"decision": decision.value}
    assert caller.steps == [*GOOD_WAY[:6], CANCELLED]
    assert bench.state(order) == state
    bench.download(order if state[0] == "released" else bench.order())
    assert installed(bench) == [ICCID]


def test_confirmation_code_given_beforehand(bench: Bench) -> None:
    """A confirmation code in the request is used unchanged, and the caller is not asked."""
    caller = Caller()
    bench.download(bench.order(confirmation_code="0012 é"), caller, confirmation_code="0012 é")
    assert caller.asked == []
    assert installed(bench) == [ICCID]


def test_confirmation_code_asked_before_anything(bench: Bench) -> None:
    """If the activation code announces a confirmation code, lpad asks for it before the first contact."""
    caller = Caller()
    with pytest.raises(ConfirmationCodeRequired):
        bench.download(bench.order(confirmation_code="code-1234"), caller)
    assert caller.asked == [False]
    assert caller.steps == []
    assert bench.smdp.counters.tcp_connects == 0


def test_confirmation_code_asked_when_the_server_says(bench: Bench) -> None:
    """A code that was not announced is requested after the profile was shown."""
    order = bench.order(confirmation_code="code-1234")
    caller = Caller(codes=["code-1234"])
    bench.download(Order(matching_id=order.matching_id), caller)
    assert caller.offers[0].confirmation_code_required
    assert caller.asked == [False]
    assert installed(bench) == [ICCID]


@pytest.mark.parametrize("given", [None, ""])
def test_without_a_confirmation_code_the_order_stays_open(bench: Bench, given: str | None) -> None:
    """Without a confirmation code the download ends, but its order stays open for another attempt."""
    order = bench.order(confirmation_code="code-1234")
    caller = Caller(codes=[given])
    with pytest.raises(ConfirmationCodeRequired):
        bench.download(Order(matching_id=order.matching_id), caller)
    assert caller.steps[-1] is CANCELLED
    assert bench.state(order) == ("released", "postponed")
    bench.download(order, confirmation_code="code-1234")
    assert installed(bench) == [ICCID]


def test_wrong_confirmation_code_then_the_right_one(bench: Bench) -> None:
    """After a refused confirmation code, lpad gets another, and repeats the session without new consent."""
    caller = Caller(codes=["code-1234"])
    bench.download(bench.order(confirmation_code="code-1234"), caller, confirmation_code="code-4321")
    assert caller.asked == [True]
    assert len(caller.offers) == 1
    assert caller.steps == [*GOOD_WAY[:8], CANCELLED, *GOOD_WAY]
    assert installed(bench) == [ICCID]


@pytest.mark.parametrize("again", [None, "code-4321"])
def test_wrong_confirmation_code_and_no_other(bench: Bench, again: str | None) -> None:
    """With no other code, or the same one, the download fails, and one wrong code is counted."""
    order = bench.order(confirmation_code="code-1234")
    with pytest.raises(ServerRefused) as caught:
        bench.download(order, Caller(codes=[again]), confirmation_code="code-4321")
    assert caught.value.details["remedy"] == "confirmation-code"
    assert bench.smdp.orders.get(order.id).confirmation_failures == 1
    bench.download(order, confirmation_code="code-1234")
    assert installed(bench) == [ICCID]


def test_confirmation_code_exhausted(bench: Bench) -> None:
    """After too many wrong confirmation codes, the server's refusal is permanent."""
    order = bench.order(confirmation_code="code-1234", confirmation_limit=3)
    with pytest.raises(ServerRefused) as caught:
        bench.download(order, Caller(codes=["2", "3", "4"]), confirmation_code="1")
    details = caught.value.details
    assert (details["subject_code"], details["reason_code"]) == ("8.2.7", "6.4")
    assert details["remedy"] == "permanent"
    bench.download(bench.order())
    assert installed(bench) == [ICCID]


def test_policy_rules_with_consent(bench: Bench) -> None:
    """The offer shows the caller which policy rules the card allows only with consent."""
    metadata = ProfileMetadata(iccid=ICCID, owner=Owner("00101"), rules=(ProfilePolicyRule.PPR2,))
    caller = Caller()
    bench.download(bench.order(metadata=metadata), caller)
    assert caller.offers[0].policy_rules == caller.offers[0].rules_needing_consent == ("ppr2",)
    assert installed(bench) == [ICCID]


@pytest.mark.parametrize(
    "behaviour",
    [
        CardBehaviour(rat=()),
        CardBehaviour(rat=(RatRule(pprs=(1,)),)),
        CardBehaviour(rat=(RatRule(pprs=(1, 2), operators=(Operator(mcc_mnc="310EEE"),)),)),
    ],
)
def test_forbidden_policy_rules(make_bench: MakeBench, behaviour: CardBehaviour) -> None:
    """Policy rules that the card forbids for this operator end the download before a question."""
    metadata = ProfileMetadata(iccid=ICCID, owner=Owner("00101"), rules=(ProfilePolicyRule.PPR2,))
    with make_bench(behaviour=behaviour) as bench:
        order = bench.order(metadata=metadata)
        caller = Caller()
        with pytest.raises(PolicyRefused) as caught:
            bench.download(order, caller)
        assert caught.value.details == {"rule": "card_rules", "rules": "ppr2"}
        assert caller.offers == []
        assert bench.state(order) == ("error", "policy rules not allowed")
        bench.download(bench.order())
        assert installed(bench) == [ICCID]


@pytest.mark.parametrize("step", GOOD_WAY)
def test_cancelled_at_a_step(bench: Bench, step: Step) -> None:
    """A download can be cancelled before any step, and the order stays usable."""
    order = bench.order()
    caller = Caller(cancel_at=step)
    with pytest.raises(Cancelled):
        bench.download(order, caller)
    owed = GOOD_WAY.index(step) > GOOD_WAY.index(Step.AUTHENTICATE_SERVER)
    assert (caller.steps[-1] is CANCELLED) is owed
    assert installed(bench) == []
    # Before AuthenticateClient the server does not know the card, so it cannot verify a cancellation.
    told = GOOD_WAY.index(step) > GOOD_WAY.index(Step.AUTHENTICATE_CLIENT)
    assert bench.state(order) == ("released", "postponed" if told else None)
    bench.download(order)
    assert installed(bench) == [ICCID]


def test_cancelled_while_loading(bench: Bench) -> None:
    """If a download is cancelled during loading, lpad completes only the current segment."""
    order = bench.order(size=20_000)
    caller = Caller(cancel_after_bytes=5000)
    with pytest.raises(Cancelled):
        bench.download(order, caller)
    assert caller.progress[-1][0] < 5000 + 1024
    stores = [apdu for apdu in bench.contacts.apdus if apdu[1] == 0xE2]
    assert stores[-2][2] == 0x91, "the chain before CancelSession lacks its last block"
    assert installed(bench) == []
    assert bench.state(order) == ("released", "postponed")
    bench.download(order)
    assert installed(bench) == [ICCID]


def test_cancelled_too_late(bench: Bench) -> None:
    """A cancellation at the last byte is too late: the download is done."""
    probe = Caller()
    bench.download(bench.order(), probe)
    _, total = probe.progress[-1]
    bench.download(bench.order(OTHER_ICCID), Caller(cancel_after_bytes=total))
    assert installed(bench) == [ICCID, OTHER_ICCID]


def test_repeated_cancellations_cancel_the_session(bench: Bench) -> None:
    """If the caller raises Cancelled again during the cancellation, the server is still informed."""

    class Stubborn(Caller):
        def step(self, step: Step) -> None:
            self.steps.append(step)
            if step in (Step.CONFIRM, CANCELLED):
                raise Cancelled("taken back")

    order = bench.order()
    with pytest.raises(Cancelled):
        bench.download(order, Stubborn())
    assert bench.state(order) == ("released", "postponed")


def test_listener_that_fails(bench: Bench) -> None:
    """After an exception in the caller, the session is cancelled, and the exception is passed on."""

    class Faulty(Caller):
        def confirm(self, _offer: object) -> Decision:
            raise ZeroDivisionError

        def step(self, step: Step) -> None:
            super().step(step)
            if step is CANCELLED:
                raise KeyError(step)

    order = bench.order()
    with pytest.raises(ZeroDivisionError):
        bench.download(order, Faulty())
    assert bench.state(order)[1] == "undefined reason"


def test_a_second_download_has_a_new_session(bench: Bench) -> None:
    """A second download to the same card works."""
    bench.download(bench.order())
    bench.download(bench.order(OTHER_ICCID))
    assert installed(bench) == [ICCID, OTHER_ICCID]


@pytest.mark.test_data
@pytest.mark.parametrize("name", ["TS48V1-A-UNIQUE", "TS48V5-SAIP2-3-BERTLV-SUCI-UNIQUE"])
def test_published_profiles_arrive_byte_for_byte(
    make_bench: MakeBench, test_data: Path, tmp_path: Path, name: str
) -> None:
    """Published TS.48 profiles arrive unchanged on a card with SGP.26's certificates."""
    published = Pki.open(test_data / "sgp26", minted=tmp_path / "minted")
    profile = (test_data / "upp" / f"{name}.der").read_bytes()
    with make_bench(infrastructure=published, host="testsmdpplus1.example.com") as bench:
        bench.download(bench.smdp.orders.add_order(profile))
        assert bench.card.profiles[0].package == profile
