"""The shared data of all functions of one server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lpad.base.errors import InvalidValue, NotFound
from lpad.base.server_address import ServerAddress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.simulator.pki.credential import Credential, Curve
    from lpad.simulator.pki.pki import Pki
    from lpad.simulator.smdp.functions.sessions import Sessions
    from lpad.simulator.smdp.store.cards_by_transaction import Transactions
    from lpad.simulator.smdp.store.orders import Orders
    from lpad.simulator.smdp.store.received_notifications import Notifications


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerContext:
    """A server: its names, its credentials and its stores.

    Attributes:
        pki: certificates and keys.
        addresses: the server's own addresses; notifications go to the first one.
        curve: the only curve on which the server signs, or None for the card's preferred one.
        check_memory: whether the server, instead of the card, refuses profiles that do not fit (8.1/4.8).
    """

    pki: Pki
    addresses: tuple[ServerAddress, ...]
    orders: Orders
    sessions: Sessions
    transactions: Transactions
    notifications: Notifications
    curve: Curve | None = None
    check_memory: bool = False

    def own_name(self, told: str) -> str | None:
        """Return `told` in the server's own form; None if it is not one of the server's addresses.

        A client may omit the port; then the answer omits it too, because the client compares it with
        the contacted address.
        """
        for address in self.addresses:
            if address.names(told):
                has_port = ServerAddress.parse(told).port == address.port
                return str(address) if has_port else address.host
        return None

    def dp_auth(self, ci_key_id: bytes) -> Credential | None:
        """Return the server's credential for authentication under this CI; None if there is none."""
        return self._of(self.pki.dp_auth, ci_key_id)

    def dp_pb(self, ci_key_id: bytes) -> Credential | None:
        """Return the server's credential for binding under this CI; None if there is none."""
        return self._of(self.pki.dp_pb, ci_key_id)

    def ci(self, key_id: bytes) -> Credential | None:
        """Return the CI with this key identifier, under which cards can be verified; None if unknown."""
        return next((ci for ci in self.pki.ci.values() if ci.key_id == key_id), None)

    @property
    def oid(self) -> str:
        """The OID in the server's certificates.

        Raises:
            NotFound: the PKI has no certificate for authentication on this curve.
        """
        for credential in self.pki.dp_auth.values():
            if self.curve in (None, credential.curve) and credential.oid is not None:
                return credential.oid
        raise NotFound("the PKI contains no SM-DP+ certificate for authentication on this curve")

    def _of(self, credentials: Mapping[Curve, Credential], ci_key_id: bytes) -> Credential | None:
        for curve, credential in credentials.items():
            usable = self.curve in (None, curve) and credential.private_key is not None
            if usable and credential.issuer_key_id == ci_key_id:
                return credential
        return None


def own_addresses(names: tuple[str, ...], port: int) -> tuple[ServerAddress, ...]:
    """Return the addresses of a server that is known by `names` and listens on `port`.

    Raises:
        InvalidValue: a name is invalid.
    """
    parsed = [ServerAddress.parse(name) for name in names]
    if any(one.port != 443 for one in parsed):
        raise InvalidValue("give the server's names without ports")
    return tuple(ServerAddress(one.host, port) for one in parsed)
