"""The APDU trace hides secrets unless the settings ask for them to be shown."""

from __future__ import annotations

import logging

import pytest

from card.link_contract import EID, GET_EID, soon
from card.scripted_card import BenchDevice, ScriptedCard
from lpad.base.errors import CardUnreachable
from lpad.base.log.trace_level import TRACE
from lpad.card.channel.apdu_trace import TracedCard
from lpad.card.channel.logical_channel import RawLink
from lpad.card.isdr.isdr import isdr_session
from lpad.protocol.apdu import Apdu, Command

SECRET = "89049032"


def run(*, unredacted: bool) -> None:
    card = TracedCard(ScriptedCard(answers={GET_EID: EID}), name="ttyX", unredacted=unredacted)
    with isdr_session(RawLink(card, device=BenchDevice()), deadline=soon()) as isdr:
        isdr.command(GET_EID, deadline=soon())
        isdr.command(bytes.fromhex("BF3111A00C5A0A89049032325476981032148101FF"), deadline=soon())


def test_payloads_are_hidden(caplog: pytest.LogCaptureFixture) -> None:
    """Headers, tags, lengths and status words are shown; the content is not."""
    with caplog.at_level(TRACE, logger="lpad.card.apdu"):
        run(unredacted=False)
    assert "> 81E2910006 [BF3E… 6 bytes]" in caplog.text
    assert "< [BF3E… 21 bytes] 9000" in caplog.text
    assert "> 01A4040010A0000005591010FFFFFFFF8900000100" in caplog.text
    assert "> 00708001" in caplog.text
    assert SECRET not in caplog.text


def test_payloads_are_shown_on_request(caplog: pytest.LogCaptureFixture) -> None:
    """If the settings request it, the trace shows the whole content."""
    with caplog.at_level(TRACE, logger="lpad.card.apdu"):
        run(unredacted=True)
    assert EID.hex().upper() + "9000" in caplog.text


def test_debug_does_not_show_apdus(caplog: pytest.LogCaptureFixture) -> None:
    """At the level DEBUG, APDUs are not logged, because the trace has its own, lower level."""
    with caplog.at_level(logging.DEBUG, logger="lpad.card.apdu"):
        run(unredacted=True)
    assert caplog.text == ""


def test_an_error_is_traced(caplog: pytest.LogCaptureFixture) -> None:
    """A command without an answer is traced with its error."""

    class Gone(ScriptedCard):
        def transmit(self, apdu: bytes, *, deadline: object = None) -> bytes:
            raise CardUnreachable("gone")

    with caplog.at_level(TRACE, logger="lpad.card.apdu"), pytest.raises(CardUnreachable):
        TracedCard(Gone(), name="ttyX").transmit(Apdu(Command(0, 0xA4, 0, 4)), deadline=soon())
    assert "! CardUnreachable" in caplog.text
