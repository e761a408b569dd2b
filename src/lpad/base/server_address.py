"""The address of an SM-DP+ or SM-DS: a name, or name:port, without scheme or path."""

from __future__ import annotations

import re

from lpad.base.errors import InvalidValue
from lpad.base.frozen import Frozen
from lpad.base.lazy_pattern import LazyPattern
from lpad.base.untrusted_number import whole_number

_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_NAME = LazyPattern(rf"{_LABEL}(?:\.{_LABEL})*\.?")
HTTPS_PORT = 443
LONGEST = 255
"""The maximum number of characters of a name; a longer text is not examined further."""


class ServerAddress(Frozen):
    """A host in lower case, and a TCP port.

    Real activation codes contain capitals and spaces, which `parse` accepts, and sometimes a scheme, which
    it refuses. Some servers refuse their own name unless it is in lower case.
    """

    host: str
    port: int = HTTPS_PORT

    @classmethod
    def parse(cls, text: str) -> ServerAddress:
        """Read `name` or `name:port` in any case; spaces around or inside are ignored.

        Raises:
            InvalidValue: a scheme, a path, an empty or impossible name, a port outside 1 to 65535.
        """
        compact = re.sub(r"\s", "", text).lower()
        host, colon, port_text = compact.partition(":")
        if len(compact) > LONGEST + len(":65535"):
            raise InvalidValue(
                f"a server address must have at most {LONGEST} characters; this one has {len(compact)}"
            )
        if "/" in compact:
            raise InvalidValue("a server address must be a name or name:port, without a scheme or a path")
        host = host.encode("idna").decode() if _is_international(host) else host
        if not _NAME.fullmatch(host) or len(host) > 253:
            raise InvalidValue("a server address must be a name such as smdp.example.com, or name:port")
        port = whole_number(port_text, least=1, most=65535) if colon else HTTPS_PORT
        if port is None:
            raise InvalidValue("the port of a server address must be a number from 1 to 65535")
        return cls(host.rstrip("."), port)

    def names(self, other: str) -> bool:
        """Return whether `other`, a server's text, is this address; case and a missing port do not matter."""
        try:
            told = ServerAddress.parse(other)
        except InvalidValue:
            return False
        return told.host == self.host and told.port in (self.port, HTTPS_PORT)

    def __str__(self) -> str:
        return self.host if self.port == HTTPS_PORT else f"{self.host}:{self.port}"


def _is_international(host: str) -> bool:
    if host.isascii():
        return False
    try:
        host.encode("idna")
    except UnicodeError as error:
        raise InvalidValue(
            "a server address must not contain characters that a domain name cannot have"
        ) from error
    return True
