"""An eUICC's description of itself: EUICCInfo1, EUICCInfo2 and the challenge (SGP.22 v2.5, 5.7.7, 5.7.8)."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from lpad.base.errors import MalformedError
from lpad.base.frozen import Frozen
from lpad.codec.asn1 import der, named_bits, tlv
from lpad.codec.messages.metadata import pprs_of

GET_EUICC_INFO1 = bytes.fromhex("BF2000")
GET_EUICC_INFO2 = bytes.fromhex("BF2200")
GET_EUICC_CHALLENGE = bytes.fromhex("BF2E00")

UICC_CAPABILITIES = (
    "contactlessSupport",
    "usimSupport",
    "isimSupport",
    "csimSupport",
    "akaMilenage",
    "akaCave",
    "akaTuak128",
    "akaTuak256",
    "usimTestAlgorithm",
    "rfu2",
    "gbaAuthenUsim",
    "gbaAuthenISim",
    "mbmsAuthenUsim",
    "eapClient",
    "javacard",
    "multos",
    "multipleUsimSupport",
    "multipleIsimSupport",
    "multipleCsimSupport",
    "berTlvFileSupport",
    "dfLinkSupport",
    "catTp",
    "getIdentity",
    "profile-a-x25519",
    "profile-b-p256",
    "suciCalculatorApi",
    "dns-resolution",
    "scp11ac",
    "scp11c-authorization-mechanism",
    "s16mode",
    "eaka",
    "iotminimal",
)
RSP_CAPABILITIES = (
    "additionalProfile",
    "crlSupport",
    "rpmSupport",
    "testProfileSupport",
    "deviceInfoExtensibilitySupport",
    "serviceSpecificDataSupport",
    "hriServerAddressSupport",
    "serviceProviderMessageSupport",
    "lpaProxySupport",
    "enterpriseProfilesSupport",
    "serviceDescriptionSupport",
    "deviceChangeSupport",
    "encryptedDeviceChangeDataSupport",
    "estimatedProfileSizeIndicationSupport",
    "profileSizeInProfilesInfoSupport",
    "crlStaplingV3Support",
    "certChainV3VerificationSupport",
    "signedSmdsResponseV3Support",
    "euiccRspCapInInfo1",
    "osUpdateSupport",
    "cancelForEmptySpnPnSupport",
    "updateNotifConfigInfoSupport",
    "updateMetadataV3Support",
    "v3ObjectsInCtxParamsCASupport",
    "pushServiceRegistrationSupport",
)
DEVICE_INFO_EXTENSIBILITY = "deviceInfoExtensibilitySupport"
_TRE_PROPERTIES = ("isDiscrete", "isIntegrated", "usesRemoteMemory")
_CATEGORIES = ("other", "basicEuicc", "mediumEuicc", "contactlessEuicc")
_LPA_MODES = ("lpad", "lpae")


class EuiccInfo1(Frozen):
    """EUICCInfo1 (BF20): the data by which a server chooses its certificates.

    `raw` goes to the server unchanged. Versions are dotted, CI key identifiers are SHA-1 hashes of
    20 bytes in the card's order of preference.
    """

    raw: bytes
    svn: str | None
    ci_verification: tuple[bytes, ...]
    ci_signing: tuple[bytes, ...]
    ci_signing_v3: tuple[bytes, ...]
    highest_svn: str | None

    @classmethod
    def decode(cls, raw: bytes) -> EuiccInfo1:
        """Read an EUICCInfo1; missing or unreadable members are None or empty.

        Raises:
            MalformedError: the bytes are not an EUICCInfo1.
        """
        value = der.decode("EUICCInfo1", raw, lenient=True)
        return cls(
            raw=raw,
            svn=_version(value.get("svn")),
            ci_verification=tuple(value.get("euiccCiPKIdListForVerification", ())),
            ci_signing=tuple(value.get("euiccCiPKIdListForSigning", ())),
            ci_signing_v3=tuple(value.get("euiccCiPKIdListForSigningV3", ())),
            highest_svn=_version(value.get("highestSvn")),
        )


_LARGEST_NUMBER = 8


class CardResources(Struct, frozen=True):
    """Extended card resources information (ETSI TS 102 226, 8.2.1.7.2): applications, and free bytes."""

    installed_applications: int | None = None
    free_non_volatile_memory: int | None = None
    free_volatile_memory: int | None = None

    @classmethod
    def decode(cls, data: bytes) -> CardResources:
        """Read the elements inside `extCardResource`; numbers should have 1 to 4 bytes.

        Unknown elements are ignored, and so are numbers of more than 8 bytes, which cannot be displayed.

        Raises:
            MalformedError: the bytes are not a sequence of elements.
        """
        elements = [element for element in tlv.parse_all(data) if len(element.value) <= _LARGEST_NUMBER]
        found = {element.tag: int.from_bytes(element.value, "big") for element in elements}
        return cls(found.get(0x81), found.get(0x82), found.get(0x83))


class EuiccInfo2(Frozen):
    """EUICCInfo2 (BF22): dotted versions, capabilities by their SGP.22 names, None if not stated."""

    raw: bytes
    profile_version: str | None
    svn: str | None
    firmware_version: str | None
    resources: CardResources
    uicc_capabilities: tuple[str, ...]
    javacard_version: str | None
    globalplatform_version: str | None
    rsp_capabilities: tuple[str, ...]
    ci_verification: tuple[bytes, ...]
    ci_signing: tuple[bytes, ...]
    ci_signing_v3: tuple[bytes, ...]
    category: str | None
    forbidden_pprs: tuple[str, ...]
    pp_version: str | None
    sas_accreditation_number: str | None
    platform_label: str | None
    discovery_base_url: str | None
    tre_properties: tuple[str, ...]
    tre_product_reference: str | None
    additional_profile_versions: tuple[str, ...]
    lpa_mode: str | None
    highest_svn: str | None
    iot_versions: tuple[str, ...]

    @classmethod
    def decode(cls, raw: bytes) -> EuiccInfo2:
        """Read an EUICCInfo2; missing or unreadable members are None or empty.

        Raises:
            MalformedError: the bytes are not an EUICCInfo2.
        """
        value = der.decode("EUICCInfo2", raw, lenient=True)
        certification = value.get("certificationDataObject", {})
        return cls(
            raw=raw,
            profile_version=_version(value.get("profileVersion")),
            svn=_version(value.get("svn")),
            firmware_version=_version(value.get("euiccFirmwareVer")),
            resources=_resources(value.get("extCardResource", b"")),
            uicc_capabilities=_names(value, "uiccCapability", UICC_CAPABILITIES),
            javacard_version=_version(value.get("ts102241Version")),
            globalplatform_version=_version(value.get("globalplatformVersion")),
            rsp_capabilities=_names(value, "rspCapability", RSP_CAPABILITIES),
            ci_verification=tuple(value.get("euiccCiPKIdListForVerification", ())),
            ci_signing=tuple(value.get("euiccCiPKIdListForSigning", ())),
            ci_signing_v3=tuple(value.get("euiccCiPKIdListForSigningV3", ())),
            category=_named(value.get("euiccCategory"), _CATEGORIES),
            forbidden_pprs=pprs_of(value.get("forbiddenProfilePolicyRules")),
            pp_version=_version(value.get("ppVersion")),
            sas_accreditation_number=value.get("sasAcreditationNumber"),
            platform_label=certification.get("platformLabel"),
            discovery_base_url=certification.get("discoveryBaseURL"),
            tre_properties=_names(value, "treProperties", _TRE_PROPERTIES),
            tre_product_reference=value.get("treProductReference"),
            additional_profile_versions=_versions(value.get("additionalProfilePackageVersions", ())),
            lpa_mode=_named(value.get("lpaMode"), _LPA_MODES),
            highest_svn=_version(value.get("highestSvn")),
            iot_versions=_versions(value.get("iotSpecificInfo", {}).get("iotVersion", ())),
        )


def decode_euicc_challenge(data: bytes) -> bytes:
    """Return the 16 bytes of a GetEuiccChallengeResponse.

    Raises:
        MalformedError: the bytes are not a GetEuiccChallengeResponse with 16 bytes.
    """
    challenge: bytes = der.decode("GetEuiccChallengeResponse", data)["euiccChallenge"]
    if len(challenge) != 16:
        raise MalformedError(f"an eUICC challenge must have 16 bytes; got {len(challenge)}")
    return challenge


def _version(data: bytes | None) -> str | None:
    return ".".join(map(str, data)) if data else None


def _versions(items: tuple[bytes, ...] | list[bytes]) -> tuple[str, ...]:
    return tuple(".".join(map(str, data)) for data in items)


def _named(number: int | None, names: tuple[str, ...]) -> str | None:
    if number is None:
        return None
    return names[number] if 0 <= number < len(names) else f"value{number}"


def _names(value: dict[str, Any], member: str, vocabulary: tuple[str, ...]) -> tuple[str, ...]:
    return named_bits.names(value[member], vocabulary) if member in value else ()


def _resources(data: bytes) -> CardResources:
    try:
        return CardResources.decode(data)
    except MalformedError:
        return CardResources()
