"""A card's information about itself: EID, EUICCInfo1 and 2, addresses, Rules Authorisation Table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lpad.base.errors import MalformedError
from lpad.codec.asn1 import tlv
from lpad.simulator.euicc.chip.status_word import Refusal, StatusWord
from lpad.simulator.euicc.isdr.rules_authorisation_check import bit_string

if TYPE_CHECKING:
    from lpad.codec.asn1.tlv import Tlv
    from lpad.simulator.euicc.chip.euicc_contents import Chip

_EID_TAG = b"\x5a"
_LONGEST_ADDRESS = 255
_UNDEFINED = 127
_PROFILE_VERSION = bytes([2, 3, 1])
_FIRMWARE = bytes([1, 0, 0])
_JAVACARD = bytes([15, 0, 0])
_GLOBALPLATFORM = bytes([2, 3, 0])
_PROTECTION_PROFILE = bytes([1, 0, 0])
_SAS = "LPAD-SIMULATOR"
_VOLATILE_MEMORY = 9241
# usim, isim, csim, milenage, cave, tuak128, tuak256, usim-test-algorithm, gba-usim, gba-isim, mbms, eap,
# javacard, multiple-usim and -isim, ber-tlv, dfLink, cat-tp, get-identity, profile-a, profile-b, suci
_UICC_CAPABILITY = (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 16, 17, 19, 20, 21, 22, 23, 24, 25)
_ADDITIONAL_PROFILE, _TEST_PROFILE, _DEVICE_INFO_EXTENSIBILITY, _SERVICE_SPECIFIC_DATA = 0, 3, 4, 5
_VERSION_3_CAPABILITY = (14, 16, 18)  # profile size, version 3's chains, capability in EUICCInfo1


def version(text: str) -> bytes:
    """Return a version such as "2.2.2" as three bytes."""
    return bytes(int(part) for part in text.split("."))


class Information:
    """ES10a, and the functions of ES10b and ES10c that report on the card itself."""

    def __init__(self, chip: Chip) -> None:
        """Create the functions for this chip."""
        self._chip = chip

    def get_eid(self, request: Tlv) -> bytes:
        """Answer ES10c.GetEID (SGP.22 v2.5, 5.7.20)."""
        chip = self._chip
        if chip.decode("GetEuiccDataRequest", request)["tagList"] != _EID_TAG:
            raise Refusal(StatusWord.NO_REFERENCED_DATA, "GetEID knows the tag 5A only")
        return chip.encode("GetEuiccDataResponse", {"eidValue": chip.eid})

    def get_euicc_info1(self, request: Tlv) -> bytes:
        """Answer ES10b.GetEUICCInfo for EUICCInfo1 (5.7.8)."""
        self._chip.decode("GetEuiccInfo1Request", request)
        info: dict[str, Any] = {"svn": version(self._chip.behaviour.svn), **self._ci_lists()}
        if self._chip.behaviour.rsp_version >= 3:
            info |= {"euiccRspCapability": self._capability(), "highestSvn": bytes([3, 1, 0])}
        return self._chip.encode("EUICCInfo1", info)

    def get_euicc_info2(self, request: Tlv) -> bytes:
        """Answer ES10b.GetEUICCInfo for EUICCInfo2 (5.7.8)."""
        self._chip.decode("GetEuiccInfo2Request", request)
        return self.euicc_info2()

    def euicc_info2(self) -> bytes:
        """Return EUICCInfo2 for GetEUICCInfo's answer and for euiccSigned1."""
        behaviour = self._chip.behaviour
        info: dict[str, Any] = {
            "profileVersion": _PROFILE_VERSION,
            "svn": version(behaviour.svn),
            "euiccFirmwareVer": _FIRMWARE,
            "extCardResource": self._resources(),
            "uiccCapability": bit_string(_UICC_CAPABILITY),
            "ts102241Version": _JAVACARD,
            "globalplatformVersion": _GLOBALPLATFORM,
            "rspCapability": self._capability(),
            **self._ci_lists(),
            "euiccCategory": 2,
            "ppVersion": _PROTECTION_PROFILE,
            "sasAcreditationNumber": _SAS,
        }
        if behaviour.forbidden_pprs or behaviour.empty_optional_fields:
            info["forbiddenProfilePolicyRules"] = bit_string(behaviour.forbidden_pprs)
        if behaviour.rsp_version >= 3:
            info |= {
                "additionalProfilePackageVersions": [bytes([3, 1, 0])],
                "lpaMode": 0,
                "highestSvn": bytes([3, 1, 0]),
            }
        return self._chip.encode("EUICCInfo2", info)

    def get_configured_addresses(self, request: Tlv) -> bytes:
        """Answer ES10a.GetEuiccConfiguredAddresses (5.7.3)."""
        chip = self._chip
        chip.decode("EuiccConfiguredAddressesRequest", request)
        addresses: dict[str, Any] = {"rootDsAddress": chip.state.root_ds_address}
        if chip.state.default_dp_address or chip.behaviour.empty_optional_fields:
            addresses["defaultDpAddress"] = chip.state.default_dp_address
        if chip.state.additional_root_ds_addresses:
            addresses["additionalRootDsAddress"] = list(chip.state.additional_root_ds_addresses)
        return chip.encode("EuiccConfiguredAddressesResponse", addresses)

    def set_default_dp_address(self, request: Tlv) -> bytes:
        """Answer ES10a.SetDefaultDpAddress (5.7.4)."""
        chip = self._chip
        address = chip.decode("SetDefaultDpAddressRequest", request)["defaultDpAddress"]
        result = 0 if len(address.encode()) <= _LONGEST_ADDRESS else _UNDEFINED
        if result == 0:
            chip.state.default_dp_address = address
            chip.commit()
        return chip.encode("SetDefaultDpAddressResponse", {"setDefaultDpAddressResult": result})

    def get_rat(self, request: Tlv) -> bytes:
        """Answer ES10b.GetRAT (5.7.22)."""
        self._chip.decode("GetRatRequest", request)
        return self._chip.state.rat

    def _ci_lists(self) -> dict[str, list[bytes]]:
        return {
            "euiccCiPKIdListForVerification": [ci.key_id for ci in self._chip.trusted],
            "euiccCiPKIdListForSigning": [signer.key_id for signer in self._chip.signers],
        }

    def _capability(self) -> tuple[bytes, int]:
        behaviour = self._chip.behaviour
        bits = {_ADDITIONAL_PROFILE, _DEVICE_INFO_EXTENSIBILITY, _SERVICE_SPECIFIC_DATA}
        if behaviour.test_profiles:
            bits.add(_TEST_PROFILE)
        if behaviour.rsp_version >= 3:
            bits.update(_VERSION_3_CAPABILITY)
        return bit_string(bits)

    def _resources(self) -> bytes:
        """Return the card's resources as the elements of ETSI TS 102 226, 8.2.1.7.2."""
        return (
            tlv.encode(0x81, bytes([len(self._chip.state.profiles)]))
            + tlv.encode(0x82, self._chip.free_memory.to_bytes(4, "big"))
            + tlv.encode(0x83, _VOLATILE_MEMORY.to_bytes(4, "big"))
        )


def rat_rows(chip: Chip) -> list[dict[str, Any]]:
    """Return the rows of the chip's Rules Authorisation Table."""
    rows = chip.schema.decode("GetRatResponse", chip.state.rat)["rat"]
    if not isinstance(rows, list):
        raise MalformedError("a Rules Authorisation Table must be a list")
    return rows
