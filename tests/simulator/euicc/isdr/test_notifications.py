"""Notifications of the simulated card: which ones exist, their numbers, signatures and storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509

from lpad.simulator.euicc.isdr.rules_authorisation_check import bit_string, bits_of
from lpad.simulator.pki.credential import Credential, Curve, authority_key_id
from lpad.simulator.profile_package.made_up_profile import made_up_profile
from simulator.euicc.small_lpa import SCHEMA, SmallLpa
from simulator.euicc.small_server import (
    ADDRESS,
    ICCID,
    OTHER_ICCID,
    SmallServer,
    everything_notified,
    metadata,
)

if TYPE_CHECKING:
    from lpad.base.identifiers import Iccid
    from lpad.simulator.pki.pki import Pki
    from simulator.euicc.conftest import MakeCard

INSTALL, ENABLE, DISABLE, DELETE = range(4)
TELL_ALL = {"notificationConfigurationInfo": everything_notified("ops.example.com")}


def install(lpa: SmallLpa, server: SmallServer, iccid: Iccid, **changed: Any) -> None:
    server.metadata = metadata(iccid, **changed)
    server.package = made_up_profile(iccid, size=0)
    assert server.download(lpa)[0] == "successResult"


def told(lpa: SmallLpa, **asked: Any) -> list[tuple[int, int, bytes]]:
    """Return number, event and ICCID of each notification in the list."""
    return [
        (one["seqNumber"], min(bits_of(one["profileManagementOperation"])), one["iccid"])
        for one in lpa.notifications(**asked)
    ]


@pytest.mark.parametrize("first", [0, 1])
def test_each_event_of_a_profiles_life_is_reported(
    make_card: MakeCard, server: SmallServer, first: int
) -> None:
    """Each event of a profile leads to a notification, with ascending numbers from 0 or 1 on."""
    lpa = SmallLpa(make_card(first_notification=first))
    a, b = bytes(ICCID), bytes(OTHER_ICCID)
    install(lpa, server, ICCID, **TELL_ALL)
    install(lpa, server, OTHER_ICCID, **TELL_ALL)
    lpa.enable(a)
    lpa.enable(b)
    lpa.disable(b)
    lpa.delete(a)
    lpa.reset_memory(0)
    events = [
        (INSTALL, a),  # the installation result
        (INSTALL, a),
        (INSTALL, b),
        (INSTALL, b),
        (ENABLE, a),
        (DISABLE, a),
        (ENABLE, b),
        (DISABLE, b),
        (DELETE, a),
        (DELETE, b),
    ]
    assert told(lpa) == [(first + number, *event) for number, event in enumerate(events)]


def test_a_profile_without_addresses_causes_no_notification(lpa: SmallLpa, server: SmallServer) -> None:
    """A profile without notification addresses causes no notification other than its result."""
    install(lpa, server, ICCID)
    lpa.enable(bytes(ICCID))
    lpa.disable(bytes(ICCID))
    lpa.delete(bytes(ICCID))
    assert told(lpa) == [(1, INSTALL, bytes(ICCID))]


def test_a_test_profile_causes_no_notification(lpa: SmallLpa, server: SmallServer) -> None:
    """A test profile causes no notification other than its result, whatever its metadata contain."""
    install(lpa, server, ICCID, profileClass=0, **TELL_ALL)
    lpa.enable(bytes(ICCID))
    lpa.reset_memory(1)
    assert told(lpa) == [(1, INSTALL, bytes(ICCID))]


def test_each_address_gets_the_requested_events(lpa: SmallLpa, server: SmallServer) -> None:
    """For each address there are notifications only of the events that the metadata give for it."""
    entries = [
        {"profileManagementOperation": bit_string([ENABLE]), "notificationAddress": "one.example.com"},
        {
            "profileManagementOperation": bit_string([ENABLE, DELETE]),
            "notificationAddress": "two.example.com",
        },
    ]
    install(lpa, server, ICCID, notificationConfigurationInfo=entries)
    lpa.enable(bytes(ICCID))
    lpa.disable(bytes(ICCID))
    lpa.delete(bytes(ICCID))
    addresses = [one["notificationAddress"] for one in lpa.notifications()]
    assert addresses == [ADDRESS, "one.example.com", "two.example.com", "two.example.com"]


@pytest.mark.parametrize("curve", Curve)
def test_a_notification_is_signed_with_the_key_of_its_ci(lpa: SmallLpa, pki: Pki, curve: Curve) -> None:
    """A notification is signed under the CI of its profile, and contains the certificates."""
    install(lpa, SmallServer(pki, curve), ICCID, **TELL_ALL)
    lpa.enable(bytes(ICCID))
    signed = SCHEMA.decode("OtherSignedNotification", lpa.retrieve()[-1])
    own = Credential(x509.load_der_x509_certificate(signed["euiccCertificate"]))
    eum = x509.load_der_x509_certificate(signed["eumCertificate"])
    assert own.signed(signed["euiccNotificationSignature"], signed["tbsOtherNotification"])
    own.certificate.verify_directly_issued_by(eum)
    assert authority_key_id(eum) == pki.ci[curve].key_id
    assert SCHEMA.decode("NotificationMetadata", signed["tbsOtherNotification"]) == {
        "seqNumber": 3,
        "profileManagementOperation": bit_string([ENABLE]),
        "notificationAddress": "ops.example.com",
        "iccid": bytes(ICCID),
    }


def test_lists_and_retrievals_are_filtered(lpa: SmallLpa, server: SmallServer) -> None:
    """The card filters its list by events, and retrieval by events or by number."""
    install(lpa, server, ICCID, **TELL_ALL)
    lpa.enable(bytes(ICCID))
    iccid = bytes(ICCID)
    both = bit_string([ENABLE, DELETE])
    assert told(lpa, profileManagementOperation=both) == [(3, ENABLE, iccid)]
    assert told(lpa, profileManagementOperation=bit_string([DELETE])) == []
    assert len(lpa.retrieve()) == 3
    assert lpa.retrieve(searchCriteria=("profileManagementOperation", both)) == lpa.retrieve()[2:]
    assert lpa.retrieve(searchCriteria=("seqNumber", 2)) == lpa.retrieve()[1:2]
    assert len(SCHEMA.decode("ListNotificationResponse", lpa.command("BF280481020780"))[1]) == 2
    assert lpa.command("BF2B05A003850105").hex() == "bf2b0381017f"  # an unknown criterion


def test_an_empty_list_is_returned_as_a_list(lpa: SmallLpa) -> None:
    """Without notifications, lists and retrievals return an empty list."""
    assert lpa.command("BF2800").hex() == "bf2802a000"
    assert lpa.command("BF2B00").hex() == "bf2b02a000"
    assert lpa.command("BF2B05A003800105").hex() == "bf2b02a000"


def test_unknown_is_an_error(make_card: MakeCard) -> None:
    """With `unknown_notification_is_error`, retrieving an unknown number is an error."""
    lpa = SmallLpa(make_card(unknown_notification_is_error=True))
    assert lpa.command("BF2B05A003800105").hex() == "bf2b03810101"
    assert lpa.command("BF2B00").hex() == "bf2b02a000"


def test_a_removed_notification_is_deleted_permanently(lpa: SmallLpa, server: SmallServer) -> None:
    """A removed notification stays deleted after a reset, and its number is not used again."""
    install(lpa, server, ICCID)
    assert lpa.remove(2) == 1
    assert lpa.remove(1) == 0
    assert lpa.remove(1) == 1
    lpa.card.reset()
    lpa.open()
    install(lpa, server, OTHER_ICCID)
    assert told(lpa) == [(2, INSTALL, bytes(OTHER_ICCID))]


def test_numbers_of_more_than_two_bytes_are_kept(make_card: MakeCard, server: SmallServer) -> None:
    """The card keeps notifications whose numbers need more than two bytes."""
    for folder, number in (("a", 127), ("b", 128), ("c", 32768), ("d", 2**31 - 1)):
        lpa = SmallLpa(make_card(folder, first_notification=number))
        install(lpa, server, ICCID, **TELL_ALL)
        assert [entry[0] for entry in told(lpa)] == [number, number + 1]
        assert lpa.remove(number) == 0
        assert len(lpa.retrieve(searchCriteria=("seqNumber", number + 1))) == 1


def test_a_full_list_replaces_the_oldest(make_card: MakeCard, server: SmallServer) -> None:
    """If the list is full, the oldest notification is replaced."""
    lpa = SmallLpa(make_card(notification_capacity=2))
    install(lpa, server, ICCID, **TELL_ALL)
    lpa.enable(bytes(ICCID))
    assert [number for number, *_ in told(lpa)] == [2, 3]
