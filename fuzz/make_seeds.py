"""Regenerate the seeds: `python -m fuzz.make_seeds`. Seeds come from the simulator, or are written here."""

from __future__ import annotations

import base64
import json
import struct
import sys
import tempfile
from contextlib import ExitStack
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

from fuzz.whole_discovery import SMDS
from fuzz.whole_download import SERVER, joined
from lpad.base.deadline import Deadline
from lpad.base.errors import CardError, PolicyRefused
from lpad.base.identifiers import Iccid, TransactionId
from lpad.base.server_address import ServerAddress
from lpad.card.channel.logical_channel import RawLink
from lpad.card.isdr.isdr import isdr_session
from lpad.codec.asn1 import tlv
from lpad.codec.mbim import framing
from lpad.codec.mbim.basic_connect import DeviceCaps, SlotMappings, SubscriberReadyStatus
from lpad.codec.mbim.data_connection import IpConfiguration
from lpad.codec.mbim.information_buffer import encode
from lpad.codec.mbim.messages import CommandDone, FunctionError, Indication, OpenDone
from lpad.codec.mbim.proxy_control import ProxyConfiguration
from lpad.codec.mbim.services import BASIC_CONNECT, UICC
from lpad.codec.mbim.uicc_access import ApduAnswer, OpenChannelAnswer, TerminalCapability
from lpad.codec.messages.authentication import DeviceCapabilities, DeviceInfo
from lpad.codec.messages.cancel_session import CancelSessionReason
from lpad.codec.qmi import card as qmi_card
from lpad.codec.qmi import control as qmi_control
from lpad.codec.qmi import data_session as qmi_data_session
from lpad.codec.qmi import device as qmi_device
from lpad.codec.qmi import framing as qmi_framing
from lpad.codec.qmi import message_parameters as qmi_values
from lpad.codec.qmi import network_registration as qmi_network
from lpad.codec.qmi.framing import Kind as QmiKind
from lpad.codec.qmi.framing import Message as QmiMessage
from lpad.lpa.discovery import Discovery
from lpad.lpa.download import Decision, Download, Order
from lpad.lpa.euicc import Euicc
from lpad.remote.es9plus import Es9Plus
from lpad.remote.https.host_overrides import HostOverrides
from lpad.remote.https.proxy_and_interface import Route
from lpad.remote.trust.trust_anchors import Trust
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.pki.pki import Pki
from lpad.simulator.profile_package.made_up_profile import made_up_profile
from lpad.simulator.smdp.server import SmDp
from lpad.simulator.smdp.store.profile_metadata import Owner, ProfileMetadata, ProfilePolicyRule
from lpad.simulator.smds.server import events_of, make_smds

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.codec.es10_intents import Intent
    from lpad.codec.mbim.information_buffer import Information
    from lpad.codec.qmi.message_parameters import Body
    from lpad.lpa.download import Offer
    from lpad.protocol.download_state_table import Step
    from lpad.remote.https.connection import HttpAnswer

CORPUS = Path(__file__).parent / "corpus"
ICCID = "8900101000000000017"
OTHER_SMDS = "other-smds.example.com"

_AT = (
    b'\x00\x40AT+CSIM=18\r\n+CSIM: 4,"9000"\r\n\r\nOK\r\n',
    b'\x00\x08\r\n+CSIM: 10,"BF2E009000"\r\n\r\nOK\r\n',
    b"\x00\x10\r\n+CME ERROR: incorrect parameters\r\n",
    b'\x01\x10\r\n+CGLA: 4,"9000"\r\nOK\r\n',
    b"\x02\x10\r\n+CCHO: 1\r\n\r\nOK\r\n",
    b"\x02\x01\r\n1\r\n\r\nOK\r\n",
    b"\x03\x10\r\n+CREG: 1\r\nOK\r\n",
    b"\x04\x10\r\n490154203237518\r\n\r\nOK\r\n",
    b"\x05\x10\r\nQuectel\r\n\r\nOK\r\n",
    b'\x08\x10\r\n+CRSM: 144,0,"98001001000000000071"\r\n\r\nOK\r\n',
    b'\x08\x10\r\n+CRSM: 148,4,""\r\n\r\nOK\r\n',
    b"\x09\x10\r\n^ICCID: 8900101000000000017F\r\n\r\nOK\r\n",
    b"\x0a\x10\r\n+CEREG: 2,5\r\n\r\nOK\r\n",
    b"\x0a\x10\r\nRING\r\n+CMTI: 1\r\nNO CARRIER\r\n",
    b"\x00\x00" + b"A" * 3000,
    b"\x00\xff" + b"\r\n+X: 1" * 400,
    b"\x0b\x10\r\n+CFUN: 1,0\r\n\r\nOK\r\n",
    b"\x0c\x10\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n",
)
_HEADS = (
    b"\x00\x20HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}",
    b"\x00\x0aHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nrest",
    b"\x00\x30\r\nHTTP/1.0 200\nServer : x\n folded\nTransfer-Encoding: identity, chunked\n\n0\r\n\r\n",
    b"\x00\x14HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    b"\x00\x14HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nX\x00: \x01\r\n\r\n",
    b"\x00\x03HTTP/1.1 101 Switching Protocols\r\n\r\n",
    b"\x00\x05" + b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100,
    b"\x40\x00HTTP/1.1 200 OK\r\n" + b"X-Long: y\r\n" * 4000,
    b"\x00\x02SSH-2.0-OpenSSH_9.2\r\n",
)
_APDU = (
    b"\x02\x90\x00",
    b"\x02\x61\x10\x12" + bytes(16) + b"\x90\x00",
    b"\x02\x6c\x05\x07\xbf\x2e\x02\x01\x01\x90\x00",
    b"\x02\x61\x00" * 300,
    bytes.fromhex("d009810301010482028182"),
    bytes.fromhex("d00b8103010125008202818290 00"),
)
_CODES = (
    "LPA:1$smdp.example.com$ABCD-1234",
    "1$smdp.example.com$ABCD-1234$2.999.10$1",
    "lpa:1$SMDP.EXAMPLE.COM:8443$",
    "1$xn--bcher-kva.example$A$$1",
    "1$bücher.example$A",
    "$" * 400,
)
_IDENTIFIERS = (
    "8900101000000000017",
    "89001012012341234012345678901224",
    "490154203237518",
    "A0000005591010FFFFFFFF8900000100",
    "0123456789ABCDEF",
    "tcp:smdp.example.com:443@wwan0",
    "https://example.com/health#204@eth0",
    "dns:example.com@wwan0",
    "registered",
)
_DEEP = 2000
_REFUSAL = (
    b'{"header":{"functionExecutionStatus":{"status":"Failed","statusCodeData":{"subjectCode":"8.2.6",'
    b'"reasonCode":"3.8","message":"no"}}}}'
)
_EVENTS = (
    b'{"header":{"functionExecutionStatus":{"status":"Executed-Success"}},"transactionId":"0A0B",'
    b'"eventEntries":[{"eventId":"E-1","rspServerAddress":"smdp.example.com"},{"eventId":7},null,'
    b'{"eventId":"E-1","rspServerAddress":"SMDP.example.com:8443"}]}'
)
_SETTINGS = (
    Path(__file__).parents[1].joinpath("config", "lpad.yaml").read_bytes()[:4000],
    b"euiccs: {modem: {port: /dev/ttyUSB0, policy: {classes: [test]}, switching: {per_day: 3}}}\nlog: info\n",
    b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n",
    b"- " * _DEEP,
    b"{" * _DEEP,
    b"? a\n: <<: {b: !!python/object:os.system x}\n",
    b"\xff\xfe",
    b"answer_within: .nan\nsocket: 0x10\nlog: 2001-01-01\n",
)
_BODIES = (
    b'{"activation_code": "LPA:1$smdp.example.com$X", "confirm": true, "retry_for": 3.5}',
    b'{"guard": {"conditions": ["registered", "tcp:example.com:443"], "within": 60}}',
    b'{"decision": "accept"}',
    b'{"confirmation_code": "1234"}',
    b'{"default_smdp": "smdp.example.com"}',
    b'{"nickname": "home"}',
    b'{"operational_profiles": true, "test_profiles": true, "default_smdp": true}',
    b'{"address": "smdp.example.com"}',
    b"[" * _DEEP,
    b'{"a":' * _DEEP,
    b"1e999999",
)


class _Caller:
    def step(self, step: Step) -> None:
        pass

    def owes_cancellation(self, transaction_id: str, response: bytes) -> None:
        raise AssertionError(f"nothing interrupts the session {transaction_id}, {len(response)} bytes")

    def bytes_loaded(self, sent: int, total: int) -> None:
        pass

    def confirm(self, _: Offer) -> Decision:
        return Decision.ACCEPT

    def confirmation_code(self, *, refused: bool) -> str | None:
        return None if refused else "1234"


class _Recorder:
    """Records the answers of the card and of the server to lpad."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.card: list[bytes] = []
        self.server: list[bytes] = []

    def hear_card(self, euicc: Euicc) -> None:
        command = euicc._isdr.command

        def heard(
            data: bytes,
            *,
            intent: Intent,
            deadline: Deadline,
            on_block: Callable[[int], None] | None = None,
        ) -> bytes:
            answer = command(data, intent=intent, deadline=deadline, on_block=on_block)
            self.card.append(answer)
            self.messages.append(answer)
            return answer

        euicc._isdr.command = heard  # type: ignore[method-assign]  # records

    def hear_server(self, server: Es9Plus) -> None:
        post = server._connection.post

        def heard(*words: object, **more: object) -> HttpAnswer:
            answer = post(*words, **more)  # type: ignore[arg-type]  # passed on
            self.server.append(answer.body)
            self.messages.append(answer.body)
            return answer

        server._connection.post = heard  # type: ignore[method-assign]  # records


def main() -> None:
    """Write the seeds of every target."""
    for path in CORPUS.glob("*/[0-9]*"):
        path.unlink()
    for target, seeds in _seeds().items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(dict.fromkeys(each for each in seeds if each)):
            (folder / f"{number:02}").write_bytes(seed)
        sys.stdout.write(f"{target}: {len(list(folder.iterdir()))} seeds\n")


def _seeds() -> dict[str, list[bytes]]:
    ear, others, certificates, packages = _life()
    huge = [bytes.fromhex("BF2D84FFFFFFFF"), bytes.fromhex("BF2D83FFFFFF00"), bytes.fromhex("3080")]
    deep = [_nested(0x30), _nested(0xBF2D), _nested(0xA0)]
    packed = [
        each
        for body in ear.server
        if body and "boundProfilePackage" in (fields := json.loads(body))
        for each in [_unpacked(fields["boundProfilePackage"])]
    ]
    return {
        "tlv": [*others[:6], *huge, *deep],
        "der": [each for each in [*others, *huge, *deep] if len(each) <= 1024],
        "es10": [*others, *huge, *deep],
        "es9plus": [
            *ear.server,
            _REFUSAL,
            _EVENTS,
            b"",
            b"[" * _DEEP,
            b'{"header":' * _DEEP,
        ],
        "bound-profile": packed,
        "certificate": [*certificates, *deep],
        "at": list(_AT),
        "apdu": list(_APDU),
        "mbim": _mbim(),
        "qmi": _qmi(),
        "http-head": list(_HEADS),
        "activation-code": [each.encode() for each in _CODES],
        "identifiers": [each.encode() for each in _IDENTIFIERS],
        "binary-identifiers": [
            bytes.fromhex("98001001000000000071"),
            bytes.fromhex("0A941045325763F8"),
        ],
        "settings": list(_SETTINGS),
        "api": list(_BODIES),
        "saip": packages,
        "discovery": _discoveries(),
        "conversation": [joined(ear.messages), joined(ear.messages[:6]), joined(reversed(ear.messages))],
    }


def _mbim() -> list[bytes]:
    """Return streams of an MBIM function's messages; the first byte of each is the first piece's length."""
    informations: tuple[Information, ...] = (
        DeviceCaps(device_id="490154203237518", firmware="1.0"),
        SubscriberReadyStatus(ready_state=1, sim_iccid=ICCID, telephone_numbers=("+491",)),
        SlotMappings(slots=(0, 1)),
        OpenChannelAnswer(status=0x90, channel=1, response=b"\x6f\x00"),
        ApduAnswer(status=0x90, response=bytes(100)),
        TerminalCapability(objects=(b"\x83\x01\x07",)),
        ProxyConfiguration(path="/dev/cdc-wdm0", timeout=5),
        IpConfiguration(ipv4=(IPv4Address("10.64.0.2"),)),
    )
    answers = [CommandDone(transaction=7, service=UICC, cid=4, info=encode(each)) for each in informations]
    streams = [b"".join(framing.encode(each, max_transfer=64)) for each in answers]
    return [
        *(b"\x20" + each for each in streams),
        b"\x10" + b"".join(framing.encode(OpenDone(transaction=1, status=0))) + b"noise" + streams[0],
        b"\x08" + b"".join(framing.encode(FunctionError(transaction=1, error=5))),
        b"\x40" + b"".join(framing.encode(Indication(service=BASIC_CONNECT, cid=2, info=bytes(28)))),
        b"\x00" + struct.pack("<IIIII", 0x80000003, 64, 7, 0xFFFFFFFF, 0) + bytes(44),
    ]


def _qmi() -> list[bytes]:
    """Return streams of a QMI modem's messages; the first byte of each is the first piece's length."""
    slot = qmi_card.PhysicalSlot(card=2, active=1, logical=1, iccid=bytes.fromhex("98001001000000000071"))
    usim = qmi_card.App(type=qmi_card.AppType.USIM, state=qmi_card.AppState.READY, aid=bytes(7))
    bodies: tuple[Body, ...] = (
        qmi_control.AllocatedClient(client=qmi_control.Client(service=11, client=4)),
        qmi_control.VersionInfo(services=(qmi_control.Version(service=11, major=1, minor=47),)),
        qmi_device.Ids(imei="490154203237518"),
        qmi_network.ServingSystemStatus(
            system=qmi_network.ServingSystem(
                registration=1, circuit_switched=1, packet_switched=1, radio_interfaces=(8,)
            ),
            roaming=1,
        ),
        qmi_card.CardStatus(
            status=qmi_card.Cards(cards=(qmi_card.Card(state=qmi_card.CardState.PRESENT, apps=(usim,)),))
        ),
        qmi_card.SlotStatus(slots=(slot,), eids=(bytes(16),)),
        qmi_card.OpenedLogicalChannel(channel=1, sw=qmi_card.StatusWord(sw1=0x90, sw2=0)),
        qmi_card.ApduAnswer(response=bytes(100)),
        qmi_card.ApduAnswer(long=qmi_card.LongResponse(total=300, token=7)),
        qmi_data_session.NetworkStarted(handle=0x10203040),
        qmi_data_session.NetworkStarted(reason=1013, end=qmi_data_session.End(type=6, reason=27)),
        qmi_data_session.CurrentSettings(ipv4=0x0A400002, ipv6=bytes(17)),
    )
    change = qmi_data_session.PacketServiceChange(now=qmi_data_session.Changed(status=1), reason=3, family=4)
    event = qmi_card.RefreshIndication(event=qmi_card.RefreshEvent(stage=1, mode=0, session=0))
    streams = [_frame(each, QmiKind.RESPONSE, qmi_values.encode_result(0)) for each in bodies]
    return [
        *(b"\x10" + each for each in streams),
        b"\x08" + _frame(event, QmiKind.INDICATION) + b"noise" + streams[0],
        b"\x06" + _frame(qmi_control.Sync(), QmiKind.INDICATION),
        b"\x0b" + _frame(change, QmiKind.INDICATION),
    ]


def _frame(body: Body, kind: QmiKind, *before: tuple[int, bytes]) -> bytes:
    client = 4 if body.SERVICE else 0
    parameters = (*before, *qmi_values.encode(body))
    return qmi_framing.encode(
        QmiMessage(
            kind=kind,
            service=body.SERVICE,
            client=client,
            transaction=7,
            number=body.MESSAGE,
            parameters=parameters,
        )
    )


def _unpacked(text: str) -> bytes:
    return base64.b64decode(text)


def _nested(tag: int) -> bytes:
    data = b""
    while len(data) < 900:
        data = tlv.encode(tag, data)
    return data


def _discoveries() -> list[bytes]:
    """Run a discovery through two SM-DSs; return inputs: all messages, the first six, and all in reverse."""
    ear = _Recorder()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        place = Path(folder)
        pki = Pki.open(place / "pki")
        card = running.enter_context(SoftCard(place / "card", pki=pki))
        servers = {
            SMDS: make_smds(place / "root", pki=pki, host=SMDS),
            OTHER_SMDS: make_smds(place / "other", pki=pki, host=OTHER_SMDS, alternative=True),
            SERVER: SmDp(place / "smdp", pki=pki, host=SERVER),
        }
        for each in servers.values():
            running.enter_context(each)
        eid = card.eid.digits
        events_of(place / "root").register(eid=eid, address=OTHER_SMDS, event_id="R-1")
        events_of(place / "root").register(eid=eid, address="forbidden.example.com", event_id="R-2")
        events_of(place / "other").register(eid=eid, address=SERVER, event_id="E-1", forwarded_as="R-1")
        ports = {name: f"127.0.0.1:{each.port}" for name, each in servers.items()}
        trust = Trust([ci.der for ci in pki.ci.values()], use_system_roots=False)

        def connect(address: ServerAddress) -> Es9Plus:
            server = Es9Plus(address, trust=trust, route=Route(HostOverrides.parse(ports)))
            ear.hear_server(server)
            return server

        soon = Deadline.after(60)
        with isdr_session(RawLink(_Contacts(card), device=_Contacts(card)), deadline=soon) as isdr:
            euicc = Euicc(isdr)
            ear.hear_card(euicc)
            device = DeviceInfo(tac=bytes(4), capabilities=DeviceCapabilities())
            discovery = Discovery(euicc, connect, device=device, eid=None, check_server=_check_server)
            discovery.run([ServerAddress.parse(SMDS)], deadline=soon)
    return [joined(ear.messages), joined(ear.messages[:6]), joined(reversed(ear.messages))]


def _check_server(address: ServerAddress) -> None:
    if address.host.startswith("forbidden."):
        raise PolicyRefused("the settings do not allow it", rule="servers")


def _life() -> tuple[_Recorder, list[bytes], list[bytes], list[bytes]]:
    """Download a profile and call functions of the card.

    Returns:
        The recorder, the card's answers, the certificates, and the packages.
    """
    ear = _Recorder()
    soon = Deadline.after(60)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        pki = Pki.open(place / "pki")
        package = made_up_profile(Iccid.parse(ICCID), size=800)
        metadata = ProfileMetadata(iccid=ICCID, owner=Owner("00101"), rules=(ProfilePolicyRule.PPR2,))
        with (
            SoftCard(place / "card", pki=pki) as card,
            SmDp(place / "smdp", pki=pki, aliases=(SERVER,)) as smdp,
        ):
            order = smdp.orders.add_order(package, metadata=metadata)
            hosts = HostOverrides.parse({SERVER: f"127.0.0.1:{smdp.port}"})
            trust = Trust([ci.der for ci in pki.ci.values()], use_system_roots=False)
            link = RawLink(_Contacts(card), device=_Contacts(card))
            with isdr_session(link, deadline=soon) as isdr:
                euicc = Euicc(isdr)
                ear.hear_card(euicc)
                device = DeviceInfo(tac=bytes(4), capabilities=DeviceCapabilities())
                server = Es9Plus(ServerAddress.parse(SERVER), trust=trust, route=Route(hosts))
                ear.hear_server(server)
                with server:
                    wanted = Order(matching_id=order.matching_id)
                    Download(euicc, server, wanted, device=device, listener=_Caller()).run(deadline=soon)
                conversation = list(ear.messages)
                for ask in (
                    euicc.get_eid,
                    euicc.get_euicc_info2,
                    euicc.get_rat,
                    euicc.get_euicc_configured_addresses,
                    euicc.get_profiles_info,
                    euicc.notification_list,
                    euicc.retrieve_notifications_list,
                ):
                    ask(deadline=soon)
                euicc.set_nickname(Iccid.parse(ICCID), "home", deadline=soon)
                euicc.set_default_dp_address("smdp.example.com", deadline=soon)
                euicc.enable_profile(Iccid.parse(ICCID), refresh=False, deadline=soon)
                _refuse(euicc, soon)
        certificates = [ci.der for ci in pki.ci.values()]
        certificates += [path.read_bytes() for path in sorted((place / "pki").rglob("*.der"))[:12]]
    ear.messages = conversation
    return ear, list(dict.fromkeys(ear.card)), certificates, [package]


def _refuse(euicc: Euicc, soon: Deadline) -> None:
    try:
        euicc.cancel_session(TransactionId(bytes(8)), CancelSessionReason.TIMEOUT, deadline=soon)
    except CardError:
        return


class _Contacts:
    """The contacts of a card that is not in a modem."""

    def __init__(self, card: SoftCard) -> None:
        self._card = card

    def transmit(self, apdu: bytes, *, deadline: Deadline) -> bytes:
        assert not deadline.passed
        return self._card.transmit(apdu)

    def imei(self, *, deadline: Deadline) -> None:
        assert not deadline.passed

    def close(self) -> None:
        pass


if __name__ == "__main__":
    main()
