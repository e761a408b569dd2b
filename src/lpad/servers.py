"""From settings to servers: what opens connections to SM-DP+ servers, and whom it trusts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.remote.es9plus import Es9Plus
from lpad.remote.hosts import Hosts
from lpad.remote.trust import Trust
from lpad.remote.trust_memory import TrustMemory

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from lpad.remote.card_anchor import CardTrust
    from lpad.server_address import ServerAddress
    from lpad.settings import SettingsFile

_MEMORY = "servers.json"
"""In the state folder; all in it can be found out again."""


def connector(file: SettingsFile) -> Callable[[ServerAddress, CardTrust], AbstractContextManager[Es9Plus]]:
    """Return what opens a connection to an SM-DP+ on behalf of a card, as the settings say.

    Raises:
        InvalidSettings: a CA file can't be read.
    """
    trust = load_trust(file, memory=TrustMemory(file.resolve(file.settings.state_folder) / _MEMORY))
    remote = file.settings.remote
    hosts = Hosts.parse(remote.hosts)

    def connect(address: ServerAddress, card: CardTrust) -> AbstractContextManager[Es9Plus]:
        return Es9Plus(address, trust=trust, hosts=hosts, card=card, protocol_version=remote.protocol_version)

    return connect


def load_trust(file: SettingsFile, *, memory: TrustMemory | None = None) -> Trust:
    """Return the trust that the settings describe.

    Args:
        file: the settings.
        memory: what was found out about servers.

    Raises:
        InvalidSettings: a CA file can't be read.
    """
    paths = [file.resolve(path) for path in file.settings.trust.extra_ca_files]
    return Trust.load(paths, memory=memory)
