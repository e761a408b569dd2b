"""A small LPA for the simulated card's tests, which sends APDUs and encodes by the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lpad.base.identifiers import ISD_R
from lpad.simulator.asn1.schema import Schema

if TYPE_CHECKING:
    from lpad.simulator.euicc.card import SoftCard

SCHEMA = Schema.compile()


class StatusError(Exception):
    """The card answered with an error's status word."""

    def __init__(self, status: int) -> None:
        super().__init__(f"{status:04X}")
        self.status = status


class SmallLpa:
    """An LPA that opens a logical channel to the ISD-R and sends ES10 commands."""

    def __init__(self, card: SoftCard, *, block_size: int = 255, select: bool = True) -> None:
        self.card = card
        self.block_size = block_size
        self.channel = 0
        if select:
            self.open()

    def open(self) -> None:
        self.channel = self.apdu("0070000001")[0]
        interindustry = self.channel if self.channel < 4 else 0x40 + self.channel - 4
        self.apdu(bytes([interindustry, 0xA4, 4, 0, 16]) + bytes(ISD_R) + b"\x00")

    @property
    def cla(self) -> int:
        return 0x80 + self.channel if self.channel < 4 else 0xC0 + self.channel - 4

    def apdu(self, apdu: bytes | str) -> bytes:
        """Send one APDU, fetch its whole answer, and return the data."""
        if isinstance(apdu, str):
            apdu = bytes.fromhex(apdu)
        answer = self.card.transmit(apdu)
        data = b""
        while answer[-2] in (0x61, 0x6C):
            data += answer[:-2]
            if answer[-2] == 0x61:
                answer = self.card.transmit(bytes([apdu[0], 0xC0, 0, 0, answer[-1]]))
            else:
                body = apdu[: 5 + apdu[4]] if len(apdu) > 5 else apdu[:4]
                answer = self.card.transmit(body + answer[-1:])
        status = int.from_bytes(answer[-2:], "big")
        if status != 0x9000 and status >> 8 != 0x91:
            raise StatusError(status)
        self.status = status
        return data + answer[:-2]

    def command(self, data: bytes | str) -> bytes:
        """Send one ES10 command, or one segment of a package, in blocks, and return the answer."""
        if isinstance(data, str):
            data = bytes.fromhex(data)
        blocks = [data[start : start + self.block_size] for start in range(0, len(data), self.block_size)]
        answer = b""
        for number, block in enumerate(blocks):
            last = number == len(blocks) - 1
            header = bytes([self.cla, 0xE2, 0x91 if last else 0x11, number, len(block)])
            answer = self.apdu(header + block + (b"\x00" if last else b""))
        return answer

    def call(self, request: str, value: Any, response: str) -> Any:
        """Encode and send a request, and return the decoded response."""
        return SCHEMA.decode(response, self.command(SCHEMA.encode(request, value)))

    def profiles(self, **asked: Any) -> list[dict[str, Any]]:
        kind, value = self.call("ProfileInfoListRequest", asked, "ProfileInfoListResponse")
        assert kind == "profileInfoListOk", value
        assert isinstance(value, list)
        return value

    def states(self) -> dict[bytes, int]:
        return {profile["iccid"]: profile["profileState"] for profile in self.profiles()}

    def enable(self, iccid: bytes, *, refresh: bool = False) -> int:
        asked = {"profileIdentifier": ("iccid", iccid), "refreshFlag": refresh}
        return int(self.call("EnableProfileRequest", asked, "EnableProfileResponse")["enableResult"])

    def disable(self, iccid: bytes, *, refresh: bool = False) -> int:
        asked = {"profileIdentifier": ("iccid", iccid), "refreshFlag": refresh}
        return int(self.call("DisableProfileRequest", asked, "DisableProfileResponse")["disableResult"])

    def delete(self, iccid: bytes) -> int:
        return int(
            self.call("DeleteProfileRequest", ("iccid", iccid), "DeleteProfileResponse")["deleteResult"]
        )

    def reset_memory(self, *bits: int) -> int:
        byte = sum(0x80 >> bit for bit in bits)
        asked = {"resetOptions": (bytes([byte]), max(bits) + 1)}
        return int(self.call("EuiccMemoryResetRequest", asked, "EuiccMemoryResetResponse")["resetResult"])

    def notifications(self, **asked: Any) -> list[dict[str, Any]]:
        kind, value = self.call("ListNotificationRequest", asked, "ListNotificationResponse")
        assert kind == "notificationMetadataList"
        assert isinstance(value, list)
        return value

    def retrieve(self, **asked: Any) -> list[bytes]:
        kind, value = self.call(
            "RetrieveNotificationsListRequest", asked, "RetrieveNotificationsListResponse"
        )
        assert kind == "notificationList", value
        assert isinstance(value, list)
        return value

    def remove(self, number: int) -> int:
        answer = self.call("NotificationSentRequest", {"seqNumber": number}, "NotificationSentResponse")
        return int(answer["deleteNotificationStatus"])
