"""A faster speed of a serial line is set, checked, and restored, whatever happens in between."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from card.scripted_card import ScriptedCard
from lpad.base.deadline import Deadline
from lpad.base.errors import CardUnreachable
from lpad.card.modem.at_port import AtPort
from lpad.card.modem.serial_line_speed import LineSpeed
from lpad.card.port.serial_line import SerialLine
from lpad.card.port_handback import PortReturn
from lpad.card.quirks.quirks import AtTimeouts
from lpad.protocol.at_dialogue import AtCommand
from lpad.protocol.serial_rate_commands import AUTOMATIC
from lpad.simulator.modem.personality import ModemPersonality
from lpad.simulator.modem.pty_modem import PtyModem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USUAL, FAST = 115_200, 921_600
RATES = (0, 9600, USUAL, FAST)
LONG = AtCommand("AT+" + "0" * 520)
IDENTITY = AtCommand("AT+CGMM", bare="PtyModem")


def soon() -> Deadline:
    return Deadline.after(15)


@contextmanager
def bench(**habits: Any) -> Iterator[PtyModem]:
    """Yield a modem that offers several speeds."""
    with PtyModem(ScriptedCard(), personality=ModemPersonality(**{"line_rates": RATES, **habits})) as modem:
        yield modem


class UsbLine(SerialLine):
    """A USB port, which has no line speed."""

    is_serial = False


class SlowLine(SerialLine):
    """A serial line whose driver keeps its speed if asked for more than 115,200 baud, and reports success."""

    def __init__(self, port: str, *, baud: int = USUAL) -> None:
        super().__init__(port, baud=baud)
        driver: Any = self._port
        reconfigure = driver._reconfigure_port

        def keep(*args: Any, **kinds: Any) -> None:
            if driver._baudrate <= USUAL:
                reconfigure(*args, **kinds)

        driver._reconfigure_port = keep


def host(
    modem: PtyModem,
    folder: Path,
    *,
    usual: int = USUAL,
    fast: int | None = FAST,
    line: type[SerialLine] = SerialLine,
) -> AtPort:
    """Return the modem's AT port, newly opened, as in a new process."""
    speed = LineSpeed(usual=usual, fast=fast, note=folder / "modem.speed")
    return AtPort(line(modem.path, baud=usual), patience=AtTimeouts(information=2.0), speed=speed)


def give_back(opened: AtPort) -> None:
    """Close the port, and give it back as a stopping daemon does."""
    opened.close()
    assert opened._speed is not None

    def again(port: str, speed: LineSpeed, _: Deadline) -> AtPort:
        return AtPort(SerialLine(port), patience=AtTimeouts(information=1.0), speed=speed)

    PortReturn(None, {opened._line.name: opened._speed}, again).give_back()


def lasting(folder: Path) -> dict[str, Any]:
    """Return the content of the note on disk."""
    noted: dict[str, Any] = json.loads((folder / "modem.speed").read_text())
    return noted


def long_command_passes(opened: AtPort) -> None:
    """Assert that the modem answers a line as long as one with a full block; ERROR is such an answer."""
    assert opened.converse(LONG, patience=2.0, deadline=soon()).final == "ERROR"


def model(opened: AtPort) -> str:
    (line,) = opened.ask(IDENTITY, patience=2.0, deadline=soon()).lines
    return line


def kill(opened: AtPort) -> None:
    """Close the port as the kernel does for a killed process: nothing is sent to the modem."""
    opened._line.close()


def noted(folder: Path) -> bool:
    return (folder / "modem.speed").exists()


def test_the_line_is_faster_while_the_port_is_open(tmp_path: Path) -> None:
    """The speed is noted on disk, raised, used, and restored when the port is released."""
    with bench() as modem:
        opened = host(modem, tmp_path)
        assert model(opened) == "PtyModem"
        assert (modem.line_rate, noted(tmp_path)) == (FAST, True)
        give_back(opened)
        assert (modem.line_rate, noted(tmp_path)) == (USUAL, False)
        assert model(host(modem, tmp_path, fast=None)) == "PtyModem"
        assert modem.received[-1] == IDENTITY.text


def test_the_note_is_on_disk_before_the_modem_is_asked(tmp_path: Path) -> None:
    """The note is on disk before AT+IPR is sent, so that a killed daemon finds it at its next start."""
    with bench() as modem:
        modem.once(f"AT+IPR={FAST}", executed=False, instead=())
        opened = host(modem, tmp_path)
        with pytest.raises(CardUnreachable):
            opened.ask(IDENTITY, patience=2.0, deadline=Deadline.after(0.8))
        assert lasting(tmp_path) == {"fast": FAST, "former": USUAL, "raised": True, "failed": True}


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
        give_back(opened)
        assert (modem.line_rate, noted(tmp_path)) == (USUAL, False)


def test_a_modem_is_reached_although_the_note_is_lost(tmp_path: Path) -> None:
    """While the setting exists, a silent modem is tried at both speeds, and its speed is restored."""
    with bench() as modem:
        killed = host(modem, tmp_path)
        model(killed)
        kill(killed)
        (tmp_path / "modem.speed").unlink()
        opened = host(modem, tmp_path)
        assert model(opened) == "PtyModem"
        assert (modem.line_rate, noted(tmp_path)) == (FAST, True)
        give_back(opened)
        assert (modem.line_rate, noted(tmp_path)) == (USUAL, False)


def test_a_killed_restoration_is_repeated(tmp_path: Path) -> None:
    """If lpad is killed between restoring the speed and removing the note, the restoration is repeated."""
    with bench() as modem:
        killed = host(modem, tmp_path)
        model(killed)
        for _ in range(3):  # AT+CMEE?, ATE0 and AT+CMEE=1 are answered as usual.
            modem.once("AT")
        modem.once(f"AT+IPR={USUAL}")
        for _ in range(9):
            modem.once("AT", executed=False, instead=())
        give_back(killed)
        modem.forget_faults()
        assert (modem.line_rate, noted(tmp_path)) == (USUAL, True)
        opened = host(modem, tmp_path, fast=None)
        assert model(opened) == "PtyModem"
        assert (modem.line_rate, noted(tmp_path)) == (USUAL, False)


def test_a_modem_that_answers_at_the_new_speed(tmp_path: Path) -> None:
    """A modem whose OK is lost, because it is already sent at the new speed, is found at the new speed."""
    with bench(answers_at_new_rate=True) as modem:
        opened = host(modem, tmp_path)
        assert model(opened) == "PtyModem"
        assert modem.line_rate == FAST
        give_back(opened)
        assert (modem.line_rate, noted(tmp_path)) == (USUAL, False)


def test_an_automatic_speed_is_restored(tmp_path: Path) -> None:
    """A modem that detects the line's speed automatically does so again afterwards."""
    with bench() as modem:
        first = host(modem, tmp_path, fast=None)
        first.ask(AtCommand("AT+IPR=0"), patience=2.0, deadline=soon())
        first.close()
        opened = host(modem, tmp_path)
        assert model(opened) == "PtyModem"
        assert modem.line_rate == FAST
        give_back(opened)
        assert (modem.line_rate, noted(tmp_path)) == (AUTOMATIC, False)


@pytest.mark.parametrize(
    ("habits", "why"),
    [
        ({"line_rates": ()}, "the modem does not offer 921600 baud"),
        ({"line_rates": (9600, USUAL)}, "the modem does not offer 921600 baud"),
    ],
)
def test_a_modem_without_the_speed_stays_at_the_usual_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, habits: dict[str, Any], why: str
) -> None:
    """If the modem lacks the speed, this is logged once, and the card is served at the usual speed."""
    caplog.set_level(logging.INFO)
    with bench(**habits) as modem:
        speed = LineSpeed(usual=USUAL, fast=FAST, note=tmp_path / "modem.speed")
        for _ in range(2):
            opened = AtPort(SerialLine(modem.path), speed=speed)
            assert model(opened) == "PtyModem"
            give_back(opened)
        assert not noted(tmp_path)
        assert [each.getMessage() for each in caplog.records] == [
            f"{modem.path}: the modem stays at 115200 baud, because {why}"
        ]
        assert f"AT+IPR={FAST}" not in modem.received


def test_a_modem_that_refuses_the_speed_it_offers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """If the modem refuses the speed that it offers, the usual speed stays, and no note is left."""
    with bench() as modem:
        modem.once(f"AT+IPR={FAST}", executed=False, instead=("ERROR",))
        assert model(host(modem, tmp_path)) == "PtyModem"
        assert (modem.line_rate, noted(tmp_path)) == (USUAL, False)
        assert "the modem refuses 921600 baud" in caplog.text


def test_a_modem_that_says_ok_and_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A modem that does not answer at the new speed is found at the usual one."""
    with bench() as modem:
        modem.once(f"AT+IPR={FAST}", executed=False, instead=("OK",))
        assert model(host(modem, tmp_path)) == "PtyModem"
        assert (modem.line_rate, lasting(tmp_path)["raised"]) == (USUAL, False)
        assert "the modem does not answer at 921600 baud" in caplog.text


def test_a_port_whose_speed_the_modem_does_not_name_is_left_alone(tmp_path: Path) -> None:
    """If AT+IPR? reports another speed, lpad changes nothing, as +IPR may concern another port."""
    with bench() as modem:
        modem.once("AT+IPR?", instead=("+IPR: 57600", "OK"))
        assert model(host(modem, tmp_path)) == "PtyModem"
        assert f"AT+IPR={FAST}" not in modem.received


def test_without_a_note_the_speed_is_not_raised(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """If the note cannot be written, the speed is not raised."""
    (tmp_path / "file").write_text("")
    with bench() as modem:
        assert model(host(modem, tmp_path / "file")) == "PtyModem"
        assert modem.line_rate == USUAL
        assert "because the speed cannot be noted" in caplog.text


@pytest.mark.parametrize("keeps", [False, True])
def test_a_modem_that_restarts_is_found_again(tmp_path: Path, *, keeps: bool) -> None:
    """A modem that restarts while its port is open is found again, after at most one error."""
    with bench(keeps_line_rate=keeps) as modem:
        opened = host(modem, tmp_path)
        model(opened)
        modem.cut_power()
        if not keeps:
            with pytest.raises(CardUnreachable):
                opened.ask(IDENTITY, patience=0.5, deadline=soon())
        assert model(opened) == "PtyModem"
        give_back(opened)
        assert (modem.line_rate, noted(tmp_path)) == (USUAL, False)


def test_a_port_that_disappears_keeps_its_note(tmp_path: Path) -> None:
    """If the port disappears, its note stays, and the next opening restores the speed."""
    with bench(keeps_line_rate=True) as modem:
        opened = host(modem, tmp_path)
        model(opened)
        modem.vanish()
        give_back(opened)
        assert noted(tmp_path)
        modem.come_back()
        again = host(modem, tmp_path, fast=None)
        assert model(again) == "PtyModem"
        assert (modem.line_rate, noted(tmp_path)) == (USUAL, False)


def test_a_damaged_note_harms_nothing(tmp_path: Path) -> None:
    """A note with an impossible speed counts as missing."""
    (tmp_path / "modem.speed").write_text('{"fast": -1, "former": 99999999999999999999}')
    with bench() as modem:
        assert model(host(modem, tmp_path, fast=None)) == "PtyModem"


def test_a_port_that_is_no_serial_line_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """On a USB port, lpad does not send AT+IPR, which would change another port of the modem."""
    with bench() as modem:
        opened = host(modem, tmp_path, line=UsbLine)
        assert model(opened) == "PtyModem"
        give_back(opened)
        assert not [line for line in modem.received if "+IPR" in line]
        assert "not known to be a serial line" in caplog.text


@pytest.mark.parametrize("fast", [FAST, None])
def test_a_port_that_cannot_have_the_speed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, fast: int | None
) -> None:
    """If the host's port cannot have the speed, the modem keeps its own, so that it stays reachable."""
    with bench(keeps_line_rate=True) as modem:
        opened = host(modem, tmp_path, line=SlowLine)
        assert model(opened) == "PtyModem"
        give_back(opened)
        assert f"AT+IPR={FAST}" not in modem.received
        assert "this port does not support 921600 baud" in caplog.text
        assert model(host(modem, tmp_path, fast=fast, line=SlowLine)) == "PtyModem"
        assert (modem.line_rate, noted(tmp_path)) == (USUAL, False)


def test_a_line_that_loses_characters_at_the_new_speed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """If long lines are lost at the new speed, the usual one is restored, and the failure is remembered."""
    with bench(loses_above=USUAL) as modem:
        opened = host(modem, tmp_path)
        for _ in range(3):
            long_command_passes(opened)
        failed = {"fast": FAST, "former": USUAL, "raised": False, "failed": True}
        assert (modem.line_rate, lasting(tmp_path)) == (USUAL, failed)
        assert "a line of 253 characters was lost at 921600 baud" in caplog.text
        give_back(opened)
        modem.received.clear()
        long_command_passes(host(modem, tmp_path))
        assert f"AT+IPR={FAST}" not in modem.received


def test_a_modem_that_is_deaf_at_the_new_speed_is_lost_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A modem that receives nothing at the new speed is reached after its restart, at the usual speed."""
    with bench(silent_rates=(FAST,)) as modem:
        opened = host(modem, tmp_path)
        with pytest.raises(CardUnreachable):
            model(opened)
        assert "the modem does not answer at 921600 baud" in caplog.text
        assert lasting(tmp_path) == {"fast": FAST, "former": USUAL, "raised": True, "failed": True}
        kill(opened)
        modem.cut_power()
        modem.received.clear()
        for _ in range(2):
            opened = host(modem, tmp_path)
            assert model(opened) == "PtyModem"
            give_back(opened)
        assert f"AT+IPR={FAST}" not in modem.received
        assert lasting(tmp_path)["raised"] is False


@pytest.mark.parametrize("reopened", [False, True])
def test_a_command_lost_at_the_new_speed_ends_it(tmp_path: Path, *, reopened: bool) -> None:
    """If a line loses only the longest commands, lpad uses the usual speed after the first loss."""
    with bench(loses_above=USUAL, buffer=500) as modem:
        opened = host(modem, tmp_path)
        model(opened)
        assert modem.line_rate == FAST
        with pytest.raises(CardUnreachable):
            opened.converse(LONG, patience=0.5, deadline=soon())
        if reopened:
            opened.close()
            opened = AtPort(SerialLine(modem.path), patience=opened.patience, speed=opened._speed)
        long_command_passes(opened)
        assert (modem.line_rate, lasting(tmp_path)["failed"]) == (USUAL, True)


@pytest.mark.parametrize("other", [57_600, AUTOMATIC])
def test_a_modem_that_takes_any_speed_and_misses_the_first_commands(tmp_path: Path, other: int) -> None:
    """A modem that answers at the faster speed without a note, but reports a different one, is left alone."""
    with bench() as modem:
        first = host(modem, tmp_path, fast=None)
        first.ask(AtCommand(f"AT+IPR={AUTOMATIC}"), patience=2.0, deadline=soon())
        first.close()
        modem.once("AT+CMEE?", executed=False, instead=())
        for _ in range(2):
            modem.once("AT+IPR?", executed=False, instead=(f"+IPR: {other}", "OK"))
        opened = host(modem, tmp_path)
        assert model(opened) == "PtyModem"
        give_back(opened)
        assert modem.line_rate == AUTOMATIC
        assert f"AT+IPR={USUAL}" not in modem.received


@pytest.mark.parametrize("fast", [FAST, None])
@pytest.mark.parametrize("killed", [False, True])
def test_a_slow_modem_works_with_the_setting_as_without(
    tmp_path: Path, *, fast: int | None, killed: bool
) -> None:
    """A faster line, set or noted, does not shorten the time that a modem may take for an answer."""
    with bench(answer_delay=1.5) as modem:
        if killed:
            (tmp_path / "modem.speed").write_text(json.dumps({"fast": FAST, "former": USUAL}))
        opened = host(modem, tmp_path, fast=fast)
        assert opened.ask(IDENTITY, patience=2.0, deadline=Deadline.after(120)).lines == ("PtyModem",)
        assert modem.line_rate == (fast or USUAL)


@pytest.mark.parametrize("unanswered", ["AT+IPR=?", "AT+IPR?"])
def test_silence_is_no_refusal(tmp_path: Path, unanswered: str) -> None:
    """A modem that misses the query for its speeds is asked again when the port is next opened."""
    with bench() as modem:
        modem.once(unanswered, executed=False, instead=())
        opened = host(modem, tmp_path)
        model(opened)
        assert modem.line_rate == USUAL
        opened.close()
        assert model(AtPort(SerialLine(modem.path), speed=opened._speed)) == "PtyModem"
        assert modem.line_rate == FAST


def test_a_closed_port_keeps_the_speed_until_it_is_given_back(tmp_path: Path) -> None:
    """Closing the port leaves the modem at the new speed; only returning the port restores the usual one."""
    with bench() as modem:
        opened = host(modem, tmp_path)
        model(opened)
        modem.received.clear()
        opened.close()
        kept = (list(modem.received), modem.line_rate, noted(tmp_path))
        assert kept == ([], FAST, True)
        give_back(opened)
        assert (modem.line_rate, noted(tmp_path)) == (USUAL, False)


def test_a_changed_usual_speed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A killed daemon's modem is reached and restored, even if the settings now have another `baud`."""
    with bench(line_rates=(57_600, USUAL, FAST), keeps_line_rate=True) as modem:
        killed = host(modem, tmp_path)
        model(killed)
        kill(killed)
        for _ in range(2):
            opened = host(modem, tmp_path, usual=57_600, fast=None)
            assert model(opened) == "PtyModem"
            opened.close()
            kept = (modem.line_rate, noted(tmp_path))
            assert kept == (USUAL, True)
        assert "the modem is at 115200 baud, and 'baud' in the settings is 57600" in caplog.text
        assert model(host(modem, tmp_path, fast=None)) == "PtyModem"
        assert (modem.line_rate, noted(tmp_path)) == (USUAL, False)
