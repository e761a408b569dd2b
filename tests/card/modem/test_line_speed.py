"""A faster serial line: set, proven, and restored, whatever happens in between."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from card.scripted_card import ScriptedCard
from lpad.base.deadline import Deadline
from lpad.base.errors import CardUnreachable
from lpad.card.modem.at_modem import AtModem
from lpad.card.modem.line_speed import LineSpeed
from lpad.card.port.serial_line import SerialLine
from lpad.card.quirks.quirks import AtTimeouts
from lpad.protocol.at_dialogue import AtCommand
from lpad.protocol.line_rate_commands import AUTOMATIC
from lpad.simulator.modem.personality import ModemPersonality
from lpad.simulator.modem.pty_modem import PtyModem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USUAL, FAST = 115_200, 921_600
RATES = (0, 9600, USUAL, FAST)
IDENTITY = AtCommand("AT+CGMM", bare="PtyModem")


def soon() -> Deadline:
    return Deadline.after(15)


@contextmanager
def bench(**habits: Any) -> Iterator[PtyModem]:
    """Switch on a modem that offers several speeds."""
    with PtyModem(ScriptedCard(), personality=ModemPersonality(**{"line_rates": RATES, **habits})) as modem:
        yield modem


def host(modem: PtyModem, folder: Path, *, fast: int | None = FAST) -> AtModem:
    """Open the modem's port as a new process does."""
    speed = LineSpeed(usual=USUAL, fast=fast, note=folder / "modem.speed")
    return AtModem(SerialLine(modem.path), patience=AtTimeouts(information=2.0), speed=speed)


def model(opened: AtModem) -> str:
    (line,) = opened.ask(IDENTITY, patience=2.0, deadline=soon()).lines
    return line


def kill(opened: AtModem) -> None:
    """Close the port as the kernel does for a killed process: nothing is sent to the modem."""
    opened._line.close()


def noted(folder: Path) -> bool:
    return (folder / "modem.speed").exists()


def test_the_line_is_faster_while_the_port_is_open(tmp_path: Path) -> None:
    """The speed is noted on disk, raised, used, and restored with the release of the port."""
    with bench() as modem:
        opened = host(modem, tmp_path)
        assert model(opened) == "PtyModem"
        assert (modem.line_rate, noted(tmp_path)) == (FAST, True)
        opened.close()
        assert (modem.line_rate, noted(tmp_path)) == (USUAL, False)
        assert model(host(modem, tmp_path, fast=None)) == "PtyModem"
        assert modem.received[-1] == IDENTITY.text


def test_the_note_is_on_disk_before_the_modem_is_asked(tmp_path: Path) -> None:
    """A daemon that is killed before the modem's answer finds the note."""
    with bench() as modem:
        modem.once(f"AT+IPR={FAST}", executed=False, instead=())
        opened = host(modem, tmp_path)
        with pytest.raises(CardUnreachable):
            opened.ask(IDENTITY, patience=2.0, deadline=Deadline.after(0.8))
        assert noted(tmp_path)


@pytest.mark.parametrize("keeps", [False, True])
@pytest.mark.parametrize("power_cut", [False, True])
@pytest.mark.parametrize("fast", [FAST, None, 9600])
def test_a_killed_daemon_leaves_a_modem_that_is_reached(
    tmp_path: Path, *, keeps: bool, power_cut: bool, fast: int | None
) -> None:
    """The next start tries both speeds, even if the setting was changed or removed meanwhile."""
    with bench(keeps_line_rate=keeps) as modem:
        killed = host(modem, tmp_path)
        model(killed)
        kill(killed)
        if power_cut:
            modem.cut_power()
        assert modem.line_rate == (FAST if keeps or not power_cut else USUAL)
        opened = host(modem, tmp_path, fast=fast)
        assert model(opened) == "PtyModem"
        assert modem.line_rate == (fast or USUAL)
        opened.close()
        assert (modem.line_rate, noted(tmp_path)) == (USUAL, False)


def test_a_modem_is_reached_although_the_note_is_lost(tmp_path: Path) -> None:
    """As long as the setting is there, a silent modem is tried at both speeds, and restored."""
    with bench() as modem:
        killed = host(modem, tmp_path)
        model(killed)
        kill(killed)
        (tmp_path / "modem.speed").unlink()
        opened = host(modem, tmp_path)
        assert model(opened) == "PtyModem"
        assert (modem.line_rate, noted(tmp_path)) == (FAST, True)
        opened.close()
        assert (modem.line_rate, noted(tmp_path)) == (USUAL, False)


def test_a_killed_restoration_is_repeated(tmp_path: Path) -> None:
    """A daemon killed after the modem has its former speed, and before the note is removed, harms nothing."""
    with bench() as modem:
        killed = host(modem, tmp_path)
        model(killed)
        modem.once(f"AT+IPR={USUAL}", instead=())
        modem.once("AT", executed=False, instead=())
        modem.once("AT", executed=False, instead=())
        modem.once("AT", executed=False, instead=())
        modem.once("AT", executed=False, instead=())
        killed.close()
        modem.forget_faults()
        assert (modem.line_rate, noted(tmp_path)) == (USUAL, True)
        opened = host(modem, tmp_path, fast=None)
        assert model(opened) == "PtyModem"
        assert (modem.line_rate, noted(tmp_path)) == (USUAL, False)


def test_a_modem_that_answers_at_the_new_speed(tmp_path: Path) -> None:
    """An OK that is noise at the old speed is not needed."""
    with bench(answers_at_new_rate=True) as modem:
        opened = host(modem, tmp_path)
        assert model(opened) == "PtyModem"
        assert modem.line_rate == FAST
        opened.close()
        assert (modem.line_rate, noted(tmp_path)) == (USUAL, False)


def test_an_automatic_speed_is_restored(tmp_path: Path) -> None:
    """A modem that found out the speed by itself does so again afterwards."""
    with bench() as modem:
        first = host(modem, tmp_path, fast=None)
        first.ask(AtCommand("AT+IPR=0"), patience=2.0, deadline=soon())
        first.close()
        opened = host(modem, tmp_path)
        assert model(opened) == "PtyModem"
        assert modem.line_rate == FAST
        opened.close()
        assert (modem.line_rate, noted(tmp_path)) == (AUTOMATIC, False)


@pytest.mark.parametrize(
    ("habits", "why"),
    [
        ({"line_rates": ()}, "it does not offer 921600 baud"),
        ({"line_rates": (9600, USUAL)}, "it does not offer 921600 baud"),
    ],
)
def test_a_modem_without_the_speed_stays_at_the_usual_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, habits: dict[str, Any], why: str
) -> None:
    """A missing speed is logged once for a port, and the card is served at the usual one."""
    caplog.set_level(logging.INFO)
    with bench(**habits) as modem:
        speed = LineSpeed(usual=USUAL, fast=FAST, note=tmp_path / "modem.speed")
        for _ in range(2):
            opened = AtModem(SerialLine(modem.path), speed=speed)
            assert model(opened) == "PtyModem"
            opened.close()
        assert not noted(tmp_path)
        assert [each.getMessage() for each in caplog.records] == [
            f"{modem.path}: the modem stays at 115200 baud, because {why}"
        ]
        assert f"AT+IPR={FAST}" not in modem.received


def test_a_modem_that_refuses_the_speed_it_offers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A refusal leaves the usual speed, and no note."""
    with bench() as modem:
        modem.once(f"AT+IPR={FAST}", executed=False, instead=("ERROR",))
        assert model(host(modem, tmp_path)) == "PtyModem"
        assert (modem.line_rate, noted(tmp_path)) == (USUAL, False)
        assert "it refuses 921600 baud" in caplog.text


def test_a_modem_that_says_ok_and_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A modem that does not answer at the new speed is found at the usual one."""
    with bench() as modem:
        modem.once(f"AT+IPR={FAST}", executed=False, instead=("OK",))
        assert model(host(modem, tmp_path)) == "PtyModem"
        assert (modem.line_rate, noted(tmp_path)) == (USUAL, False)
        assert "it does not answer at 921600 baud" in caplog.text


def test_a_port_whose_speed_the_modem_does_not_name_is_left_alone(tmp_path: Path) -> None:
    """A USB port ignores the speed, and +IPR would change another port of the modem."""
    with bench() as modem:
        modem.once("AT+IPR?", instead=("+IPR: 57600", "OK"))
        assert model(host(modem, tmp_path)) == "PtyModem"
        assert f"AT+IPR={FAST}" not in modem.received


def test_without_a_note_the_speed_is_not_raised(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A state folder that cannot be written leaves the usual speed."""
    (tmp_path / "file").write_text("")
    with bench() as modem:
        assert model(host(modem, tmp_path / "file")) == "PtyModem"
        assert modem.line_rate == USUAL
        assert "because no other one can be noted" in caplog.text


@pytest.mark.parametrize("keeps", [False, True])
def test_a_modem_that_restarts_is_found_again(tmp_path: Path, *, keeps: bool) -> None:
    """A modem that lost its speed under an open port is found at the usual one, after one error."""
    with bench(keeps_line_rate=keeps) as modem:
        opened = host(modem, tmp_path)
        model(opened)
        modem.cut_power()
        if not keeps:
            with pytest.raises(CardUnreachable):
                opened.ask(IDENTITY, patience=0.5, deadline=soon())
        assert model(opened) == "PtyModem"
        opened.close()
        assert (modem.line_rate, noted(tmp_path)) == (USUAL, False)


def test_a_port_that_disappears_keeps_its_note(tmp_path: Path) -> None:
    """A lost port cannot be restored; the next opening does it."""
    with bench(keeps_line_rate=True) as modem:
        opened = host(modem, tmp_path)
        model(opened)
        modem.vanish()
        opened.close()
        assert noted(tmp_path)
        modem.come_back()
        again = host(modem, tmp_path, fast=None)
        assert model(again) == "PtyModem"
        assert (modem.line_rate, noted(tmp_path)) == (USUAL, False)


def test_a_damaged_note_harms_nothing(tmp_path: Path) -> None:
    """A note with an impossible speed counts as none."""
    (tmp_path / "modem.speed").write_text('{"fast": -1, "former": 99999999999999999999}')
    with bench() as modem:
        assert model(host(modem, tmp_path, fast=None)) == "PtyModem"
