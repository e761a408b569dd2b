"""The messages of the card service (libqmi, `qmi-service-uim.json`).

A slot is the modem's logical slot, from 1, unless a name calls it physical.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Annotated, ClassVar

from lpad.base.frozen import Frozen
from lpad.codec.qmi.message_parameters import U8, U16, U32, Body, Data8, Data16
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


class StatusWord(Frozen):
    """A status word of the card."""

    sw1: U8
    sw2: U8


class Session(Frozen):
    """A session with an application; without an AID, any application in a session of this kind."""

    kind: U8
    aid: Data8 = b""


class App(Frozen, kw_only=True):
    """An application on a card."""

    type: U8
    state: U8
    personalization_state: U8 = 2
    personalization_feature: U8 = 0
    personalization_retries: U8 = 0
    personalization_unblock_retries: U8 = 0
    aid: Data8
    upin_replaces_pin1: U8 = 0
    pin1_state: U8 = 3
    pin1_retries: U8 = 3
    puk1_retries: U8 = 10
    pin2_state: U8 = 1
    pin2_retries: U8 = 3
    puk2_retries: U8 = 10


class Card(Frozen):
    """A card in a logical slot."""

    state: U8
    upin_state: U8 = 0
    upin_retries: U8 = 0
    upuk_retries: U8 = 0
    error: U8 = 0
    apps: tuple[App, ...] = ()


class Cards(Frozen, kw_only=True):
    """The cards, and the applications in use, each as slot (high byte) and application (low byte)."""

    primary: U16 = 0xFFFF
    primary_1x: U16 = 0xFFFF
    secondary: U16 = 0xFFFF
    secondary_1x: U16 = 0xFFFF
    cards: tuple[Card, ...]


class GetCardStatus(Body):
    """Ask for the cards and their applications."""

    SERVICE, MESSAGE = Service.UIM, Uim.GET_CARD_STATUS


class CardStatus(Body):
    """The cards and their applications."""

    SERVICE, MESSAGE = Service.UIM, Uim.GET_CARD_STATUS
    status: Annotated[Cards | None, 0x10] = None


class CardStatusIndication(Body):
    """The cards and their applications, after a change."""

    SERVICE, MESSAGE = Service.UIM, Uim.CARD_STATUS
    status: Annotated[Cards | None, 0x10] = None


class PhysicalSlot(Frozen):
    """A physical slot."""

    card: U32
    """One of `PhysicalCard`."""
    active: U32
    """1: a logical slot uses this physical slot."""
    logical: U8
    iccid: Data8 = b""
    """The ICCID as in the card's EF_ICCID: the two digits in each byte are swapped."""


class SlotInformation(Frozen):
    """The modem's data on the card in a physical slot."""

    protocol: U32
    apps: U8
    atr: Data8
    euicc: U8


class GetSlotStatus(Body):
    """Ask for the physical slots."""

    SERVICE, MESSAGE = Service.UIM, Uim.GET_SLOT_STATUS


class SlotStatus(Body):
    """The physical slots, in their order."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"eids"})
    SERVICE, MESSAGE = Service.UIM, Uim.GET_SLOT_STATUS
    slots: Annotated[tuple[PhysicalSlot, ...], 0x10]
    information: Annotated[tuple[SlotInformation, ...] | None, 0x11] = None
    eids: Annotated[tuple[Data8, ...] | None, 0x12] = None
    """The number of EIDs may differ from the number of slots."""


class SlotStatusIndication(Body):
    """The physical slots, after a change."""

    SERVICE, MESSAGE = Service.UIM, Uim.SLOT_STATUS
    slots: Annotated[tuple[PhysicalSlot, ...], 0x10]


class SwitchSlot(Body):
    """Have a logical slot use another physical slot; refused with NO_EFFECT if there is no change."""

    SERVICE, MESSAGE = Service.UIM, Uim.SWITCH_SLOT
    logical: Annotated[U8, 0x01]
    physical: Annotated[U32, 0x02]


class RegisterEvents(Body):
    """Request indications, by a mask of `Events`."""

    SERVICE, MESSAGE = Service.UIM, Uim.REGISTER_EVENTS
    mask: Annotated[U32, 0x01]


class RegisteredEvents(Body):
    """The indications that the modem will send."""

    SERVICE, MESSAGE = Service.UIM, Uim.REGISTER_EVENTS
    mask: Annotated[U32 | None, 0x10] = None


class PowerOff(Body):
    """Switch off the card's power supply."""

    SERVICE, MESSAGE = Service.UIM, Uim.POWER_OFF
    slot: Annotated[U8, 0x01]


class PowerOn(Body):
    """Switch on the card's power supply."""

    SERVICE, MESSAGE = Service.UIM, Uim.POWER_ON
    slot: Annotated[U8, 0x01]


class RefreshRegisterAll(Body):
    """Request indications of a refresh of any file; the client must answer each indication."""

    SERVICE, MESSAGE = Service.UIM, Uim.REFRESH_REGISTER_ALL
    session: Annotated[Session, 0x01]
    register: Annotated[U8, 0x02]


class RefreshEvent(Frozen):
    """A stage of a refresh."""

    stage: U8
    """One of `RefreshStage`."""
    mode: U8
    session: U8
    aid: Data8 = b""


class RefreshIndication(Body):
    """A refresh begins or ends; lpad does not read the list of files that follows."""

    SERVICE, MESSAGE = Service.UIM, Uim.REFRESH
    event: Annotated[RefreshEvent, 0x10]


class RefreshComplete(Body):
    """Answer a refresh: this client has finished with the card's old contents."""

    SERVICE, MESSAGE = Service.UIM, Uim.REFRESH_COMPLETE
    session: Annotated[Session, 0x01]
    success: Annotated[U8, 0x02] = 1


class ProvisioningSession(Frozen):
    """A kind of session, and whether it is to be active."""

    kind: U8
    activate: U8


class ProvisioningApp(Frozen):
    """The application of a session."""

    slot: U8
    aid: Data8


class ChangeProvisioningSession(Body):
    """Have the modem use an application for its network; with `app` None, have it use none."""

    SERVICE, MESSAGE = Service.UIM, Uim.CHANGE_PROVISIONING_SESSION
    session: Annotated[ProvisioningSession, 0x01]
    app: Annotated[ProvisioningApp | None, 0x10] = None


class File(Frozen):
    """A file, by its number and the path to its folder, each folder as a little-endian number."""

    number: U16
    path: Data8


class Part(Frozen):
    """A part of a file; length 0: the whole file."""

    offset: U16 = 0
    length: U16 = 0


class ReadTransparent(Body):
    """Read a transparent file."""

    SERVICE, MESSAGE = Service.UIM, Uim.READ_TRANSPARENT
    session: Annotated[Session, 0x01]
    file: Annotated[File, 0x02]
    part: Annotated[Part, 0x03] = Part()


class FileContent(Body):
    """The card's status word, and the content of a file."""

    SERVICE, MESSAGE = Service.UIM, Uim.READ_TRANSPARENT
    sw: Annotated[StatusWord | None, 0x10] = None
    data: Annotated[Data16, 0x11] = b""


class GetAtr(Body):
    """Ask for the card's answer to reset."""

    SERVICE, MESSAGE = Service.UIM, Uim.GET_ATR
    slot: Annotated[U8, 0x01]


class Atr(Body):
    """The card's answer to reset."""

    SERVICE, MESSAGE = Service.UIM, Uim.GET_ATR
    atr: Annotated[Data8, 0x10]


class OpenLogicalChannel(Body):
    """Open a channel and select an application on it."""

    SERVICE, MESSAGE = Service.UIM, Uim.OPEN_LOGICAL_CHANNEL
    slot: Annotated[U8, 0x01]
    aid: Annotated[Data8, 0x10]
    file_control: Annotated[U8 | None, 0x11] = None
    """0: SELECT returns no data; None: the modem chooses."""


class OpenedLogicalChannel(Body):
    """The channel, from 1 to 19, and the card's answer to SELECT.

    If the card refuses, the response has a failed result and the card's status word.
    """

    SERVICE, MESSAGE = Service.UIM, Uim.OPEN_LOGICAL_CHANNEL
    channel: Annotated[U8 | None, 0x10] = None
    sw: Annotated[StatusWord | None, 0x11] = None
    response: Annotated[Data8 | None, 0x12] = None


class CloseLogicalChannel(Body):
    """Close a channel."""

    SERVICE, MESSAGE = Service.UIM, Uim.CLOSE_LOGICAL_CHANNEL
    slot: Annotated[U8, 0x01]
    channel: Annotated[U8, 0x11]


class ClosedLogicalChannel(Body):
    """The card's status word after closing a channel."""

    SERVICE, MESSAGE = Service.UIM, Uim.CLOSE_LOGICAL_CHANNEL
    sw: Annotated[StatusWord | None, 0x11] = None


class SendApdu(Body):
    """Send an APDU on a channel."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"apdu"})
    SERVICE, MESSAGE = Service.UIM, Uim.SEND_APDU
    slot: Annotated[U8, 0x01]
    apdu: Annotated[Data16, 0x02]
    channel: Annotated[U8 | None, 0x10] = None


class LongResponse(Frozen):
    """An answer that follows in pieces."""

    total: U16
    """The number of bytes of the answer, including the status word."""
    token: U32


class ApduAnswer(Body):
    """The card's answer with its status word, or the announcement of a long answer."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"response"})
    SERVICE, MESSAGE = Service.UIM, Uim.SEND_APDU
    response: Annotated[Data16 | None, 0x10] = None
    long: Annotated[LongResponse | None, 0x11] = None


class ResponsePiece(Frozen):
    """A piece of a long answer."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"data"})
    token: U32
    total: U16
    offset: U16
    data: Data16


class ApduIndication(Body):
    """A piece of a long answer (known from wwan-go; libqmi does not describe it)."""

    SERVICE, MESSAGE = Service.UIM, Uim.SEND_APDU
    piece: Annotated[ResponsePiece, 0x01]
