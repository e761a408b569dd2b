"""Requests about a card's profiles, and the card's answers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lpad.base.errors import InvalidValue, MalformedError
from lpad.base.identifiers import Aid, Iccid
from lpad.codec.asn1 import broken_list, named_bits, tlv
from lpad.codec.messages.metadata import (
    UNREADABLE_RULES,
    NotificationEvent,
    NotificationTarget,
    OperatorId,
    ProfileClass,
)
from lpad.codec.messages.profile_info import (
    TAGS,
    TAGS_WITHOUT_ICON,
    ProfileInfo,
    ProfileState,
    UnreadableProfile,
)
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
from lpad.codec.messages.result_code import ResultCode
from lpad.simulator.asn1.schema import Schema, parse

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
    """Requests have exactly the bytes that worked with real cards."""
    assert request_.encode().hex().upper() == wire


def test_nicknames_have_64_bytes() -> None:
    """A nickname has at most 64 bytes of UTF-8, whatever the number of characters."""
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
def test_result_codes_are_those_of_the_schema(codes: Any, tag: int, type_name: str) -> None:
    """Each function's result codes and names are those of the schema, and an unknown code is kept."""
    member = parse()["RSPDefinitions"]["types"][type_name]["members"][0]
    assert {code.reason: int(code) for code in codes} == dict(member["named-numbers"])
    for code in (*codes, codes(99)):
        assert codes.decode(tlv.encode(tag, bytes([0x80, 1, code]))) == code
    assert (codes(99).reason, codes(99).name) == ("undocumentedCode", "CODE_99")
    for data in (b"", b"\xbf\x20\x00", tlv.encode(tag), tlv.encode(tag, b"\x80\x00")):
        with pytest.raises(MalformedError):
            codes.decode(data)


def test_result_codes_are_numbers() -> None:
    """A result code other than a number is refused."""
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


def test_all_fields_of_a_profile_are_read() -> None:
    """Every field that a card reports about a profile is read."""
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
    """An entry with an ICCID and nothing else is a profile."""
    (profile,) = ProfileInfoListResponse.decode(listed({"iccid": bytes(ICCID)})).profiles
    assert profile == ProfileInfo(iccid=ICCID)
    assert not profile.enabled


def test_many_profiles_and_none() -> None:
    """A list may be empty, even without its own element, and twenty profiles keep their order."""
    for empty in ("BF2D02A000", "BF2D00"):
        answer = ProfileInfoListResponse.decode(bytes.fromhex(empty))
        assert (answer.profiles, answer.unreadable, answer.error) == ((), 0, None)
    many = [{"iccid": bytes(Iccid(f"890000000000000000{n:02}"))} for n in range(20)]
    read = ProfileInfoListResponse.decode(listed(*many)).profiles
    assert [profile.iccid.digits[-2:] for profile in read] == [f"{n:02}" for n in range(20)]


@pytest.mark.parametrize("odd", ["9F7000", "4F0101", "B60130", "B703800100", "9300", "BF760101", "9F1F0100"])
def test_odd_fields_do_not_hide_a_profile(odd: str) -> None:
    """A field that cannot be read, or is of a later version, is left out; the other fields are read."""
    raw = tlv.encode(0xE3, tlv.encode(0x5A, bytes(ICCID)), bytes.fromhex(odd), tlv.encode(0x92, b"Profile"))
    (profile,) = ProfileInfoListResponse.decode(tlv.encode(0xBF2D, tlv.encode(0xA0, raw))).profiles
    assert (profile.iccid, profile.name, profile.isdp_aid, profile.pprs) == (ICCID, "Profile", None, ())


@pytest.mark.parametrize(
    ("rules", "read"),
    [
        ("99020640", ("ppr1",)),
        ("990100", ()),
        ("9900", (UNREADABLE_RULES,)),
        ("990109", (UNREADABLE_RULES,)),
        ("99020640990109", ("ppr1", UNREADABLE_RULES)),
        ("990206009902064099020520", ("ppr1", "ppr2")),
    ],
)
def test_policy_rules_that_cannot_be_read_are_not_none(rules: str, read: tuple[str, ...]) -> None:
    """All elements with rules count, even in an entry without ICCID; an unreadable one counts as a rule."""
    fields = bytes.fromhex(rules), tlv.encode(0x92, b"Profile")
    named, nameless = tlv.encode(0xE3, tlv.encode(0x5A, bytes(ICCID)), *fields), tlv.encode(0xE3, *fields)
    answer = ProfileInfoListResponse.decode(tlv.encode(0xBF2D, tlv.encode(0xA0, named)))
    assert [profile.pprs for profile in answer.profiles] == [read]
    assert UnreadableProfile.read(nameless).pprs == read


def test_a_profile_listed_twice_has_the_rules_of_both_entries() -> None:
    """A profile listed twice has the rules of both entries, even if one of them contains none."""
    locked = tlv.encode(0xE3, *(each.raw for each in tlv.parse(BARE_A).children()), bytes.fromhex("99020640"))
    for entries in ((BARE_A, locked), (locked, BARE_A)):
        (profile,) = ProfileInfoListResponse.decode(tlv.encode(0xBF2D, *entries)).profiles
        assert profile.pprs == ("ppr1",)


def test_names_as_the_card_wrote_them() -> None:
    """Control characters are kept, and escaped only when shown; bytes that are not UTF-8 are replaced."""
    raw = tlv.encode(
        0xE3, tlv.encode(0x5A, bytes(ICCID)), tlv.encode(0x92, b"\x1b[31m"), tlv.encode(0x91, b"\xff")
    )
    (profile,) = ProfileInfoListResponse.decode(tlv.encode(0xBF2D, tlv.encode(0xA0, raw))).profiles
    assert (profile.name, profile.service_provider_name) == ("\x1b[31m", "\N{REPLACEMENT CHARACTER}")


def test_profiles_without_iccid_are_counted() -> None:
    """A profile without an ICCID is counted, not listed, and does not hide the others."""
    answer = ProfileInfoListResponse.decode(
        listed({"profileName": "?"}, {"iccid": b"\xff"}, {"iccid": bytes(ICCID)})
    )
    assert [profile.iccid for profile in answer.profiles] == [ICCID]
    assert answer.unreadable == 2


@pytest.mark.parametrize("error", list(ProfileInfoListError))
def test_a_refusal_to_list_has_its_reason(error: ProfileInfoListError) -> None:
    """A card's refusal to list its profiles is read with its reason."""
    assert ProfileInfoListResponse.decode(bytes([0xBF, 0x2D, 3, 0x81, 1, error])).error is error


@pytest.mark.parametrize("data", ["", "BF2E02A000", "BF2E00", "BF2D02A500", "BF2D028100", "BF2D"])
def test_neither_list_nor_refusal(data: str) -> None:
    """Any answer other than the defined ones is malformed."""
    with pytest.raises(MalformedError):
        ProfileInfoListResponse.decode(bytes.fromhex(data))


def test_the_short_list_of_tags_omits_icons() -> None:
    """The short list of tags leaves icons out, because each takes a kilobyte."""
    assert set(TAGS) - set(TAGS_WITHOUT_ICON) == {0x93, 0x94}


BARE_A = tlv.encode(
    0xE3, tlv.encode(0x5A, bytes(ICCID)), tlv.encode(0x4F, bytes(AID)), bytes.fromhex("9F700101")
)
OTHER, OTHER_AID = Iccid("898600B5000000000015"), Aid(bytes.fromhex("A0000005591010FFFFFFFF8900001200"))
BARE_B = tlv.encode(
    0xE3, tlv.encode(0x5A, bytes(OTHER)), tlv.encode(0x4F, bytes(OTHER_AID)), bytes.fromhex("9F700100")
)
BOTH = [(ICCID, ProfileState.ENABLED), (OTHER, ProfileState.DISABLED)]


def read(raw: bytes) -> tuple[list[tuple[Iccid, ProfileState]], int]:
    answer = ProfileInfoListResponse.decode(raw)
    return [(profile.iccid, profile.state) for profile in answer.profiles], answer.unreadable


@pytest.mark.parametrize(
    ("raw", "unreadable"),
    [
        (tlv.encode(0xBF2D, BARE_A, BARE_B), 0),
        (tlv.encode(0xBF2D, tlv.encode(0xA0, BARE_A), BARE_B), 0),
        (tlv.encode(0xBF2D, tlv.encode(0xA0, tlv.encode(0xA0, BARE_A, BARE_B))), 0),
        (tlv.encode(0xBF2D, tlv.encode(0xA0, BARE_A, BARE_B)) + b"\xff\xff", 0),
        (tlv.encode(0xBF2D, tlv.encode(0xA0, BARE_A, b"\x00\x00\x00", BARE_B, b"\xff")), 0),
        (tlv.encode(0xBF2D, tlv.encode(0xA0, BARE_A, BARE_A, BARE_B)), 0),
        (tlv.encode(0xBF2D, tlv.encode(0xA0, tlv.encode(0xE3, tlv.encode(0xE3, BARE_A)), BARE_B)), 1),
        (
            tlv.encode(
                0xBF2D, tlv.encode(0xA0, BARE_A[:1], bytes([BARE_A[1] + len(BARE_B)]), BARE_A[2:], BARE_B)
            ),
            0,
        ),
        (tlv.encode(0xBF2D, tlv.encode(0xA0, BARE_A, tlv.encode(0xE4, b"abc"), BARE_B)), 1),
        (tlv.encode(0xBF2D, tlv.encode(0xA0, BARE_A, BARE_B, bytes.fromhex("E3305A0A98"))), 1),
        (tlv.encode(0xBF2D, tlv.encode(0xA0, BARE_A, BARE_B)) + b"\x5a\x0a", 1),
        (tlv.encode(0xBF2D, b"\xa0\x7f", BARE_A, BARE_B), 1),
        (tlv.encode(0xBF2D, b"\xa0\x10", BARE_A, BARE_B), 0),
        (b"\xbf\x2d\x7f\xa0" + bytes([len(BARE_A + BARE_B)]) + BARE_A + BARE_B, 1),
        (b"\xbf\x2d\x10\xa0" + bytes([len(BARE_A + BARE_B)]) + BARE_A + BARE_B, 0),
    ],
)
def test_nothing_odd_hides_a_profile(raw: bytes, unreadable: int) -> None:
    """The profiles are read despite a missing A0, wrong lengths, padding, repetitions or unknown items."""
    assert read(raw) == (BOTH, unreadable)


@given(st.binary(max_size=80), st.binary(max_size=40), st.binary(max_size=40))
@example(b"\xe3" + bytes([len(BARE_B)]), b"", b"")
@example(b"\x04\x7f", b"\xa0\x20", b"\xe3")
@example(bytes.fromhex("E3425A0A984401000000000000F14F10A0"), b"", b"")
def test_no_bytes_between_profiles_hide_them(between: bytes, before: bytes, behind: bytes) -> None:
    """Two profiles in a list are read, whatever bytes are before, between and after them."""
    profiles, unreadable = read(tlv.encode(0xBF2D, tlv.encode(0xA0, before, BARE_A, between, BARE_B, behind)))
    assert set(BOTH) <= set(profiles)
    if broken_list.is_padding(before + between + behind):
        assert (profiles, unreadable) == (BOTH, 0)


@given(st.data())
def test_a_broken_entry_is_counted_and_hides_no_other(data: st.DataObject) -> None:
    """Whatever bytes of one entry are damaged, the other is read; the damaged one is read or counted.

    A rest of the damaged entry that is just the tag and length of a list with the other one damages nothing.
    """
    broken = bytearray(BARE_A)
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(broken[: data.draw(st.integers(1, len(broken)))])
    answer = ProfileInfoListResponse.decode(tlv.encode(0xBF2D, tlv.encode(0xA0, cut, BARE_B)))
    assert OTHER in [profile.iccid for profile in answer.profiles]
    others = [profile for profile in answer.profiles if profile.iccid != OTHER]
    wrapped = cut + BARE_B == tlv.encode(0xA0, BARE_B)
    assert others or answer.unreadable or broken_list.is_padding(cut) or wrapped


def test_the_readable_part_of_a_broken_entry_is_kept() -> None:
    """AID, state and names in front of the broken part are kept, and so is an invalid ICCID."""
    aid, enabled, name = tlv.encode(0x4F, bytes(AID)), bytes.fromhex("9F700101"), tlv.encode(0x92, b"Name")
    wrong = tlv.encode(0x5A, bytes.fromhex("FF" * 10))
    answer = ProfileInfoListResponse.decode(
        tlv.encode(
            0xBF2D, tlv.encode(0xE3, wrong, aid, enabled, name), tlv.encode(0xE3, aid, enabled, b"\x92\x30O")
        )
    )
    whole, broken = answer.unread
    assert (answer.profiles, answer.unreadable) == ((), 2)
    assert (whole.raw_iccid, whole.iccid, whole.isdp_aid, whole.name) == (b"\xff" * 10, None, AID, "Name")
    assert (whole.state, whole.whole) == (ProfileState.ENABLED, True)
    assert (broken.raw_iccid, broken.isdp_aid, broken.state) == (None, AID, ProfileState.ENABLED)
    assert not broken.whole


def test_two_profiles_with_one_iccid_are_two() -> None:
    """Profiles with one ICCID but two AIDs are kept apart; one listed with two states has an unknown one."""
    twin = BARE_B.replace(bytes(OTHER), bytes(ICCID))
    answer = ProfileInfoListResponse.decode(tlv.encode(0xBF2D, BARE_A, twin))
    assert [(profile.iccid, profile.isdp_aid) for profile in answer.profiles] == [
        (ICCID, AID),
        (ICCID, OTHER_AID),
    ]
    again = BARE_A.replace(bytes.fromhex("9F700101"), bytes.fromhex("9F700100"))
    answer = ProfileInfoListResponse.decode(tlv.encode(0xBF2D, BARE_A, again))
    assert [profile.state for profile in answer.profiles] == [ProfileState.UNKNOWN]
    assert [(entry.isdp_aid, entry.state) for entry in answer.unread] == [(AID, ProfileState.DISABLED)]


def test_a_list_of_nothing_but_odd_bytes_is_not_an_error() -> None:
    """Bytes that are not an entry are counted, so that the card is not mistaken for empty."""
    assert read(bytes.fromhex("BF2D03A00130")) == ([], 1)
    assert read(bytes.fromhex("BF2D02FF13")) == ([], 1)
    assert read(bytes.fromhex("BF2D05E403800101")) == ([], 1)


def test_a_card_that_makes_up_entries_fills_no_memory() -> None:
    """Only a limited number of broken entries is kept; further ones are only counted."""
    assert read(tlv.encode(0xBF2D, b"\xe3\x01\x05" * 10000, BARE_A, BARE_B))[0] == BOTH
    assert read(tlv.encode(0xBF2D, b"\xe3\x01\x05" * 10000))[1] < 100
