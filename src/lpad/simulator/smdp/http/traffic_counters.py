"""The counters of a server: connections, handshakes, requests."""

from __future__ import annotations

import threading
from collections import Counter


class Counters:
    """Counts since the start, or since `reset`.

    Attributes:
        tcp_connects: connections accepted.
        tls_handshakes: handshakes completed.
        requests: by ES9+ function.
    """

    def __init__(self) -> None:
        """Start at zero."""
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Reset all counters to zero."""
        with self._lock:
            self.tcp_connects = 0
            self.tls_handshakes = 0
            self.requests: Counter[str] = Counter()

    def connected(self) -> None:
        """Count a connection."""
        with self._lock:
            self.tcp_connects += 1

    def shook_hands(self) -> None:
        """Count a handshake."""
        with self._lock:
            self.tls_handshakes += 1

    def requested(self, function: str) -> None:
        """Count a request."""
        with self._lock:
            self.requests[function] += 1
