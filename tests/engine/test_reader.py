"""A card in a PC/SC reader named in the settings, with a real pcscd: states, downloads, switches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card.private_pcscd import FIRST as READER
from card.private_pcscd import PrivatePcscd, wait_for_cards
from engine.lab import CARD, FIRST, SECOND, Lab, result_of
from lpad.daemon.card_ports import CardPorts
from lpad.engine.change.change import Kind, PauseReason
from lpad.engine.running.change_question_answer import Answer
from lpad.engine.snapshot.snapshot import CardState
from lpad.settings import SettingsFile
from lpad.simulator.virtual_reader import VirtualReaderCard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.simulator.euicc.card import SoftCard


@pytest.fixture
def pcscd() -> Iterator[PrivatePcscd]:
    with PrivatePcscd() as running:
        yield running


def start(lab: Lab, folder: Path, more: str = "") -> None:
    """Start an engine for the card in the reader, with more settings, such as ", tac: '35290611'"."""
    path = folder / "lpad.yaml"
    path.write_text(
        f"state_folder: state\neuiccs: {{{CARD}: {{reader: '{READER}'{more}}}}}\n", encoding="utf-8"
    )
    lab.start(*CardPorts(folder / "state").of(SettingsFile.read(path).settings))


def becomes(lab: Lab, state: CardState) -> None:
    lab.until(lambda: lab.engine.snapshot(CARD).state, lambda seen: seen is state)


def install(lab: Lab, **order: object) -> str:
    """Download a profile and return its ICCID.

    On a busy machine, pcscd may switch off a card that is used seconds after its insertion; the download is
    then repeated.
    """
    return lab.install(retry_for=120.0, **order)


def test_a_card_in_a_reader_comes_and_goes(lab: Lab, pcscd: PrivatePcscd, tmp_path: Path) -> None:
    """Lpad notices an inserted or removed card without a request; an inserted card can be used."""
    start(lab, tmp_path)
    becomes(lab, CardState.ABSENT)
    for iccid in (FIRST, SECOND, FIRST):
        with VirtualReaderCard(lab.card, port=pcscd.port):
            becomes(lab, CardState.READY)
            assert lab.engine.snapshot(CARD).eid == str(lab.card.eid)
            if lab.engine.snapshot(CARD).listed.named(iccid) is None:
                install(lab, iccid=iccid)
            assert lab.carry_out(Kind.ENABLE, iccid=iccid).error is None
            assert str(lab.card.enabled_iccid) == iccid
        becomes(lab, CardState.ABSENT)
    assert len(list((tmp_path / "state" / "links").glob("*.json"))) == 1, "what a restart needs is not stored"


def test_a_device_without_imei_has_the_tac_of_its_settings(
    lab: Lab, pcscd: PrivatePcscd, tmp_path: Path
) -> None:
    """A reader reports no IMEI, so lpad sends the TAC of the settings, which the server's order requires."""
    with VirtualReaderCard(lab.card, port=pcscd.port):
        wait_for_cards(present={READER})
        start(lab, tmp_path, ", tac: '35290611'")
        becomes(lab, CardState.READY)
        code = lab.code(lab.order(tacs=("35290611",)))
        change = lab.carry_out(Kind.DOWNLOAD, secrets={"activation_code": code})
        assert change.error is None


def test_a_card_pulled_while_a_profile_is_loaded(lab: Lab, pcscd: PrivatePcscd, tmp_path: Path) -> None:
    """If the card is pulled during a load, the change waits for the card, and then fails as interrupted."""
    with VirtualReaderCard(lab.card, port=pcscd.port) as inserted:
        wait_for_cards(present={READER})
        start(lab, tmp_path)
        becomes(lab, CardState.READY)
        code = lab.code(lab.order(size=20_000))
        change = lab.submit(Kind.DOWNLOAD, secrets={"activation_code": code})
        lab.until(
            lambda: lab.engine.change(change.id),
            lambda seen: seen.state.ended or (seen.progress is not None and seen.progress.sent > 1000),
        )
        inserted.pull()
        becomes(lab, CardState.ABSENT)
        waiting = lab.until(lambda: lab.engine.change(change.id), lambda seen: seen.pause is not None)
        assert waiting.pause is not None
        assert waiting.pause.reason is PauseReason.CARD
        inserted.insert()
        ended = lab.ended(change.id)
        assert ended.error is not None
        assert ended.error.details["reason"] == "installFailedDueToInterruption"
        becomes(lab, CardState.READY)
        assert lab.engine.snapshot(CARD).profiles == ()
        install(lab, iccid=SECOND)
        lab.stop()
        assert lab.card.open_channels == ()


class Jolted:
    """A card that is reset once, at its nth long APDU, as by an interruption that pcscd does not notice."""

    def __init__(self, card: SoftCard, *, after: int) -> None:
        self._card = card
        self._left = after

    def transmit(self, apdu: bytes) -> bytes:
        self._left -= len(apdu) > 200
        if self._left == 0:
            self._left = -1
            self._card.reset()
        return self._card.transmit(apdu)

    def reset(self) -> bytes:
        return self._card.reset()


def test_a_switch_in_a_reader_has_no_default_guard(lab: Lab, pcscd: PrivatePcscd, tmp_path: Path) -> None:
    """A card in a reader does not register: a switch has no default guard, and states the reason."""
    start(lab, tmp_path)
    with VirtualReaderCard(lab.card, port=pcscd.port):
        becomes(lab, CardState.READY)
        install(lab)
        install(lab, iccid=SECOND, name="Second")
        lab.carry_out(Kind.ENABLE, iccid=FIRST)
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert change.error is None
        assert result_of(change)["unguarded"] == "the card is in a reader"
    becomes(lab, CardState.ABSENT)


@pytest.mark.parametrize("retry_for", [0, 3600], ids=["once", "tried again"])
def test_a_card_that_is_reset_while_a_profile_is_loaded(
    lab: Lab, pcscd: PrivatePcscd, tmp_path: Path, retry_for: int
) -> None:
    """If the card is reset during a load, the download is repeated if allowed; otherwise it fails."""
    with VirtualReaderCard(Jolted(lab.card, after=20), port=pcscd.port):
        wait_for_cards(present={READER})
        start(lab, tmp_path)
        becomes(lab, CardState.READY)
        code = lab.code(lab.order(size=20_000))
        change = lab.submit(Kind.DOWNLOAD, secrets={"activation_code": code}, retry_for=retry_for)
        ended = lab.ended(change.id)
        if retry_for:
            assert ended.error is None
            assert len(lab.engine.snapshot(CARD).profiles) == 1
        else:
            assert ended.error is not None
            assert ended.error.details["reason"] == "installFailedDueToInterruption"
            assert lab.engine.snapshot(CARD).profiles == ()
        lab.stop()
        assert lab.card.open_channels == ()


def test_a_pcscd_that_dies_is_an_absent_card(lab: Lab, pcscd: PrivatePcscd, tmp_path: Path) -> None:
    """If pcscd dies, its card becomes absent; once pcscd is back, the next change reaches the card."""
    with VirtualReaderCard(lab.card, port=pcscd.port):
        wait_for_cards(present={READER})
        start(lab, tmp_path)
        becomes(lab, CardState.READY)
        pcscd.kill()
        becomes(lab, CardState.ABSENT)
    pcscd.start()
    with VirtualReaderCard(lab.card, port=pcscd.port):
        wait_for_cards(present={READER})
        assert lab.carry_out(Kind.REFRESH).error is None
        becomes(lab, CardState.READY)


def test_a_guarded_switch_in_a_reader(lab: Lab, pcscd: PrivatePcscd, tmp_path: Path) -> None:
    """In a reader, a guard for registration is refused; with one for confirmation, a rejection rolls back."""
    with VirtualReaderCard(lab.card, port=pcscd.port):
        wait_for_cards(present={READER})
        start(lab, tmp_path)
        becomes(lab, CardState.READY)
        install(lab)
        change = lab.carry_out(Kind.ENABLE, iccid=FIRST, guard={"until": ["registered"], "within": 60})
        assert change.error is not None
        assert change.error.kind == "conflict"
        assert "the card is in a reader" in change.error.sentence
        assert lab.card.enabled_iccid is None
        change = lab.asked(
            lab.submit(Kind.ENABLE, iccid=FIRST, guard={"until": ["confirm"], "within": 60}).id
        )
        lab.engine.answer(change.id, Answer(confirm=False))
        error = lab.ended(change.id).error
        assert error is not None
        assert error.kind == "switch-rolled-back"
        assert lab.card.enabled_iccid is None
