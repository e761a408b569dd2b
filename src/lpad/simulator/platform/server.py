"""A simulated platform: HTTPS on loopback, in front of a simulated SM-DP+."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from lpad.simulator.platform.faults import Faults
from lpad.simulator.platform.http_conversation import PlatformConversation, replacement
from lpad.simulator.platform.platform_kinds import CREDENTIALS, OPTIONS, PRODUCTS, VENDORS
from lpad.simulator.platform.request_and_answer import Answer
from lpad.simulator.platform.reservations import Pace, Stock
from lpad.simulator.smdp.http.listener import HttpsListener, tls_context
from lpad.simulator.smdp.http.traffic_counters import Counters

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    from lpad.simulator.pki.credential import Credential
    from lpad.simulator.pki.pki import Pki
    from lpad.simulator.platform.platform_base import Faulty
    from lpad.simulator.platform.request_and_answer import Request
    from lpad.simulator.platform.reservations import Shelf


class SimulatedPlatform:
    """A platform; use it in a `with` statement, or call `start` and `stop`.

    Attributes:
        faults: the platform's faults; add to them at any time.
        stock: the platform's reservations and lines, and the number of orders.
        calls: the number of requests for each call.
        clock_offset: the seconds by which the platform's clock is ahead.
        requests: all received requests, the oldest first.
    """

    def __init__(
        self,
        like: str,
        *,
        pki: Pki,
        shelf: Shelf,
        port: int = 0,
        bind: str = "127.0.0.1",
        pace: Pace | None = None,
        faults: Faults | None = None,
    ) -> None:
        """Prepare a platform; it listens only after `start`.

        Args:
            like: the name of one of lpad's platform descriptions.
            pki: certificates and keys.
            shelf: the SM-DP+ behind the platform.
            port: TCP port; 0: a free one.
            bind: IP address to listen on.
            pace: the numbers of queries after which states change.
            faults: the faults from the start.
        """
        self.like = like
        self.faults = faults or Faults()
        self.calls: Counter[str] = Counter()
        self.requests: list[Request] = []
        self.clock_offset = 0.0
        self.stock = Stock(shelf, self.date, pace or Pace())
        self.vendor = VENDORS[like](self.stock)
        self._context = tls_context(pki.dp_tls(*self.vendor.hosts))
        self._bind = (bind, port)
        self._lock = threading.Lock()
        self._listener: HttpsListener | None = None

    @property
    def credentials(self) -> dict[str, str]:
        """A client's credentials, by name."""
        return dict(CREDENTIALS[self.like])

    @property
    def options(self) -> dict[str, str]:
        """The options that a client's settings need."""
        return dict(OPTIONS.get(self.like, {}))

    @property
    def product(self) -> str | None:
        """The product to order; None: the request names none."""
        return PRODUCTS.get(self.like)

    @property
    def base(self) -> str:
        """The address for a client's settings, unless the platform's description already contains it."""
        return f"https://{self.vendor.hosts[0]}{self.vendor.path}"

    @property
    def hosts(self) -> dict[str, str]:
        """The addresses of the platform's host names, for the setting `remote.hosts`."""
        return dict.fromkeys(self.vendor.hosts, f"{self._bind[0]}:{self.port}")

    @property
    def port(self) -> int:
        """The TCP port."""
        assert self._listener is not None, "the simulated platform is not running: call 'start' first"
        return self._listener.port

    @property
    def orders(self) -> int:
        """The number of orders."""
        return self.stock.orders

    def date(self) -> float:
        """Return the platform's time, in seconds since 1970."""
        return time.time() + self.clock_offset

    def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: the port is in use.
        """
        self._listener = HttpsListener(
            self._bind, context=lambda: self._context, serve=self._converse, counters=Counters()
        )
        self._listener.start()

    def stop(self) -> None:
        """Stop listening and cut the connections; the object keeps its reservations."""
        if self._listener is not None:
            self._listener.stop()
            self._listener = None

    def show(self, credential: Credential) -> None:
        """Present this certificate in future TLS handshakes."""
        self._context = tls_context(credential)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def carry_out(self, request: Request) -> tuple[Answer, Faulty]:
        """Carry out a request, one at a time; return the answer, and the request's faults."""
        with self._lock:
            self.requests.append(request)
            found = self.vendor.named(request)
            if found is None:
                return Answer(404, {"message": "no such path"}), {}
            name, named = found
            self.calls[name] += 1
            faults = self.faults.take(name)
            answer = replacement(faults) or self.vendor.answer(name, request, named, faults)
            return replace(answer, call=name), faults

    def _converse(self, connection: ssl.SSLSocket) -> None:
        PlatformConversation(connection, self)
