"""Opens a platform of the settings as an object with the methods of the interface."""

from __future__ import annotations

import hashlib
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from msgspec import field

from lpad.base.errors import InvalidSettings
from lpad.base.frozen import Frozen
from lpad.provisioning.declared.call_execution import Caller
from lpad.provisioning.declared.declared_platform import DeclaredPlatform
from lpad.provisioning.declared.platform_auth import PlatformAuth
from lpad.provisioning.declared.platform_file import read_declaration, shipped
from lpad.provisioning.http.clock_offset import ClockOffset
from lpad.provisioning.http.httpx_transport import HttpsTransport, server_of
from lpad.provisioning.http.token_store import Tokens
from lpad.remote.trust.trust_anchors import Trust

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from lpad.provisioning.declared.platform_declaration import Declaration
    from lpad.provisioning.http.httpx_transport import Exchange
    from lpad.remote.https.proxy_and_interface import Route
    from lpad.remote.https.request_limits import Limits

_LOG = logging.getLogger(__name__)


class PlatformSettings(Frozen, kw_only=True):
    """The owner's settings of one platform.

    Attributes:
        name: the platform's name in the settings.
        like: the name of one of lpad's descriptions, or the path of a file.
        base: the address that replaces the description's; None: the description's.
        credentials: the credentials by name.
        options: the options by name.
        product: the product to order for a wish without a product; None: no product.
        ca_files: CA certificates that replace the public ones; empty: the system's.
        client: the client certificate, and its key if that is in a separate file; None: no certificate.
    """

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"credentials"})
    name: str
    like: str | Path
    base: str | None = None
    credentials: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    product: str | None = None
    ca_files: tuple[Path, ...] = ()
    client: tuple[Path, Path | None] | None = None


class OpenablePlatform:
    """One platform of the settings, which is opened for each conversation; thread-safe."""

    def __init__(
        self,
        settings: PlatformSettings,
        *,
        route: Route,
        limits: Limits | None = None,
        tokens: Path | None = None,
        observe: Callable[[Exchange], None] | None = None,
    ) -> None:
        """Read the description and check it against the settings.

        Args:
            settings: the owner's settings.
            route: how servers are reached.
            limits: the time limits of each request; None: the defaults.
            tokens: the folder that keeps tokens across restarts; None: tokens are not kept.
            observe: a function that is called with each exchange.

        Raises:
            InvalidSettings: the description or a certificate cannot be read, the address is missing or not
                https, or a credential is missing or unknown.
        """
        self.name = settings.name
        self.settings = settings
        self.declaration = _declaration(settings)
        self._base = _base(settings, self.declaration)
        self.can = self.declaration.can.capabilities(self.declaration.calls)
        _check_credentials(settings, self.declaration)
        self._trust = Trust.load(
            settings.ca_files, use_system_roots=not settings.ca_files, client=settings.client
        )
        self._route = route
        self._limits = limits
        self._observe = observe
        self._offset = ClockOffset(settings.name)
        path = None if tokens is None else tokens / f"token-{settings.name}.json"
        self._tokens = Tokens(path, account=_account(settings, self._base))

    @contextmanager
    def opened(self) -> Iterator[DeclaredPlatform]:
        """Open the platform for a conversation, and close it at the end."""
        transport = HttpsTransport(
            trust=self._trust, route=self._route, limits=self._limits, observe=self._observe
        )
        auth = PlatformAuth(
            self.name,
            self.declaration,
            credentials=self.settings.credentials,
            tokens=self._tokens,
            offset=self._offset,
        )
        caller = Caller(self.name, self.declaration, base=self._base, transport=transport, auth=auth)
        platform = DeclaredPlatform(
            self.name,
            self.declaration,
            caller,
            options=self.settings.options,
            product=self.settings.product,
        )
        try:
            yield platform
        finally:
            platform.close()


def _declaration(settings: PlatformSettings) -> Declaration:
    if isinstance(settings.like, str):
        known = shipped()
        if settings.like not in known:
            raise InvalidSettings(
                f"platform '{settings.name}': lpad ships no description '{settings.like}'; the shipped ones"
                f" are {', '.join(known)}; give your own with 'file'"
            )
        return read_declaration(known[settings.like])
    return read_declaration(settings.like)


def _base(settings: PlatformSettings, declaration: Declaration) -> str:
    base = settings.base or declaration.base
    if base is None:
        raise InvalidSettings(
            f"platform '{settings.name}': set 'base' to the platform's https address, because its description"
            " has none"
        )
    server_of(base)
    if declaration.token is not None:
        server_of(declaration.token.post)
    return base


def _check_credentials(settings: PlatformSettings, declaration: Declaration) -> None:
    missing = [name for name in declaration.credentials if name not in settings.credentials]
    if missing:
        raise InvalidSettings(
            f"platform '{settings.name}': 'credentials' needs {', '.join(missing)}, each the path of a file"
        )
    unknown = sorted({*settings.credentials} - {*declaration.credentials})
    if unknown:
        raise InvalidSettings(
            f"platform '{settings.name}': remove {', '.join(unknown)} from 'credentials'; the platform uses"
            f" {', '.join(declaration.credentials) or 'no credentials'}"
        )


def _account(settings: PlatformSettings, base: str) -> str:
    text = "\0".join([base, *(f"{name}\0{value}" for name, value in sorted(settings.credentials.items()))])
    return hashlib.sha256(text.encode()).hexdigest()
