"""The parameters of messages: known examples, written and read, and wrong parameters."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lpad.base.errors import InternalError, MalformedError
from lpad.codec.qmi import card, control, data_session, device, network_registration
from lpad.codec.qmi.errors import Error, error_name
from lpad.codec.qmi.message_parameters import Body, Result, decode, encode, encode_result, result_of
from lpad.codec.qmi.services import Ctl, Dms, Nas, Service, Uim, Wds

ICCID = bytes.fromhex("98001001000000000071")
USIM = bytes.fromhex("A0000000871002")
CARD = card.Card(
    state=card.CardState.PRESENT,
    apps=(card.App(type=card.AppType.USIM, state=card.AppState.READY, aid=USIM),),
)

KNOWN: list[tuple[Any, str]] = [
    (control.ProxyOpen(path="/dev/cdc-wdm0"), "01: 2F6465762F6364632D77646D30"),
    (
        control.VersionInfo(services=(control.Version(service=0, major=1, minor=5),)),
        "01: 01 00 0100 0500",
    ),
    (device.Ids(imei="490154203237518"), "11: 343930313534323033323337353138"),
    (device.SetOperatingMode(mode=device.OperatingMode.RESET), "01: 04"),
    (
        network_registration.ServingSystemStatus(
            system=network_registration.ServingSystem(
                registration=1,
                circuit_switched=1,
                packet_switched=1,
                selected_network=1,
                radio_interfaces=(8,),
            ),
            roaming=1,
        ),
        "01: 01 01 01 01 01 08 | 10: 01",
    ),
    (network_registration.RegisterIndications(), "13: 01"),
    (network_registration.SetEventReport(), "12: 01"),
    (
        network_registration.EventReport(rejection=network_registration.Rejection(domain=2, cause=11)),
        "12: 02 0B00",
    ),
    (network_registration.AttachDetach(action=network_registration.DETACH), "10: 02"),
    (data_session.SetIpFamily(family=data_session.IpFamily.IPV6), "01: 06"),
    (data_session.PacketServiceStatus(status=data_session.ConnectionStatus.CONNECTED), "01: 02"),
    (
        data_session.StartNetwork(
            apn="em", authentication=2, user_name="u", password="pw", family=data_session.IpFamily.IPV4
        ),
        "14: 656D | 16: 02 | 17: 75 | 18: 7077 | 19: 04",
    ),
    (data_session.NetworkStarted(handle=0x10203040), "01: 40302010"),
    (
        data_session.NetworkStarted(
            reason=data_session.EndReason.UNKNOWN_APN,
            end=data_session.End(type=data_session.EndType.NETWORK, reason=27),
        ),
        "10: F503 | 11: 0600 1B00",
    ),
    (data_session.StopNetwork(handle=0x10203040), "01: 40302010"),
    (data_session.StopNetwork(handle=data_session.ANY_HANDLE, no_automatic_start=1), "01: FFFFFFFF | 10: 01"),
    (
        data_session.PacketServiceChange(now=data_session.Changed(status=1), reason=3, family=4),
        "01: 01 00 | 10: 0300 | 12: 04",
    ),
    (data_session.GetCurrentSettings(), "10: 00010000"),
    (data_session.CurrentSettings(ipv4=0x0A400002), "1E: 0200400A"),
    (
        data_session.CurrentSettings(ipv6=bytes.fromhex("20010DB8000000000000000000000002 40")),
        "25: 20010DB8000000000000000000000002 40",
    ),
    (card.RegisterEvents(mask=card.Events.CARD_STATUS | card.Events.SLOT_STATUS), "01: 11000000"),
    (
        card.CardStatus(status=card.Cards(cards=(CARD,), primary=0)),
        (
            "10: 0000 FFFF FFFF FFFF 01 | 01 00 00 00 00 01"
            " | 02 07 02 00 00 00 07A0000000871002 00 03 03 0A 01 03 0A"
        ),
    ),
    (
        card.SlotStatus(
            slots=(
                card.PhysicalSlot(card=2, active=1, logical=1, iccid=ICCID),
                card.PhysicalSlot(card=1, active=0, logical=0),
            ),
            eids=(bytes(16),),
        ),
        (
            "10: 02 | 02000000 01000000 01 0A98001001000000000071 | 01000000 00000000 00 00"
            " | 12: 01 10 00000000000000000000000000000000"
        ),
    ),
    (
        card.ReadTransparent(
            session=card.Session(kind=6), file=card.File(number=0x2FE2, path=bytes.fromhex("003F"))
        ),
        "01: 06 00 | 02: E22F 02 003F | 03: 0000 0000",
    ),
    (
        card.FileContent(sw=card.StatusWord(sw1=0x90, sw2=0), data=ICCID),
        "10: 90 00 | 11: 0A00 98001001000000000071",
    ),
    (card.SwitchSlot(logical=1, physical=2), "01: 01 | 02: 02000000"),
    (card.PowerOff(slot=1), "01: 01"),
    (
        card.RefreshRegisterAll(session=card.Session(kind=card.PRIMARY_SESSION), register=1),
        "01: 00 00 | 02: 01",
    ),
    (card.RefreshComplete(session=card.Session(kind=0)), "01: 00 00 | 02: 01"),
    (
        card.RefreshIndication(event=card.RefreshEvent(stage=1, mode=0, session=0)),
        "10: 01 00 00 00",
    ),
    (
        card.ChangeProvisioningSession(
            session=card.ProvisioningSession(kind=0, activate=1), app=card.ProvisioningApp(slot=1, aid=USIM)
        ),
        "01: 00 01 | 10: 01 07A0000000871002",
    ),
    (
        card.OpenedLogicalChannel(channel=1, sw=card.StatusWord(sw1=0x90, sw2=0), response=b"\x6f\x00"),
        "10: 01 | 11: 90 00 | 12: 02 6F00",
    ),
    (card.ApduAnswer(response=b"\x90\x00"), "10: 0200 9000"),
    (card.ApduAnswer(long=card.LongResponse(total=300, token=7)), "11: 2C01 07000000"),
    (
        card.ApduIndication(piece=card.ResponsePiece(token=7, total=300, offset=256, data=b"\x90\x00")),
        "01: 07000000 2C01 0001 0200 9000",
    ),
]


def parameters(text: str) -> tuple[tuple[int, bytes], ...]:
    """Parse a text such as `01: 00 | 00 | 10: 01` into parameters; a bar within a value has no meaning."""
    found: list[tuple[int, bytes]] = []
    for part in text.split("|"):
        head, colon, value = part.partition(":")
        if colon:
            found.append((int(head, 16), bytes.fromhex(value)))
        else:
            found[-1] = (found[-1][0], found[-1][1] + bytes.fromhex(part))
    return tuple(found)


@pytest.mark.parametrize(("body", "text"), KNOWN, ids=lambda each: type(each).__name__)
def test_known_parameters_are_read_and_written(body: Any, text: str) -> None:
    """Each body is written as the listed parameters, and these parameters are read as that body."""
    assert encode(body) == parameters(text)
    assert decode(type(body), parameters(text)) == body


@pytest.mark.parametrize(("body", "text"), KNOWN, ids=lambda each: type(each).__name__)
def test_order_and_unknown_parameters_do_not_matter(body: Any, text: str) -> None:
    """Parameters may come in any order, with unknown ones among them, and with bytes after known fields."""
    given_ = tuple(reversed(parameters(text)))
    grown = ((0xE0, b"new"), *given_, (0xE1, b""))
    assert decode(type(body), grown) == body


def test_bytes_after_the_known_fields_are_ignored() -> None:
    """A refresh event may contain a list of files after the fields that lpad reads."""
    raw = parameters("10: 01 00 00 00 | 0100 E22F 02 003F")
    assert decode(card.RefreshIndication, raw).event.stage == card.RefreshStage.START


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        (control.AllocatedClient, "10: 01", "lacks its parameter 0x01"),
        (control.AllocatedClient, "01: 0B", "too few"),
        (card.SlotStatus, "10: FF 00", "announces 255 parts"),
        (card.ApduAnswer, "10: FF00 90", "too few"),
        (device.PresentOperatingMode, "01:", "too few"),
    ],
)
def test_wrong_parameters_are_refused(kind: Any, text: str, says: str) -> None:
    """A missing or short parameter is an error, never a value."""
    with pytest.raises(MalformedError, match=says):
        decode(kind, parameters(text))


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("1E: 0200400A", ("10.64.0.2",)),
        ("25: 20010DB8000000000000000000000002 40", ("2001:db8::2",)),
        ("1E: 0200400A | 25: 20010DB8000000000000000000000002 40", ("10.64.0.2", "2001:db8::2")),
        ("1E: 00000000", ()),
        ("25: 00000000000000000000000000000000 00", ()),
        ("25: 20010DB8", None),
        ("10: 61", None),
    ],
)
def test_the_addresses_of_a_session(text: str, addresses: tuple[str, ...] | None) -> None:
    """An address of zeros means that the session has no address; a missing or short one is unknown."""
    assert decode(data_session.CurrentSettings, parameters(text)).addresses == addresses


def test_the_result_is_read() -> None:
    """The result has a status and an error; a response without a result is refused."""
    assert result_of((encode_result(Error.ACCESS_DENIED),)) == Result(failed=True, error=82)
    assert result_of(((0x01, b""), encode_result(0))) == Result(failed=False, error=0)
    for wrong in ((), ((0x02, b"\0"),)):
        with pytest.raises(MalformedError, match="no result"):
            result_of(wrong)
    assert error_name(82) == "access denied"
    assert error_name(4711) == "error 4711"


def test_a_number_too_large_is_never_written() -> None:
    """A number that does not fit into its field is refused, because the wire would carry another number."""
    with pytest.raises(InternalError, match="does not fit"):
        encode(card.PowerOn(slot=256))


def test_secrets_are_not_shown() -> None:
    """`repr`, as in a log, shows neither an APDU, nor its answer, nor the credentials of a session."""
    shown = repr(card.SendApdu(slot=1, apdu=b"secret")) + repr(card.ApduAnswer(response=b"secret"))
    shown += repr(data_session.StartNetwork(user_name="secret", password="secret"))
    assert "secret" not in shown


MESSAGES = {Service.CTL: Ctl, Service.WDS: Wds, Service.DMS: Dms, Service.NAS: Nas, Service.UIM: Uim}
KINDS: list[Any] = [
    each
    for module in (card, control, data_session, device, network_registration)
    for each in vars(module).values()
    if isinstance(each, type) and issubclass(each, Body) and each is not Body
]


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)
@given(data=st.binary(max_size=60))
def test_no_parameter_raises_anything_else(kind: Any, data: bytes) -> None:
    """Whatever a parameter contains, it is either read or refused as malformed."""
    with suppress(MalformedError):
        decode(kind, tuple((number, data) for number in range(256)))


def test_each_body_names_its_message() -> None:
    """Each body's service and message are listed in the tables of the services."""
    assert len(KINDS) > 40
    for kind in KINDS:
        assert kind.SERVICE in tuple(Service)
        assert kind.MESSAGE in tuple(MESSAGES[kind.SERVICE])
