"""The data sessions of a simulated QMI modem, each for one version of IP and tied to its client."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from lpad.codec.qmi import data_session
from lpad.codec.qmi.data_session import ConnectionStatus, EndReason, EndType, IpFamily
from lpad.codec.qmi.errors import Error
from lpad.simulator.modem.pdp_contexts import AUTHENTICATION_FAILED, NOT_SUBSCRIBED, UNKNOWN_APN, Context
from lpad.simulator.modem.personality import HOME, ROAMING

if TYPE_CHECKING:
    from lpad.codec.qmi.message_parameters import Body
    from lpad.simulator.modem.commands import CommandSet
    from lpad.simulator.qmi.behaviour import QmiBehaviour

_KINDS: dict[int, str] = {IpFamily.IPV4: "IP", IpFamily.IPV6: "IPV6"}
_BOTH = "IPV4V6"
_PREFIX = 64
_FIRST_HANDLE = 0x10203040
_REASONS = {
    UNKNOWN_APN: EndReason.UNKNOWN_APN,
    AUTHENTICATION_FAILED: EndReason.AUTHENTICATION_FAILED,
    NOT_SUBSCRIBED: EndReason.NOT_SUBSCRIBED,
}


class RefusedError(Exception):
    """The modem refuses a request with an error, and perhaps parameters."""

    def __init__(self, error: Error, body: Body | None = None) -> None:
        """Create the exception with the error and the parameters."""
        super().__init__(error)
        self.error = error
        self.body = body


@dataclass(slots=True)
class DataCall:
    """A session that a client has started."""

    family: int
    handle: int
    bearer: Context
    attempt: int
    """The number of the attach in which the session started; the next attach ends the session."""


class DataCalls:
    """The sessions of all clients, and the session that the modem may start without a request."""

    def __init__(self, modem: CommandSet, behaviour: QmiBehaviour) -> None:
        """Start without sessions of clients."""
        self._modem = modem
        self._behaviour = behaviour
        self._by_itself = behaviour.starts_session
        self._handle = _FIRST_HANDLE
        self.of_clients: dict[int, DataCall] = {}
        """Each client's session, by the client's number."""

    def start(self, client: int, family: int, request: data_session.StartNetwork) -> Body:
        """Start a client's session and return its handle; raise RefusedError if that is impossible."""
        family = family if request.family is None else request.family
        if family not in _KINDS:
            raise RefusedError(Error.INVALID_ARGUMENT)
        registered = self._is_registered  # read first, because this may make the modem attach
        if self._has_started(family) or self._find(family) is not None or client in self.of_clients:
            raise RefusedError(Error.NO_EFFECT)
        if not registered:
            raise RefusedError(Error.CALL_FAILED, data_session.NetworkStarted(reason=EndReason.NO_SERVICE))
        named = (request.user_name or "", request.password or "")
        bearer = Context(_KINDS[family], request.apn or "", named if request.authentication else None)
        cause = self._modem.contexts.refusal(bearer)
        if cause is not None:
            end = data_session.End(type=EndType.NETWORK, reason=cause) if self._behaviour.tells_end else None
            reason = _REASONS.get(cause, EndReason.UNSPECIFIED)
            raise RefusedError(Error.CALL_FAILED, data_session.NetworkStarted(reason=reason, end=end))
        self._handle += 1
        self.of_clients[client] = DataCall(family, self._handle, bearer, self._modem.contexts.attempts)
        return data_session.NetworkStarted(handle=self._handle)

    def stop(self, client: int, request: data_session.StopNetwork) -> None:
        """Stop a client's session, or the modem's own; raise RefusedError if there is none."""
        if request.handle == data_session.ANY_HANDLE:
            if not self._by_itself:
                raise RefusedError(Error.NO_EFFECT)
            self._by_itself = not request.no_automatic_start
            return
        call = self.of_clients.get(client)
        if call is None:
            raise RefusedError(Error.NO_EFFECT)
        if call.handle != request.handle:
            raise RefusedError(Error.INVALID_HANDLE)
        del self.of_clients[client]

    def status(self, client: int, family: int) -> Body:
        """Return the state of the client's session, or of any session with the client's version of IP."""
        connected = self._kind(client, family) is not None
        return data_session.PacketServiceStatus(
            status=ConnectionStatus.CONNECTED if connected else ConnectionStatus.DISCONNECTED
        )

    def settings(self, client: int, family: int, request: data_session.GetCurrentSettings) -> Body:
        """Return the IP address of the session visible to the client; raise RefusedError if there is none."""
        kind = self._kind(client, family)
        if kind is None:
            raise RefusedError(Error.OUT_OF_CALL)
        if not request.wanted & data_session.IP_ADDRESS:
            return data_session.CurrentSettings()
        found = [ip_address(each) for each in self._modem.contexts.addresses_of(kind)]
        if kind == _KINDS[IpFamily.IPV4]:
            ipv4 = next((each for each in found if isinstance(each, IPv4Address)), IPv4Address(0))
            return data_session.CurrentSettings(ipv4=int(ipv4))
        ipv6 = next((each for each in found if isinstance(each, IPv6Address)), IPv6Address(0))
        return data_session.CurrentSettings(ipv6=ipv6.packed + bytes([_PREFIX]))

    def forget(self, client: int) -> None:
        """End the session of a client that its host has released."""
        self.of_clients.pop(client, None)

    def forget_all(self) -> None:
        """End the sessions of all clients."""
        self.of_clients.clear()

    def ended(self) -> list[tuple[int, Body]]:
        """End the sessions that have lost the network; return the clients and their indications."""
        if not self.of_clients:
            return []
        registered = self._is_registered
        lost = {
            client: call
            for client, call in self.of_clients.items()
            if not registered or call.attempt != self._modem.contexts.attempts
        }
        for client in lost:
            del self.of_clients[client]
        return [
            (
                client,
                data_session.PacketServiceChange(
                    now=data_session.Changed(status=ConnectionStatus.DISCONNECTED),
                    reason=EndReason.NO_SERVICE,
                    family=call.family,
                ),
            )
            for client, call in lost.items()
        ]

    @property
    def _is_registered(self) -> bool:
        return self._modem.registration.status() in (HOME, ROAMING)

    def _find(self, family: int) -> DataCall | None:
        return next((each for each in self.of_clients.values() if each.family == family), None)

    def _has_started(self, family: int) -> bool:
        """Return whether the modem's own session carries a version of IP."""
        registered = self._is_registered  # read first, because this may make the modem attach
        bearer = self._modem.contexts.bearer
        carried = bearer is not None and bearer.kind in (_KINDS[family], _BOTH)
        return self._by_itself and registered and carried

    def _kind(self, client: int, family: int) -> str | None:
        """Return the PDP type of the session visible to the client; None if there is none."""
        own = self.of_clients.get(client)
        if own is not None and own.family == family:
            return _KINDS[own.family]
        up = self._find(family) is not None or self._has_started(family)
        return _KINDS[family] if up else None
