"""The simulated SM-DP+: ES9+ over HTTPS on loopback, with all its data in one folder.

orders/               see orders.py: other processes may add to it
transactions/         the card of each transaction
notifications.jsonl   the notifications of cards
server.json           address and OID
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from lpad.simulator.smdp.address_file import AddressFile
from lpad.simulator.smdp.functions.faults import ActiveFaults, FaultPlan, TlsIdentity
from lpad.simulator.smdp.functions.function_table import FUNCTIONS, HttpAnswer, answer
from lpad.simulator.smdp.functions.server_context import ServerContext, own_addresses
from lpad.simulator.smdp.functions.sessions import Sessions
from lpad.simulator.smdp.http.conversation import HttpConversation
from lpad.simulator.smdp.http.listener import HttpsListener, tls_context
from lpad.simulator.smdp.http.traffic_counters import Counters
from lpad.simulator.smdp.store.cards_by_transaction import Transactions
from lpad.simulator.smdp.store.orders import Orders
from lpad.simulator.smdp.store.received_notifications import Notification, Notifications

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from lpad.simulator.pki.credential import Credential, Curve
    from lpad.simulator.pki.pki import Pki
    from lpad.simulator.smdp.functions.function_table import Functions

SGP26_NAME = "testsmdpplus1.example.com"
_SESSION_SECONDS = 1800.0


class SmDp:
    """A server; use it in a `with` statement, or call `start` and `stop`.

    Attributes:
        orders: the server's orders; add to them at any time.
        faults: the server's faults; add to them at any time.
        counters: connections, handshakes, requests.
    """

    def __init__(
        self,
        folder: Path,
        *,
        pki: Pki,
        host: str = "localhost",
        port: int = 0,
        aliases: tuple[str, ...] = (SGP26_NAME,),
        curve: Curve | None = None,
        faults: FaultPlan | None = None,
        tls: TlsIdentity = TlsIdentity.GOOD,
        check_memory: bool = False,
        session_seconds: float = _SESSION_SECONDS,
        bind: str = "127.0.0.1",
        functions: Functions = FUNCTIONS,
    ) -> None:
        """Prepare a server; it listens only after `start`.

        Args:
            folder: the server's folder, created if missing.
            pki: certificates and keys.
            host: the host name in the server's address.
            port: TCP port; 0: a free one at each start.
            aliases: other host names of the server.
            curve: the only curve on which the server signs, or None for the card's preferred one.
            faults: the faults from the start.
            tls: the certificate that the server presents in TLS handshakes.
            check_memory: whether the server refuses profiles that do not fit into the card (8.1/4.8).
            session_seconds: the maximum duration of a session.
            bind: IP address to listen on.
            functions: the server's functions; those of an SM-DS differ.
        """
        self._functions = functions
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self.orders = Orders(folder / "orders")
        self.faults = faults or FaultPlan()
        self.counters = Counters()
        self._pki = pki
        self._names = (host, *(name for name in aliases if name != host))
        self._bind = (bind, port)
        self._curve = curve
        self._check_memory = check_memory
        self._sessions = Sessions(seconds=session_seconds)
        self._notifications = Notifications(folder / "notifications.jsonl")
        self._transactions = Transactions(folder / "transactions")
        self._context = self._context_of(tls)
        self._lock = threading.Lock()
        self._listener: HttpsListener | None = None
        self._site: ServerContext | None = None

    @property
    def address(self) -> str:
        """The server's address, such as "localhost:8443"; the port is included unless it is 443."""
        return str(self._running.addresses[0])

    @property
    def oid(self) -> str:
        """The server's OID, dotted."""
        return self._running.oid

    @property
    def port(self) -> int:
        """The TCP port."""
        return self._running.addresses[0].port

    @property
    def notifications(self) -> tuple[Notification, ...]:
        """Every notification received, oldest first."""
        return self._notifications.all()

    def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: the port is in use.
        """
        self._listener = HttpsListener(
            self._bind, context=lambda: self._context, serve=self._converse, counters=self.counters
        )
        self._site = ServerContext(
            pki=self._pki,
            addresses=own_addresses(self._names, self._listener.port),
            orders=self.orders,
            sessions=self._sessions,
            transactions=self._transactions,
            notifications=self._notifications,
            curve=self._curve,
            check_memory=self._check_memory,
        )
        AddressFile(address=self.address, oid=self.oid).write(self.folder)
        self._listener.start()

    def stop(self) -> None:
        """Stop listening and cut the connections; the object keeps its sessions."""
        if self._listener is not None:
            self._listener.stop()
            self._listener = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def show(self, tls: TlsIdentity) -> None:
        """Present the certificate `tls` in future TLS handshakes."""
        self._context = self._context_of(tls)

    def carry_out(self, function: str, body: bytes, faults: ActiveFaults) -> HttpAnswer:
        """Carry out a function and return the answer; one call runs at a time."""
        with self._lock:
            return answer(self._running, function, body, faults, functions=self._functions)

    @property
    def _running(self) -> ServerContext:
        assert self._site is not None, "the simulated server is not running: call 'start' first"
        return self._site

    def _converse(self, connection: ssl.SSLSocket) -> None:
        HttpConversation(connection, self)

    def _context_of(self, tls: TlsIdentity) -> ssl.SSLContext:
        return tls_context(self._tls_credential(tls))

    def _tls_credential(self, tls: TlsIdentity) -> Credential:
        match tls:
            case TlsIdentity.GOOD:
                return self._pki.dp_tls(*self._names)
            case TlsIdentity.EXPIRED:
                return self._pki.dp_tls(*self._names, expired=True)
            case TlsIdentity.OTHER_NAME:
                return self._pki.dp_tls("other.example.com")
            case TlsIdentity.UNKNOWN_CA:
                return self._pki.strangers_tls(*self._names)
