"""The parsers of received bytes, each as a function with bytes as its only parameter.

A target accepts only the errors that the parser must raise for wrong bytes: any other exception from `run` is
a bug. `limit` is the maximum length of an input; `fuzz/__main__.py` limits the time and memory for each.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from fuzz.whole_discovery import hold_discovery
from fuzz.whole_download import hold_conversation
from lpad.api.request import request_bodies as bodies
from lpad.api.request.decoding import decoded
from lpad.base.activation_code import ActivationCode
from lpad.base.errors import InvalidValue, LpadError, MalformedError
from lpad.base.guard_condition import Condition
from lpad.base.identifiers import Aid, Eid, Iccid, Imei, TransactionId
from lpad.base.server_address import ServerAddress
from lpad.codec.asn1 import der, tlv
from lpad.codec.asn1.rsp_table import TYPES
from lpad.codec.bound_profile import BoundProfile
from lpad.codec.es9plus import (
    Answer,
    AuthenticateClientAnswer,
    GetBoundProfilePackageAnswer,
    InitiateAuthenticationAnswer,
)
from lpad.codec.es11_event_entries import EventEntries, lists_events
from lpad.codec.mbim import (
    basic_connect,
    data_connection,
    framing,
    information_buffer,
    proxy_control,
    uicc_access,
)
from lpad.codec.mbim.messages import Command as MbimCommand
from lpad.codec.mbim.messages import CommandDone, Indication
from lpad.codec.mbim.reassembly import Receiver
from lpad.codec.messages import (
    authentication,
    cancel_session,
    configured_addresses,
    euicc_info,
    get_eid,
    installation_result,
    memory_reset,
    metadata,
    notifications,
    prepare_download,
    profiles,
    rules_authorisation_table,
)
from lpad.codec.qmi import card as qmi_card
from lpad.codec.qmi import control as qmi_control
from lpad.codec.qmi import data_session as qmi_data_session
from lpad.codec.qmi import device as qmi_device
from lpad.codec.qmi import framing as qmi_framing
from lpad.codec.qmi import message_parameters as qmi_values
from lpad.codec.qmi import network_registration as qmi_network
from lpad.codec.qmi.framing import Kind as QmiKind
from lpad.codec.qmi.message_stream_splitting import Receiver as QmiReceiver
from lpad.codec.x509.certificate_holder_and_role import Certificate, subject_serial_number
from lpad.codec.x509.certificate_key_and_signature import SignedCertificate
from lpad.codec.x509.revocation_list import RevocationList
from lpad.protocol import (
    card_and_identity_commands,
    iccid_answer,
    pin_answer,
    radio_power_answer,
    registration_answer,
)
from lpad.protocol.apdu import Command, Exchange
from lpad.protocol.at_dialogue import AtCommand, AtDialogue
from lpad.protocol.proactive import ProactiveCommand, reaction_to
from lpad.remote.https.answer_head_filter import AnswerHead
from lpad.remote.trust.anchor_named_by_card import find_anchor, trace
from lpad.settings import Settings
from lpad.settings.parsing.conversion import to_section
from lpad.settings.parsing.yaml_document import Document
from lpad.simulator.profile_package import saip

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Target:
    """A parser: `run` gets at most `limit` bytes."""

    name: str
    run: Callable[[bytes], None]
    limit: int = 4096


def _tlv(data: bytes) -> None:
    pending: list[tlv.Tlv] = []
    with suppress(MalformedError):
        pending += tlv.parse_all(data)
    with suppress(MalformedError):
        first, rest = tlv.parse_first(data)
        assert first.raw + rest == data, "the elements contain each byte once"
    while pending:
        element = pending.pop()
        assert element.header + element.value == element.raw
        with suppress(MalformedError):
            pending += element.children()


def _der(data: bytes) -> None:
    for name in TYPES:
        for lenient in (False, True):
            with suppress(MalformedError):
                der.decode(name, data, lenient=lenient)


_ES10: tuple[Callable[[bytes], Any], ...] = (
    configured_addresses.ConfiguredAddresses.decode,
    configured_addresses.SetDefaultDpAddressResult.decode,
    authentication.AuthenticateServerResponse.decode,
    lambda data: authentication.AuthenticateServerResponse.decode(data).eid,
    authentication.ServerSigned1.decode,
    memory_reset.EuiccMemoryResetResult.decode,
    get_eid.decode_eid,
    cancel_session.CancelSessionResponse.decode,
    prepare_download.PrepareDownloadResponse.decode,
    prepare_download.SmdpSigned2.decode,
    euicc_info.EuiccInfo1.decode,
    euicc_info.EuiccInfo2.decode,
    euicc_info.decode_euicc_challenge,
    installation_result.ProfileInstallationResult.decode,
    metadata.ProfileMetadata.decode,
    notifications.ListNotificationResponse.decode,
    notifications.NotificationSentResult.decode,
    notifications.PendingNotification.decode,
    notifications.RetrieveNotificationsListResponse.decode,
    profiles.DeleteProfileResult.decode,
    profiles.DisableProfileResult.decode,
    profiles.EnableProfileResult.decode,
    profiles.ProfileInfoListResponse.decode,
    profiles.SetNicknameResult.decode,
    rules_authorisation_table.decode_rat,
)


def _es10(data: bytes) -> None:
    for decode in _ES10:
        with suppress(MalformedError):
            decode(data)


def _es9plus(data: bytes) -> None:
    with suppress(MalformedError):
        Answer.decode_acceptance(data)
    try:
        answer = Answer.decode(data)
    except MalformedError:
        return
    lists_events(answer)
    for wanted in (
        InitiateAuthenticationAnswer,
        AuthenticateClientAnswer,
        EventEntries,
        GetBoundProfilePackageAnswer,
    ):
        with suppress(MalformedError):
            wanted.of(answer)


def _bound_profile(data: bytes) -> None:
    try:
        bound = BoundProfile.parse(data)
    except MalformedError:
        return
    # The card must get every received byte once and in order.
    assert b"".join(segment.data for segment in bound.segments) == data


def _certificate(data: bytes) -> None:
    with suppress(MalformedError):
        assert isinstance(Certificate.decode(data).roles, tuple)
    with suppress(MalformedError):
        subject_serial_number(data)
    with suppress(MalformedError):
        RevocationList.decode(data)
    with suppress(MalformedError):
        signed = SignedCertificate.decode(data)
        assert isinstance(signed.common_name + signed.issuer_name, str)
    chain = [data]
    with suppress(MalformedError):
        chain = [element.raw for element in tlv.parse_all(data)]
    find_anchor(trace(chain), [bytes(20)])


_QUESTIONS: tuple[tuple[AtCommand, Callable[[Any], object]], ...] = (
    (
        card_and_identity_commands.csim(bytes.fromhex("80E2910003BF2E0000")),
        card_and_identity_commands.response_apdu,
    ),
    (
        card_and_identity_commands.cgla("1", bytes.fromhex("80E2910003BF2E0000")),
        card_and_identity_commands.response_apdu,
    ),
    (
        card_and_identity_commands.ccho(bytes.fromhex("A0000005591010FFFFFFFF8900000100")),
        card_and_identity_commands.ccho_handle,
    ),
    (card_and_identity_commands.cchc("1"), lambda answer: answer.error),
    (card_and_identity_commands.cgsn(), card_and_identity_commands.identity_text),
    *((each, card_and_identity_commands.identity_text) for each in card_and_identity_commands.identity()),
    (iccid_answer.iccid_command("AT+CRSM=176,12258,0,0,10"), iccid_answer.iccid_report),
    (iccid_answer.iccid_command("AT^ICCID?"), iccid_answer.iccid_report),
    (
        registration_answer.registration_command("+CEREG"),
        lambda answer: registration_answer.registration_told("+CEREG", answer),
    ),
    (radio_power_answer.functionality_command(), radio_power_answer.functionality_told),
    (pin_answer.pin_command(), pin_answer.lock_told),
)


def _at(data: bytes) -> None:
    """Send a command, receive the bytes in two portions, and abandon the command.

    If the modem is then out of step, probe it, and receive the bytes again. The first two bytes of the input
    select the command and the length of the first portion.
    """
    if len(data) < 2:
        return
    command, read = _QUESTIONS[data[0] % len(_QUESTIONS)]
    heard, cut = data[2:], data[1]
    dialogue = AtDialogue()
    dialogue.ask(command)
    dialogue.receive(heard[:cut])
    dialogue.receive(heard[cut:])
    for line in dialogue.unsolicited():
        registration_answer.registration_announced(line)
    if dialogue.answer is not None:
        with suppress(MalformedError):
            read(dialogue.answer)
    dialogue.give_up()
    if not dialogue.in_step:
        dialogue.probe()
        dialogue.receive(heard)
        dialogue.give_up()
    assert len(dialogue.unsolicited()) <= 10_000


def _apdu(data: bytes) -> None:
    """Parse the input as two kinds of command.

    Then feed the input to an exchange in parts, each preceded by its length.
    """
    with suppress(MalformedError):
        Command.parse(data)
    with suppress(MalformedError):
        reaction_to(ProactiveCommand.parse(data))
    exchange = Exchange(Command(0x80, 0xE2, 0x91, 0x00, b"\xbf\x2e\x00"))
    with suppress(MalformedError):
        while data and exchange.to_send is not None:
            length, data = data[0], data[1:]
            exchange.feed(data[:length])
            data = data[length:]


_MBIM: tuple[type[Any], ...] = tuple(
    each
    for module in (basic_connect, data_connection, proxy_control, uicc_access)
    for each in vars(module).values()
    if isinstance(each, type)
    and issubclass(each, information_buffer.Information)
    and each is not information_buffer.Information
)


def _mbim(data: bytes) -> None:
    """Receive a stream in two pieces, and read each information buffer in it as every type.

    The first byte gives the length of the first piece.
    """
    if not data:
        return
    cut, heard = data[0], data[1:]
    receiver = Receiver(types=framing.TO_HOST | framing.TO_FUNCTION)
    found = receiver.receive(heard[:cut]) + receiver.receive(heard[cut:])
    assert receiver.noise <= len(heard)
    buffers = [each.info for each in found if isinstance(each, MbimCommand | CommandDone | Indication)]
    for message in found:
        assert len(framing.encode(message)) >= 1
    for buffer in (*buffers, heard):
        for kind in _MBIM:
            with suppress(MalformedError):
                information_buffer.decode(kind, buffer)


_QMI: tuple[type[Any], ...] = tuple(
    each
    for module in (qmi_card, qmi_control, qmi_data_session, qmi_device, qmi_network)
    for each in vars(module).values()
    if isinstance(each, type) and issubclass(each, qmi_values.Body) and each is not qmi_values.Body
)


def _qmi(data: bytes) -> None:
    """Receive a stream in two pieces, and read the parameters of each message in it as every type.

    The first byte gives the length of the first piece.
    """
    if not data:
        return
    cut, heard = data[0], data[1:]
    receiver = QmiReceiver()
    found = receiver.receive(heard[:cut]) + receiver.receive(heard[cut:])
    assert receiver.noise <= len(heard)
    for message in found:
        assert message.kind is QmiKind.REQUEST or qmi_framing.decode(qmi_framing.encode(message)) == message
        with suppress(MalformedError):
            qmi_values.result_of(message.parameters)
        for kind in _QMI:
            with suppress(MalformedError):
                qmi_values.encode(qmi_values.decode(kind, message.parameters))


def _http_head(data: bytes) -> None:
    """Parse the head of an answer as a whole and in two pieces, and compare the results.

    The first two bytes give the length of the first piece.
    """
    if len(data) < 2:
        return
    cut, heard = int.from_bytes(data[:2], "big"), data[2:]

    def read(*pieces: bytes) -> bytes | None:
        head = AnswerHead()
        with suppress(MalformedError):
            return b"".join(map(head.feed, pieces)) + head.rest()
        return None

    assert read(heard) == read(heard[:cut], heard[cut:])


def _text(*parsers: Callable[[str], object]) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        for parse in parsers:
            with suppress(InvalidValue, MalformedError):
                parse(text)

    return run


def _binary_identifiers(data: bytes) -> None:
    for read in (Iccid.from_bytes, Eid.from_bytes, Imei.from_bytes):
        with suppress(MalformedError, InvalidValue):
            str(read(data))


def _settings(data: bytes) -> None:
    document = Document.parse(data)
    if document.value is None or isinstance(document.value, dict):
        to_section(Settings, document.value, document.report)
    assert all(each.line >= 1 for each in document.report.mistakes)


_BODIES = [
    each
    for each in vars(bodies).values()
    if isinstance(each, type) and issubclass(each, bodies.Request) and each is not bodies.Request
]


def _api(data: bytes) -> None:
    for type_ in _BODIES:
        with suppress(InvalidValue):
            body = decoded(data, type_)
            for text in map(str, msgspec.structs.astuple(body)):
                for parse in (ActivationCode.parse, Iccid.parse, ServerAddress.parse, Condition.parse):
                    with suppress(InvalidValue):
                        parse(text)


def _saip(data: bytes) -> None:
    with suppress(MalformedError):
        saip.parse(data)


def _discovery(data: bytes) -> None:
    with suppress(LpadError):
        hold_discovery(data)


def _conversation(data: bytes) -> None:
    with suppress(LpadError):
        hold_conversation(data)


TARGETS = {
    each.name: each
    for each in (
        Target("tlv", _tlv),
        Target("der", _der, limit=1024),
        Target("es10", _es10),
        Target("es9plus", _es9plus, limit=16384),
        Target("bound-profile", _bound_profile, limit=16384),
        Target("certificate", _certificate, limit=4096),
        Target("at", _at),
        Target("apdu", _apdu),
        Target("mbim", _mbim),
        Target("qmi", _qmi),
        Target("http-head", _http_head, limit=70_000),
        Target("activation-code", _text(ActivationCode.parse, ServerAddress.parse), limit=512),
        Target(
            "identifiers",
            _text(Iccid.parse, Eid.parse, Imei.parse, Aid.parse, TransactionId.from_hex, Condition.parse),
            limit=256,
        ),
        Target("binary-identifiers", _binary_identifiers, limit=64),
        Target("settings", _settings),
        Target("api", _api),
        Target("saip", _saip, limit=16384),
        Target("conversation", _conversation, limit=65536),
        Target("discovery", _discovery, limit=65536),
    )
}
"""The targets by name; each has a folder of seeds in fuzz/corpus."""
