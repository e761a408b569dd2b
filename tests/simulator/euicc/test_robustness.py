"""The simulated card answers any bytes with a status word, and works afterwards."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.euicc.chip.behaviour import Answers, CardBehaviour
from simulator.euicc.small_lpa import SmallLpa, StatusError
from simulator.euicc.small_server import ICCID, SmallServer, metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.simulator.pki.pki import Pki

FUNCTIONS = (
    *("BF20", "BF21", "BF22", "BF28", "BF29", "BF2B", "BF2D", "BF2E", "BF30", "BF31", "BF32", "BF33"),
    *("BF34", "BF36", "BF38", "BF3C", "BF3E", "BF3F", "BF41", "BF43", "A0", "A1", "A2", "A3", "86", "87"),
    "88",
)
INSTRUCTIONS = (0x10, 0x12, 0x14, 0x70, 0xA4, 0xAA, 0xB0, 0xC0, 0xE2, 0xF2, 0x88)
CLASSES = (0x00, 0x01, 0x80, 0x81, 0x40, 0xC0, 0x84, 0xA0, 0xFF)


@contextmanager
def fresh(pki: Pki) -> Iterator[SmallLpa]:
    behaviour = CardBehaviour(answers=Answers.AT_ONCE)
    with (
        tempfile.TemporaryDirectory() as folder,
        SoftCard(Path(folder), pki=pki, behaviour=behaviour) as card,
    ):
        yield SmallLpa(card)


def sent(lpa: SmallLpa, data: bytes) -> None:
    """Send a command; if the card refuses it, check that the status word is 67xx, 69xx or 6Axx."""
    try:
        lpa.command(data)
    except StatusError as error:
        assert error.status >> 8 in (0x67, 0x69, 0x6A), error.status  # noqa: PT017 - success is fine as well


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_any_apdu_gets_a_status_word(pki: Pki, data: st.DataObject) -> None:
    """Any APDU gets an answer with a status word."""
    with fresh(pki) as lpa:
        for _ in range(20):
            apdu = bytes(
                [
                    data.draw(st.sampled_from(CLASSES)),
                    data.draw(st.sampled_from(INSTRUCTIONS)),
                    *data.draw(st.binary(min_size=2, max_size=2)),
                ]
            ) + data.draw(st.one_of(st.binary(max_size=12), st.binary(max_size=9).map(with_length)))
            assert len(lpa.card.transmit(apdu)) >= 2
            assert len(lpa.card.transmit(data.draw(st.binary(max_size=6)))) >= 2


def with_length(body: bytes) -> bytes:
    return bytes([len(body)]) + body


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_any_command_gets_an_answer(pki: Pki, data: st.DataObject) -> None:
    """After a prepared download, any content with a function's tag gets an answer."""
    with fresh(pki) as lpa:
        server = SmallServer(pki)
        server.authenticate(lpa)
        server.prepare(lpa)
        for _ in range(10):
            tag = bytes.fromhex(data.draw(st.sampled_from(FUNCTIONS)))
            sent(lpa, tag + data.draw(st.binary(max_size=20).map(with_length)))


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")  # bad serials
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_a_damaged_download_ends_in_answers(pki: Pki, data: st.DataObject) -> None:
    """In a download with one damaged byte, every command is answered, and the next download succeeds."""
    with fresh(pki) as lpa:
        server = SmallServer(pki, metadata=metadata(iconType=1, icon=bytes(4)))
        challenge = lpa.call("GetEuiccChallengeRequest", {}, "GetEuiccChallengeResponse")["euiccChallenge"]
        step = data.draw(st.sampled_from(["authenticate", "prepare", "first", "later"]))
        request = server.authenticate_request(challenge)
        sent(lpa, damaged(request, data) if step == "authenticate" else request)
        server.authenticate(lpa)
        request = server.prepare_request()
        sent(lpa, damaged(request, data) if step == "prepare" else request)
        server.authenticate(lpa)
        server.prepare(lpa)
        segments = server.segments(bytes(lpa.card.eid))
        place = 0 if step == "first" else data.draw(st.integers(1, len(segments) - 1))
        if step in ("first", "later"):
            segments[place] = damaged(segments[place], data)
        for segment in segments:
            sent(lpa, segment)
        if any(profile.iccid == ICCID for profile in lpa.card.profiles):
            assert lpa.delete(bytes(ICCID)) == 0
        assert server.download(lpa)[0] == "successResult"


def damaged(message: bytes, data: st.DataObject) -> bytes:
    place = data.draw(st.integers(1, len(message) - 1))
    return message[:place] + data.draw(st.binary(max_size=2)) + message[place + 1 :]
