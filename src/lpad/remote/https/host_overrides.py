"""Replacement hosts for servers, for use in laboratories.

The server keeps its name; only the connection is made to another host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from lpad.base.errors import InvalidSettings, InvalidValue
from lpad.base.frozen import Frozen
from lpad.base.lazy_pattern import LazyPattern
from lpad.base.server_address import ServerAddress
from lpad.base.untrusted_number import whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping

_TARGET = LazyPattern(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9_.-]+))(?::(?P<port>[0-9]{1,5}))?")


class HostOverrides(Frozen):
    """Overrides such as `smdp.example.com` to `127.0.0.1:8443`.

    The TLS name, its verification and the Host header keep the server's name, as with curl's --connect-to.
    """

    targets: Mapping[ServerAddress, tuple[str, int | None]]

    @classmethod
    def parse(cls, overrides: Mapping[str, str] | None = None) -> Self:
        """Parse overrides from `name` or `name:port` to `host`, `host:port` or `[ipv6]:port`.

        A name without a port means port 443; a target without a port keeps the server's port.

        Raises:
            InvalidSettings: a name or a target has none of these forms.
        """
        return cls({_source(name): _target(target) for name, target in (overrides or {}).items()})

    def resolve(self, host: str, port: int) -> tuple[str, int]:
        """Return the host and the port to connect to for the server `host:port`."""
        to_host, to_port = self.targets.get(ServerAddress(host, port), (host, port))
        return to_host, to_port or port


def _source(text: str) -> ServerAddress:
    try:
        return ServerAddress.parse(text)
    except InvalidValue as error:
        raise InvalidSettings(
            f"hosts: '{text[:60]}' is not a server address; write name or name:port"
        ) from error


def _target(text: str) -> tuple[str, int | None]:
    match = _TARGET.fullmatch(text.strip())
    port = whole_number(match["port"], least=1, most=65535) if match and match["port"] else None
    if match is None or (match["port"] and port is None):
        raise InvalidSettings(
            f"hosts: '{text[:60]}' is not a valid target; write host, host:port or [ipv6]:port"
        )
    return match["six"] or match["name"], port
