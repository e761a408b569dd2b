"""Local profile management in the simulated card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lpad.base.identifiers import Iccid
from lpad.codec.asn1 import tlv
from lpad.simulator.euicc.chip.behaviour import Answers
from lpad.simulator.euicc.isdr.rules_authorisation_check import bit_string
from lpad.simulator.profile_package.made_up_profile import made_up_profile
from simulator.euicc.small_lpa import SmallLpa, StatusError
from simulator.euicc.small_server import SmallServer, everything_notified, metadata

if TYPE_CHECKING:
    from lpad.simulator.euicc.card import SoftCard
    from lpad.simulator.pki.pki import Pki
    from simulator.euicc.conftest import MakeCard

OWNER = {"mccMnc": bytes.fromhex("00F110")}
TEST, PROVISIONING, OPERATIONAL = 0, 1, 2
FETCH = "801200000B"
PERFORMED = "801400000C810301010402028281830100"
FAILED = "801400000C810301010402028281830120"
A, B, C, D = (Iccid.parse(f"894900000000000{number}018") for number in range(4))


def install(lpa: SmallLpa, pki: Pki, iccid: Iccid, **changed: Any) -> bytes:
    """Install a made-up profile, and return the bytes of its ICCID."""
    server = SmallServer(pki, metadata=metadata(iccid, **changed), package=made_up_profile(iccid, size=1500))
    assert server.download(lpa)[0] == "successResult"
    return bytes(iccid)


def ruled(*pprs: int) -> dict[str, Any]:
    return {"profilePolicyRules": bit_string(pprs), "profileOwner": OWNER}


def enabled(card: SoftCard) -> list[Iccid]:
    return [profile.iccid for profile in card.profiles if profile.enabled]


def refresh(card: SoftCard, response: str = PERFORMED) -> None:
    """Fetch a REFRESH from the card, and answer it as a modem does."""
    assert card.transmit(bytes.fromhex(FETCH)).hex() == "d0098103010104820281829000"
    assert card.transmit(bytes.fromhex(response)) == b"\x90\x00"


def test_a_list_has_the_default_fields(lpa: SmallLpa, pki: Pki) -> None:
    """Without a tag list, the card reports those default fields that a profile has."""
    assert lpa.profiles() == []
    a = install(
        lpa, pki, A, iconType=0, icon=b"\xff\xd8", notificationConfigurationInfo=everything_notified()
    )
    b = install(lpa, pki, B, profileClass=PROVISIONING)
    first, second = lpa.profiles()
    assert first == {
        "iccid": a,
        "isdpAid": bytes(lpa.card.profiles[0].aid),
        "profileState": 0,
        "serviceProviderName": "Provider",
        "profileName": "Name",
        "iconType": 0,
        "icon": b"\xff\xd8",
        "profileClass": OPERATIONAL,
    }
    assert second == {
        "iccid": b,
        "isdpAid": bytes(lpa.card.profiles[1].aid),
        "profileState": 0,
        "serviceProviderName": "Provider",
        "profileName": "Name",
        "profileClass": PROVISIONING,
    }


def test_profiles_are_found_by_iccid_aid_and_class(lpa: SmallLpa, pki: Pki) -> None:
    """Profiles are found by ICCID, AID and class; a search without a match returns an empty list."""
    a = install(lpa, pki, A)
    b = install(lpa, pki, B, profileClass=TEST)
    aid = bytes(lpa.card.profiles[0].aid)
    assert [found["iccid"] for found in lpa.profiles(searchCriteria=("iccid", b))] == [b]
    assert [found["iccid"] for found in lpa.profiles(searchCriteria=("isdpAid", aid))] == [a]
    assert [found["iccid"] for found in lpa.profiles(searchCriteria=("profileClass", TEST))] == [b]
    assert lpa.profiles(searchCriteria=("profileClass", PROVISIONING)) == []
    assert lpa.profiles(searchCriteria=("iccid", bytes(C))) == []


def test_a_tag_list_selects_the_fields(lpa: SmallLpa, pki: Pki) -> None:
    """A tag list selects the reported fields, even other than the default ones."""
    entries = everything_notified()
    install(lpa, pki, A, notificationConfigurationInfo=entries, **ruled(1))
    (found,) = lpa.profiles(tagList=bytes.fromhex("5AB6B7999F709F44BF22"))
    assert found == {
        "iccid": bytes(A),
        "profileState": 0,
        "notificationConfigurationInfo": entries,
        "profileOwner": OWNER,
        "profilePolicyRules": bit_string([1]),
    }
    raw = tlv.parse(lpa.command("BF2D055C039F2590"))
    size = raw.get(0xA0).get(0xE3).get(0x9F25).value
    assert int.from_bytes(size, "big") > 1500


@pytest.mark.parametrize("wrong", ["BF2D035C019F", "BF2D025C00", "BF2D03A00101", "BF2D05A003960102"])
def test_a_request_with_wrong_grammar_is_refused(lpa: SmallLpa, wrong: str) -> None:
    """A malformed tag list or search is refused with incorrectInputValues."""
    assert lpa.command(wrong).hex() == "bf2d03810101"


def test_an_unset_nickname_is_empty_or_omitted(make_card: MakeCard, pki: Pki) -> None:
    """With `empty_optional_fields`, the card reports an empty nickname if none is set."""
    lpa = SmallLpa(make_card(empty_optional_fields=True))
    install(lpa, pki, A)
    assert lpa.profiles()[0]["profileNickname"] == ""


def test_a_long_list_arrives_in_portions(make_card: MakeCard, pki: Pki) -> None:
    """A list of profiles that is longer than one answer arrives completely."""
    lpa = SmallLpa(make_card(portion=200))
    for iccid in (A, B, C, D):
        install(lpa, pki, iccid, iconType=1, icon=bytes(1024))
    assert len(lpa.profiles()) == 4
    lpa = SmallLpa(make_card(answers=Answers.AT_ONCE))
    assert len(lpa.profiles()) == 4


@pytest.mark.parametrize("nickname", ["Mobile", "", "ü" * 32, "x" * 64])
def test_a_nickname_is_set_and_removed(lpa: SmallLpa, pki: Pki, nickname: str) -> None:
    """A nickname of at most 64 bytes is set, a longer one is refused, and an empty one removes it."""

    def name(text: str, iccid: Iccid = A) -> int:
        asked = {"iccid": bytes(iccid), "profileNickname": text}
        return int(lpa.call("SetNicknameRequest", asked, "SetNicknameResponse")["setNicknameResult"])

    install(lpa, pki, A)
    assert name("Before") == 0
    assert name(nickname) == 0
    assert lpa.profiles()[0].get("profileNickname", "") == nickname
    assert name("x" * 65) == 127
    assert name("ü" * 33) == 127
    assert name("x", B) == 1
    assert lpa.card.profiles[0].nickname == nickname


def test_without_refresh_a_switch_is_immediate(lpa: SmallLpa, pki: Pki) -> None:
    """Without a refresh, EnableProfile takes effect within the command and disables the other profile."""
    a, b = install(lpa, pki, A), install(lpa, pki, B)
    assert lpa.enable(a) == 0
    assert lpa.status == 0x9000
    assert enabled(lpa.card) == [A]
    assert lpa.enable(b) == 0
    assert enabled(lpa.card) == [B]
    assert lpa.card.enabled_iccid == B
    assert lpa.disable(b) == 0
    assert enabled(lpa.card) == []
    assert lpa.card.enabled_iccid is None


def test_target_by_aid(lpa: SmallLpa, pki: Pki) -> None:
    """Enable, disable and delete accept a profile's AID in place of its ICCID."""
    install(lpa, pki, A)
    aid = bytes(lpa.card.profiles[0].aid)
    for request, response, result in (
        ("EnableProfileRequest", "EnableProfileResponse", "enableResult"),
        ("DisableProfileRequest", "DisableProfileResponse", "disableResult"),
    ):
        asked = {"profileIdentifier": ("isdpAid", aid), "refreshFlag": False}
        assert lpa.call(request, asked, response)[result] == 0
    assert lpa.call("DeleteProfileRequest", ("isdpAid", aid), "DeleteProfileResponse")["deleteResult"] == 0
    assert lpa.card.profiles == ()


def test_switch_with_refresh(lpa: SmallLpa, pki: Pki) -> None:
    """With a refresh, a switch takes effect when the terminal has refreshed, which closes the channels."""
    a = install(lpa, pki, A)
    assert lpa.enable(a, refresh=True) == 0
    assert lpa.status == 0x910B
    assert lpa.states() == {a: 0}
    assert lpa.status == 0x910B  # each answer announces the proactive command until the terminal fetches it
    refresh(lpa.card)
    assert lpa.card.open_channels == ()
    lpa.open()
    assert lpa.states() == {a: 1}
    assert lpa.status == 0x9000


def test_switch_by_reset(lpa: SmallLpa, pki: Pki) -> None:
    """A reset of the card completes a switch, even if the terminal never answered the REFRESH."""
    a = install(lpa, pki, A)
    assert lpa.enable(a, refresh=True) == 0
    lpa.card.reset()
    assert enabled(lpa.card) == [A]
    lpa.open()
    assert lpa.disable(a, refresh=True) == 0
    lpa.card.transmit(bytes.fromhex(FETCH))
    assert enabled(lpa.card) == [A]
    lpa.card.reset()
    assert enabled(lpa.card) == []


def test_a_failed_refresh_leaves_the_old_state(lpa: SmallLpa, pki: Pki) -> None:
    """If the terminal reports a failed REFRESH, the profile stays disabled and the channels stay open."""
    a = install(lpa, pki, A)
    assert lpa.enable(a, refresh=True) == 0
    refresh(lpa.card, FAILED)
    assert lpa.states() == {a: 0}
    assert lpa.enable(a) == 0


@pytest.mark.parametrize(
    "response", ["801400000C810301210402028281830100", "8014000003818301", "8014000009810301010402028281"]
)
def test_wrong_terminal_response(lpa: SmallLpa, pki: Pki, response: str) -> None:
    """A TERMINAL RESPONSE to another command, or without a result, is refused with 6A80."""
    install(lpa, pki, A)
    lpa.enable(bytes(A), refresh=True)
    lpa.card.transmit(bytes.fromhex(FETCH))
    assert lpa.card.transmit(bytes.fromhex(response)) == b"\x6a\x80"
    assert lpa.card.transmit(bytes.fromhex(PERFORMED)) == b"\x90\x00"


def test_switch_before_refresh(make_card: MakeCard, pki: Pki) -> None:
    """By its habit, a card enables the profile immediately and announces the REFRESH afterwards."""
    lpa = SmallLpa(make_card(switch_waits_for_refresh=False, refresh_qualifier=0x09))
    a = install(lpa, pki, A)
    assert lpa.enable(a, refresh=True) == 0
    assert lpa.status == 0x910B
    assert lpa.states() == {a: 1}
    assert lpa.card.transmit(bytes.fromhex(FETCH)).hex().startswith("d0098103010109")


def test_list_during_switch(make_card: MakeCard, pki: Pki) -> None:
    """By its habit, a card answers a list request with an error until the terminal has refreshed."""
    lpa = SmallLpa(make_card(profiles_hidden_during_switch=True))
    install(lpa, pki, A)
    lpa.enable(bytes(A), refresh=True)
    assert lpa.command("BF2D00").hex() == "bf2d0381010b"
    refresh(lpa.card)
    lpa.open()
    assert len(lpa.profiles()) == 1


def test_busy_during_switch(lpa: SmallLpa, pki: Pki) -> None:
    """Until the terminal has refreshed, the card refuses to enable, delete or reset."""
    a, b = install(lpa, pki, A), install(lpa, pki, B)
    lpa.enable(a, refresh=True)
    assert lpa.enable(b) == 5
    assert lpa.reset_memory(0) == 5
    assert lpa.delete(b) == 127
    refresh(lpa.card)
    lpa.open()
    assert lpa.enable(b) == 0


def test_a_busy_toolkit_is_reported_as_often_as_required(lpa: SmallLpa, pki: Pki) -> None:
    """The fault cat_busy refuses as many commands as it counts; an unknown profile is reported first."""
    a = install(lpa, pki, A)
    lpa.card.faults.cat_busy = 3
    assert lpa.enable(bytes(B)) == 1
    assert lpa.enable(a) == 5
    assert lpa.enable(a) == 5
    assert lpa.reset_memory(0) == 5
    assert lpa.enable(a) == 0
    lpa.card.faults.cat_busy = 1
    assert lpa.disable(a) == 5
    assert lpa.disable(a) == 0


def test_each_refusal_to_enable_has_its_code(lpa: SmallLpa, pki: Pki) -> None:
    """EnableProfile has codes for an unknown profile, an enabled one, and one that a rule keeps enabled."""
    a, b = install(lpa, pki, A, **ruled(1)), install(lpa, pki, B)
    assert lpa.enable(bytes(C)) == 1
    assert lpa.enable(a) == 0
    assert lpa.enable(a) == 2
    assert lpa.enable(b) == 3
    assert lpa.disable(a) == 3
    assert enabled(lpa.card) == [A]


def test_each_refusal_to_disable_has_its_code(lpa: SmallLpa, pki: Pki) -> None:
    """DisableProfile refuses an unknown profile and a disabled one with different codes."""
    a = install(lpa, pki, A)
    assert lpa.disable(bytes(C)) == 1
    assert lpa.disable(a) == 2


def test_each_refusal_to_delete_has_its_code(lpa: SmallLpa, pki: Pki) -> None:
    """DeleteProfile has codes for unknown, enabled and protected profiles; a deletion frees memory."""
    a, b = install(lpa, pki, A), install(lpa, pki, B, **ruled(2))
    assert lpa.delete(bytes(C)) == 1
    assert lpa.enable(a) == 0
    assert lpa.delete(a) == 2
    assert lpa.delete(b) == 3
    before = lpa.card.free_memory
    assert lpa.disable(a) == 0
    assert lpa.delete(a) == 0
    assert lpa.card.free_memory > before
    assert [profile.iccid for profile in lpa.card.profiles] == [B]


def test_a_test_profile_is_replaced_by_few_profiles_only(lpa: SmallLpa, pki: Pki) -> None:
    """Only another test profile, or the profile enabled before, can be enabled over a test profile."""
    a, b = install(lpa, pki, A), install(lpa, pki, B)
    c, d = install(lpa, pki, C, profileClass=TEST), install(lpa, pki, D, profileClass=TEST)
    assert lpa.enable(a) == 0
    assert lpa.enable(c) == 0
    assert lpa.enable(d) == 0
    assert lpa.enable(b) == 4
    assert lpa.enable(a) == 0
    assert lpa.enable(b) == 0


def test_test_profile_disabled(lpa: SmallLpa, pki: Pki) -> None:
    """When a test profile is disabled, the card enables the profile that was enabled before it."""
    a, c = install(lpa, pki, A, **ruled(1)), install(lpa, pki, C, profileClass=TEST)
    assert lpa.enable(a) == 0
    assert lpa.enable(c) == 0  # a test profile may be enabled over a profile whose rule forbids disabling
    assert lpa.disable(c) == 0
    assert enabled(lpa.card) == [A]


def test_test_profile_alone(lpa: SmallLpa, pki: Pki) -> None:
    """If no profile was enabled before a test profile, disabling it leaves no profile enabled."""
    b, c = install(lpa, pki, B), install(lpa, pki, C, profileClass=TEST)
    assert lpa.enable(c) == 0
    assert lpa.enable(b) == 4
    assert lpa.disable(c) == 0
    assert enabled(lpa.card) == []
    assert lpa.enable(b) == 0
    assert lpa.enable(c) == 0
    assert lpa.delete(b) == 0
    assert lpa.disable(c) == 0
    assert enabled(lpa.card) == []


def test_an_enabled_provisioning_profile_can_be_replaced(lpa: SmallLpa, pki: Pki) -> None:
    """Another profile can be enabled over a provisioning profile whose rule forbids disabling."""
    a, b = install(lpa, pki, A, profileClass=PROVISIONING, **ruled(1)), install(lpa, pki, B)
    assert lpa.enable(a) == 0
    assert lpa.enable(b) == 0


def test_a_memory_reset_deletes_by_class(lpa: SmallLpa, pki: Pki) -> None:
    """A memory reset deletes profiles by class, despite rules; an enabled profile requires a refresh."""
    a = install(lpa, pki, A, **ruled(1, 2))
    install(lpa, pki, B, profileClass=TEST)
    c = install(lpa, pki, C, profileClass=PROVISIONING)
    assert lpa.reset_memory(1) == 0
    assert lpa.status == 0x9000
    assert lpa.reset_memory(1) == 1
    assert list(lpa.states()) == [a, c]
    lpa.enable(a)
    assert lpa.reset_memory(0) == 0
    assert lpa.status == 0x910B
    refresh(lpa.card)
    lpa.open()
    assert list(lpa.states()) == [c]
    assert lpa.reset_memory(0, 1, 2) == 1


def test_memory_reset_address(make_card: MakeCard) -> None:
    """A memory reset restores the card's original default SM-DP+ address."""
    lpa = SmallLpa(make_card(default_dp_address="factory.example.com"))

    def address() -> str:
        got = lpa.call("EuiccConfiguredAddressesRequest", {}, "EuiccConfiguredAddressesResponse")
        return str(got["defaultDpAddress"])

    assert lpa.reset_memory(2) == 1
    asked = {"defaultDpAddress": "other.example.com"}
    lpa.call("SetDefaultDpAddressRequest", asked, "SetDefaultDpAddressResponse")
    assert lpa.reset_memory(2) == 0
    assert address() == "factory.example.com"


@pytest.mark.parametrize(
    "request_", ["BF3300", "BF3303800100", "BF33028200", "BF3105A003830100", "BF3208A003800100810100"]
)
def test_profile_named_by_something_else(lpa: SmallLpa, pki: Pki, request_: str) -> None:
    """A request without an ICCID or AID gets the status word 6A80."""
    install(lpa, pki, A)
    with pytest.raises(StatusError, match="6A80"):
        lpa.command(request_)
    assert len(lpa.card.profiles) == 1
