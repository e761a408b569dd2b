"""The messages of the card service (libqmi, `qmi-service-uim.json`).

A slot is the modem's logical slot, from 1, except where it is named physical.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import ClassVar

from lpad.codec.qmi.services import Service, Uim
from lpad.codec.qmi.values import Body, Form, Kind, Parameters, Several

_Fields = tuple[tuple[str, Form], ...]

LONGEST_AID = 16


class Events(IntFlag):
    """The events of which a client is informed."""

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
    """The kinds of application."""

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

    FIELDS: ClassVar[_Fields] = (("sw1", Kind.U8), ("sw2", Kind.U8))
    sw1: int
    sw2: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session of an application; without an AID, that of its kind."""

    FIELDS: ClassVar[_Fields] = (("kind", Kind.U8), ("aid", Kind.DATA8))
    kind: int
    aid: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An application on a card."""

    FIELDS: ClassVar[_Fields] = (
        ("type", Kind.U8),
        ("state", Kind.U8),
        ("personalization_state", Kind.U8),
        ("personalization_feature", Kind.U8),
        ("personalization_retries", Kind.U8),
        ("personalization_unblock_retries", Kind.U8),
        ("aid", Kind.DATA8),
        ("upin_replaces_pin1", Kind.U8),
        ("pin1_state", Kind.U8),
        ("pin1_retries", Kind.U8),
        ("puk1_retries", Kind.U8),
        ("pin2_state", Kind.U8),
        ("pin2_retries", Kind.U8),
        ("puk2_retries", Kind.U8),
    )
    type: int
    state: int
    aid: bytes
    personalization_state: int = 2
    personalization_feature: int = 0
    personalization_retries: int = 0
    personalization_unblock_retries: int = 0
    upin_replaces_pin1: int = 0
    pin1_state: int = 3
    pin1_retries: int = 3
    puk1_retries: int = 10
    pin2_state: int = 1
    pin2_retries: int = 3
    puk2_retries: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A card in a logical slot."""

    FIELDS: ClassVar[_Fields] = (
        ("state", Kind.U8),
        ("upin_state", Kind.U8),
        ("upin_retries", Kind.U8),
        ("upuk_retries", Kind.U8),
        ("error", Kind.U8),
        ("apps", Several(App)),
    )
    state: int
    apps: tuple[App, ...] = ()
    upin_state: int = 0
    upin_retries: int = 0
    upuk_retries: int = 0
    error: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards:
    """The cards, and which applications the modem uses: slot in the high byte, application in the low one."""

    FIELDS: ClassVar[_Fields] = (
        ("primary", Kind.U16),
        ("primary_1x", Kind.U16),
        ("secondary", Kind.U16),
        ("secondary_1x", Kind.U16),
        ("cards", Several(Card)),
    )
    cards: tuple[Card, ...]
    primary: int = 0xFFFF
    primary_1x: int = 0xFFFF
    secondary: int = 0xFFFF
    secondary_1x: int = 0xFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class GetCardStatus(Body):
    """Ask for the cards and their applications."""

    SERVICE, MESSAGE = Service.UIM, Uim.GET_CARD_STATUS
    PARAMETERS: ClassVar[Parameters] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CardStatus(Body):
    """The cards and their applications."""

    SERVICE, MESSAGE = Service.UIM, Uim.GET_CARD_STATUS
    PARAMETERS: ClassVar[Parameters] = ((0x10, "status", Cards),)
    status: Cards | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CardStatusIndication(Body):
    """The cards and their applications, after a change."""

    SERVICE, MESSAGE = Service.UIM, Uim.CARD_STATUS
    PARAMETERS: ClassVar[Parameters] = ((0x10, "status", Cards),)
    status: Cards | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhysicalSlot:
    """A physical slot."""

    FIELDS: ClassVar[_Fields] = (
        ("card", Kind.U32),
        ("active", Kind.U32),
        ("logical", Kind.U8),
        ("iccid", Kind.DATA8),
    )
    card: int
    """One of `PhysicalCard`."""
    active: int
    """1: a logical slot uses it."""
    logical: int
    iccid: bytes = b""
    """As in the card's EF_ICCID: digits with swapped halves of bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotInformation:
    """The modem's data on the card in a physical slot."""

    FIELDS: ClassVar[_Fields] = (
        ("protocol", Kind.U32),
        ("apps", Kind.U8),
        ("atr", Kind.DATA8),
        ("euicc", Kind.U8),
    )
    protocol: int
    apps: int
    atr: bytes
    euicc: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GetSlotStatus(Body):
    """Ask for the physical slots."""

    SERVICE, MESSAGE = Service.UIM, Uim.GET_SLOT_STATUS
    PARAMETERS: ClassVar[Parameters] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotStatus(Body):
    """The physical slots, in their order."""

    SERVICE, MESSAGE = Service.UIM, Uim.GET_SLOT_STATUS
    PARAMETERS: ClassVar[Parameters] = (
        (0x10, "slots", Several(PhysicalSlot)),
        (0x11, "information", Several(SlotInformation)),
        (0x12, "eids", Several(Kind.DATA8)),
    )
    slots: tuple[PhysicalSlot, ...]
    information: tuple[SlotInformation, ...] | None = None
    eids: tuple[bytes, ...] | None = field(default=None, repr=False)
    """May be fewer or more than the slots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotStatusIndication(Body):
    """The physical slots, after a change."""

    SERVICE, MESSAGE = Service.UIM, Uim.SLOT_STATUS
    PARAMETERS: ClassVar[Parameters] = ((0x10, "slots", Several(PhysicalSlot)),)
    slots: tuple[PhysicalSlot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchSlot(Body):
    """Have a logical slot use another physical slot; NoEffect if it already does."""

    SERVICE, MESSAGE = Service.UIM, Uim.SWITCH_SLOT
    PARAMETERS: ClassVar[Parameters] = ((0x01, "logical", Kind.U8), (0x02, "physical", Kind.U32))
    logical: int
    physical: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterEvents(Body):
    """Request indications, by a mask of `Events`."""

    SERVICE, MESSAGE = Service.UIM, Uim.REGISTER_EVENTS
    PARAMETERS: ClassVar[Parameters] = ((0x01, "mask", Kind.U32),)
    mask: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredEvents(Body):
    """The indications that the modem will send."""

    SERVICE, MESSAGE = Service.UIM, Uim.REGISTER_EVENTS
    PARAMETERS: ClassVar[Parameters] = ((0x10, "mask", Kind.U32),)
    mask: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerOff(Body):
    """Switch the card's supply off."""

    SERVICE, MESSAGE = Service.UIM, Uim.POWER_OFF
    PARAMETERS: ClassVar[Parameters] = ((0x01, "slot", Kind.U8),)
    slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerOn(Body):
    """Switch the card's supply on."""

    SERVICE, MESSAGE = Service.UIM, Uim.POWER_ON
    PARAMETERS: ClassVar[Parameters] = ((0x01, "slot", Kind.U8),)
    slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshRegisterAll(Body):
    """Request indications of a refresh of any file; each one must be answered."""

    SERVICE, MESSAGE = Service.UIM, Uim.REFRESH_REGISTER_ALL
    PARAMETERS: ClassVar[Parameters] = ((0x01, "session", Session), (0x02, "register", Kind.U8))
    session: Session
    register: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshEvent:
    """A stage of a refresh."""

    FIELDS: ClassVar[_Fields] = (
        ("stage", Kind.U8),
        ("mode", Kind.U8),
        ("session", Kind.U8),
        ("aid", Kind.DATA8),
    )
    stage: int
    """One of `RefreshStage`."""
    mode: int
    session: int
    aid: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshIndication(Body):
    """A refresh begins or ends; the files concerned follow, and are not read."""

    SERVICE, MESSAGE = Service.UIM, Uim.REFRESH
    PARAMETERS: ClassVar[Parameters] = ((0x10, "event", RefreshEvent),)
    event: RefreshEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshComplete(Body):
    """Answer a refresh: this client has finished with the card's old contents."""

    SERVICE, MESSAGE = Service.UIM, Uim.REFRESH_COMPLETE
    PARAMETERS: ClassVar[Parameters] = ((0x01, "session", Session), (0x02, "success", Kind.U8))
    session: Session
    success: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisioningSession:
    """Whether a kind of session is active."""

    FIELDS: ClassVar[_Fields] = (("kind", Kind.U8), ("activate", Kind.U8))
    kind: int
    activate: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisioningApp:
    """The application of a session."""

    FIELDS: ClassVar[_Fields] = (("slot", Kind.U8), ("aid", Kind.DATA8))
    slot: int
    aid: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeProvisioningSession(Body):
    """Have the modem use an application for its network, or none."""

    SERVICE, MESSAGE = Service.UIM, Uim.CHANGE_PROVISIONING_SESSION
    PARAMETERS: ClassVar[Parameters] = (
        (0x01, "session", ProvisioningSession),
        (0x10, "app", ProvisioningApp),
    )
    session: ProvisioningSession
    app: ProvisioningApp | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file, by its number and the path to its folder, each folder as a little-endian number."""

    FIELDS: ClassVar[_Fields] = (("number", Kind.U16), ("path", Kind.DATA8))
    number: int
    path: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a file; length 0: all of it."""

    FIELDS: ClassVar[_Fields] = (("offset", Kind.U16), ("length", Kind.U16))
    offset: int = 0
    length: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTransparent(Body):
    """Read a transparent file."""

    SERVICE, MESSAGE = Service.UIM, Uim.READ_TRANSPARENT
    PARAMETERS: ClassVar[Parameters] = (
        (0x01, "session", Session),
        (0x02, "file", File),
        (0x03, "part", Part),
    )
    session: Session
    file: File
    part: Part = field(default_factory=Part)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContent(Body):
    """The card's status word and the content."""

    SERVICE, MESSAGE = Service.UIM, Uim.READ_TRANSPARENT
    PARAMETERS: ClassVar[Parameters] = ((0x10, "sw", StatusWord), (0x11, "data", Kind.DATA16))
    sw: StatusWord | None = None
    data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetAtr(Body):
    """Ask for the card's answer to reset."""

    SERVICE, MESSAGE = Service.UIM, Uim.GET_ATR
    PARAMETERS: ClassVar[Parameters] = ((0x01, "slot", Kind.U8),)
    slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Atr(Body):
    """The card's answer to reset."""

    SERVICE, MESSAGE = Service.UIM, Uim.GET_ATR
    PARAMETERS: ClassVar[Parameters] = ((0x10, "atr", Kind.DATA8),)
    atr: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLogicalChannel(Body):
    """Open a channel and select an application on it."""

    SERVICE, MESSAGE = Service.UIM, Uim.OPEN_LOGICAL_CHANNEL
    PARAMETERS: ClassVar[Parameters] = (
        (0x01, "slot", Kind.U8),
        (0x10, "aid", Kind.DATA8),
        (0x11, "file_control", Kind.U8),
    )
    slot: int
    aid: bytes
    file_control: int | None = None
    """0: SELECT returns no data; None: the modem chooses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedLogicalChannel(Body):
    """The channel, from 1 to 19, and the card's answer to SELECT.

    A refusal by the card has a status word next to the failed result.
    """

    SERVICE, MESSAGE = Service.UIM, Uim.OPEN_LOGICAL_CHANNEL
    PARAMETERS: ClassVar[Parameters] = (
        (0x10, "channel", Kind.U8),
        (0x11, "sw", StatusWord),
        (0x12, "response", Kind.DATA8),
    )
    channel: int | None = None
    sw: StatusWord | None = None
    response: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseLogicalChannel(Body):
    """Close a channel."""

    SERVICE, MESSAGE = Service.UIM, Uim.CLOSE_LOGICAL_CHANNEL
    PARAMETERS: ClassVar[Parameters] = ((0x01, "slot", Kind.U8), (0x11, "channel", Kind.U8))
    slot: int
    channel: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedLogicalChannel(Body):
    """The card's status word."""

    SERVICE, MESSAGE = Service.UIM, Uim.CLOSE_LOGICAL_CHANNEL
    PARAMETERS: ClassVar[Parameters] = ((0x11, "sw", StatusWord),)
    sw: StatusWord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SendApdu(Body):
    """Send an APDU on a channel."""

    SERVICE, MESSAGE = Service.UIM, Uim.SEND_APDU
    PARAMETERS: ClassVar[Parameters] = (
        (0x01, "slot", Kind.U8),
        (0x02, "apdu", Kind.DATA16),
        (0x10, "channel", Kind.U8),
    )
    slot: int
    apdu: bytes = field(repr=False)
    channel: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LongResponse:
    """An answer that follows in pieces."""

    FIELDS: ClassVar[_Fields] = (("total", Kind.U16), ("token", Kind.U32))
    total: int
    """Bytes, with the status word."""
    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApduAnswer(Body):
    """The card's answer with its status word, or the announcement of a long one."""

    SERVICE, MESSAGE = Service.UIM, Uim.SEND_APDU
    PARAMETERS: ClassVar[Parameters] = ((0x10, "response", Kind.DATA16), (0x11, "long", LongResponse))
    response: bytes | None = field(default=None, repr=False)
    long: LongResponse | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsePiece:
    """A piece of a long answer."""

    FIELDS: ClassVar[_Fields] = (
        ("token", Kind.U32),
        ("total", Kind.U16),
        ("offset", Kind.U16),
        ("data", Kind.DATA16),
    )
    token: int
    total: int
    offset: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApduIndication(Body):
    """A piece of a long answer (known from wwan-go; libqmi does not describe it)."""

    SERVICE, MESSAGE = Service.UIM, Uim.SEND_APDU
    PARAMETERS: ClassVar[Parameters] = ((0x01, "piece", ResponsePiece),)
    piece: ResponsePiece
