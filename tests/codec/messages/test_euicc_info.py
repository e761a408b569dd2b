"""EUICCInfo1, EUICCInfo2 and the challenge."""

from __future__ import annotations

import pytest

from lpad.base.errors import MalformedError
from lpad.codec.asn1 import named_bits, tlv
from lpad.codec.messages.euicc_info import (
    DEVICE_INFO_EXTENSIBILITY,
    RSP_CAPABILITIES,
    UICC_CAPABILITIES,
    CardResources,
    EuiccInfo1,
    EuiccInfo2,
    decode_euicc_challenge,
)
from lpad.simulator.asn1.schema import Schema, parse

CI = bytes.fromhex("F54172BDF98A95D65CBEB88A38A1C11D800A85C3")
BRAINPOOL_CI = bytes.fromhex("C0BC70BA36929D43B467FF57570530E57AB8FCD8")
INFO2 = {
    "profileVersion": bytes.fromhex("020301"),
    "svn": bytes.fromhex("020202"),
    "euiccFirmwareVer": bytes.fromhex("040500"),
    "extCardResource": bytes.fromhex("81010082040007EA328304000016E0"),
    "uiccCapability": named_bits.of([1, 2, 4, 14]),
    "ts102241Version": bytes.fromhex("090200"),
    "globalplatformVersion": bytes.fromhex("020300"),
    "rspCapability": named_bits.of([0, 3, 4]),
    "euiccCiPKIdListForVerification": [CI, BRAINPOOL_CI],
    "euiccCiPKIdListForSigning": [CI],
    "euiccCategory": 2,
    "forbiddenProfilePolicyRules": named_bits.of([1]),
    "ppVersion": bytes.fromhex("010000"),
    "sasAcreditationNumber": "XX-YY-UP-0123",
    "certificationDataObject": {"platformLabel": "1.2.840.1234567/label", "discoveryBaseURL": "https://dloa"},
}


def test_info1_is_read_and_kept_unchanged() -> None:
    """EUICCInfo1 contains the version and CI key identifiers, and is kept unchanged."""
    raw = Schema.compile().encode("EUICCInfo1", {name: INFO2[name] for name in ("svn", *_lists())})
    info = EuiccInfo1.decode(raw)
    assert (info.raw, info.svn) == (raw, "2.2.2")
    assert (info.ci_verification, info.ci_signing) == ((CI, BRAINPOOL_CI), (CI,))
    assert (info.ci_signing_v3, info.highest_svn) == ((), None)


def _lists() -> tuple[str, str]:
    return "euiccCiPKIdListForVerification", "euiccCiPKIdListForSigning"


def test_info1_of_version_3() -> None:
    """The fields of version 3 are read if they are present."""
    value = {name: INFO2[name] for name in ("svn", *_lists())}
    value |= {
        "euiccCiPKIdListForSigningV3": [CI],
        "euiccRspCapability": (b"\x80", 1),
        "highestSvn": b"\3\1\0",
    }
    info = EuiccInfo1.decode(Schema.compile().encode("EUICCInfo1", value))
    assert (info.ci_signing_v3, info.highest_svn) == ((CI,), "3.1.0")


def test_info2_is_read() -> None:
    """The fields of EUICCInfo2 are read, and its bytes are kept unchanged."""
    raw = Schema.compile().encode("EUICCInfo2", INFO2)
    info = EuiccInfo2.decode(raw)
    assert info.raw == raw
    assert (info.profile_version, info.svn, info.firmware_version) == ("2.3.1", "2.2.2", "4.5.0")
    assert info.resources == CardResources(0, 518706, 5856)
    assert info.uicc_capabilities == ("usimSupport", "isimSupport", "akaMilenage", "javacard")
    assert info.rsp_capabilities == ("additionalProfile", "testProfileSupport", DEVICE_INFO_EXTENSIBILITY)
    assert (info.javacard_version, info.globalplatform_version, info.pp_version) == (
        "9.2.0",
        "2.3.0",
        "1.0.0",
    )
    assert (info.ci_verification, info.ci_signing) == ((CI, BRAINPOOL_CI), (CI,))
    assert (info.category, info.forbidden_pprs) == ("mediumEuicc", ("ppr1",))
    assert info.sas_accreditation_number == "XX-YY-UP-0123"
    assert (info.platform_label, info.discovery_base_url) == ("1.2.840.1234567/label", "https://dloa")


def test_info2_of_later_versions() -> None:
    """Fields of v3 and of SGP.32 are read; capabilities and values without a name have a number."""
    later = {
        "uiccCapability": named_bits.of([31, 40]),
        "euiccCategory": 9,
        "treProperties": named_bits.of([1]),
        "treProductReference": "chip",
        "additionalProfilePackageVersions": [b"\3\2\0"],
        "lpaMode": 1,
        "highestSvn": b"\3\1\0",
        "iotSpecificInfo": {"iotVersion": [b"\1\2\0"]},
    }
    raw = tlv.parse(Schema.compile().encode("EUICCInfo2", INFO2 | later)).value + tlv.encode(0x9F7B, b"new")
    info = EuiccInfo2.decode(tlv.encode(0xBF22, raw))
    assert info.uicc_capabilities == ("iotminimal", "bit40")
    assert (info.category, info.lpa_mode) == ("value9", "lpae")
    assert (info.tre_properties, info.tre_product_reference) == (("isIntegrated",), "chip")
    assert (info.additional_profile_versions, info.highest_svn) == (("3.2.0",), "3.1.0")
    assert info.iot_versions == ("1.2.0",)


@pytest.mark.parametrize("body", ["", "8200", "84028105", "8501FF", "99010A", "04000C02FFFE"])
def test_a_card_that_says_little_or_oddly(body: str) -> None:
    """Missing or unreadable parts of EUICCInfo2 are left out, and the other parts are read."""
    info = EuiccInfo2.decode(tlv.encode(0xBF22, bytes.fromhex(body), tlv.encode(0x83, b"\1\2\3")))
    assert info.firmware_version == "1.2.3"
    assert (info.svn, info.resources, info.ci_signing) == (None, CardResources(), ())


@pytest.mark.parametrize(
    ("data", "free"),
    [
        ("81010882 0400045BF8 83022419", 285688),
        ("8101088203045BF8 83022419", 285688),
        ("810108 82025BF8", 23544),
        ("8401FF 82025BF8 C10100", 23544),
    ],
)
def test_memory_in_2_to_4_bytes(data: str, free: int) -> None:
    """The card chooses the number of bytes for free memory; unknown elements next to it are ignored."""
    assert CardResources.decode(bytes.fromhex(data)).free_non_volatile_memory == free


def test_memory_that_cannot_be() -> None:
    """A size of free memory that is too large to be shown counts as missing."""
    told = CardResources.decode(bytes.fromhex("810108") + b"\x82\x81\xc8" + b"\xff" * 200)
    assert told == CardResources(installed_applications=8)


@pytest.mark.parametrize(
    ("type_name", "names"), [("UICCCapability", UICC_CAPABILITIES), ("RspCapability", RSP_CAPABILITIES)]
)
def test_capability_names_are_those_of_the_schema(type_name: str, names: tuple[str, ...]) -> None:
    """The names of the bits in rsp.asn and in lpad are the same."""
    bits = parse()["RSPDefinitions"]["types"][type_name]["named-bits"]
    assert [name for name, _ in bits] == list(names)
    assert [int(bit) for _, bit in bits] == list(range(len(names)))


def test_the_challenge_has_16_bytes() -> None:
    """The challenge has 16 bytes; any other answer is malformed."""
    assert decode_euicc_challenge(bytes.fromhex("BF2E128010") + bytes(range(16))) == bytes(range(16))
    for data in ("BF2E00", "BF2E03800101", "BF2D00"):
        with pytest.raises(MalformedError):
            decode_euicc_challenge(bytes.fromhex(data))
