"""A card in a virtual reader, with a scripted driver that uses vpcd's protocol."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from lpad.base.errors import CardUnreachable, InternalError, InvalidValue
from lpad.simulator.virtual_reader import FIRST_PORT, VirtualReaderCard, split_address

if TYPE_CHECKING:
    from collections.abc import Iterator

ATR = bytes.fromhex("3B00")
SELECT = bytes.fromhex("00A4040000")


class CountingCard:
    """A card that answers with the received bytes, and counts its resets."""

    def __init__(self) -> None:
        self.resets = 0
        self.failure: Exception | None = None

    def transmit(self, apdu: bytes) -> bytes:
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        return apdu + b"\x90\x00"

    def reset(self) -> bytes:
        self.resets += 1
        return ATR + bytes([self.resets])


class Driver:
    """The reader's driver: a server to which the card connects."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(30)
        self.port: int = self._listening.getsockname()[1]
        self._line: socket.socket | None = None

    def accept(self) -> None:
        self.hang_up()
        self._line, _ = self._listening.accept()
        self._line.settimeout(30)

    def tell(self, message: bytes) -> None:
        """Send the length and the body of a message separately, as vpcd does."""
        assert self._line is not None
        self._line.sendall(len(message).to_bytes(2, "big"))
        self._line.sendall(message)

    def ask(self, message: bytes) -> bytes:
        self.tell(message)
        return self.answer()

    def answer(self) -> bytes:
        """Return one message of the card, or no bytes if the card has closed the connection."""
        assert self._line is not None
        head = self._line.recv(2, socket.MSG_WAITALL)
        return self._line.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL) if head else b""

    def hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def close(self) -> None:
        self.hang_up()
        self._listening.close()


@pytest.fixture
def driver() -> Iterator[Driver]:
    made = Driver()
    yield made
    made.close()


@pytest.fixture
def card() -> CountingCard:
    return CountingCard()


@pytest.fixture
def inserted(driver: Driver, card: CountingCard) -> Iterator[VirtualReaderCard]:
    with VirtualReaderCard(card, host="127.0.0.1", port=driver.port) as made:
        driver.accept()
        yield made


def test_apdus_are_answered_and_counted(driver: Driver, inserted: VirtualReaderCard) -> None:
    """The driver gets the card's answers to short and long APDUs, which are counted."""
    assert driver.ask(SELECT) == SELECT + b"\x90\x00"
    assert driver.ask(bytes(261)) == bytes(261) + b"\x90\x00"
    assert inserted.apdus == 2


def test_the_atr_is_available_without_power(driver: Driver, inserted: VirtualReaderCard) -> None:
    """The driver gets the ATR of the last reset, even before it switches the power on."""
    assert driver.ask(b"\x04") == ATR + b"\x01"
    driver.tell(b"\x01")
    assert driver.ask(b"\x04") == ATR + b"\x02"
    driver.tell(b"\x02")
    driver.tell(b"\x00")
    assert driver.ask(b"\x04") == ATR + b"\x03"


def test_pulled_and_put_back(driver: Driver, inserted: VirtualReaderCard, card: CountingCard) -> None:
    """Pulling the card closes the connection; inserting it opens another, after a reset."""
    inserted.pull()
    inserted.pull()
    assert driver.answer() == b""
    inserted.insert()
    inserted.insert()
    driver.accept()
    assert driver.ask(b"\x04") == ATR + b"\x02"


def test_looks_for_a_driver_that_has_gone(driver: Driver, inserted: VirtualReaderCard) -> None:
    """If the driver closes the connection, the card connects again by itself."""
    for _ in range(2):
        driver.accept()
        assert driver.ask(SELECT) == SELECT + b"\x90\x00"


def test_a_driver_that_dies_in_a_message(driver: Driver, inserted: VirtualReaderCard) -> None:
    """If the driver closes the connection within a message, the message is ignored."""
    assert driver._line is not None
    driver._line.sendall(b"\x00\x05\x00")
    driver.accept()
    assert inserted.apdus == 0


def test_a_card_that_loses_its_power(driver: Driver, inserted: VirtualReaderCard, card: CountingCard) -> None:
    """A card that cannot be reached closes the connection, and connects again after a reset."""
    card.failure = CardUnreachable("no power")
    assert driver.ask(SELECT) == b""
    driver.accept()
    assert driver.ask(SELECT) == SELECT + b"\x90\x00"
    assert card.resets == 2


def test_a_card_that_crashes(driver: Driver, card: CountingCard) -> None:
    """If the card's code raises an exception, closing the reader's card raises InternalError."""
    inserted = VirtualReaderCard(card, host="127.0.0.1", port=driver.port)
    driver.accept()
    card.failure = AssertionError("wrong")
    assert driver.ask(SELECT) == b""
    with pytest.raises(InternalError, match="crashed"):
        inserted.close()


def test_no_reader_there(driver: Driver, card: CountingCard) -> None:
    """If no driver accepts a connection, the error names the Debian package."""
    driver.close()
    with pytest.raises(CardUnreachable, match="vsmartcard-vpcd"):
        VirtualReaderCard(card, host="127.0.0.1", port=driver.port)


def test_leaves_no_thread(driver: Driver, card: CountingCard) -> None:
    """Closing the reader's card ends its thread, even if the driver is gone."""
    before = threading.active_count()
    inserted = VirtualReaderCard(card, host="127.0.0.1", port=driver.port)
    driver.close()
    inserted.close()
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("text", "address"),
    [("localhost:35964", ("localhost", 35964)), ("10.0.0.1", ("10.0.0.1", FIRST_PORT))],
)
def test_an_address_is_host_and_port(text: str, address: tuple[str, int]) -> None:
    """An address is HOST:PORT, or HOST for the first reader's port."""
    assert split_address(text) == address


@pytest.mark.parametrize("text", [":1", "host:", "host:0", "host:x", "host:65536"])
def test_invalid_addresses_are_refused_with_an_example(text: str) -> None:
    """A text that is not an address is refused, and the error shows the form."""
    with pytest.raises(InvalidValue, match="HOST:PORT"):
        split_address(text)
