"""Ports that the settings name by a number are found again by their lasting names."""

from __future__ import annotations

import os
import pty
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from card.link_contract import soon
from card.scripted_card import ScriptedCard
from lpad.base.errors import CardUnreachable
from lpad.base.identifiers import Imei
from lpad.card.at.at_link import AtLink, open_at_link
from lpad.card.port.lasting_names import PortNames
from lpad.simulator.modem.personality import ModemPersonality
from lpad.simulator.modem.pty_modem import PtyModem

if TYPE_CHECKING:
    from collections.abc import Iterator

OURS = "490154203237518"
OTHERS = "352906110123454"


@pytest.fixture
def serial(tmp_path: Path) -> Path:
    """Return a folder that replaces udev's /dev/serial, with empty folders by-id and by-path."""
    (tmp_path / "serial" / "by-id").mkdir(parents=True)
    (tmp_path / "serial" / "by-path").mkdir()
    return tmp_path / "serial"


@contextmanager
def low_numbers_taken() -> Iterator[None]:
    """Take the lowest pty numbers, so that no other program gets a number that the test needs."""
    taken = [descriptor for _ in range(64) for descriptor in pty.openpty()]
    try:
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)


@contextmanager
def occupied(port: str) -> Iterator[list[PtyModem]]:
    """Have other modems occupy pty numbers until one has the vanished port's number; yield these modems."""
    with ExitStack() as ends:
        others: list[PtyModem] = []
        while not Path(port).exists():
            others.append(ends.enter_context(PtyModem(ScriptedCard())))
        yield others


@pytest.fixture
def modem(serial: Path) -> Iterator[PtyModem]:
    """Yield a modem with a name in udev's folder by-id."""
    with low_numbers_taken():
        made = PtyModem(ScriptedCard(), path=serial / "by-id" / "usb-Ours-if02-port0")
    with made:
        yield made


def names(port: str, serial: Path) -> PortNames:
    """Return a port's names as after a restart, with nothing but the stored links."""
    return PortNames(port, folder=serial.parent / "links", serial=serial)


def opened(port: PortNames) -> AtLink:
    link = port.open(open_at_link, deadline=soon())
    link.close()
    return link


def test_a_port_under_another_number_is_found_by_its_lasting_name(modem: PtyModem, serial: Path) -> None:
    """The lasting name from the last opening leads to the port, even after a restart."""
    port = modem.device
    opened(names(port, serial))
    modem.vanish()
    assert not names(port, serial).there()
    with occupied(port) as others:
        modem.come_back()
        assert modem.device != port
        assert names(port, serial).there()
        link = names(port, serial).open(open_at_link, deadline=soon())
        assert link.imei(deadline=soon()) == Imei.parse(OURS)
        link.close()
        assert not any("AT+CGSN" in other.received for other in others)


def test_a_port_that_is_away_is_not_a_port(modem: PtyModem, serial: Path) -> None:
    """If a port has disappeared, no other port is opened in its place."""
    port = modem.device
    opened(names(port, serial))
    modem.vanish()
    with pytest.raises(CardUnreachable, match="no such port"):
        opened(names(port, serial))


def test_another_modem_under_the_lasting_name_is_not_taken_for_it(modem: PtyModem, serial: Path) -> None:
    """If two modems share a by-id name, the IMEI decides, and another name leads to the right modem."""
    port = modem.device
    by_path = serial / "by-path" / "usb-0:1.2-port0"
    by_path.symlink_to(port)
    opened(names(port, serial))
    other = ModemPersonality(imei=OTHERS)
    with PtyModem(ScriptedCard(), path=serial.parent / "other", personality=other) as swapped:
        by_id = serial / "by-id" / "usb-Ours-if02-port0"
        by_id.unlink()
        by_id.symlink_to(swapped.device)
        link = names(port, serial).open(open_at_link, deadline=soon())
        assert link.imei(deadline=soon()) == Imei.parse(OURS)
        link.close()


def test_a_replaced_modem_is_taken_and_said(
    serial: Path, modem: PtyModem, caplog: pytest.LogCaptureFixture
) -> None:
    """If no name leads to the old modem, lpad uses the new one, and logs this once."""
    port = modem.device
    opened(names(port, serial))
    modem.vanish()
    other = ModemPersonality(imei=OTHERS)
    with PtyModem(ScriptedCard(), path=modem.path, personality=other):
        for _ in range(2):
            link = names(port, serial).open(open_at_link, deadline=soon())
            assert link.imei(deadline=soon()) == Imei.parse(OTHERS)
            link.close()
    assert caplog.text.count("a different modem answers") == 1


def test_a_lasting_name_in_the_settings_needs_no_memory(modem: PtyModem, serial: Path) -> None:
    """If the settings name a port by a lasting link, nothing is stored for it."""
    opened(names(modem.path, serial))
    assert not (serial.parent / "links").exists()
