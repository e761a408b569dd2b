"""Notifications: signed, numbered, kept until the LPA removes them (SGP.22 v2.5, 3.5 and 5.7.9 to 5.7.11)."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

from lpad.codec.asn1 import tlv
from lpad.simulator.euicc.chip.nonvolatile_state import StoredNotification
from lpad.simulator.euicc.isdr.rules_authorisation_check import bit_string, bits_of

if TYPE_CHECKING:
    from lpad.codec.asn1.tlv import Tlv
    from lpad.simulator.euicc.chip.euicc_contents import Chip
    from lpad.simulator.euicc.chip.identity import Signer
    from lpad.simulator.euicc.chip.nonvolatile_state import Installation, StoredProfile

_NO_RESULT_AVAILABLE = 1
_UNDEFINED = 127
_TEST_CLASS = 0


class Event(IntEnum):
    """Bits of NotificationEvent."""

    INSTALL = 0
    ENABLE = 1
    DISABLE = 2
    DELETE = 3


class Notifications:
    """The list of notifications. After recording a notification, the caller must commit."""

    def __init__(self, chip: Chip) -> None:
        """Manage this chip's list."""
        self._chip = chip

    def record(self, event: Event, profile: StoredProfile) -> None:
        """Record a notification for each of the profile's recipients of `event`; none for test profiles."""
        if profile.profile_class == _TEST_CLASS:
            return
        metadata = self._chip.schema.decode("StoreMetadataRequest", profile.metadata)
        for entry in metadata.get("notificationConfigurationInfo", ()):
            if event in bits_of(entry["profileManagementOperation"]):
                self._record_signed(event, entry["notificationAddress"], profile)

    def record_result(self, download: Installation, final: tuple[str, dict[str, Any]]) -> bytes:
        """Record a download's ProfileInstallationResult and return it, BF37."""
        chip = self._chip
        signer = chip.identity.signer(download.signing_key_id) or chip.signers[0]
        number, metadata = self._metadata(Event.INSTALL, download.address, download.iccid)
        data = chip.encode(
            "ProfileInstallationResultData",
            {
                "transactionId": download.transaction_id,
                "notificationMetadata": metadata,
                "smdpOid": download.server,
                "finalResult": final,
            },
        )
        signed = tlv.encode(0xBF37, data, tlv.encode(0x5F37, signer.euicc.sign(data)))
        self._keep(number, Event.INSTALL, chip.encode("NotificationMetadata", metadata), signed)
        return signed

    def list_notification(self, request: Tlv) -> bytes:
        """Answer ES10b.ListNotification (5.7.9)."""
        wanted = self._chip.decode("ListNotificationRequest", request).get("profileManagementOperation")
        found = b"".join(kept.metadata for kept in self._with_event(wanted))
        return tlv.encode(0xBF28, tlv.encode(0xA0, found))

    def retrieve_notifications_list(self, request: Tlv) -> bytes:
        """Answer ES10b.RetrieveNotificationsList (5.7.10)."""
        criteria = self._chip.decode("RetrieveNotificationsListRequest", request).get("searchCriteria")
        match criteria:
            case ("seqNumber", number):
                found = [kept for kept in self._chip.state.notifications if kept.number == number]
            case ("profileManagementOperation", wanted):
                found = self._with_event(wanted)
            case None:
                found = self._with_event(None)
            case _:
                return tlv.encode(0xBF2B, tlv.encode(0x81, bytes([_UNDEFINED])))
        if criteria and not found and self._chip.behaviour.unknown_notification_is_error:
            return tlv.encode(0xBF2B, tlv.encode(0x81, bytes([_NO_RESULT_AVAILABLE])))
        return tlv.encode(0xBF2B, tlv.encode(0xA0, *(kept.signed for kept in found)))

    def remove_notification_from_list(self, request: Tlv) -> bytes:
        """Answer ES10b.RemoveNotificationFromList (5.7.11)."""
        chip = self._chip
        number = chip.decode("NotificationSentRequest", request)["seqNumber"]
        left = [kept for kept in chip.state.notifications if kept.number != number]
        nothing = len(left) == len(chip.state.notifications)
        if not nothing:
            chip.state.notifications = left
            chip.commit()
        return chip.encode("NotificationSentResponse", {"deleteNotificationStatus": int(nothing)})

    def _with_event(self, wanted: tuple[bytes, int] | None) -> list[StoredNotification]:
        kept = self._chip.state.notifications
        return [one for one in kept if wanted is None or one.event in bits_of(wanted)]

    def _metadata(self, event: Event, address: str, iccid: bytes | None) -> tuple[int, dict[str, Any]]:
        number = self._chip.state.next_notification
        self._chip.state.next_notification += 1
        metadata: dict[str, Any] = {
            "seqNumber": number,
            "profileManagementOperation": bit_string([event]),
            "notificationAddress": address,
        }
        if iccid is not None:
            metadata["iccid"] = iccid
        return number, metadata

    def _record_signed(self, event: Event, address: str, profile: StoredProfile) -> None:
        signer = self._chip.signer_of(profile)
        number, values = self._metadata(event, address, profile.iccid)
        metadata = self._chip.encode("NotificationMetadata", values)
        self._keep(number, event, metadata, _signed(metadata, signer))

    def _keep(self, number: int, event: Event, metadata: bytes, signed: bytes) -> None:
        kept = self._chip.state.notifications
        kept.append(StoredNotification(number=number, event=event, metadata=metadata, signed=signed))
        del kept[: -self._chip.behaviour.notification_capacity]


def _signed(metadata: bytes, signer: Signer) -> bytes:
    signature = tlv.encode(0x5F37, signer.euicc.sign(metadata))
    return tlv.encode(0x30, metadata, signature, signer.euicc.der, signer.eum.der)
