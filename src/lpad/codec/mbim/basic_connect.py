"""The information buffers of basic connect, and of Microsoft's extensions of it (MBIM 1.0, 10.5)."""

from __future__ import annotations

from enum import IntEnum

from lpad.codec.mbim.information_buffer import (
    U32,
    U64,
    Information,
    Numbers,
    Text,
    Texts,
)


class ReadyState(IntEnum):
    """Whether the modem can use its SIM, or why it cannot (MBIM 1.0, 10.5.2; the last value: MBIMEx)."""

    NOT_INITIALIZED = 0
    INITIALIZED = 1
    SIM_NOT_INSERTED = 2
    BAD_SIM = 3
    FAILURE = 4
    NOT_ACTIVATED = 5
    DEVICE_LOCKED = 6
    """The SIM requires a PIN or PUK."""
    NO_ESIM_PROFILE = 7


class RegisterState(IntEnum):
    """The modem's registration in its network (MBIM 1.0, 10.5.10)."""

    UNKNOWN = 0
    DEREGISTERED = 1
    SEARCHING = 2
    HOME = 3
    ROAMING = 4
    PARTNER = 5
    DENIED = 6


class SlotState(IntEnum):
    """The state of a physical slot (MS basic connect extensions, SLOT_INFO_STATUS)."""

    UNKNOWN = 0
    OFF_EMPTY = 1
    OFF = 2
    EMPTY = 3
    NOT_READY = 4
    ACTIVE = 5
    ERROR = 6
    ACTIVE_ESIM = 7
    ACTIVE_ESIM_NO_PROFILES = 8


class DeviceCaps(Information, kw_only=True):
    """The modem's description; `device_id` is its IMEI."""

    device_type: U32 = 1
    cellular_class: U32 = 1
    voice_class: U32 = 1
    sim_class: U32 = 2
    data_class: U32 = 0x3F
    sms_caps: U32 = 0
    control_caps: U32 = 1
    max_sessions: U32 = 8
    custom_data_class: Text = ""
    device_id: Text
    firmware: Text = ""
    hardware: Text = ""


class SubscriberReadyStatus(Information):
    """The state and the numbers of the SIM that the modem reads."""

    ready_state: U32
    """One of `ReadyState`, or a value of a later version."""
    subscriber_id: Text = ""
    sim_iccid: Text = ""
    ready_info: U32 = 0
    telephone_numbers: Texts = ()


class RadioState(Information):
    """The positions of the radio's two switches, the hardware's and the host's; 1: on."""

    hardware: U32
    software: U32


class SetRadioState(Information):
    """Switches the radio on (1) or off (0)."""

    radio: U32


class PinStatus(Information):
    """The PIN or PUK that the modem asks for, its state, and the remaining attempts."""

    pin_type: U32
    """A key of `PIN_NAMES`, or another number."""
    pin_state: U32
    """The state of the lock; 0: unlocked, 1: locked."""
    attempts: U32 = 0xFFFFFFFF


PIN_NAMES = {
    2: "SIM PIN",
    4: "PH-SIM PIN",
    5: "PH-FSIM PIN",
    6: "PH-NET PIN",
    7: "PH-NETSUB PIN",
    8: "PH-SP PIN",
    9: "PH-CORP PIN",
    11: "SIM PUK",
    13: "PH-FSIM PUK",
    14: "PH-NET PUK",
    15: "PH-NETSUB PUK",
    16: "PH-SP PUK",
    17: "PH-CORP PUK",
}
"""The names of locks in AT+CPIN? (3GPP TS 27.007, 8.3), by their numbers in MBIM (10.5.4)."""


class RegistrationStatus(Information, kw_only=True):
    """The modem's registration; `network_error` is the cause of a rejection (3GPP TS 24.008), 0: none."""

    network_error: U32 = 0
    state: U32
    """One of `RegisterState`."""
    mode: U32 = 1
    data_classes: U32 = 0
    cellular_class: U32 = 1
    provider_id: Text = ""
    provider_name: Text = ""
    roaming_text: Text = ""
    flags: U32 = 0


class SetPacketService(Information):
    """Attaches the modem (0) or detaches it (1)."""

    action: U32


class SysCaps(Information, kw_only=True):
    """How many slots the modem has, and how many of them it can use at the same time."""

    executors: U32 = 1
    slots: U32
    concurrency: U32 = 1
    modem_id: U64 = 0


class SlotMappings(Information):
    """The physical slot of each executor; slots are numbered from 0."""

    slots: Numbers


class SlotRequest(Information):
    """Queries the state of a slot, numbered from 0."""

    slot: U32


class SlotInfo(Information):
    """The state of a slot."""

    slot: U32
    state: U32
    """One of `SlotState`."""
