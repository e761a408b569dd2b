"""An endpoint in the settings, and the request that sends an event to it."""

from __future__ import annotations

import hashlib
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote, urlsplit

import msgspec

from lpad.base.errors import InvalidSettings, InvalidValue
from lpad.base.frozen import Frozen
from lpad.base.lazy_pattern import LazyPattern
from lpad.base.server_address import ServerAddress
from lpad.engine.events.cloud_event import MEDIA_TYPE, Identifiers
from lpad.engine.webhooks.signing_keys import signature_headers

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.engine.events.cloud_event import Event
    from lpad.engine.webhooks.signing_keys import SigningKey
    from lpad.remote.https.connection import HttpsConnection

LOOPBACK = LazyPattern(r"localhost|127(\.[0-9]{1,3}){3}")
_TARGET = LazyPattern(r"/[!-~]*")
_HEADER_SAFE = "".join(map(chr, range(0x21, 0x7F))).replace("%", "").replace('"', "")
"""Characters that are not escaped in a CloudEvents header (HTTP binding 1.0.2, 3.1.3.2)."""
_HTTP_PORT = 80


class EndpointUrl(Frozen):
    """The address of an endpoint: its server, the path with its query, and whether it is https."""

    server: ServerAddress
    target: str
    encrypted: bool

    @property
    def local(self) -> bool:
        """Whether the endpoint is on this device."""
        return LOOPBACK.fullmatch(self.server.host) is not None

    @classmethod
    def parse(cls, url: str) -> EndpointUrl:
        """Read an address.

        Raises:
            InvalidValue: the address is neither https nor on this device, or has a user, a fragment or an
                invalid character.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise InvalidValue(
                "an endpoint's address must look like https://hooks.example.com/lpad"
            ) from error
        if parts.scheme not in ("https", "http"):
            raise InvalidValue("an endpoint's address must begin with https://")
        if parts.scheme == "http" and not LOOPBACK.fullmatch(host):
            raise InvalidValue(
                "an endpoint's address must begin with https://; only 'localhost' and 127.0.0.1 may be http"
            )
        if "@" in parts.netloc or parts.fragment:
            raise InvalidValue("an endpoint's address must contain neither a user nor a fragment")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if not _TARGET.fullmatch(target):
            raise InvalidValue("an endpoint's path must consist of ASCII characters without spaces")
        server = ServerAddress.parse(host if port is None else f"{host}:{port}")
        encrypted = parts.scheme == "https"
        if not encrypted and port is None:
            server = ServerAddress(server.host, _HTTP_PORT)
        return cls(server, target, encrypted)


class Endpoint(Frozen, kw_only=True):
    """An endpoint in the settings.

    Attributes:
        name: the endpoint's name in the settings.
        url: the endpoint's address, which may contain a secret.
        types: patterns of event types; an event is sent if one of them matches.
        identifiers: whether events contain full or redacted identifiers.
        structured: whether the whole event is in the body, which is signed; otherwise only its data.
        keys: the keys that sign each request; the content of their files may change with each reload.
        open: opens a connection.
    """

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"url", "keys", "open"})
    name: str
    url: EndpointUrl
    types: tuple[str, ...] = ("*",)
    identifiers: Identifiers = Identifiers.FULL
    structured: bool = True
    keys: tuple[SigningKey, ...]
    open: Callable[[EndpointUrl], HttpsConnection]

    def __post_init__(self) -> None:
        if not self.keys:
            raise InvalidSettings(f"the endpoint '{self.name}' needs at least one key")

    @property
    def digest(self) -> str:
        """A hash that identifies the address without showing it."""
        where = f"{self.url.server}{self.url.target}{self.url.encrypted}"
        return hashlib.sha256(where.encode()).hexdigest()

    def wants(self, type_: str) -> bool:
        """Return whether events of a type are sent to this endpoint."""
        return any(fnmatchcase(type_, pattern) for pattern in self.types)

    def request(self, event: Event, *, at: float) -> tuple[dict[str, str], bytes]:
        """Return the headers and the body of a request.

        Args:
            event: the event.
            at: the present time, in seconds since 1970.
        """
        if self.structured:
            body = event.structured(self.identifiers)
            headers = {"Content-Type": MEDIA_TYPE}
        else:
            body = msgspec.json.encode(event.data(self.identifiers))
            headers = {"Content-Type": "application/json"}
            for name, value in event.attributes().items():
                if name != "datacontenttype":
                    text = str(value).lower() if isinstance(value, bool) else value
                    headers[f"ce-{name}"] = quote(text, safe=_HEADER_SAFE)
        headers |= signature_headers(self.keys, id_=event.body.id, at=at, body=body)
        headers["User-Agent"] = "lpad"
        return headers, body
