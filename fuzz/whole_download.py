"""A whole download between a card and a server that send arbitrary bytes.

The input is a list of messages, each preceded by its length in three bytes. Card and server answer each
request with the next message, which results in replayed, swapped and missing messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import CardUnreachable, ServerUnreachable
from lpad.base.server_address import ServerAddress
from lpad.codec.messages.authentication import DeviceCapabilities, DeviceInfo
from lpad.codec.messages.installation_result import ProfileInstallationResult
from lpad.lpa.download import Decision, Download, Order
from lpad.lpa.euicc import Euicc
from lpad.remote.es9plus import Es9Plus
from lpad.remote.https.connection import HttpAnswer
from lpad.remote.trust.trust_anchors import Trust

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lpad.codec.es10_intents import Intent
    from lpad.lpa.download import Offer
    from lpad.protocol.download_state_table import Step

SERVER = "smdp.example.com"
_LENGTH = 3
_MOST = 64
"""The maximum number of answers in one conversation; without segments, a download needs fewer."""


class Script:
    """The input's messages, which are returned in their order."""

    def __init__(self, data: bytes) -> None:
        self._left = data
        self.said = 0
        self.last = b""

    def next(self) -> bytes | None:
        """Return the next message; None if no message is left."""
        if len(self._left) < _LENGTH or self.said == _MOST:
            return None
        length = int.from_bytes(self._left[:_LENGTH], "big")
        message = self._left[_LENGTH : _LENGTH + length]
        self._left = self._left[_LENGTH + length :]
        self.said += 1
        self.last = message
        return message


class HostileCard:
    """A hostile card in place of the ISD-R; see `lpa.euicc.Isdr`."""

    def __init__(self, script: Script) -> None:
        self._script = script

    def command(
        self,
        data: bytes,
        *,
        intent: Intent,
        deadline: Deadline,
        on_block: Callable[[int], None] | None = None,
    ) -> bytes:
        assert intent.function
        assert not deadline.passed
        if on_block is not None:
            on_block(len(data))
        message = self._script.next()
        if message is None:
            raise CardUnreachable("the card is gone; find it")
        return message


class HostileConnection:
    """A hostile server's connection, in place of that of Es9Plus."""

    connects = 0

    def __init__(self, script: Script) -> None:
        self._script = script

    def post(
        self, path: str, body: bytes, *, headers: Mapping[str, str], limit: int, deadline: Deadline
    ) -> HttpAnswer:
        assert path.startswith("/gsma/")
        assert body
        assert headers
        assert not deadline.passed
        message = self._script.next()
        if message is None:
            raise ServerUnreachable("the server is gone; try again")
        return HttpAnswer(200, message[:limit])

    def close(self) -> None:
        pass


class _Caller:
    """A caller that accepts everything, because lpad itself must stop a hostile server."""

    def step(self, step: Step) -> None:
        pass

    def owes_cancellation(self, transaction_id: str, response: bytes) -> None:
        raise AssertionError(f"nothing interrupts the session {transaction_id}, {len(response)} bytes")

    def bytes_loaded(self, sent: int, total: int) -> None:
        assert 0 <= sent <= total

    def confirm(self, offer: Offer) -> Decision:
        assert len(offer.raw) > 0
        return Decision.ACCEPT

    def confirmation_code(self, *, refused: bool) -> str | None:
        return None if refused else "1234"


def hold_conversation(data: bytes) -> None:
    """Run a download with the messages in `data` as answers; check that the card confirms the profile.

    Raises:
        LpadError: the download fails, as nearly every download with such messages does.
    """
    script = Script(data)
    server = Es9Plus(ServerAddress.parse(SERVER), trust=NOBODY)
    server._connection = HostileConnection(script)  # type: ignore[assignment]  # only `post` is used
    euicc = Euicc(HostileCard(script))
    device = DeviceInfo(tac=bytes(4), capabilities=DeviceCapabilities())
    run = Download(euicc, server, Order(matching_id="X"), device=device, listener=_Caller())
    installed = run.run(deadline=Deadline.after(60))
    assert script.last == installed.result, "the last message is the card's result"
    assert ProfileInstallationResult.decode(script.last).succeeded


def joined(messages: Iterable[bytes]) -> bytes:
    """Return an input that consists of the messages."""
    return b"".join(len(each).to_bytes(_LENGTH, "big") + each for each in messages)


NOBODY = Trust([], use_system_roots=False)
