"""Information buffers: each type is written and read, and buffers that contradict themselves are refused."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpad.base.errors import MalformedError
from lpad.codec.mbim import basic_connect, data_connection, proxy_control, uicc_access
from lpad.codec.mbim.basic_connect import (
    DeviceCaps,
    RegistrationStatus,
    SlotMappings,
    SubscriberReadyStatus,
)
from lpad.codec.mbim.data_connection import (
    Connect,
    ConnectStatus,
    IpConfiguration,
    LteAttachConfigurations,
    LteAttachContext,
    SetLteAttachConfiguration,
)
from lpad.codec.mbim.information_buffer import (
    U32,
    U64,
    Data,
    Information,
    Ipv4Addresses,
    Ipv6Addresses,
    Numbers,
    Objects,
    Parts,
    Text,
    Texts,
    Uuid,
    decode,
    encode,
)
from lpad.codec.mbim.proxy_control import ProxyConfiguration
from lpad.codec.mbim.statuses import Status, error_name, status_name
from lpad.codec.mbim.uicc_access import (
    ApduAnswer,
    ApduRequest,
    Atr,
    CloseChannelRequest,
    OpenChannelAnswer,
    OpenChannelRequest,
    TerminalCapability,
    status_number,
    status_word,
)

TYPES: list[type[Any]] = [
    each
    for module in (basic_connect, uicc_access, proxy_control, data_connection)
    for each in vars(module).values()
    if isinstance(each, type) and issubclass(each, Information) and each is not Information
]
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    U32: st.integers(0, 0xFFFFFFFF),
    U64: st.integers(0, (1 << 64) - 1),
    Uuid: st.uuids(),
    Text: TEXT,
    Data: st.binary(max_size=300),
    Texts: st.lists(TEXT, max_size=4).map(tuple),
    Numbers: st.lists(st.integers(0, 0xFFFFFFFF), max_size=4).map(tuple),
    Objects: st.lists(st.binary(min_size=1, max_size=20), max_size=4).map(tuple),
    Parts: st.lists(st.binary(min_size=1, max_size=20), max_size=4).map(tuple),
    Ipv4Addresses: st.lists(st.ip_addresses(v=4), max_size=3).map(tuple),
    Ipv6Addresses: st.lists(st.ip_addresses(v=6), max_size=3).map(tuple),
}

ISD_R = bytes.fromhex("A0000005591010FFFFFFFF8900000100")
VECTORS: list[tuple[Any, str]] = [
    (Atr(atr=bytes.fromhex("3B9F9600")), "04000000 08000000 3B9F9600"),
    (
        OpenChannelRequest(aid=ISD_R, select_p2=12, group=7),
        "10000000 10000000 0C000000 07000000 A0000005591010FFFFFFFF8900000100",
    ),
    (
        OpenChannelAnswer(status=0x90, channel=1, response=bytes.fromhex("6F00")),
        "90000000 01000000 02000000 10000000 6F000000",
    ),
    (CloseChannelRequest(channel=0, group=7), "00000000 07000000"),
    (
        ApduRequest(channel=2, class_byte_type=1, apdu=bytes.fromhex("82E2910006BF3E035C015A")),
        "02000000 00000000 01000000 0B000000 14000000 82E2910006BF3E035C015A00",
    ),
    (ApduAnswer(status=0x0061 | 0x10 << 8, response=b""), "61100000 00000000 00000000"),
    (ApduAnswer(status=0x90, response=b"\xbf\x3e"), "90000000 02000000 0C000000 BF3E0000"),
    (
        TerminalCapability(objects=(bytes.fromhex("830107"), bytes.fromhex("8301"))),
        "02000000 03000000 14000000 02000000 18000000 83010700 83010000",
    ),
    (
        SubscriberReadyStatus(ready_state=1, subscriber_id="1", sim_iccid="89", telephone_numbers=("4",)),
        (
            "01000000 24000000 02000000 28000000 04000000 00000000 01000000 2C000000 02000000"
            " 31000000 38003900 34000000"
        ),
    ),
    (SlotMappings(slots=(1,)), "01000000 0C000000 04000000 01000000"),
    (ProxyConfiguration(path="/d", timeout=10), "0C000000 04000000 0A000000 2F006400"),
    (
        LteAttachContext(ip_type=3, roaming=1, source=1, apn="d", authentication=1),
        (
            "03000000 01000000 01000000 2C000000 02000000 00000000 00000000 00000000 00000000 00000000"
            " 01000000 64000000"
        ),
    ),
    (LteAttachConfigurations(contexts=(b"\1\2\3\4",)), "01000000 0C000000 04000000 01020304"),
    (
        SetLteAttachConfiguration(operation=0, contexts=(b"\1\2\3\4",)),
        "00000000 01000000 10000000 04000000 01020304",
    ),
    (
        ConnectStatus(activation=1),
        "00000000 01000000 00000000 00000000 7E5E2A7E4E6F7272736B656E7E5E2A7E 00000000",
    ),
]


@pytest.mark.parametrize(("information", "octets"), VECTORS, ids=lambda each: type(each).__name__)
def test_writes_and_reads_by_the_letter(information: Any, octets: str) -> None:
    """Each value is written and read as MBIM defines it, with offsets from the start of the buffer."""
    raw = bytes.fromhex(octets)
    assert encode(information) == raw
    assert decode(type(information), raw) == information


@given(st.data())
def test_each_type_comes_back(data: st.DataObject) -> None:
    """Written values are read again, whatever bytes a later version appends."""
    kind = data.draw(st.sampled_from(TYPES))
    hints = get_type_hints(kind, include_extras=True)
    information = kind(**{name: data.draw(VALUES[hints[name]]) for name in kind.__struct_fields__})
    raw = encode(information)
    assert len(raw) % 4 == 0
    assert decode(kind, raw) == information
    assert decode(kind, raw + b"\1\2\3\4") == information


@given(st.sampled_from(TYPES), st.binary(max_size=200))
def test_any_bytes_are_information_or_an_error(kind: type[Any], raw: bytes) -> None:
    """Any bytes are decoded or raise MalformedError, and no other error."""
    with suppress(MalformedError):
        decode(kind, raw)


@pytest.mark.parametrize("information", [each for each, _ in VECTORS], ids=lambda each: type(each).__name__)
def test_a_cut_buffer_is_an_error(information: Any) -> None:
    """A buffer that lacks more than its padding is refused."""
    raw = encode(information)
    for size in range(len(raw) - 3):
        with pytest.raises(MalformedError):
            decode(type(information), raw[:size])


@pytest.mark.parametrize(
    ("kind", "octets"),
    [
        (Atr, "FFFFFFFF FFFFFFFF"),
        (Atr, "04000000 08000000 3B"),
        (SlotMappings, "FFFFFFFF"),
        (SlotMappings, "01000000 0C000000 03000000 010000"),
        (IpConfiguration, "00000000 00000000 00000000 FFFFFFFF FFFFFFFF" + "00" * 40),
    ],
)
def test_a_pointer_out_of_the_buffer_is_an_error(kind: type[Any], octets: str) -> None:
    """A size or count beyond the buffer's end is refused before anything is copied."""
    with pytest.raises(MalformedError):
        decode(kind, bytes.fromhex(octets))


def test_a_part_without_size_may_have_any_offset() -> None:
    """The offset of an empty part is ignored, because some firmware leaves rubbish there."""
    raw = bytes.fromhex("90000000 00000000 FFFFFFFF")
    assert decode(ApduAnswer, raw) == ApduAnswer(status=0x90)


def test_half_a_character_does_not_hide_the_other_fields() -> None:
    """A lone surrogate in a text becomes a replacement character, and the other fields are read."""
    caps = encode(DeviceCaps(device_id="490154203237518", firmware="x"))
    damaged = caps.replace("x".encode("utf-16-le"), b"\x00\xd8")
    found = decode(DeviceCaps, damaged)
    assert found.device_id == "490154203237518"
    assert found.firmware == "�"


def test_addresses_are_read_from_their_elements() -> None:
    """Addresses are read from elements of a prefix length and an address (MBIM 1.0, 10.5.20)."""
    raw = bytes.fromhex(
        "00000000 01000000 01000000 01000000 3C000000 01000000 44000000"
        + "00000000" * 6
        + "DC050000 DC050000"
        + "18000000 0A400002"
        + "40000000 20010DB8000000000000000000000002"
    )
    found = decode(IpConfiguration, raw)
    assert found.ipv4 == (IPv4Address("10.64.0.2"),)
    assert found.ipv6 == (IPv6Address("2001:db8::2"),)
    assert found.ipv4_mtu == 1500


def test_a_registration_is_read_behind_its_strings() -> None:
    """The flags of a registration are read from after the pointers to three strings."""
    status = RegistrationStatus(state=3, provider_id="26201", provider_name="Test", flags=2)
    assert decode(RegistrationStatus, encode(status)) == status


@pytest.mark.parametrize("sw", ["9000", "6A82", "910B", "6110"])
def test_the_status_word_has_sw1_in_the_lowest_byte(sw: str) -> None:
    """A status word has SW1 in the lowest byte, so that 9000 is the number 144, as mbimcli prints it."""
    octets = bytes.fromhex(sw)
    assert status_word(status_number(octets)) == octets
    assert status_number(b"\x90\0") == 144


def test_no_status_word_is_an_error() -> None:
    """A status word of 0, from a modem that leaves the field empty, is an error."""
    with pytest.raises(MalformedError):
        status_word(0)


def test_statuses_have_words() -> None:
    """Statuses have names; an unknown number is shown as it is."""
    assert status_name(Status.SELECT_FAILED) == "select failed"
    assert status_name(77) == "status 77"
    assert status_name(0x87430009) == "status 0x87430009"
    assert error_name(5) == "not opened"


def test_credentials_are_not_shown() -> None:
    """`repr`, as in a log, shows neither a session's credentials nor those of an LTE attach."""
    shown = repr(Connect(activate=1, user_name="secret", password="secret"))
    context = LteAttachContext(ip_type=0, roaming=0, source=1, user_name="secret", password="secret")
    stored = (encode(context),)
    shown += repr(context) + repr(LteAttachConfigurations(contexts=stored))
    shown += repr(SetLteAttachConfiguration(operation=0, contexts=stored))
    assert "secret" not in shown.replace("\\x00", "")
