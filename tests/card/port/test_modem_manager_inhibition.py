"""Borrowing a modem from ModemManager, and handing it back."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from card.link_contract import soon
from card.modem_manager_double import NAME, ODD_ANSWERS, ODD_MODEMS, UID, ModemManagerDouble
from card.port.test_lasting_names import occupied
from card.scripted_card import ScriptedCard
from dbus.private_bus import private_bus
from lpad.base.deadline import Deadline
from lpad.base.errors import CardBusy
from lpad.card.port.holders import held_elsewhere
from lpad.card.port.modem_manager_loan import PortLoan
from lpad.simulator.modem.pty_modem import PtyModem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.card.port.serial_line import Line


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the address of a private system bus."""
    with tempfile.TemporaryDirectory() as folder, private_bus(Path(folder)) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield address


@pytest.fixture
def port() -> Iterator[str]:
    """Yield the path of a modem's port."""
    with PtyModem(ScriptedCard()) as modem:
        yield modem.path


def opened(loan: PortLoan, port: str) -> Line:
    return loan.open_line(port, baud=115200, deadline=soon())


def test_a_modem_is_inhibited_and_handed_back(bus: str, port: str) -> None:
    """ModemManager releases the port for as long as lpad uses it, and opens it again afterwards."""
    with ModemManagerDouble(bus, {UID: port}) as manager:
        loan = PortLoan(port, hold=5)
        line = opened(loan, port)
        manager.wait_for(f"inhibited {UID}")
        assert loan.hold == 5
        line.close()
        loan.give_back()
        assert manager.wait_for(f"took {UID}") == [f"lifted {UID}", f"took {UID}"]
        assert loan.hold is None


def test_a_loan_outlasts_the_serial_line(bus: str, port: str) -> None:
    """If lpad opens the port again in the middle of a change, the modem is still borrowed."""
    with ModemManagerDouble(bus, {UID: port}) as manager:
        loan = PortLoan(port, hold=5)
        opened(loan, port).close()
        line = opened(loan, port)
        loan.give_back()  # Another link that shares the port still uses the modem.
        assert loan.hold == 5
        line.close()
        line.close()
        loan.give_back()
        assert manager.wait_for("took") == [f"inhibited {UID}", f"lifted {UID}", f"took {UID}"]


def test_a_killed_lpad_hands_the_modem_back(bus: str, port: str) -> None:
    """A modem is handed back when lpad is killed."""
    program = (
        "import sys; from lpad.base.deadline import Deadline\n"
        "from lpad.card.port.modem_manager_loan import PortLoan\n"
        "PortLoan(sys.argv[1], hold=5).open_line(sys.argv[1], baud=9600, deadline=Deadline.after(30))\n"
        "print('open', flush=True); sys.stdin.read()"
    )
    with (
        ModemManagerDouble(bus, {UID: port}) as manager,
        subprocess.Popen(
            [sys.executable, "-c", program, port],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"DBUS_SYSTEM_BUS_ADDRESS": bus},
        ) as lpad,
    ):
        assert lpad.stdout is not None
        assert lpad.stdout.readline() == b"open\n"
        manager.wait_for(f"inhibited {UID}")
        lpad.kill()
        assert manager.wait_for("took") == [f"lifted {UID}", f"took {UID}"]


def test_a_restarted_modem_manager_is_asked_again(bus: str, port: str) -> None:
    """A ModemManager that restarts while the port is borrowed is asked again."""
    with ModemManagerDouble(bus, {UID: port}) as manager:
        loan = PortLoan(port, hold=5)
        line = opened(loan, port)
        manager.wait_for("inhibited")
        line.close()
    with ModemManagerDouble(bus, {UID: port}) as manager:
        manager.wait_for(f"inhibited {UID}")
        opened(loan, port).close()
        loan.give_back()
        manager.wait_for("took")


def test_a_loan_lost_with_the_bus_is_taken_again(
    monkeypatch: pytest.MonkeyPatch, port: str, tmp_path: Path
) -> None:
    """If the bus restarts, lpad borrows the modem again when it next opens the port."""
    loan = PortLoan(port, hold=5)
    for _ in range(2):
        with private_bus(tmp_path) as address:
            monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
            with ModemManagerDouble(address, {UID: port}) as manager:
                opened(loan, port).close()
                manager.wait_for(f"inhibited {UID}")
    loan.give_back()


def test_a_modem_manager_that_starts_later_is_asked(bus: str, port: str) -> None:
    """A ModemManager that starts after lpad has opened the port is asked as soon as it shows the modem."""
    loan = PortLoan(port, hold=5)
    line = opened(loan, port)
    line.close()  # The double cannot open a locked port; the real ModemManager, as root, can.
    with ModemManagerDouble(bus, {UID: port}) as manager:
        manager.wait_for(f"inhibited {UID}")
        loan.give_back()
        manager.wait_for("took")


def test_a_modem_manager_that_starts_later_aborts_its_connection(bus: str, port: str) -> None:
    """If ModemManager starts later and is connecting the modem, lpad has the attempt aborted first."""
    loan = PortLoan(port, hold=5)
    line = opened(loan, port)
    line.close()  # so that the double can open the port
    with ModemManagerDouble(bus, {UID: port}, connecting=True) as manager:
        assert manager.wait_for(f"inhibited {UID}") == ["aborted", f"inhibited {UID}"]
        loan.give_back()
        manager.wait_for("took")


def test_a_lent_modem_stays_lent_under_another_name(bus: str, tmp_path: Path) -> None:
    """A modem that returns as another device while it is lent stays lent until it is returned."""
    path = tmp_path / "usb-Ours-if02-port0"
    with PtyModem(ScriptedCard(), path=path) as modem:
        loan = PortLoan(modem.path, hold=5)
        with ModemManagerDouble(bus, {UID: modem.path}) as manager:
            opened(loan, modem.path).close()
            before = modem.device
            modem.vanish()
            with occupied(before):
                modem.come_back()
                assert modem.device != before
                opened(loan, modem.path).close()
                assert loan.was_lent
                loan.give_back()
                manager.wait_for(f"lifted {UID}")
                assert loan.was_lent


def test_a_modem_shown_under_another_name_is_borrowed(bus: str, tmp_path: Path) -> None:
    """A modem is borrowed, even if ModemManager shows it only after its return as another device."""
    path = tmp_path / "usb-Ours-if02-port0"
    with PtyModem(ScriptedCard(), path=path) as modem:
        before = modem.device
        loan = PortLoan(modem.path, hold=5)
        opened(loan, modem.path).close()
        modem.vanish()
        with occupied(before):
            modem.come_back()
            assert modem.device != before
            with ModemManagerDouble(bus, {UID: modem.path}) as manager:
                opened(loan, modem.path).close()
                assert f"inhibited {UID}" in manager.wait_for(f"inhibited {UID}")
                loan.give_back()
                manager.wait_for(f"lifted {UID}")


def test_another_modem_under_another_name(bus: str, port: str) -> None:
    """If two equal modems share a by-id name, the second one that lpad opens is borrowed, too."""
    with (
        PtyModem(ScriptedCard()) as other,
        ModemManagerDouble(bus, {UID: port, "other": other.path}) as manager,
    ):
        loan = PortLoan(port, hold=5)
        opened(loan, other.path).close()
        manager.wait_for("inhibited other")
        opened(loan, port).close()
        manager.wait_for(f"inhibited {UID}")
        loan.give_back()
        both = {line for line in (*manager.wait_for("took"), *manager.wait_for("took")) if "lifted" in line}
        assert both == {"lifted other", f"lifted {UID}"}


def test_another_modem_stays_with_modem_manager(bus: str, port: str) -> None:
    """A modem that lpad does not use stays with ModemManager."""
    with PtyModem(ScriptedCard()) as other, ModemManagerDouble(bus, {UID: other.path}) as manager:
        loan = PortLoan(port, hold=5)
        opened(loan, port).close()
        loan.give_back()
        manager.process.terminate()
        with pytest.raises(AssertionError, match=r"it did \[\]"):
            manager.wait_for("inhibited")


def test_without_modemmanager_the_port_is_opened(bus: str, port: str) -> None:
    """Without ModemManager on the bus the port is simply opened."""
    loan = PortLoan(port, hold=5)
    line = opened(loan, port)
    line.close()
    loan.give_back()


@pytest.mark.parametrize("there", [False, True])
def test_without_a_bus_the_port_is_opened(
    monkeypatch: pytest.MonkeyPatch,
    port: str,
    tmp_path: Path,
    there: bool,  # noqa: FBT001 - pytest gives it by name
) -> None:
    """Without a bus, or without a listener on it, the port is simply opened, and kept when idle."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/bus")
    if there:
        with socket.socket(socket.AF_UNIX) as left_behind:
            left_behind.bind(f"{tmp_path}/bus")
    loan = PortLoan(port, hold=5)
    line = opened(loan, port)
    assert loan.hold is None
    line.close()
    loan.give_back()


@pytest.mark.parametrize(
    ("error", "text", "told"),
    [
        (
            f"{NAME}.Error.Core.Unauthorized",
            "PolicyKit authorization failed: not authorized for 'org.freedesktop.ModemManager1.Control'",
            r"refuses lpad's user .*PolicyKit.*polkit action .*ID_MM_PORT_IGNORE",
        ),
        (
            "org.freedesktop.DBus.Error.AccessDenied",
            "Rejected send message",
            r"refuses lpad's user .*polkit action",
        ),
        (
            f"{NAME}.Error.Core.Retry",
            "Cannot inhibit: in progress",
            r"it refuses \(Cannot inhibit.*another program has inhibited",
        ),
    ],
)
def test_a_refusal_states_the_remedy(
    bus: str, port: str, error: str, text: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal by ModemManager is an error that states the remedy."""
    monkeypatch.setattr("lpad.dbus.modem_inhibition._SETTLING", 0.5)
    with ModemManagerDouble(bus, {UID: port}, refusal=(error, text)):
        with pytest.raises(CardBusy, match=told) as caught:
            opened(PortLoan(port, hold=5), port)
        assert caught.value.retryable is ("Retry" in error)


def test_a_busy_modem_manager_is_asked_again(bus: str, port: str) -> None:
    """ModemManager cannot release a modem while it ends its connection; lpad asks again soon after."""
    busy = (f"{NAME}.Error.Core.InProgress", "Bearer already being disconnected")
    with ModemManagerDouble(bus, {UID: port}, refusal=busy, refusals=2) as manager:
        loan = PortLoan(port, hold=5)
        line = opened(loan, port)
        assert manager.wait_for(f"inhibited {UID}") == ["refused", "refused", f"inhibited {UID}"]
        line.close()
        loan.give_back()


@pytest.mark.parametrize("odd", ODD_MODEMS)
def test_an_odd_modem_hides_no_other(bus: str, port: str, odd: str) -> None:
    """Another modem's missing, mistyped or huge properties do not stop lpad from borrowing its own modem."""
    with ModemManagerDouble(bus, {UID: port}, odd=odd) as manager:
        loan = PortLoan(port, hold=5)
        line = opened(loan, port)
        manager.wait_for(f"inhibited {UID}")
        line.close()
        loan.give_back()
        assert manager.wait_for(f"took {UID}") == [f"lifted {UID}", f"took {UID}"]


@pytest.mark.parametrize("odd", ODD_ANSWERS)
def test_an_odd_answer_is_an_error_of_ours(bus: str, port: str, odd: str) -> None:
    """If ModemManager's list of modems is odd, lpad does not open the port; the error names ModemManager."""
    with ModemManagerDouble(bus, {UID: port}, odd=odd):
        loan = PortLoan(port, hold=5)
        with pytest.raises(CardBusy, match="ModemManager"):
            opened(loan, port)


def test_a_huge_refusal_is_shortened(bus: str, port: str) -> None:
    """Lpad shortens ModemManager's text before it is written to the log, the journal and the API."""
    with ModemManagerDouble(bus, {UID: port}, refusal=(f"{NAME}.Error.Core.Failed", "x" * 100_000)):
        loan = PortLoan(port, hold=5)
        with pytest.raises(CardBusy) as refused:
            opened(loan, port)
        assert len(refused.value.sentence) < 1000


def test_a_silent_modem_manager_is_an_error_in_time(bus: str, port: str) -> None:
    """A ModemManager that does not answer leads to an error, not to an endless wait."""
    with ModemManagerDouble(bus, {UID: port}) as manager:
        manager.process.send_signal(signal.SIGSTOP)
        with pytest.raises(CardBusy, match="did not answer in time"):
            PortLoan(port, hold=5).open_line(port, baud=115200, deadline=Deadline.after(0.3))
        manager.process.send_signal(signal.SIGCONT)


def test_without_dbus_fast_the_error_names_both_remedies(
    bus: str, port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If ModemManager holds the port and dbus-fast is missing, the error names it and the udev rule."""
    monkeypatch.setattr("lpad.card.port.modem_manager_loan.can_ask", lambda: False)
    with ModemManagerDouble(bus, {UID: port}) as manager:
        with pytest.raises(CardBusy) as caught:
            opened(PortLoan(port, hold=5), port)
        sentence = caught.value.sentence
        assert f"ModemManager (pid {manager.process.pid})" in sentence
        assert "holds it; either install" in sentence
        assert "pip install 'lpad[modemmanager]'" in sentence
        assert "ID_MM_PORT_IGNORE=1" in sentence


def test_modem_manager_is_suspected_if_no_holder_is_visible(tmp_path: Path) -> None:
    """ModemManager is suspected if it runs and no holder is visible, since only root can see its files."""
    for pid, name in (("12", "bash"), ("34", "ModemManager")):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "comm").write_text(f"{name}\n")
    told = held_elsewhere("/dev/ttyUSB2", processes=tmp_path)
    assert told.startswith("another program holds it, most likely ModemManager (pid 34); either install")


def test_an_unknown_holder_is_not_guessed(tmp_path: Path) -> None:
    """If no holder is visible and ModemManager does not run, the error does not guess."""
    told = held_elsewhere("/dev/ttyUSB2", processes=tmp_path)
    assert told.startswith("another program holds it; stop that program")
    assert "as root may show which" in told
