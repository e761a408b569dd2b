"""A whole discovery between a card and SM-DSs that send arbitrary bytes; see `whole_download`."""

from __future__ import annotations

from fuzz.whole_download import NOBODY, HostileCard, HostileConnection, Script
from lpad.base.deadline import Deadline
from lpad.base.errors import PolicyRefused
from lpad.base.server_address import ServerAddress
from lpad.codec.messages.authentication import DeviceCapabilities, DeviceInfo
from lpad.lpa.discovery import MOST_EVENTS, MOST_SESSIONS, Discovered, Discovery
from lpad.lpa.euicc import Euicc
from lpad.remote.es9plus import Es9Plus

SMDS = "smds.example.com"
_FORBIDDEN = "forbidden.example.com"


def hold_discovery(data: bytes) -> Discovered:
    """Run a discovery with the messages in `data` as answers; check its limits, and return its result.

    Raises:
        LpadError: the card fails.
    """
    script = Script(data)
    asked: list[ServerAddress] = []

    def connect(address: ServerAddress) -> Es9Plus:
        assert address.host != _FORBIDDEN, "lpad checks the policy before it contacts a server"
        asked.append(address)
        server = Es9Plus(address, trust=NOBODY)
        server._connection = HostileConnection(script)  # type: ignore[assignment]  # only `post` is used
        return server

    def check_server(address: ServerAddress) -> None:
        if address.host == _FORBIDDEN:
            raise PolicyRefused("the settings do not allow it", rule="servers")

    device = DeviceInfo(tac=bytes(4), capabilities=DeviceCapabilities())
    discovery = Discovery(
        Euicc(HostileCard(script)), connect, device=device, eid=None, check_server=check_server
    )
    found = discovery.run([ServerAddress.parse(SMDS)], deadline=Deadline.after(60))
    assert found.servers, "the first server has answered or failed"
    assert len(found.events) <= MOST_EVENTS
    assert len(asked) <= 2 * MOST_SESSIONS, "each question is repeated once at most"
    assert len({each.entry for each in found.events}) == len(found.events)
    return found
