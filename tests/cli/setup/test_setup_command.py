"""lpad setup tries each card that it finds, shows it, and adds it to the settings; it explains obstacles."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from card.modem_manager_double import UID, ModemManagerDouble
from card.private_pcscd import FIRST, PrivatePcscd, wait_for_cards
from cli.conftest import Finished, at_a_terminal, run
from dbus.private_bus import private_bus
from lpad.base.identifiers import Eid
from lpad.cli.terminal import exit_codes
from lpad.settings import SettingsFile
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.modem.pty_modem import PtyModem
from lpad.simulator.virtual_reader import VirtualReaderCard
from lpad.testing.daemon_process import DaemonProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki

OTHER_EID = "89049032123451234512345678901326"
LPAD = [sys.executable, "-m", "lpad.cli.lpad"]


@pytest.fixture
def card(tmp_path: Path, pki: Pki) -> Iterator[SoftCard]:
    with SoftCard(tmp_path / "card", pki=pki) as made:
        yield made


@pytest.fixture
def port(card: SoftCard, tmp_path: Path) -> Iterator[Path]:
    with PtyModem(card, path=tmp_path / "modem"):
        yield tmp_path / "modem"


def setup(folder: Path, *arguments: str) -> Finished:
    return run([*LPAD, "setup", "--config", str(folder / "lpad.yaml"), "--no-restart", *arguments])


def written(folder: Path) -> dict[str, str | None]:
    euiccs = SettingsFile.read(folder / "lpad.yaml").settings.euiccs
    return {name: each.port for name, each in euiccs.items()}


def test_a_modem_is_found_and_written(tmp_path: Path, card: SoftCard, port: Path) -> None:
    """Setup shows modem, EID, profiles and file; then it writes the file, readable by root and the group."""
    done = setup(tmp_path, "--port", str(port), "--yes").ok()
    assert f"  EID       {card.eid}" in done.out
    assert "  profiles  none yet" in done.out
    assert f"+  modem:\n+    port: {port}" in done.out
    assert written(tmp_path) == {"modem": str(port)}
    assert stat.S_IMODE((tmp_path / "lpad.yaml").stat().st_mode) == 0o640
    assert "join the group 'lpad': adduser" in done.out


def test_a_dry_run_writes_nothing(tmp_path: Path, port: Path) -> None:
    """With --dry-run, setup only shows the file, and asks no question."""
    done = setup(tmp_path, "--port", str(port), "--dry-run").ok()
    assert f"+    port: {port}" in done.out
    assert not (tmp_path / "lpad.yaml").exists()


def test_without_a_terminal_it_needs_yes(tmp_path: Path, port: Path) -> None:
    """Without a terminal and without --yes, setup writes no file, and the error names --yes."""
    done = setup(tmp_path, "--port", str(port))
    assert done.code == exit_codes.USAGE
    assert "add --yes" in done.err
    assert not (tmp_path / "lpad.yaml").exists()


def test_the_packaged_file_keeps_its_comments(tmp_path: Path, port: Path) -> None:
    """Setup adds a card to the packaged example; the file keeps its lines and its mode."""
    from settings.test_example import TEXT  # noqa: PLC0415 - parametrized tests there

    path = tmp_path / "lpad.yaml"
    path.write_text(TEXT, encoding="utf-8")
    path.chmod(0o600)
    setup(tmp_path, "--port", str(port), "--yes").ok()
    assert written(tmp_path) == {"modem": str(port)}
    assert set(TEXT.splitlines()) <= set(path.read_text(encoding="utf-8").splitlines())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_second_card_is_added(tmp_path: Path, pki: Pki, port: Path) -> None:
    """If setup adds a second card, the first one's section stays, and the second gets another name."""
    (tmp_path / "lpad.yaml").write_text(
        f"log: debug\neuiccs:\n    modem: {{port: {port}, baud: 9600}}\n", encoding="utf-8"
    )
    with (
        SoftCard(tmp_path / "other", pki=pki, eid=Eid.parse(OTHER_EID)) as other,
        PtyModem(other, path=tmp_path / "second"),
    ):
        second = tmp_path / "second"
        done = setup(tmp_path, "--port", str(port), "--port", str(second), "--yes").ok()
    assert f"{port}: already in the settings as 'modem'" in done.out
    assert written(tmp_path) == {"modem": str(port), "modem2": str(second)}
    assert SettingsFile.read(tmp_path / "lpad.yaml").settings.euiccs["modem"].baud == 9600


def test_settings_in_one_line_are_left_alone(tmp_path: Path, port: Path) -> None:
    """If a file cannot be extended without rewriting it, setup leaves it and shows the lines to add."""
    text = "euiccs: {other: {reader: 0}}\n"
    (tmp_path / "lpad.yaml").write_text(text, encoding="utf-8")
    done = setup(tmp_path, "--port", str(port), "--yes")
    assert done.code == exit_codes.USAGE
    assert f"  modem:\n    port: {port}" in done.err
    assert (tmp_path / "lpad.yaml").read_text(encoding="utf-8") == text


def test_a_choice_among_ports(tmp_path: Path, pki: Pki, port: Path) -> None:
    """If several ports lead to a card, the user chooses by number at a terminal; a script gets advice."""
    with ExitStack() as stack:
        other = stack.enter_context(SoftCard(tmp_path / "other", pki=pki, eid=Eid.parse(OTHER_EID)))
        stack.enter_context(PtyModem(other, path=tmp_path / "second"))
        ports = ["--port", str(port), "--port", str(tmp_path / "second")]
        done = setup(tmp_path, *ports)
        assert done.code == exit_codes.USAGE
        assert "take the first port of each card with --yes" in " ".join(done.err.split())
        command = [*LPAD, "setup", "--config", str(tmp_path / "lpad.yaml"), "--no-restart", *ports]
        code, told = at_a_terminal(command, "2", "y", after="]:")
    assert code == 0, told
    assert written(tmp_path) == {"modem": str(tmp_path / "second")}


def test_a_missing_and_a_silent_port_are_explained(tmp_path: Path) -> None:
    """Setup explains a missing port, and a port that does not answer."""
    ours, theirs = os.openpty()
    try:
        done = setup(tmp_path, "--port", str(tmp_path / "none"), "--port", os.ttyname(theirs), "--yes")
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.code == exit_codes.CARD
    assert "there is no such port" in done.out
    assert "no port leads to a card that lpad can use" in done.err
    assert not (tmp_path / "lpad.yaml").exists()


def test_a_locked_port_is_explained(tmp_path: Path, port: Path) -> None:
    """If another program holds the port, setup names this program."""
    import serial  # noqa: PLC0415 - acts as another program

    with serial.Serial(str(port.resolve()), exclusive=True):
        done = setup(tmp_path, "--port", str(port), "--yes")
    assert done.code == exit_codes.CARD
    assert f"(pid {os.getpid()})" in done.out
    assert "stop that program" in done.out


def test_the_modem_is_borrowed_from_modem_manager(
    tmp_path: Path, card: SoftCard, port: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Setup borrows the modem from ModemManager while it tries the port, and returns it afterwards."""
    (tmp_path / "bus").mkdir()
    with private_bus(tmp_path / "bus") as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        with ModemManagerDouble(address, {UID: str(port)}) as manager:
            done = setup(tmp_path, "--port", str(port), "--yes").ok()
            assert manager.wait_for("took") == [f"inhibited {UID}", f"lifted {UID}", f"took {UID}"]
    assert f"  EID       {card.eid}" in done.out


def test_a_missing_card_is_explained(tmp_path: Path, card: SoftCard) -> None:
    """For a modem without a card, the report states that the card is missing."""
    path = tmp_path / "modem"
    with PtyModem(card, path=path) as modem:
        modem.once("AT+CCHO", instead=("+CME ERROR: 10",))
        modem.once("AT+CSIM", instead=("+CME ERROR: 10",))
        done = setup(tmp_path, "--port", str(tmp_path / "modem"), "--yes")
    assert done.code == exit_codes.CARD
    assert "SIM" in done.out


def test_a_card_in_a_reader_gets_the_readers_full_name(tmp_path: Path, card: SoftCard) -> None:
    """For a card in a reader, setup writes the reader's full name."""
    with PrivatePcscd() as pcscd, VirtualReaderCard(card, port=pcscd.port):
        wait_for_cards(present={FIRST})
        done = setup(tmp_path, "--reader", FIRST, "--yes").ok()
    assert f"  EID       {card.eid}" in done.out
    assert SettingsFile.read(tmp_path / "lpad.yaml").settings.euiccs["reader"].reader == FIRST


def test_without_the_right_to_write(tmp_path: Path) -> None:
    """If the settings file cannot be written, setup tries no port."""
    done = run([*LPAD, "setup", "--config", str(tmp_path / "none" / "lpad.yaml"), "--yes"])
    assert done.code == exit_codes.USAGE
    assert "there is no such folder; --dry-run" in done.err


def test_the_service_is_restarted_and_reads_the_card(tmp_path: Path, port: Path) -> None:
    """Setup restarts the daemon with the new settings, and ends once the card is ready."""
    path = tmp_path / "lpad.yaml"
    path.write_text("socket: lpad.sock\nstate_folder: state\n", encoding="utf-8")
    daemon = DaemonProcess(path)
    daemon.start()
    try:
        assert daemon.process is not None
        assert "no card is configured; run 'lpad setup'" in daemon.log
        programs = tmp_path / "programs"
        programs.mkdir()
        # This script replaces systemd, which tests/system uses: it has the daemon reload its settings.
        (programs / "systemctl").write_text(
            f"#!/bin/sh\n[ \"$*\" = 'restart lpad.service' ] && kill -HUP {daemon.process.pid}\n",
            encoding="utf-8",
        )
        (programs / "systemctl").chmod(0o755)
        command = [*LPAD, "setup", "--config", str(path), "--port", str(port), "--yes"]
        done = run(["env", f"PATH={programs}:{os.environ['PATH']}", *command]).ok()
        assert "modem is ready" in done.out
    finally:
        daemon.stop()
