"""Downloads with cards and servers that deviate in harmless ways, and many downloads in a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpa.bench import GOOD_WAY, ICCID, Caller, soon
from lpad.base.errors import Cancelled
from lpad.base.identifiers import Iccid
from lpad.codec.asn1 import tlv
from lpad.lpa import notification_delivery
from lpad.lpa.download import Order
from lpad.protocol.download_state_table import Step
from lpad.simulator.euicc.chip.behaviour import Answers, CardBehaviour
from lpad.simulator.profile_package.made_up_profile import made_up_profile
from lpad.simulator.smdp.functions.faults import Fault, FaultKind

if TYPE_CHECKING:
    from typing import Any

    from lpa.bench import Bench
    from lpa.conftest import MakeBench
    from lpad.lpa.euicc import Euicc


def live(bench: Bench, *, size: int = 3000) -> None:
    """Download, enable, rename, disable and delete a profile, and deliver all notifications."""
    iccid = Iccid.parse(ICCID)
    profile = made_up_profile(iccid, size=size)
    bench.download(bench.order(profile=profile))
    assert [stored.package for stored in bench.card.profiles] == [profile]
    with bench.euicc() as euicc:
        euicc.enable_profile(iccid, refresh=False, deadline=soon())
        euicc.set_nickname(iccid, "Gateway", deadline=soon())
        (listed,) = euicc.get_profiles_info(deadline=soon())
        assert (listed.iccid, listed.enabled, listed.nickname) == (iccid, True, "Gateway")
        assert euicc.get_euicc_info2(deadline=soon()).ci_signing
        euicc.disable_profile(iccid, refresh=False, deadline=soon())
        euicc.delete_profile(iccid, deadline=soon())
        tell_servers(bench, euicc)
        assert euicc.notification_list(deadline=soon()).notifications == ()
    assert bench.card.profiles == ()
    assert all(notification.verified for notification in bench.smdp.notifications)


def tell_servers(bench: Bench, euicc: Euicc) -> None:
    with bench.server() as server:
        for pending in notification_delivery.retrieve(euicc, deadline=soon()):
            notification_delivery.deliver(pending, server, deadline=soon())
            notification_delivery.remove(euicc, pending.sequence_number, deadline=soon())


@pytest.mark.parametrize(
    "habits",
    [
        {"answers": Answers.FETCHED, "portion": 1},
        {"answers": Answers.FETCHED, "portion": 255},
        {"answers": Answers.AT_ONCE},
        {"answers": Answers.AT_ONCE, "portion": 100},
        {"answers": Answers.CORRECTED},
        {"answers": Answers.CORRECTED, "portion": 7},
        {"first_channel": 5},
        {"first_channel": 19, "channels": 1, "isdr_on_basic_channel": False},
        {"empty_optional_fields": True, "first_notification": 0, "unknown_notification_is_error": True},
        {"rsp_version": 3, "svn": "3.1.0", "copies_unknown_parameters": False},
        {"error_ends_session": True, "keeps_one_time_keys": False, "largest_chain": 255},
        {"session_ends_with_channel": True, "other_commands_while_loading": "6985"},
    ],
    ids=repr,
)
def test_habits_of_cards(make_bench: MakeBench, habits: dict[str, Any]) -> None:
    """Downloads, switches and deletions work with cards of different, harmless habits."""
    with make_bench(behaviour=CardBehaviour(**habits)) as bench:
        live(bench)


@pytest.mark.parametrize(
    "details",
    [
        {"replace_session_keys": True},
        {"metadata_piece": 20},
        {"profile_piece": 1},
        {"profile_piece": 500, "metadata_piece": 1, "replace_session_keys": True},
    ],
    ids=repr,
)
def test_packages_of_any_make(bench: Bench, details: dict[str, Any]) -> None:
    """A profile arrives complete with session or replaced keys, however its parts are divided."""
    profile = made_up_profile(Iccid.parse(ICCID), size=1500)
    bench.download(bench.order(profile=profile, **details))
    assert [stored.package for stored in bench.card.profiles] == [profile]


def test_signed_address_in_capitals(bench: Bench) -> None:
    """A server that signs its address in capital letters counts as the contacted server."""
    address = bench.smdp.address.upper()
    assert address != bench.smdp.address
    bench.smdp.faults.add(
        Fault(kind=FaultKind.SIGNED_ADDRESS, function="initiateAuthentication", value=address)
    )
    live(bench)


@pytest.mark.parametrize("given", ["code-1234", None])
def test_an_unneeded_confirmation_code_is_not_sent(bench: Bench, given: str | None) -> None:
    """If the server needs no confirmation code, lpad sends none, even an announced one."""
    order = bench.order()
    caller = Caller(codes=["code-1234"])
    announced = Order(matching_id=order.matching_id, confirmation_code_expected=True, confirmation_code=given)
    bench.download(announced, caller)
    assert caller.asked == ([] if given else [False])
    assert caller.steps == GOOD_WAY
    (prepared,) = (one for one in commands(bench.contacts.apdus) if one.startswith(b"\xbf\x21"))
    assert [child.tag for child in tlv.parse(prepared).children()] == [0x30, 0x5F37, 0x30]


def commands(apdus: list[bytes]) -> list[bytes]:
    """Return the ES10 commands and segments, joined from the STORE DATA blocks that were sent."""
    whole, pending = [], b""
    for apdu in apdus:
        if apdu[1] == 0xE2:
            pending += apdu[5 : 5 + apdu[4]]
            if apdu[2] & 0x80:
                whole.append(pending)
                pending = b""
    return whole


@pytest.mark.parametrize("keeps", [True, False])
def test_a_package_that_was_put_off(make_bench: MakeBench, *, keeps: bool) -> None:
    """After a cancelled attempt, the server reuses its package only if the card kept its one-time key."""
    with make_bench(behaviour=CardBehaviour(keeps_one_time_keys=keeps)) as bench:
        order = bench.order()
        with pytest.raises(Cancelled):
            bench.download(order, Caller(cancel_at=Step.LOAD_BOUND_PROFILE_PACKAGE))
        first = bench.smdp.orders.binding(order)
        bench.download(order)
        second = bench.smdp.orders.binding(order)
        assert first is not None
        assert second is not None
        assert (first.euicc_otpk == second.euicc_otpk) is keeps
        assert (first.package == second.package) is keeps
        assert [str(stored.iccid) for stored in bench.card.profiles] == [ICCID]


def test_many_downloads_leave_nothing_behind(bench: Bench) -> None:
    """After 25 downloads and deletions, channels, notifications and memory are as before."""
    memory = bench.card.free_memory
    for _ in range(25):
        live(bench, size=0)
        assert bench.card.open_channels == ()
    assert bench.card.notifications == ()
    assert bench.card.free_memory == memory
    numbers = [notification.sequence_number for notification in bench.smdp.notifications]
    assert numbers == sorted(set(numbers))
