"""Lpad tries blocks larger than a quirk's once, after a download, and gives them up if one is lost."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from engine.lab import CARD, FIRST, SECOND, Lab
from lpad.base.deadline import Deadline
from lpad.card.at.at_link import open_at_link
from lpad.card.link.port_of_two_euiccs import SharedPort
from lpad.card.link.remembered_links import LinkMemory
from lpad.engine.change.change import Kind, State
from lpad.engine.running.card.block_size_trial import LONG_REQUEST, try_larger_blocks
from lpad.engine.running.card.card_with_open_link import Card, CardPort
from lpad.simulator.modem.personality import Handles, LongLines, ModemPersonality

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.card.link.link import Link
    from lpad.simulator.pki.pki import Pki

THIRD = "8900101000000000033"
SMALL = 120
QUIRKY = partial(
    ModemPersonality, manufacturer="Fibocom Wireless Inc.", model="L850-GL", firmware="18500", error_level=1
)
"""A modem whose quirk sets blocks of 120 bytes."""
SHORT_LINES = 300
LONG = 60.0
"""Seconds within which an answer arrives, even on a busy machine."""
PASSED = '"larger_blocks": true'
FAILED = '"larger_blocks": false'
ENDED = re.compile("the modem damages blocks|blocks of 255 bytes do not pass")
"""The log's line about a trial that has ended without success."""
_STORE_DATA = re.compile(r'"8[0-9A-F]E2[0-9A-F]{4}([0-9A-F]{2})([0-9A-F]{0,8})')


def port_of(lab: Lab, **options: object) -> CardPort:
    path, memory = str(lab.folder / "tty"), LinkMemory(lab.folder / "links")

    def open_link(_: Deadline) -> Link:
        return open_at_link(path, memory=memory, **options)  # type: ignore[arg-type]  # passed on

    return CardPort(name=CARD, transport="AT", open_link=open_link)


def blocks(lab: Lab, *, but_trial: bool = False) -> list[int]:
    """Return the sizes in bytes of the STORE DATA blocks that the modem has received since the last call.

    Args:
        lab: the lab with the modem.
        but_trial: whether to leave out the trial's block, which may follow a download at any moment.
    """
    found = [_STORE_DATA.search(line) for line in lab.modem.received]
    lab.modem.received.clear()
    trial = LONG_REQUEST[:4].hex().upper()
    return [int(match[1], 16) for match in found if match and not (but_trial and match[2] == trial)]


def download(lab: Lab, iccid: str) -> None:
    change = lab.carry_out(Kind.DOWNLOAD, secrets={"activation_code": lab.code(lab.order(iccid=iccid))})
    assert change.state is State.DONE, change.error


def largest_sent(lab: Lab, iccid: str) -> int:
    """Download a profile and return the size of the largest block."""
    lab.modem.received.clear()
    download(lab, iccid)
    return max(blocks(lab, but_trial=True))


def remembered(lab: Lab) -> str:
    """Return the content of the remembered modem's file."""
    (file,) = (lab.folder / "links").glob("*.json")
    return file.read_text(encoding="utf-8")


def test_the_request_fills_a_block() -> None:
    """The trial's harmless command is one block of the largest size; its last tag shows that all arrived."""
    assert len(LONG_REQUEST) == 255
    assert LONG_REQUEST.endswith(b"\x5a\x5a")


@pytest.mark.parametrize("handles", [None, Handles.NUMBER])
def test_a_modem_that_takes_more(
    tmp_path: Path, pki: Pki, handles: Handles | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first download uses blocks of the quirk's size, later ones the largest, even after a restart."""
    monkeypatch.setattr("lpad.engine.running.card.block_size_trial.PATIENCE", LONG)
    with Lab(tmp_path, pki, personality=QUIRKY(handles=handles)) as lab:
        lab.start(port_of(lab))
        assert largest_sent(lab, FIRST) == SMALL
        lab.until_true(lambda: PASSED in remembered(lab))
        lab.stop()
        lab.start(port_of(lab))
        assert largest_sent(lab, SECOND) == 255


@pytest.mark.parametrize("long_lines", list(LongLines))
def test_a_modem_that_does_not(
    tmp_path: Path, pki: Pki, long_lines: LongLines, caplog: pytest.LogCaptureFixture
) -> None:
    """A modem that refuses, loses or cuts long lines, or hangs, is tried once, and keeps small blocks."""
    personality = QUIRKY(line_limit=SHORT_LINES, long_lines=long_lines)
    with Lab(tmp_path, pki, personality=personality) as lab:
        lab.start(port_of(lab))
        assert largest_sent(lab, FIRST) == SMALL
        lab.until_true(lambda: ENDED.search(caplog.text) is not None)
        assert "trying blocks of 255 bytes" in caplog.text
        assert largest_sent(lab, SECOND) == SMALL
        assert PASSED not in remembered(lab)
        lab.stop()
        lab.start(port_of(lab))
        assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
        assert max(blocks(lab)) <= SMALL


def test_lines_that_are_lost_later(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a large block is lost after the trial, this download fails, and later ones have small blocks."""
    monkeypatch.setattr("lpad.engine.running.card.block_size_trial.PATIENCE", LONG)
    with Lab(tmp_path, pki, personality=QUIRKY()) as lab:
        lab.start(port_of(lab, overrides={"patience": {"apdu": 2.0, "change": 2.0}}))
        download(lab, FIRST)
        lab.until_true(lambda: PASSED in remembered(lab))
        lab.modem.once('AT+CSIM=520,"81E21101', instead=(), executed=False)
        code = lab.code(lab.order(iccid=SECOND))
        change = lab.carry_out(Kind.DOWNLOAD, secrets={"activation_code": code})
        assert change.error is not None
        assert change.error.kind == "card-unreachable"
        assert PASSED not in remembered(lab)
        blocks(lab)
        assert largest_sent(lab, THIRD) == SMALL
        assert max(blocks(lab), default=0) <= SMALL


def test_the_owners_quirk_counts(tmp_path: Path, pki: Pki) -> None:
    """Lpad does not try larger blocks than a block size in the settings."""
    with Lab(tmp_path, pki, personality=QUIRKY()) as lab:
        lab.start(port_of(lab, overrides={"block_size": 100}))
        assert largest_sent(lab, FIRST) == 100
        assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
        assert largest_sent(lab, SECOND) == 100


def test_a_modem_that_restarts(tmp_path: Path, pki: Pki) -> None:
    """If the port disappears at the long line, the trial counts as failed, and there is no second one."""
    with Lab(tmp_path, pki, personality=QUIRKY()) as lab:
        lab.start(port_of(lab))
        lab.modem.once("AT+CSIM=520", vanish=True)
        download(lab, FIRST)
        lab.until_true(lambda: FAILED in remembered(lab))
        lab.until_true(lambda: not (lab.folder / "tty").exists())
        lab.modem.come_back()
        assert largest_sent(lab, SECOND) == SMALL
        assert FAILED in remembered(lab)


def test_the_owners_quirk_counts_after_a_trial(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block size that the owner sets later is not exceeded, although larger ones have passed."""
    monkeypatch.setattr("lpad.engine.running.card.block_size_trial.PATIENCE", LONG)
    with Lab(tmp_path, pki, personality=QUIRKY()) as lab:
        lab.start(port_of(lab))
        download(lab, FIRST)
        lab.until_true(lambda: PASSED in remembered(lab))
        lab.stop()
        lab.start(port_of(lab, overrides={"block_size": 100}))
        assert largest_sent(lab, SECOND) == 100
        lab.stop()
        lab.start(port_of(lab))
        assert largest_sent(lab, THIRD) == 255


def test_a_shared_port(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a shared port larger blocks are tried, too, and given up when one is lost."""
    monkeypatch.setattr("lpad.engine.running.card.block_size_trial.PATIENCE", LONG)
    with Lab(tmp_path, pki, personality=QUIRKY()) as lab:
        port = port_of(lab, overrides={"patience": {"apdu": 2.0, "change": 2.0}})
        lab.start(replace(port, open_link=SharedPort(port.open_link, name=CARD).open_link))
        assert largest_sent(lab, FIRST) == SMALL
        lab.until_true(lambda: PASSED in remembered(lab))
        lab.modem.once('AT+CSIM=520,"81E21101', instead=(), executed=False)
        code = lab.code(lab.order(iccid=SECOND))
        assert lab.carry_out(Kind.DOWNLOAD, secrets={"activation_code": code}).error is not None
        assert FAILED in remembered(lab)
        assert largest_sent(lab, THIRD) == SMALL


def test_a_port_that_was_returned(tmp_path: Path, pki: Pki) -> None:
    """A modem that was returned to its owner is not borrowed again for the trial."""
    with Lab(tmp_path, pki, personality=QUIRKY()) as lab:
        port, opened = port_of(lab), []

        def open_link(deadline: Deadline) -> Link:
            opened.append(deadline)
            return port.open_link(deadline)

        card = Card(replace(port, open_link=open_link))
        with card.session(deadline=Deadline.after(LONG)):
            pass
        card.give_back()
        blocks(lab)
        try_larger_blocks(card, [FIRST], seconds=LONG)
        assert (len(opened), card.is_open, blocks(lab)) == (1, False, [])
