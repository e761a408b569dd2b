"""The profiles on a card and what is asked of each."""

from __future__ import annotations

from typing import Any

import pytest

from lpad.base.errors import InvalidValue, MalformedError
from lpad.base.identifiers import Aid, Iccid
from lpad.codec.asn1 import named_bits, tlv
from lpad.codec.asn1.schema import Schema, parse
from lpad.codec.messages.metadata import NotificationEvent, NotificationTarget, OperatorId, ProfileClass
from lpad.codec.messages.profile_info import TAGS, TAGS_WITHOUT_ICON, ProfileInfo, ProfileState
from lpad.codec.messages.profiles import (
    DeleteProfileRequest,
    DeleteProfileResult,
    DisableProfileRequest,
    DisableProfileResult,
    EnableProfileRequest,
    EnableProfileResult,
    ProfileInfoListError,
    ProfileInfoListRequest,
    ProfileInfoListResponse,
    SetNicknameRequest,
    SetNicknameResult,
)
from lpad.codec.messages.result import ResultCode

ICCID = Iccid.parse("89000123456789012341")
AID = Aid.parse("A0000005591010FFFFFFFF8900001100")


@pytest.mark.parametrize(
    ("request_", "wire"),
    [
        (ProfileInfoListRequest(), "BF2D00"),
        (
            ProfileInfoListRequest(tags=(0x5A, 0x4F, 0x9F70, *range(0x90, 0x96), 0xB6, 0xB7, 0x99)),
            "BF2D0F5C0D5A4F9F70909192939495B6B799",
        ),
        (ProfileInfoListRequest(ProfileClass.OPERATIONAL), "BF2D05A003950102"),
        (ProfileInfoListRequest(ICCID, (0x94,)), "BF2D11A00C5A0A980010325476981032145C0194"),
        (EnableProfileRequest(ICCID, refresh=True), "BF3111A00C5A0A980010325476981032148101FF"),
        (EnableProfileRequest(ICCID, refresh=False), "BF3111A00C5A0A98001032547698103214810100"),
        (DisableProfileRequest(ICCID, refresh=True), "BF3211A00C5A0A980010325476981032148101FF"),
        (DeleteProfileRequest(ICCID), "BF330C5A0A98001032547698103214"),
        (DeleteProfileRequest(AID), "BF33124F10A0000005591010FFFFFFFF8900001100"),
        (
            EnableProfileRequest(AID, refresh=True),
            "BF3117A0124F10A0000005591010FFFFFFFF89000011008101FF",
        ),
        (SetNicknameRequest(ICCID, "home"), "BF29125A0A980010325476981032149004686F6D65"),
        (SetNicknameRequest(ICCID, ""), "BF290E5A0A980010325476981032149000"),
    ],
)
def test_requests_on_the_wire(request_: Any, wire: str) -> None:
    """Requests are the bytes that were seen to work."""
    assert request_.encode().hex().upper() == wire


def test_nicknames_have_64_bytes() -> None:
    """The limit counts bytes of UTF-8, not characters."""
    assert SetNicknameRequest(ICCID, "ä" * 32).encode().endswith("ä".encode())
    with pytest.raises(InvalidValue, match="64 bytes"):
        SetNicknameRequest(ICCID, "ä" * 32 + "x")


@pytest.mark.parametrize(
    ("codes", "tag", "type_name"),
    [
        (EnableProfileResult, 0xBF31, "EnableProfileResponse"),
        (DisableProfileResult, 0xBF32, "DisableProfileResponse"),
        (DeleteProfileResult, 0xBF33, "DeleteProfileResponse"),
        (SetNicknameResult, 0xBF29, "SetNicknameResponse"),
    ],
)
def test_results(codes: Any, tag: int, type_name: str) -> None:
    """Each function has the codes and names that the schema has, and an undocumented code survives."""
    member = parse()["RSPDefinitions"]["types"][type_name]["members"][0]
    assert {code.reason: int(code) for code in codes} == dict(member["named-numbers"])
    for code in (*codes, codes(99)):
        assert codes.decode(tlv.encode(tag, bytes([0x80, 1, code]))) == code
    assert (codes(99).reason, codes(99).name) == ("undocumentedCode", "CODE_99")
    for data in (b"", b"\xbf\x20\x00", tlv.encode(tag), tlv.encode(tag, b"\x80\x00")):
        with pytest.raises(MalformedError):
            codes.decode(data)


def test_result_codes_are_numbers() -> None:
    """Nothing but a number is a result code."""
    with pytest.raises(ValueError, match="ok"):
        EnableProfileResult("ok")  # type: ignore[arg-type] # the mistake under test
    assert issubclass(EnableProfileResult, ResultCode)


FULL = {
    "iccid": bytes(ICCID),
    "isdpAid": bytes(AID),
    "profileState": 1,
    "profileNickname": "home",
    "serviceProviderName": "Operator",
    "profileName": "Profile",
    "iconType": 0,
    "icon": b"\xff\xd8",
    "profileClass": 1,
    "notificationConfigurationInfo": [
        {"profileManagementOperation": named_bits.of([3]), "notificationAddress": "a.example.com"}
    ],
    "profileOwner": {"mccMnc": bytes.fromhex("00F110"), "gid2": b"\x02"},
    "dpProprietaryData": {"dpOid": "2.999.10"},
    "profilePolicyRules": named_bits.of([1]),
}


def listed(*profiles: dict[str, Any]) -> bytes:
    return Schema.compile().encode("ProfileInfoListResponse", ("profileInfoListOk", list(profiles)))


def test_a_profile_with_everything() -> None:
    """All that a card tells of a profile is read."""
    answer = ProfileInfoListResponse.decode(listed(FULL))
    assert answer.profiles == (
        ProfileInfo(
            iccid=ICCID,
            isdp_aid=AID,
            state=ProfileState.ENABLED,
            nickname="home",
            service_provider_name="Operator",
            name="Profile",
            icon_type="image/jpeg",
            icon=b"\xff\xd8",
            profile_class=ProfileClass.PROVISIONING,
            notification_targets=(NotificationTarget((NotificationEvent.DELETE,), "a.example.com"),),
            owner=OperatorId(bytes.fromhex("00F110"), None, b"\x02"),
            dp_oid="2.999.10",
            pprs=("ppr1",),
        ),
    )
    assert answer.profiles[0].enabled
    assert (answer.unreadable, answer.error) == (0, None)


def test_a_profile_with_nothing() -> None:
    """A profile needs its ICCID only."""
    (profile,) = ProfileInfoListResponse.decode(listed({"iccid": bytes(ICCID)})).profiles
    assert profile == ProfileInfo(iccid=ICCID)
    assert not profile.enabled


def test_many_profiles_and_none() -> None:
    """A list may be empty, without its own element even, and twenty profiles keep their order."""
    for empty in ("BF2D02A000", "BF2D00"):
        answer = ProfileInfoListResponse.decode(bytes.fromhex(empty))
        assert (answer.profiles, answer.unreadable, answer.error) == ((), 0, None)
    many = [{"iccid": bytes(Iccid(f"890000000000000000{n:02}"))} for n in range(20)]
    read = ProfileInfoListResponse.decode(listed(*many)).profiles
    assert [profile.iccid.digits[-2:] for profile in read] == [f"{n:02}" for n in range(20)]


@pytest.mark.parametrize(
    "odd", ["9F7000", "4F0101", "9900", "B60130", "B703800100", "9300", "BF760101", "9F1F0100"]
)
def test_odd_fields_do_not_hide_a_profile(odd: str) -> None:
    """A field that can't be read, or is of a later version, is left out; its neighbours stay."""
    raw = tlv.encode(0xE3, tlv.encode(0x5A, bytes(ICCID)), bytes.fromhex(odd), tlv.encode(0x92, b"Profile"))
    (profile,) = ProfileInfoListResponse.decode(tlv.encode(0xBF2D, tlv.encode(0xA0, raw))).profiles
    assert (profile.iccid, profile.name, profile.isdp_aid, profile.pprs) == (ICCID, "Profile", None, ())


def test_names_as_the_card_wrote_them() -> None:
    """Control characters stay for the reader to escape; bytes that are no UTF-8 are replaced."""
    raw = tlv.encode(
        0xE3, tlv.encode(0x5A, bytes(ICCID)), tlv.encode(0x92, b"\x1b[31m"), tlv.encode(0x91, b"\xff")
    )
    (profile,) = ProfileInfoListResponse.decode(tlv.encode(0xBF2D, tlv.encode(0xA0, raw))).profiles
    assert (profile.name, profile.service_provider_name) == ("\x1b[31m", "\N{REPLACEMENT CHARACTER}")


def test_profiles_without_iccid_are_counted() -> None:
    """A profile that nothing can be asked of is counted, not listed, and doesn't hide the others."""
    answer = ProfileInfoListResponse.decode(
        listed({"profileName": "?"}, {"iccid": b"\xff"}, {"iccid": bytes(ICCID)})
    )
    assert [profile.iccid for profile in answer.profiles] == [ICCID]
    assert answer.unreadable == 2


@pytest.mark.parametrize("error", list(ProfileInfoListError))
def test_no_list(error: ProfileInfoListError) -> None:
    """A refusal to list tells its reason."""
    assert ProfileInfoListResponse.decode(bytes([0xBF, 0x2D, 3, 0x81, 1, error])).error is error


@pytest.mark.parametrize("data", ["", "BF2E02A000", "BF2E00", "BF2D02A500", "BF2D028100", "BF2D03A00130"])
def test_neither_list_nor_refusal(data: str) -> None:
    """Anything else is malformed."""
    with pytest.raises(MalformedError):
        ProfileInfoListResponse.decode(bytes.fromhex(data))


def test_tags() -> None:
    """Icons are a kilobyte each: the short list of tags leaves them out."""
    assert set(TAGS) - set(TAGS_WITHOUT_ICON) == {0x93, 0x94}
