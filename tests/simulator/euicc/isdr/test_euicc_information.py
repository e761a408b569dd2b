"""The simulated card's information about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpad.base.identifiers import Eid
from lpad.codec.asn1 import tlv
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.euicc.chip.behaviour import Operator, RatRule
from lpad.simulator.pki.credential import Curve
from simulator.euicc.small_lpa import SmallLpa, StatusError

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki
    from simulator.euicc.conftest import MakeCard
    from simulator.euicc.small_server import SmallServer


def test_the_eid_is_reported_unswapped(tmp_path: Path, pki: Pki) -> None:
    """GetEuiccData returns the EID with unswapped digits, and 6A88 for another tag."""
    eid = Eid.with_check_digits("890490320000000000000000000001")
    with SoftCard(tmp_path, pki=pki, eid=eid) as card:
        lpa = SmallLpa(card)
        assert lpa.command("BF3E035C015A").hex() == "bf3e125a10" + eid.digits
        assert card.eid == eid
        with pytest.raises(StatusError, match="6A88"):
            lpa.command("BF3E035C014F")


def test_euiccinfo1_names_version_and_cis(lpa: SmallLpa, pki: Pki) -> None:
    """EUICCInfo1 has the version and the CIs for verification and signing."""
    cis = [pki.ci[curve].key_id for curve in (Curve.NIST, Curve.BRAINPOOL)]
    assert lpa.call("GetEuiccInfo1Request", {}, "EUICCInfo1") == {
        "svn": bytes([2, 2, 2]),
        "euiccCiPKIdListForVerification": cis,
        "euiccCiPKIdListForSigning": cis,
    }


def test_habits_decide_the_cis_and_their_order(make_card: MakeCard, pki: Pki) -> None:
    """The card's behaviour determines its CIs and their order in EUICCInfo1."""
    card = make_card(verification_curves=(Curve.BRAINPOOL, Curve.NIST), signing_curves=(Curve.BRAINPOOL,))
    info = SmallLpa(card).call("GetEuiccInfo1Request", {}, "EUICCInfo1")
    assert info["euiccCiPKIdListForVerification"] == [
        pki.ci[curve].key_id for curve in (Curve.BRAINPOOL, Curve.NIST)
    ]
    assert info["euiccCiPKIdListForSigning"] == [pki.ci[Curve.BRAINPOOL].key_id]


def test_a_card_of_version_3_reports_this(make_card: MakeCard) -> None:
    """A card of version 3 has the fields of version 3 in EUICCInfo1 and EUICCInfo2."""
    lpa = SmallLpa(make_card(rsp_version=3, svn="3.1.0"))
    assert tlv.parse(lpa.command("BF2000")).find(0x88) is not None
    info = lpa.call("GetEuiccInfo2Request", {}, "EUICCInfo2")
    assert info["highestSvn"] == bytes([3, 1, 0])
    assert info["lpaMode"] == 0


def test_info2_reports_memory_and_number_of_profiles(lpa: SmallLpa, server: SmallServer) -> None:
    """In EUICCInfo2, an installation decreases the free memory and increases the number of profiles."""

    def resources() -> dict[int, int]:
        info = lpa.call("GetEuiccInfo2Request", {}, "EUICCInfo2")
        elements = tlv.parse_all(info["extCardResource"])
        return {element.tag: int.from_bytes(element.value, "big") for element in elements}

    before = resources()
    server.download(lpa)
    after = resources()
    assert (before[0x81], after[0x81]) == (0, 1)
    assert before[0x82] - after[0x82] > len(server.package)
    assert after[0x82] == lpa.card.free_memory


def test_forbidden_rules_are_in_info2(make_card: MakeCard) -> None:
    """EUICCInfo2 contains the policy rules that a card forbids."""
    info = SmallLpa(make_card(forbidden_pprs=(1,))).call("GetEuiccInfo2Request", {}, "EUICCInfo2")
    assert info["forbiddenProfilePolicyRules"] == (b"\x40", 2)


def test_default_dp_address(lpa: SmallLpa) -> None:
    """The default SM-DP+ address can be set, is kept across a reset, and can be cleared."""

    def addresses() -> dict[str, str]:
        got = lpa.call("EuiccConfiguredAddressesRequest", {}, "EuiccConfiguredAddressesResponse")
        assert isinstance(got, dict)
        return got

    def set_to(address: str) -> int:
        asked = {"defaultDpAddress": address}
        return int(
            lpa.call("SetDefaultDpAddressRequest", asked, "SetDefaultDpAddressResponse")[
                "setDefaultDpAddressResult"
            ]
        )

    root = {"rootDsAddress": "testrootsmds.example.com"}
    assert addresses() == root
    assert set_to("smdp.example.com") == 0
    lpa.card.reset()
    lpa.open()
    assert addresses() == {**root, "defaultDpAddress": "smdp.example.com"}
    assert set_to("x" * 256) == 127
    assert set_to("") == 0
    assert addresses() == root


def test_empty_default_dp_address(make_card: MakeCard) -> None:
    """Some cards return an empty address instead of omitting it."""
    lpa = SmallLpa(make_card(empty_optional_fields=True))
    got = lpa.call("EuiccConfiguredAddressesRequest", {}, "EuiccConfiguredAddressesResponse")
    assert got["defaultDpAddress"] == ""


def test_the_table_is_reported_as_made(make_card: MakeCard) -> None:
    """GetRat returns the RAT that the card was made with, with operators in nibble order."""
    rules = (
        RatRule(pprs=(1,), operators=(Operator(mcc_mnc="26202", gid1=None, gid2=None),), consent=False),
        RatRule(pprs=(1, 2), operators=(Operator(mcc_mnc="310150"), Operator(gid1="AB"))),
    )
    lpa = SmallLpa(make_card(rat=rules))
    assert lpa.call("GetRatRequest", {}, "GetRatResponse")["rat"] == [
        {
            "pprIds": (b"\x40", 2),
            "allowedOperators": [{"mccMnc": bytes.fromhex("62F220")}],
            "pprFlags": (b"", 0),
        },
        {
            "pprIds": (b"\x60", 3),
            "allowedOperators": [
                {"mccMnc": bytes.fromhex("130051"), "gid1": b"", "gid2": b""},
                {"mccMnc": bytes.fromhex("EEEEEE"), "gid1": b"\xab", "gid2": b""},
            ],
            "pprFlags": (b"\x80", 1),
        },
    ]
