"""How servers are reached: directly or through a proxy, and over which network interface."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, ClassVar, Self

from msgspec import field

from lpad.base.errors import InvalidSettings, InvalidValue, ServerUnreachable
from lpad.base.frozen import Frozen
from lpad.base.lazy_pattern import LazyPattern
from lpad.base.regular_file import read_regular
from lpad.base.server_address import ServerAddress
from lpad.remote.https.host_overrides import HostOverrides

if TYPE_CHECKING:
    from pathlib import Path

_INTERFACE = LazyPattern(r"[!-.0-~]{1,15}")
"""Interface names on Linux: up to 15 bytes without spaces and slashes (netdevice(7), IFNAMSIZ)."""
_LARGEST_FILE = 4096


class Proxy(Frozen):
    """An HTTP proxy that opens connections by CONNECT (RFC 9110, 9.3.6); TLS passes through it."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"credentials"})
    address: ServerAddress
    credentials: tuple[str, str] | None = None

    @classmethod
    def parse(cls, url: str, *, credentials: tuple[str, str] | None = None) -> Self:
        """Parse the address of a proxy, `http://name:port`.

        Raises:
            InvalidValue: the address has a scheme other than http, a path or credentials, or lacks a port.
        """
        scheme, separator, rest = url.strip().partition("://")
        if not separator or scheme.lower() != "http":
            raise InvalidValue("write the proxy as http://name:port; lpad uses HTTP CONNECT")
        if "@" in rest:
            raise InvalidValue(
                "put the proxy's user and password into the file given as 'proxy_credentials', not into the"
                " address"
            )
        try:
            address = ServerAddress.parse(rest.rstrip("/"))
        except InvalidValue as error:
            raise InvalidValue("write the proxy as http://name:port") from error
        if ":" not in rest:
            raise InvalidValue("a proxy address needs a port, such as http://proxy.example.com:3128")
        return cls(address, credentials)


class Route(Frozen):
    """The route to all servers; `interface` is a name such as wwan0."""

    hosts: HostOverrides = field(default_factory=lambda: HostOverrides({}))
    proxy: Proxy | None = None
    interface: str | None = None

    def bind(self, unconnected: socket.socket, *, server: ServerAddress) -> None:
        """Make a socket send only through the interface, if one is set.

        Raises:
            ServerUnreachable: the interface does not exist (yet), or lpad may not choose it.
        """
        if self.interface is None:
            return
        try:
            unconnected.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self.interface.encode() + b"\0")
        except OSError as error:
            unconnected.close()
            raise self._no_way(error, server) from error

    def _no_way(self, error: OSError, server: ServerAddress) -> ServerUnreachable:
        attempted = f"cannot connect to {server} over the network interface '{self.interface}'"
        if error.errno == errno.ENODEV:
            return ServerUnreachable(
                f"{attempted}: no interface of this name exists now; bring it up, or change the setting"
                " 'remote.interface'",
                cause="no-interface",
            )
        return ServerUnreachable(
            f"{attempted}: {str(error.strerror).lower()}; before Linux 5.7, lpad needs CAP_NET_RAW to choose"
            " an interface",
            cause="interface-refused",
            retryable=False,
        )


def check_interface(name: str) -> str:
    """Return `name`, if a network interface can have this name.

    Raises:
        InvalidValue: a network interface cannot have this name.
    """
    if not _INTERFACE.fullmatch(name) or name in (".", ".."):
        raise InvalidValue("a network interface must have a name of up to 15 characters, such as wwan0")
    return name


def read_credentials(path: Path) -> tuple[str, str]:
    """Return user and password from a file that contains `user:password`.

    Raises:
        InvalidSettings: the file cannot be read, other users have access, or it contains something else.
    """
    try:
        if path.stat().st_mode & 0o007:
            raise InvalidSettings(
                f"other users can read {path}, which contains the proxy's password; run chmod o= on it"
            )
        content = read_regular(path, most=_LARGEST_FILE)
    except OSError as error:
        raise InvalidSettings(
            f"cannot read the proxy's user and password in {path}: {error.strerror}"
        ) from error
    user, colon, password = content.decode("utf-8", "replace").strip().partition(":")
    if not (user and colon) or "\n" in password:
        raise InvalidSettings(f"{path} must contain exactly one line, user:password")
    return user, password
