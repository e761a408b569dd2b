"""Installations in the simulated card: the stored data, the results and the errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lpad.base.identifiers import Iccid
from lpad.codec.asn1 import tlv
from lpad.simulator.euicc.chip.behaviour import CardBehaviour, Operator, RatRule
from lpad.simulator.euicc.isdr.installation_checks import Command, Reason
from lpad.simulator.euicc.isdr.rules_authorisation_check import bit_string
from lpad.simulator.pki.credential import Credential, Curve
from lpad.simulator.profile_package.bsp import BspKeys
from lpad.simulator.profile_package.made_up_profile import made_up_profile
from lpad.simulator.profile_package.saip import TELECOM, PeStatus
from simulator.euicc.small_lpa import SCHEMA, SmallLpa, StatusError
from simulator.euicc.small_server import (
    ADDRESS,
    ICCID,
    OTHER_ICCID,
    SmallServer,
    everything_notified,
    final_result,
    metadata,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki
    from simulator.euicc.conftest import MakeCard

OWNER = {"mccMnc": bytes.fromhex("00F110")}
PPR1 = bit_string([1])
PROFILE_KEYS = BspKeys(bytes(16), bytes(range(16)), bytes(range(16, 32)))


def prepared(lpa: SmallLpa, server: SmallServer) -> None:
    assert server.authenticate(lpa)[0] == "authenticateResponseOk"
    assert server.prepare(lpa)[0] == "downloadResponseOk"


def failed(lpa: SmallLpa, answer: bytes) -> tuple[Command, Reason, bytes | None]:
    """Check that an installation has failed and left no profile; return command, reason and details."""
    kind, value = final_result(answer)
    assert kind == "errorResult"
    assert Iccid.from_bytes(bytes(ICCID)) not in [profile.iccid for profile in lpa.card.profiles]
    assert lpa.retrieve()[-1] == answer
    with pytest.raises(StatusError, match="6985"):
        lpa.command("8603000000")
    return Command(value["bppCommandId"]), Reason(value["errorReason"]), value.get("simaResponse")


@pytest.mark.parametrize("curve", Curve)
def test_a_downloaded_profile_is_stored_byte_for_byte(lpa: SmallLpa, pki: Pki, curve: Curve) -> None:
    """A downloaded profile is stored unchanged and disabled, and its result is signed and kept."""
    server = SmallServer(pki, curve, metadata=metadata(profileOwner=OWNER))
    prepared(lpa, server)
    answer = server.load(lpa)
    kind, value = final_result(answer)
    assert kind == "successResult"
    assert value["simaResponse"].hex() == "3007a0053003800100"
    (profile,) = lpa.card.profiles
    assert profile.package == server.package
    assert profile.metadata == server.metadata
    assert (profile.iccid, profile.enabled, bytes(profile.aid)) == (ICCID, False, value["aid"])
    result = SCHEMA.decode("ProfileInstallationResult", answer)
    data = SCHEMA.decode("ProfileInstallationResultData", result["profileInstallationResultData"])
    assert data["transactionId"] == server.transaction_id
    assert data["smdpOid"] == "2.999.10"
    assert data["notificationMetadata"] == {
        "seqNumber": 1,
        "profileManagementOperation": (b"\x80", 1),
        "notificationAddress": ADDRESS,
        "iccid": bytes(ICCID),
    }
    own = Credential(pki.issue_euicc(lpa.card.eid, curve).certificate)
    assert own.signed(result["euiccSignPIR"], result["profileInstallationResultData"])
    assert lpa.retrieve(searchCriteria=("seqNumber", 1)) == [answer]


@pytest.mark.test_data
@pytest.mark.parametrize(
    "file", ["TS48V1-A-UNIQUE", "TS48V3-SAIP2-3-BERTLV-UNIQUE", "TS48V5-SAIP2-3-BERTLV-SUCI-UNIQUE"]
)
def test_published_profiles_arrive_byte_for_byte(
    lpa: SmallLpa, server: SmallServer, test_data: Path, file: str
) -> None:
    """TS.48 profiles arrive unchanged as test profiles."""
    server.package = (test_data / "upp" / f"{file}.der").read_bytes()
    iccid = tlv.parse_all(server.package)[1].get(0xA4).get(0x83).value
    server.metadata = metadata(Iccid.from_bytes(iccid), profileClass=0)
    assert server.download(lpa)[0] == "successResult"
    assert lpa.card.profiles[0].package == server.package


@pytest.mark.parametrize("piece", [None, 16, 100, 1000])
@pytest.mark.parametrize("keys", [None, PROFILE_KEYS])
def test_pieces_may_have_any_size(
    lpa: SmallLpa, server: SmallServer, piece: int | None, keys: BspKeys | None
) -> None:
    """Metadata and profile may be divided into pieces of any size, with session or replaced keys."""
    server.piece = piece
    server.replaced_keys = keys
    server.metadata = metadata(iconType=1, icon=bytes(1024))
    assert server.download(lpa)[0] == "successResult"
    assert lpa.card.profiles[0].package == server.package
    assert lpa.profiles()[0]["icon"] == bytes(1024)


def test_each_profile_has_its_own_aid(lpa: SmallLpa, server: SmallServer) -> None:
    """Each profile gets its own AID, even after one was deleted."""
    server.download(lpa)
    first = lpa.card.profiles[0].aid
    assert lpa.delete(bytes(ICCID)) == 0
    server.download(lpa)
    server.metadata = metadata(OTHER_ICCID)
    server.package = made_up_profile(OTHER_ICCID)
    server.download(lpa)
    assert len({first, *(profile.aid for profile in lpa.card.profiles)}) == 3


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"remote_operation": 2}, Reason.UNSUPPORTED_REMOTE_OPERATION),
        ({"key_type": b"\x89"}, Reason.UNSUPPORTED_CRT_VALUES),
        ({"key_length": b"\x20"}, Reason.UNSUPPORTED_CRT_VALUES),
    ],
)
def test_secure_channel_values(
    lpa: SmallLpa, server: SmallServer, wrong: dict[str, Any], reason: Reason
) -> None:
    """An unsupported remote operation or key form ends the installation with its own reason."""
    prepared(lpa, server)
    for name, value in wrong.items():
        setattr(server, name, value)
    assert failed(lpa, server.load(lpa)) == (Command.INITIALISE_SECURE_CHANNEL, reason, None)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"transaction_id": b"\x01"}, Reason.INVALID_TRANSACTION_ID),
        ({"bad_signature": True}, Reason.INVALID_SIGNATURE),
        ({"point": b"\x04" + bytes(64)}, Reason.INCORRECT_INPUT),
    ],
)
def test_secure_channel_request(
    lpa: SmallLpa, server: SmallServer, wrong: dict[str, Any], reason: Reason
) -> None:
    """A wrong transaction ID, a wrong signature and a wrong point end the installation with their reasons."""
    prepared(lpa, server)
    answer = server.load(lpa, secure_channel=server.secure_channel_request(**wrong))
    assert failed(lpa, answer) == (Command.INITIALISE_SECURE_CHANNEL, reason, None)


def flipped(tag: int) -> Callable[[list[bytes]], list[bytes]]:
    def flip(segments: list[bytes]) -> list[bytes]:
        place = next(n for n, segment in enumerate(segments) if segment[0] == tag)
        return [*segments[:place], segments[place][:-1] + bytes([segments[place][-1] ^ 1])]

    return flip


def without(*tags: int) -> Callable[[list[bytes]], list[bytes]]:
    return lambda segments: [segment for segment in segments if segment[0] not in tags]


def glued(segments: list[bytes]) -> list[bytes]:
    """Return the segments with the header of A1 joined to its content, as a simple client sends them."""
    return [*segments[:2], segments[2] + segments[3]]


def longer(segments: list[bytes]) -> list[bytes]:
    """Return segments whose total length is larger than their content."""
    return [bytes.fromhex("BF3682FFFF") + segments[0][5:], *segments[1:]]


def shorter(segments: list[bytes]) -> list[bytes]:
    """Return a first segment whose total length is smaller than its first element."""
    return [bytes.fromhex("BF3605") + segments[0][5:]]


@pytest.mark.parametrize(
    ("change", "command", "reason"),
    [
        pytest.param(flipped(0xA0), Command.CONFIGURE_ISDP, Reason.SECURITY_ERROR, id="87"),
        pytest.param(flipped(0x88), Command.STORE_METADATA, Reason.SECURITY_ERROR, id="88"),
        pytest.param(flipped(0xA2), Command.REPLACE_SESSION_KEYS, Reason.SECURITY_ERROR, id="87-2"),
        pytest.param(flipped(0x86), Command.LOAD_PROFILE_ELEMENTS, Reason.SECURITY_ERROR, id="86"),
        pytest.param(without(0xA0), Command.CONFIGURE_ISDP, Reason.STRUCTURE_ERROR, id="no-A0"),
        pytest.param(without(0xA1), Command.STORE_METADATA, Reason.STRUCTURE_ERROR, id="no-A1"),
        pytest.param(without(0x88), Command.STORE_METADATA, Reason.STRUCTURE_ERROR, id="no-88"),
        pytest.param(
            without(0xA1, 0x88, 0xA2), Command.STORE_METADATA, Reason.STRUCTURE_ERROR, id="no-metadata"
        ),
        pytest.param(without(0xA2), Command.LOAD_PROFILE_ELEMENTS, Reason.STRUCTURE_ERROR, id="no-A2"),
        pytest.param(glued, Command.STORE_METADATA, Reason.STRUCTURE_ERROR, id="glued"),
        pytest.param(longer, Command.LOAD_PROFILE_ELEMENTS, Reason.STRUCTURE_ERROR, id="longer"),
        pytest.param(shorter, Command.INITIALISE_SECURE_CHANNEL, Reason.STRUCTURE_ERROR, id="shorter"),
        pytest.param(
            lambda segments: [segments[0], segments[0]],
            Command.CONFIGURE_ISDP,
            Reason.STRUCTURE_ERROR,
            id="twice",
        ),
        pytest.param(
            lambda segments: [*segments[:3], segments[3] + b"\x00"],
            Command.STORE_METADATA,
            Reason.STRUCTURE_ERROR,
            id="too-much",
        ),
        pytest.param(
            lambda segments: [segments[0], b"\xa0\x85"],
            Command.CONFIGURE_ISDP,
            Reason.STRUCTURE_ERROR,
            id="length",
        ),
        pytest.param(
            lambda segments: [segments[0], b"\xa0\x00"],
            Command.CONFIGURE_ISDP,
            Reason.STRUCTURE_ERROR,
            id="empty",
        ),
        pytest.param(
            lambda segments: [*segments[:3], b"\x88\x03\x00\x00\x00"],
            Command.STORE_METADATA,
            Reason.STRUCTURE_ERROR,
            id="no-mac",
        ),
    ],
)
def test_wrong_structures_are_reported_immediately(
    lpa: SmallLpa,
    server: SmallServer,
    change: Callable[[list[bytes]], list[bytes]],
    command: Command,
    reason: Reason,
) -> None:
    """A flipped bit is a security error, and a wrong order or length is a structure error."""
    server.replaced_keys = PROFILE_KEYS
    prepared(lpa, server)
    segments = change(server.segments(bytes(lpa.card.eid)))
    answers = (lpa.command(segment) for segment in segments)
    assert failed(lpa, next(filter(None, answers))) == (command, reason, None)
    assert server.download(lpa)[0] == "successResult"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"metadata": metadata(serviceProviderName="x" * 33)}, Reason.INCORRECT_INPUT),
        ({"metadata": metadata(profileName="ü" * 33)}, Reason.INCORRECT_INPUT),
        ({"metadata": metadata(icon=bytes(10))}, Reason.INCORRECT_INPUT),
        ({"metadata": metadata(iconType=0, icon=bytes(1025))}, Reason.INCORRECT_INPUT),
        ({"metadata": bytes.fromhex("BF2500")}, Reason.INCORRECT_INPUT),
        ({"metadata": b"nonsense"}, Reason.INCORRECT_INPUT),
        (
            {
                "metadata": SCHEMA.encode(
                    "StoreMetadataRequest",
                    {"iccid": b"\xff" * 10, "serviceProviderName": "", "profileName": ""},
                )
            },
            Reason.INCORRECT_INPUT,
        ),
        ({"metadata": metadata(profilePolicyRules=PPR1)}, Reason.PPR_NOT_ALLOWED),
        (
            {"metadata": metadata(profilePolicyRules=PPR1, profileOwner={"mccMnc": bytes.fromhex("00FE10")})},
            Reason.PPR_NOT_ALLOWED,
        ),
    ],
)
def test_impossible_metadata_end_the_installation(
    lpa: SmallLpa, server: SmallServer, changed: dict[str, Any], reason: Reason
) -> None:
    """Metadata that are invalid, or have policy rules without a proper owner, end the installation."""
    server.metadata = changed["metadata"]
    prepared(lpa, server)
    assert failed(lpa, server.load(lpa)) == (Command.STORE_METADATA, reason, None)


def test_allowed_rules_are_stored_and_reported(lpa: SmallLpa, server: SmallServer) -> None:
    """Policy rules that the RAT allows for their owner are stored and reported."""
    server.metadata = metadata(profilePolicyRules=PPR1, profileOwner=OWNER)
    assert server.download(lpa)[0] == "successResult"
    (info,) = lpa.profiles(tagList=bytes.fromhex("B799"))
    assert info == {"profileOwner": OWNER, "profilePolicyRules": PPR1}


@pytest.mark.parametrize(
    "behaviour",
    [
        {"rat": ()},
        {"rat": (RatRule(pprs=(2,)),)},
        {"rat": (RatRule(pprs=(1,), operators=(Operator(mcc_mnc="26202"),)),)},
        {"forbidden_pprs": (1,)},
    ],
)
def test_forbidden_rules_end_the_installation(
    make_card: MakeCard, server: SmallServer, behaviour: dict[str, Any]
) -> None:
    """Policy rules that the RAT or the card forbids end the installation."""
    lpa = SmallLpa(make_card(**behaviour))
    server.metadata = metadata(profilePolicyRules=PPR1, profileOwner=OWNER)
    prepared(lpa, server)
    assert failed(lpa, server.load(lpa))[1] is Reason.PPR_NOT_ALLOWED


def test_a_second_operational_profile_that_cannot_be_disabled_is_refused(
    make_card: MakeCard, server: SmallServer
) -> None:
    """With `ppr1_on_empty_card_only`, a card with a profile refuses one that must not be disabled."""
    lpa = SmallLpa(make_card(ppr1_on_empty_card_only=True))
    server.metadata = metadata(OTHER_ICCID)
    server.package = made_up_profile(OTHER_ICCID)
    assert server.download(lpa)[0] == "successResult"
    server.metadata = metadata(profilePolicyRules=PPR1, profileOwner=OWNER)
    prepared(lpa, server)
    assert failed(lpa, server.load(lpa))[1] is Reason.PPR_NOT_ALLOWED


def test_an_iccid_is_installed_once_only(lpa: SmallLpa, server: SmallServer) -> None:
    """A profile with an ICCID on the card is refused, and the existing profile is kept."""
    server.download(lpa)
    kind, value = server.download(lpa)
    assert kind == "errorResult"
    assert value["errorReason"] == Reason.ICCID_EXISTS
    assert len(lpa.card.profiles) == 1


@pytest.mark.parametrize(
    ("memory", "command", "sima"),
    [
        (1000, Command.CONFIGURE_ISDP, None),
        (5000, Command.LOAD_PROFILE_ELEMENTS, "3009A00530038001048100"),
    ],
)
def test_a_full_memory_ends_the_installation_and_is_freed(
    make_card: MakeCard, server: SmallServer, memory: int, command: Command, sima: str | None
) -> None:
    """If the card's memory is full, the installation ends, and its memory is freed."""
    lpa = SmallLpa(make_card(memory=memory))
    prepared(lpa, server)
    before = lpa.card.free_memory
    told = bytes.fromhex(sima) if sima else None
    assert failed(lpa, server.load(lpa)) == (command, Reason.INSUFFICIENT_MEMORY, told)
    assert lpa.card.free_memory == before


@pytest.mark.parametrize(
    ("package", "status"),
    [
        (made_up_profile(ICCID)[:-10], "5"),
        (made_up_profile(ICCID)[10:], "5"),
        (bytes.fromhex("A003800109"), "31"),
    ],
)
def test_a_broken_package_is_reported_with_its_status(
    lpa: SmallLpa, server: SmallServer, package: bytes, status: str
) -> None:
    """A package with a wrong element, or without its end, is reported with the element's status."""
    server.package = package
    prepared(lpa, server)
    command, reason, sima = failed(lpa, server.load(lpa))
    assert (command, reason) == (Command.LOAD_PROFILE_ELEMENTS, Reason.PE_PROCESSING_ERROR)
    assert sima is not None
    told = SCHEMA.decode("EUICCResponse", sima)
    assert told["peStatus"][0]["status"] == int(status)
    assert "profileInstallationAborted" in told


def test_the_result_comes_with_the_wrong_piece(lpa: SmallLpa, server: SmallServer) -> None:
    """The result for a wrong profile element is given at the piece with this element."""
    server.package = b"\xa0\x03\x80\x01\x09" + bytes(5000)
    prepared(lpa, server)
    segments = server.segments(bytes(lpa.card.eid))
    answers = [lpa.command(segment) for segment in segments[:-4]]
    assert answers[-1]
    assert not any(answers[:-1])


def test_a_profile_that_needs_a_missing_service_is_refused(make_card: MakeCard, server: SmallServer) -> None:
    """A profile that needs a service that the card lacks is refused."""
    lpa = SmallLpa(make_card(unsupported_services=(0x84,)))
    prepared(lpa, server)
    assert failed(lpa, server.load(lpa))[1] is Reason.PE_PROCESSING_ERROR


@pytest.mark.parametrize(
    "wrong",
    [
        {"package": made_up_profile(OTHER_ICCID)},
        {"metadata": metadata(profileOwner={"mccMnc": bytes.fromhex("62F220")})},
        {"metadata": metadata(profileOwner={**OWNER, "gid1": b"\x01"})},
    ],
)
def test_metadata_and_files_must_agree(lpa: SmallLpa, server: SmallServer, wrong: dict[str, bytes]) -> None:
    """A profile whose metadata and files disagree on ICCID or owner is refused."""
    for name, value in wrong.items():
        setattr(server, name, value)
    prepared(lpa, server)
    command, reason, _ = failed(lpa, server.load(lpa))
    assert (command, reason) == (Command.LOAD_PROFILE_ELEMENTS, Reason.DATA_MISMATCH)


def test_a_test_profile_needs_a_willing_card_and_test_keys(make_card: MakeCard, server: SmallServer) -> None:
    """A test profile without test keys, or for a card that accepts none, is refused."""
    server.metadata = metadata(profileClass=0)
    good, server.package = server.package, server.package.replace(bytes(range(16)), bytes(range(1, 17)))
    lpa = SmallLpa(make_card())
    prepared(lpa, server)
    assert failed(lpa, server.load(lpa))[1] is Reason.INVALID_NAA_KEY
    server.package = good
    lpa = SmallLpa(make_card(test_profiles=False))
    prepared(lpa, server)
    assert failed(lpa, server.load(lpa))[1] is Reason.UNSUPPORTED_PROFILE_CLASS
    lpa = SmallLpa(make_card())
    assert server.download(lpa)[0] == "successResult"


@pytest.mark.parametrize(
    ("configuration", "oid"),
    [
        ("BF2407B805800388370A", "2.999.10"),
        ("BF2408B806800488370A01", "2.999.10.1"),
        ("BF240AB808800388370B810107", "2.999.11"),
        ("BF24" + "818A" + "B88187" + "800388370A" + "81" + "81" + "7F" + "00" * 127, None),
        ("BF2500", None),
    ],
)
def test_proprietary_data_are_kept(
    lpa: SmallLpa, server: SmallServer, configuration: str, oid: str | None
) -> None:
    """Proprietary data are stored; data that are too long or of another type are refused."""
    server.configuration = bytes.fromhex(configuration)
    prepared(lpa, server)
    answer = server.load(lpa)
    if oid is not None:
        assert final_result(answer)[0] == "successResult"
        assert lpa.profiles(tagList=b"\xb8") == [{"dpProprietaryData": {"dpOid": oid}}]
    else:
        assert failed(lpa, answer) == (Command.CONFIGURE_ISDP, Reason.INCORRECT_INPUT, None)


def test_files_in_a_missing_directory_end_the_installation(make_card: MakeCard, server: SmallServer) -> None:
    """Files in a missing directory end the installation, unless `strict_files` is off."""
    good = server.package
    elements = [element.raw for element in tlv.parse_all(good) if element.tag != TELECOM]
    server.package = b"".join(elements)
    lpa = SmallLpa(make_card())
    prepared(lpa, server)
    command, reason, sima = failed(lpa, server.load(lpa))
    assert (command, reason) == (Command.LOAD_PROFILE_ELEMENTS, Reason.PE_PROCESSING_ERROR)
    assert (command, reason) == (5, 12)
    assert sima is not None
    response = SCHEMA.decode("EUICCResponse", sima)
    assert response["peStatus"][0]["status"] == PeStatus.INVALID_PARAMETER
    lpa = SmallLpa(make_card("lenient", strict_files=False))
    assert server.download(lpa)[0] == "successResult"
    server.package = good
    lpa = SmallLpa(make_card("another"))
    assert server.download(lpa)[0] == "successResult"


def test_the_habit_decides_about_long_segments(make_card: MakeCard, server: SmallServer) -> None:
    """Segments of 1,036 bytes are refused, unless `largest_segment` allows them."""
    server.piece = 1023
    lpa = SmallLpa(make_card())
    prepared(lpa, server)
    assert 1036 in {len(segment) for segment in server.segments(bytes(lpa.card.eid))}
    assert failed(lpa, server.load(lpa))[:2] == (Command.LOAD_PROFILE_ELEMENTS, Reason.STRUCTURE_ERROR)
    for folder, largest in (("longer", 1036), ("any", 0)):
        lpa = SmallLpa(make_card(folder, largest_segment=largest))
        assert server.download(lpa)[0] == "successResult"


def test_a_segment_needs_a_prepared_download(lpa: SmallLpa, server: SmallServer) -> None:
    """A segment before a download is prepared, or after its result, is refused with 6985."""
    for segment in ("BF3600", "A000", "8600"):
        with pytest.raises(StatusError, match="6985"):
            lpa.command(segment)
    server.download(lpa)
    with pytest.raises(StatusError, match="6985"):
        lpa.command(server.segments(bytes(lpa.card.eid))[0])


def begun(lpa: SmallLpa, server: SmallServer) -> list[bytes]:
    """Load the first six segments of a package, and return the remaining ones."""
    prepared(lpa, server)
    segments = server.segments(bytes(lpa.card.eid))
    for segment in segments[:6]:
        assert lpa.command(segment) == b""
    return segments[6:]


def test_other_commands_meanwhile(lpa: SmallLpa, server: SmallServer) -> None:
    """Another ES10 function during an installation does not disturb the installation."""
    rest = begun(lpa, server)
    assert lpa.profiles() == []
    for segment in rest:
        answer = lpa.command(segment)
    assert final_result(answer)[0] == "successResult"


def test_no_other_commands_meanwhile(make_card: MakeCard, server: SmallServer) -> None:
    """With `other_commands_while_loading`, other functions are refused, and the installation continues."""
    lpa = SmallLpa(make_card(other_commands_while_loading="6985"))
    rest = begun(lpa, server)
    with pytest.raises(StatusError, match="6985"):
        lpa.profiles()
    for segment in rest:
        answer = lpa.command(segment)
    assert final_result(answer)[0] == "successResult"


def test_a_cancelled_installation_leaves_nothing(lpa: SmallLpa, server: SmallServer) -> None:
    """A cancelled installation leaves no profile and no notification."""
    rest = begun(lpa, server)
    asked = {"transactionId": server.transaction_id, "reason": 5}
    kind, _ = lpa.call("CancelSessionRequest", asked, "CancelSessionResponse")
    assert kind == "cancelSessionResponseOk"
    assert lpa.card.profiles == ()
    assert lpa.notifications() == []
    with pytest.raises(StatusError, match="6985"):
        lpa.command(rest[0])


@pytest.mark.parametrize("how", ["challenge", "reset", "close"])
def test_an_interruption_leaves_a_result(make_card: MakeCard, server: SmallServer, how: str) -> None:
    """A new session or a loss of power during an installation leaves a result with an interruption."""
    lpa = SmallLpa(make_card())
    begun(lpa, server)
    if how == "challenge":
        lpa.command("BF2E00")
    elif how == "reset":
        lpa.card.reset()
        lpa.open()
    else:
        lpa = SmallLpa(make_card())
    (result,) = lpa.retrieve()
    kind, value = final_result(result)
    assert (kind, value["errorReason"]) == ("errorResult", Reason.INTERRUPTION)
    assert lpa.card.profiles == ()
    assert lpa.card.free_memory == CardBehaviour().memory
    assert server.download(lpa)[0] == "successResult"


def test_installations_are_notified(lpa: SmallLpa, server: SmallServer) -> None:
    """After an installation, there is a notification for each address in addition to the result."""
    entries = [*everything_notified("a.example.com"), *everything_notified("b.example.com")]
    server.metadata = metadata(notificationConfigurationInfo=entries)
    server.download(lpa)
    told = [(entry["seqNumber"], entry["notificationAddress"]) for entry in lpa.notifications()]
    assert told == [(1, ADDRESS), (2, "a.example.com"), (3, "b.example.com")]
