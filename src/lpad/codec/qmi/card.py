"""The messages of the card service (libqmi, `qmi-service-uim.json`).

A slot is the modem's logical slot, from 1, unless a name calls it physical.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

from lpad.codec.qmi.message_parameters import Body, Kind, Several, parameter, part
from lpad.codec.qmi.services import Service, Uim


class Events(IntFlag):
    """The kinds of event that a client can subscribe to."""

    CARD_STATUS = 0x01
    SLOT_STATUS = 0x10


class CardState(IntEnum):
    """The state of a card."""

    ABSENT = 0
    PRESENT = 1
    ERROR = 2


class AppState(IntEnum):
    """The state of an application such as a USIM."""

    UNKNOWN = 0
    DETECTED = 1
    PIN_REQUIRED = 2
    PUK_REQUIRED = 3
    PERSONALIZATION = 4
    BLOCKED = 5
    ILLEGAL = 6
    READY = 7


class AppType(IntEnum):
    """The kinds of application that lpad distinguishes."""

    SIM = 1
    USIM = 2


class PhysicalCard(IntEnum):
    """Whether a card is in a physical slot."""

    UNKNOWN = 0
    ABSENT = 1
    PRESENT = 2


class RefreshStage(IntEnum):
    """The stages of a refresh."""

    WAIT_FOR_OK = 0
    START = 1
    END_SUCCESS = 2
    END_FAILURE = 3


PRIMARY_SESSION = 0
"""The session that the modem uses for its network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusWord:
    """A status word of the card."""

    sw1: int = field(metadata=part(Kind.U8))
    sw2: int = field(metadata=part(Kind.U8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session with an application; without an AID, any application in a session of this kind."""

    kind: int = field(metadata=part(Kind.U8))
    aid: bytes = field(default=b"", metadata=part(Kind.DATA8))


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An application on a card."""

    type: int = field(metadata=part(Kind.U8))
    state: int = field(metadata=part(Kind.U8))
    personalization_state: int = field(default=2, metadata=part(Kind.U8))
    personalization_feature: int = field(default=0, metadata=part(Kind.U8))
    personalization_retries: int = field(default=0, metadata=part(Kind.U8))
    personalization_unblock_retries: int = field(default=0, metadata=part(Kind.U8))
    aid: bytes = field(metadata=part(Kind.DATA8))
    upin_replaces_pin1: int = field(default=0, metadata=part(Kind.U8))
    pin1_state: int = field(default=3, metadata=part(Kind.U8))
    pin1_retries: int = field(default=3, metadata=part(Kind.U8))
    puk1_retries: int = field(default=10, metadata=part(Kind.U8))
    pin2_state: int = field(default=1, metadata=part(Kind.U8))
    pin2_retries: int = field(default=3, metadata=part(Kind.U8))
    puk2_retries: int = field(default=10, metadata=part(Kind.U8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A card in a logical slot."""

    state: int = field(metadata=part(Kind.U8))
    upin_state: int = field(default=0, metadata=part(Kind.U8))
    upin_retries: int = field(default=0, metadata=part(Kind.U8))
    upuk_retries: int = field(default=0, metadata=part(Kind.U8))
    error: int = field(default=0, metadata=part(Kind.U8))
    apps: tuple[App, ...] = field(default=(), metadata=part(Several(App)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards:
    """The cards, and the applications in use, each as slot (high byte) and application (low byte)."""

    primary: int = field(default=0xFFFF, metadata=part(Kind.U16))
    primary_1x: int = field(default=0xFFFF, metadata=part(Kind.U16))
    secondary: int = field(default=0xFFFF, metadata=part(Kind.U16))
    secondary_1x: int = field(default=0xFFFF, metadata=part(Kind.U16))
    cards: tuple[Card, ...] = field(metadata=part(Several(Card)))


@dataclass(frozen=True, slots=True, kw_only=True)
class GetCardStatus(Body):
    """Ask for the cards and their applications."""

    SERVICE, MESSAGE = Service.UIM, Uim.GET_CARD_STATUS


@dataclass(frozen=True, slots=True, kw_only=True)
class CardStatus(Body):
    """The cards and their applications."""

    SERVICE, MESSAGE = Service.UIM, Uim.GET_CARD_STATUS
    status: Cards | None = field(default=None, metadata=parameter(0x10, Cards))


@dataclass(frozen=True, slots=True, kw_only=True)
class CardStatusIndication(Body):
    """The cards and their applications, after a change."""

    SERVICE, MESSAGE = Service.UIM, Uim.CARD_STATUS
    status: Cards | None = field(default=None, metadata=parameter(0x10, Cards))


@dataclass(frozen=True, slots=True, kw_only=True)
class PhysicalSlot:
    """A physical slot."""

    card: int = field(metadata=part(Kind.U32))
    """One of `PhysicalCard`."""
    active: int = field(metadata=part(Kind.U32))
    """1: a logical slot uses this physical slot."""
    logical: int = field(metadata=part(Kind.U8))
    iccid: bytes = field(default=b"", metadata=part(Kind.DATA8))
    """The ICCID as in the card's EF_ICCID: the two digits in each byte are swapped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotInformation:
    """The modem's data on the card in a physical slot."""

    protocol: int = field(metadata=part(Kind.U32))
    apps: int = field(metadata=part(Kind.U8))
    atr: bytes = field(metadata=part(Kind.DATA8))
    euicc: int = field(metadata=part(Kind.U8))


@dataclass(frozen=True, slots=True, kw_only=True)
class GetSlotStatus(Body):
    """Ask for the physical slots."""

    SERVICE, MESSAGE = Service.UIM, Uim.GET_SLOT_STATUS


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotStatus(Body):
    """The physical slots, in their order."""

    SERVICE, MESSAGE = Service.UIM, Uim.GET_SLOT_STATUS
    slots: tuple[PhysicalSlot, ...] = field(metadata=parameter(0x10, Several(PhysicalSlot)))
    information: tuple[SlotInformation, ...] | None = field(
        default=None, metadata=parameter(0x11, Several(SlotInformation))
    )
    eids: tuple[bytes, ...] | None = field(
        default=None, repr=False, metadata=parameter(0x12, Several(Kind.DATA8))
    )
    """The number of EIDs may differ from the number of slots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotStatusIndication(Body):
    """The physical slots, after a change."""

    SERVICE, MESSAGE = Service.UIM, Uim.SLOT_STATUS
    slots: tuple[PhysicalSlot, ...] = field(metadata=parameter(0x10, Several(PhysicalSlot)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchSlot(Body):
    """Have a logical slot use another physical slot; refused with NO_EFFECT if there is no change."""

    SERVICE, MESSAGE = Service.UIM, Uim.SWITCH_SLOT
    logical: int = field(metadata=parameter(0x01, Kind.U8))
    physical: int = field(metadata=parameter(0x02, Kind.U32))


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterEvents(Body):
    """Request indications, by a mask of `Events`."""

    SERVICE, MESSAGE = Service.UIM, Uim.REGISTER_EVENTS
    mask: int = field(metadata=parameter(0x01, Kind.U32))


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredEvents(Body):
    """The indications that the modem will send."""

    SERVICE, MESSAGE = Service.UIM, Uim.REGISTER_EVENTS
    mask: int | None = field(default=None, metadata=parameter(0x10, Kind.U32))


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerOff(Body):
    """Switch off the card's power supply."""

    SERVICE, MESSAGE = Service.UIM, Uim.POWER_OFF
    slot: int = field(metadata=parameter(0x01, Kind.U8))


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerOn(Body):
    """Switch on the card's power supply."""

    SERVICE, MESSAGE = Service.UIM, Uim.POWER_ON
    slot: int = field(metadata=parameter(0x01, Kind.U8))


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshRegisterAll(Body):
    """Request indications of a refresh of any file; the client must answer each indication."""

    SERVICE, MESSAGE = Service.UIM, Uim.REFRESH_REGISTER_ALL
    session: Session = field(metadata=parameter(0x01, Session))
    register: int = field(metadata=parameter(0x02, Kind.U8))


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshEvent:
    """A stage of a refresh."""

    stage: int = field(metadata=part(Kind.U8))
    """One of `RefreshStage`."""
    mode: int = field(metadata=part(Kind.U8))
    session: int = field(metadata=part(Kind.U8))
    aid: bytes = field(default=b"", metadata=part(Kind.DATA8))


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshIndication(Body):
    """A refresh begins or ends; lpad does not read the list of files that follows."""

    SERVICE, MESSAGE = Service.UIM, Uim.REFRESH
    event: RefreshEvent = field(metadata=parameter(0x10, RefreshEvent))


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshComplete(Body):
    """Answer a refresh: this client has finished with the card's old contents."""

    SERVICE, MESSAGE = Service.UIM, Uim.REFRESH_COMPLETE
    session: Session = field(metadata=parameter(0x01, Session))
    success: int = field(default=1, metadata=parameter(0x02, Kind.U8))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisioningSession:
    """A kind of session, and whether it is to be active."""

    kind: int = field(metadata=part(Kind.U8))
    activate: int = field(metadata=part(Kind.U8))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisioningApp:
    """The application of a session."""

    slot: int = field(metadata=part(Kind.U8))
    aid: bytes = field(metadata=part(Kind.DATA8))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeProvisioningSession(Body):
    """Have the modem use an application for its network; with `app` None, have it use none."""

    SERVICE, MESSAGE = Service.UIM, Uim.CHANGE_PROVISIONING_SESSION
    session: ProvisioningSession = field(metadata=parameter(0x01, ProvisioningSession))
    app: ProvisioningApp | None = field(default=None, metadata=parameter(0x10, ProvisioningApp))


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file, by its number and the path to its folder, each folder as a little-endian number."""

    number: int = field(metadata=part(Kind.U16))
    path: bytes = field(metadata=part(Kind.DATA8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a file; length 0: the whole file."""

    offset: int = field(default=0, metadata=part(Kind.U16))
    length: int = field(default=0, metadata=part(Kind.U16))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTransparent(Body):
    """Read a transparent file."""

    SERVICE, MESSAGE = Service.UIM, Uim.READ_TRANSPARENT
    session: Session = field(metadata=parameter(0x01, Session))
    file: File = field(metadata=parameter(0x02, File))
    part: Part = field(default_factory=Part, metadata=parameter(0x03, Part))


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContent(Body):
    """The card's status word, and the content of a file."""

    SERVICE, MESSAGE = Service.UIM, Uim.READ_TRANSPARENT
    sw: StatusWord | None = field(default=None, metadata=parameter(0x10, StatusWord))
    data: bytes = field(default=b"", metadata=parameter(0x11, Kind.DATA16))


@dataclass(frozen=True, slots=True, kw_only=True)
class GetAtr(Body):
    """Ask for the card's answer to reset."""

    SERVICE, MESSAGE = Service.UIM, Uim.GET_ATR
    slot: int = field(metadata=parameter(0x01, Kind.U8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Atr(Body):
    """The card's answer to reset."""

    SERVICE, MESSAGE = Service.UIM, Uim.GET_ATR
    atr: bytes = field(metadata=parameter(0x10, Kind.DATA8))


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLogicalChannel(Body):
    """Open a channel and select an application on it."""

    SERVICE, MESSAGE = Service.UIM, Uim.OPEN_LOGICAL_CHANNEL
    slot: int = field(metadata=parameter(0x01, Kind.U8))
    aid: bytes = field(metadata=parameter(0x10, Kind.DATA8))
    file_control: int | None = field(default=None, metadata=parameter(0x11, Kind.U8))
    """0: SELECT returns no data; None: the modem chooses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedLogicalChannel(Body):
    """The channel, from 1 to 19, and the card's answer to SELECT.

    If the card refuses, the response has a failed result and the card's status word.
    """

    SERVICE, MESSAGE = Service.UIM, Uim.OPEN_LOGICAL_CHANNEL
    channel: int | None = field(default=None, metadata=parameter(0x10, Kind.U8))
    sw: StatusWord | None = field(default=None, metadata=parameter(0x11, StatusWord))
    response: bytes | None = field(default=None, metadata=parameter(0x12, Kind.DATA8))


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseLogicalChannel(Body):
    """Close a channel."""

    SERVICE, MESSAGE = Service.UIM, Uim.CLOSE_LOGICAL_CHANNEL
    slot: int = field(metadata=parameter(0x01, Kind.U8))
    channel: int = field(metadata=parameter(0x11, Kind.U8))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedLogicalChannel(Body):
    """The card's status word after closing a channel."""

    SERVICE, MESSAGE = Service.UIM, Uim.CLOSE_LOGICAL_CHANNEL
    sw: StatusWord | None = field(default=None, metadata=parameter(0x11, StatusWord))


@dataclass(frozen=True, slots=True, kw_only=True)
class SendApdu(Body):
    """Send an APDU on a channel."""

    SERVICE, MESSAGE = Service.UIM, Uim.SEND_APDU
    slot: int = field(metadata=parameter(0x01, Kind.U8))
    apdu: bytes = field(repr=False, metadata=parameter(0x02, Kind.DATA16))
    channel: int | None = field(default=None, metadata=parameter(0x10, Kind.U8))


@dataclass(frozen=True, slots=True, kw_only=True)
class LongResponse:
    """An answer that follows in pieces."""

    total: int = field(metadata=part(Kind.U16))
    """The number of bytes of the answer, including the status word."""
    token: int = field(metadata=part(Kind.U32))


@dataclass(frozen=True, slots=True, kw_only=True)
class ApduAnswer(Body):
    """The card's answer with its status word, or the announcement of a long answer."""

    SERVICE, MESSAGE = Service.UIM, Uim.SEND_APDU
    response: bytes | None = field(default=None, repr=False, metadata=parameter(0x10, Kind.DATA16))
    long: LongResponse | None = field(default=None, metadata=parameter(0x11, LongResponse))


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsePiece:
    """A piece of a long answer."""

    token: int = field(metadata=part(Kind.U32))
    total: int = field(metadata=part(Kind.U16))
    offset: int = field(metadata=part(Kind.U16))
    data: bytes = field(repr=False, metadata=part(Kind.DATA16))


@dataclass(frozen=True, slots=True, kw_only=True)
class ApduIndication(Body):
    """A piece of a long answer (known from wwan-go; libqmi does not describe it)."""

    SERVICE, MESSAGE = Service.UIM, Uim.SEND_APDU
    piece: ResponsePiece = field(metadata=parameter(0x01, ResponsePiece))
