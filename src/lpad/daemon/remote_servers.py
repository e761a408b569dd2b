"""Convert the settings to connections with SM-DP+ servers, and to trust anchors."""

from __future__ import annotations

import logging
import ssl
from typing import TYPE_CHECKING

from lpad.remote.es9plus import Es9Plus
from lpad.remote.https.host_overrides import HostOverrides
from lpad.remote.https.proxy_and_interface import Proxy, Route, read_credentials
from lpad.remote.https.request_limits import Limits
from lpad.remote.trust.trust_anchors import Trust
from lpad.remote.trust.trust_memory import TrustMemory
from lpad.settings.sections.trust import key_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from lpad.base.server_address import ServerAddress
    from lpad.remote.trust.anchor_named_by_card import CardTrust
    from lpad.settings import SettingsFile

_log = logging.getLogger(__name__)
_TLS_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_MEMORY = "servers.json"
"""The file of the remembered servers in the state folder; lpad can obtain its content again."""


class Servers:
    """Opens connections with the settings in force; open connections stay unchanged."""

    def __init__(self, file: SettingsFile, *, observe: Callable[[str, float], None] | None = None) -> None:
        """Create the object for a settings file, whose state folder contains the remembered servers.

        Raises:
            InvalidSettings: a file that the settings name cannot be read.
        """
        self._observe = observe
        # One memory for all settings, because two would overwrite each other's file. A changed state folder
        # takes effect only at the next start.
        self._memory = TrustMemory(file.resolve(file.settings.state_folder) / _MEMORY)
        self.connect_by = self.prepared(file)

    def connect(self, address: ServerAddress, card: CardTrust) -> AbstractContextManager[Es9Plus]:
        """Return a connection to an SM-DP+ on behalf of a card; it is open within a `with` block."""
        return self.connect_by(address, card)

    def prepared(
        self, file: SettingsFile
    ) -> Callable[[ServerAddress, CardTrust], AbstractContextManager[Es9Plus]]:
        """Return a function that opens connections with the settings in a file.

        Raises:
            InvalidSettings: a file that the settings name cannot be read.
        """
        return _connector(file, memory=self._memory, observe=self._observe)


def _connector(
    file: SettingsFile, *, memory: TrustMemory, observe: Callable[[str, float], None] | None
) -> Callable[[ServerAddress, CardTrust], AbstractContextManager[Es9Plus]]:
    """Return a function that opens a connection to an SM-DP+ on behalf of a card, with the settings.

    Raises:
        InvalidSettings: a CA file, or the file with the proxy's password, cannot be read.
    """
    trust = load_trust(file, memory=memory)
    protocol_version = file.settings.remote.protocol_version
    route = load_route(file)
    deadlines = file.settings.deadlines
    limits = Limits(silence=deadlines.silence, request=deadlines.request)

    def connect(address: ServerAddress, card: CardTrust) -> AbstractContextManager[Es9Plus]:
        return Es9Plus(
            address,
            trust=trust,
            route=route,
            card=card,
            protocol_version=protocol_version,
            limits=limits,
            observe=observe,
        )

    return connect


def load_trust(file: SettingsFile, *, memory: TrustMemory | None = None) -> Trust:
    """Return the trust anchors of the settings.

    Raises:
        InvalidSettings: a CA file cannot be read.
    """
    settings = file.settings.trust
    folder = file.resolve(settings.folder)
    forbidden = settings.forbidden_issuers
    trust = Trust.load(
        [*([folder] if folder.is_dir() else []), *map(file.resolve, settings.extra_ca_files)],
        use_system_roots=settings.system,
        memory=memory,
        minimum_version=_TLS_VERSIONS[file.settings.remote.minimum_tls],
        forbidden=None if forbidden is None else map(key_id, forbidden),
    )
    if trust.own:
        _log.info("the operator's own certificates: %s", trust.own)
    return trust


def load_route(file: SettingsFile) -> Route:
    """Return the route to servers that the settings describe.

    Raises:
        InvalidSettings: the file with the proxy's password cannot be read.
    """
    remote = file.settings.remote
    credentials = None
    if remote.proxy_credentials is not None:
        credentials = read_credentials(file.resolve(remote.proxy_credentials))
    return Route(
        hosts=HostOverrides.parse(remote.hosts),
        proxy=None if remote.proxy is None else Proxy.parse(remote.proxy, credentials=credentials),
        interface=remote.interface,
    )
