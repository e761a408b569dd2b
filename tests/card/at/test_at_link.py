"""Links to a modem's card: they are found and remembered, and leave no channel open."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from card.link_contract import EID, GET_EID, OTHER_ISD_R, soon
from card.scripted_card import ScriptedCard
from lpad.base.deadline import Deadline
from lpad.base.errors import CardBusy, CardError, CardStatus, CardUnreachable, InvalidValue
from lpad.base.identifiers import ISD_R, Imei
from lpad.card.at.at_link import AtLink, open_at_link
from lpad.card.isdr.isdr import isdr_session
from lpad.card.link.isdr_aids import ESTK_SE0, ESTK_SE1, isdr_aids
from lpad.card.link.remembered_links import LinkMemory, OpenChannel
from lpad.card.port.lasting_names import device_key
from lpad.card.port.link_refused import LinkRefused
from lpad.card.quirks.quirks import LinkKind
from lpad.simulator.modem.personality import Csim, Handles, ModemPersonality
from lpad.simulator.modem.pty_modem import PtyModem
from lpad.simulator.personalities import find_personality

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = device_key(Imei.parse("490154203237518"), "")
IDENTITY = ["AT+CGMI", "AT+CGMM", "AT+CGMR"]


def card_with_eid() -> ScriptedCard:
    return ScriptedCard(answers={GET_EID: EID})


def get_eid(link: AtLink) -> bytes:
    with isdr_session(link, aids=isdr_aids(), deadline=soon()) as isdr:
        return isdr.command(GET_EID, deadline=soon())


@contextmanager
def modem_with(
    card: ScriptedCard, habits: ModemPersonality | None = None, **changes: Any
) -> Iterator[PtyModem]:
    with PtyModem(card, personality=replace(habits or ModemPersonality(), **changes)) as modem:
        yield modem


@contextmanager
def opened(modem: PtyModem, folder: Path | None = None, **overrides: Any) -> Iterator[AtLink]:
    link = open_at_link(modem.path, memory=LinkMemory(folder), overrides=overrides)
    try:
        yield link
    finally:
        link.close()


def sent(modem: PtyModem) -> list[str]:
    """Return the received commands, in order, without parameters and without immediate repetitions."""
    heads = [line.partition("=")[0] for line in modem.received]
    return [head for index, head in enumerate(heads) if index == 0 or heads[index - 1] != head]


def test_a_working_link_is_remembered_and_tried_first(tmp_path: Path) -> None:
    """A second link to the same modem does not search, and does not ask for make, model and firmware."""
    card = card_with_eid()
    with modem_with(card, csim=Csim.BASIC_CHANNEL_ONLY, handles=Handles.HEX64) as modem:
        with opened(modem, tmp_path, links=["csim", "cgla"]) as link:
            assert get_eid(link) == EID
            assert link.kind is LinkKind.CGLA
            assert link.identity.model == "PtyModem"
        modem.received.clear()
        with opened(modem, tmp_path, links=["csim", "cgla"]) as link:
            assert get_eid(link) == EID
            assert link.identity.model == "PtyModem"
        assert sent(modem) == ["ATE0", "AT+CMEE", "AT+CGSN", "AT+CCHO", "AT+CGLA", "AT+CCHC"]
    assert card.open == set()


def test_the_modem_is_asked_what_it_is_once_for_each_opened_port() -> None:
    """Two searches on one opened port ask for make, model and firmware once."""
    with modem_with(card_with_eid()) as modem, opened(modem) as link:
        get_eid(link)
        modem.once("AT+CSIM", instead=("ERROR",))
        get_eid(link)
        assert [line for line in modem.received if line in IDENTITY] == IDENTITY


def test_a_failing_remembered_link_is_replaced_by_a_search(tmp_path: Path) -> None:
    """If the remembered link fails, as after a change of the firmware or the modem, lpad searches again."""
    card = card_with_eid()
    with modem_with(card, handles=Handles.NUMBER) as modem, opened(modem, tmp_path) as link:
        get_eid(link)
        assert link.kind is LinkKind.CGLA
    with modem_with(card, firmware="2.0") as modem, opened(modem, tmp_path) as link:
        assert get_eid(link) == EID
        assert link.kind is LinkKind.CSIM
        assert link.identity.firmware == "2.0"
    remembered = LinkMemory(tmp_path).get(KEY)
    assert remembered is not None
    assert remembered.link is LinkKind.CSIM


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"link": "smoke-signals"}', b'{"block_size": 0}'])
def test_a_damaged_memory_is_not_a_memory(tmp_path: Path, content: bytes) -> None:
    """A damaged memory of links counts as missing, and is written again."""
    (tmp_path / f"{KEY}.json").write_bytes(content)
    (tmp_path / f"{KEY}.open").write_bytes(content)
    with modem_with(card_with_eid()) as modem, opened(modem, tmp_path) as link:
        assert get_eid(link) == EID
    remembered = LinkMemory(tmp_path).get(KEY)
    assert remembered is not None
    assert remembered.link is LinkKind.CSIM
    assert LinkMemory(tmp_path).open_channel(KEY).left_over() is None
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{KEY}.json", f"{KEY}.opening"]


def test_a_folder_that_cannot_be_written_does_no_harm(tmp_path: Path) -> None:
    """If lpad cannot write its memory of links, it still finds a link and reaches the card."""
    (tmp_path / "file").write_bytes(b"")
    with modem_with(card_with_eid()) as modem, opened(modem, tmp_path / "file" / "links") as link:
        assert get_eid(link) == EID
        assert get_eid(link) == EID


def test_no_identifier_is_in_the_memory(tmp_path: Path) -> None:
    """Neither the IMEI nor the EID is written to disk, not even as a file's name."""
    with modem_with(card_with_eid()) as modem, opened(modem, tmp_path) as link:
        get_eid(link)
    for path in tmp_path.iterdir():
        assert "490154203237518" not in path.name + path.read_text()
        assert "89049032" not in path.read_text()


def test_blocks_begin_as_the_quirks_say() -> None:
    """If a quirk limits the block size, lpad sends the modem no larger blocks."""
    card = card_with_eid()
    with modem_with(card) as modem:
        link = open_at_link(modem.path, overrides={"block_size": 120})
        with isdr_session(link, deadline=soon()) as isdr:
            isdr.command(bytes(600), deadline=soon())
        link.close()
    assert {len(command.data) for command in card.sent if command.ins == 0xE2} == {6, 120}, (
        "GetEID, and whole blocks"
    )


def test_the_block_size_that_works_is_remembered(tmp_path: Path) -> None:
    """A modem that accepts only short lines refuses a long block once, because lpad remembers the size."""
    card = card_with_eid()
    with modem_with(card, line_limit=300) as modem:
        for expected in (255, 120):
            with opened(modem, tmp_path) as link:
                with isdr_session(link, deadline=soon()) as isdr:
                    assert isdr.block_size == expected
                    isdr.command(bytes(600), deadline=soon())
                    assert isdr.block_size == 120
                assert link.block_size == 120
    assert card.commands[-1] == bytes(600)


@pytest.mark.parametrize(("owners", "expected"), [(100, 100), (200, 120)])
def test_the_owners_block_size_limits_the_remembered_one(tmp_path: Path, owners: int, expected: int) -> None:
    """A smaller block size in the settings replaces the remembered one; a larger one does not."""
    memory = LinkMemory(tmp_path)
    with modem_with(card_with_eid(), line_limit=300) as modem:
        for overrides, size in (({}, 120), ({"block_size": owners}, expected)):
            link = open_at_link(modem.path, memory=memory, overrides=overrides)
            with isdr_session(link, deadline=soon()) as isdr:
                isdr.command(bytes(600), deadline=soon())
                assert isdr.block_size == size
            link.close()


def test_the_isdr_that_answered_is_asked_first(tmp_path: Path) -> None:
    """A vendor's AID is tried after the standard's and the settings' AIDs; once found, it is tried first."""
    card = card_with_eid()
    card.applications = (bytes(OTHER_ISD_R),)
    with modem_with(card) as modem:
        with opened(modem, tmp_path) as link:
            get_eid(link)
        card.sent.clear()
        with opened(modem, tmp_path) as link, isdr_session(link, aids=isdr_aids(), deadline=soon()) as isdr:
            assert isdr.aid == OTHER_ISD_R
        assert [command.data for command in card.sent if command.ins == 0xA4] == [bytes(OTHER_ISD_R)]


@pytest.mark.parametrize("aid", [ESTK_SE0, ESTK_SE1])
def test_each_of_two_secure_elements_can_be_named(aid: object) -> None:
    """On a card with two eUICCs, and so two ISD-Rs, the requested one is selected."""
    card = card_with_eid()
    card.applications = (bytes(ESTK_SE0), bytes(ESTK_SE1))
    assert aid in (ESTK_SE0, ESTK_SE1)
    chosen = ESTK_SE0 if aid == ESTK_SE0 else ESTK_SE1
    with (
        modem_with(card) as modem,
        opened(modem) as link,
        isdr_session(link, aids=(chosen,), deadline=soon()) as isdr,
    ):
        assert isdr.aid == chosen


def test_the_names_are_tried_in_their_order() -> None:
    """The AIDs are tried once each: the standard's, those of the settings, then the vendors'."""
    assert isdr_aids()[0] == ISD_R
    assert isdr_aids((OTHER_ISD_R,))[:2] == (ISD_R, OTHER_ISD_R)
    assert len(isdr_aids((OTHER_ISD_R, ISD_R))) == len(isdr_aids())


def test_a_link_that_cannot_close_its_channels_is_not_taken() -> None:
    """A modem with +CCHO but without +CCHC is used over +CSIM, which can close the channels."""
    card = card_with_eid()
    habits = find_personality("no-way-to-close").modem
    with modem_with(card, habits) as modem, opened(modem) as link:
        assert get_eid(link) == EID
        assert link.kind is LinkKind.CSIM
        assert card.open == set()


def test_a_refusal_inside_a_command_is_final_and_the_next_command_takes_another_link(tmp_path: Path) -> None:
    """No APDU inside a chain is sent again; after the refusal, the next opened link is of another kind."""
    card = card_with_eid()
    habits = find_personality("cgla-breaks-in-profile").modem
    with modem_with(card, habits, model="X") as modem:
        with opened(modem, tmp_path) as link:
            assert get_eid(link) == EID
            assert link.kind is LinkKind.CGLA
            with isdr_session(link, deadline=soon()) as isdr, pytest.raises(LinkRefused):
                isdr.command(bytes(12000), deadline=soon())
            blocks = [command.p2 for command in card.sent if command.ins == 0xE2]
            assert len(blocks[-44:]) == len(set(blocks[-44:]))
            assert card.open == set()
        with opened(modem, tmp_path) as link:
            with isdr_session(link, deadline=soon()) as isdr:
                isdr.command(bytes(12000), deadline=soon())
            assert link.kind is LinkKind.CSIM
    assert bytes(12000) in card.commands


def test_a_doubted_link_is_kept_if_nothing_else_works() -> None:
    """If a link has failed but no other link works, lpad continues to use the failed one."""
    card = card_with_eid()
    with modem_with(card, handles=Handles.NUMBER, csim=Csim.ABSENT) as modem, opened(modem) as link:
        get_eid(link)
        modem.once("AT+CGLA", instead=("ERROR",), executed=False)
        with pytest.raises(LinkRefused):
            get_eid(link)
        assert get_eid(link) == EID
        searched = len(modem.received)
        assert get_eid(link) == EID
        assert len(modem.received) == searched + 3


def test_without_a_working_link_each_attempt_gives_its_reason() -> None:
    """The error names each attempt with its failure, not only the last one (lpac#434)."""
    with modem_with(card_with_eid(), csim=Csim.NO_MANAGE_CHANNEL) as modem, opened(modem) as link:
        with pytest.raises(LinkRefused) as caught:
            get_eid(link)
        for part in (modem.path, "csim: AT+CSIM", "cgla: AT+CCHO", "blocks the command"):
            assert part in caught.value.sentence


def test_a_card_that_is_not_an_euicc_is_reported_as_such() -> None:
    """For a plain SIM, the error is the card's 'no such application', whatever the modem reports."""
    card = ScriptedCard(applications=())
    with modem_with(card, handles=Handles.NUMBER, not_found=None) as modem, opened(modem) as link:
        with pytest.raises(CardStatus, match="not an eUICC"):
            get_eid(link)
        assert card.open == set()


def test_a_silent_modem_is_not_searched_on() -> None:
    """If a modem does not answer one command, lpad does not try the other links."""
    with modem_with(card_with_eid()) as modem, opened(modem) as link:
        link.imei(deadline=soon())
        modem.once("AT+CCHO", instead=())
        with pytest.raises(CardUnreachable, match="in time"):
            link.open_channel((ISD_R,), deadline=Deadline.after(0.3))
        assert "AT+CSIM" not in sent(modem)


def test_a_busy_sim_is_waited_for_until_the_deadline() -> None:
    """Lpad waits for a busy SIM while there is time; at the deadline, it reports this clearly."""
    card = card_with_eid()
    with modem_with(card, busy=3) as modem, opened(modem) as link:
        with pytest.raises(CardBusy, match="a few seconds"):
            link.open_channel((ISD_R,), deadline=Deadline.after(0.5))
        assert get_eid(link) == EID


def test_handles_are_text_to_be_sent_back() -> None:
    """A 64-bit handle is sent back as the modem wrote it, with leading zeros and in the same case."""
    with modem_with(card_with_eid(), handles=Handles.HEX64, csim=Csim.ABSENT) as modem:
        with opened(modem) as link:
            get_eid(link)
        assert any(re.match("AT\\+CGLA=00000000038aa3[0-9a-f]{2},", line) for line in modem.received)


def test_a_name_that_is_not_a_channel_number_is_not_put_into_class_bytes() -> None:
    """If a handle cannot be a channel number, a link that needs one is refused, and its channel closed."""
    card = card_with_eid()
    with (
        modem_with(card, handles=Handles.HEX64, csim=Csim.ABSENT) as modem,
        opened(modem, links=["cgla-channel-in-class"]) as link,
    ):
        with pytest.raises(LinkRefused, match="not a channel number"):
            get_eid(link)
        assert card.open == set()


@pytest.mark.parametrize("overrides", [{"linx": ["csim"]}, {"links": ["smoke"]}, {"block_size": 300}])
def test_wrong_overrides_are_reported_before_the_port_is_opened(overrides: dict[str, Any]) -> None:
    """Wrong overrides of quirks are reported as a mistake in the settings, before the port is opened."""
    with pytest.raises(InvalidValue):
        open_at_link("/dev/does-not-exist", overrides=overrides)


HOLD = """
import os, sys
from pathlib import Path
from lpad.card.at.at_link import open_at_link
from lpad.card.link.remembered_links import LinkMemory
from lpad.base.deadline import Deadline
from lpad.base.identifiers import ISD_R
link = open_at_link(sys.argv[1], memory=LinkMemory(Path(sys.argv[2])))
channel = link.open_channel((ISD_R,), deadline=Deadline.after(30))
print("open", flush=True)
sys.stdin.read()
"""


def kill_with_open_channel(modem: PtyModem, folder: Path) -> None:
    """Have a process open a channel, and kill the process with SIGKILL."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, modem.path, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        process.kill()
        assert process.wait() == -signal.SIGKILL


@pytest.mark.parametrize(
    "name", ["well-mannered", "strict-csim", "cgla-hex64", "no-cchc", "channels-above-3"]
)
def test_a_killed_process_leaves_no_channel_after_the_restart(tmp_path: Path, name: str) -> None:
    """After kill -9 in a session the restarted process first closes the channel that was left open."""
    card = card_with_eid()
    with modem_with(card, find_personality(name).modem) as modem:
        kill_with_open_channel(modem, tmp_path)
        assert len(card.open) == 1
        with opened(modem, tmp_path) as link:
            link.imei(deadline=soon())
            assert card.open == set()
            assert get_eid(link) == EID
        assert card.open == set()
        assert list(tmp_path.glob("*.open")) == []


@pytest.mark.parametrize(
    "habits",
    [
        {"handles": None},
        {"handles": Handles.NUMBER},
        {"handles": Handles.HEX64},
        {"handles": Handles.NUMBER, "csim": Csim.ABSENT},
        {"handles": Handles.NUMBER, "csim": Csim.ABSENT, "closes_channels": False},
    ],
)
def test_a_process_killed_while_opening_leaves_no_channel(tmp_path: Path, habits: dict[str, Any]) -> None:
    """If lpad is killed before the modem reports the channel's name, the next link closes the channel."""
    card = card_with_eid()
    with modem_with(card, **habits) as modem:
        with opened(modem, tmp_path) as link:
            get_eid(link)
            kind = link.kind
        assert kind is not None
        OpenChannel(tmp_path / f"{KEY}.open").note(kind, None)
        if kind is LinkKind.CSIM:
            card.transmit(bytes.fromhex("0070000001"))
        else:
            modem._commands.channels.open_channel(bytes(ISD_R))
        assert len(card.open) == 1
        with opened(modem, tmp_path) as link:
            assert get_eid(link) == EID
        assert card.open == set()


def test_the_note_of_an_open_channel_is_there_only_while_it_is_open(tmp_path: Path) -> None:
    """The note is written before the channel is opened, and removed once the channel is closed."""
    with modem_with(card_with_eid()) as modem, opened(modem, tmp_path) as link:
        note = OpenChannel(tmp_path / f"{KEY}.open")
        session = isdr_session(link, deadline=soon())
        session.__enter__()
        assert note.left_over() is not None
        assert not session.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
        assert note.left_over() is None
        assert list(tmp_path.glob("*.open")) == []


def test_a_card_reset_under_the_session_leaves_no_note(tmp_path: Path) -> None:
    """If the card is reset within a session, its channel no longer exists, so no note of it is left."""
    card = card_with_eid()
    with modem_with(card, handles=Handles.NUMBER) as modem, opened(modem, tmp_path) as link:
        with isdr_session(link, deadline=soon()):
            card.reset()
        assert list(tmp_path.glob("*.open")) == []


def test_a_port_that_vanishes_leaves_the_note_and_the_next_link_tidies_up(tmp_path: Path) -> None:
    """A channel that could not be closed is closed once the port is back, if the card still has it open."""
    card = card_with_eid()
    with modem_with(card) as modem:
        with opened(modem, tmp_path) as link, isdr_session(link, deadline=soon()):
            modem.vanish()
        assert len(card.open) == 1
        modem.come_back()
        with opened(modem, tmp_path) as link:
            assert get_eid(link) == EID
        assert card.open == set()


@pytest.mark.parametrize("name", ["strict-csim", "cgla-number", "no-way-to-close"])
@pytest.mark.parametrize("at", range(12))
def test_a_search_that_is_cut_off_leaves_no_channel(name: str, at: int, tmp_path: Path) -> None:
    """Whichever command of the search gets no answer, no channel stays open after the next link is used."""
    card = card_with_eid()
    with modem_with(card, find_personality(name).modem) as modem:
        with opened(modem, tmp_path, patience={"information": 0.5, "apdu": 1.0}) as link:
            for _ in range(at):
                modem.once()
            modem.once(instead=())
            with suppress(CardError):
                link.open_channel((ISD_R,), deadline=Deadline.after(0.5)).close(deadline=soon())
        modem.forget_faults()
        with opened(modem, tmp_path) as link:
            assert get_eid(link) == EID
        assert card.open == set()
