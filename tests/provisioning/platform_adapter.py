"""Lets the library `requests` reach a simulated platform by the host names of the real one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from requests import Session
from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.simulator.platform.server import SimulatedPlatform


class PlatformAdapter(HTTPAdapter):
    """Sends requests for a platform's host name to its port, and verifies its certificate for the name."""

    def __init__(self, platform: SimulatedPlatform, name: str) -> None:
        self._address = f"https://127.0.0.1:{platform.port}"
        self._name = name
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make a pool whose TLS connections expect the platform's name."""
        super().init_poolmanager(*args, server_hostname=self._name, assert_hostname=self._name, **kwargs)

    def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Send a request to the platform's port, with the platform's name in Host."""
        own = f"https://{self._name}"
        request.headers["Host"] = self._name
        request.url = self._address + request.url.removeprefix(own)
        answer = super().send(request, *args, **kwargs)
        answer.url = request.url = own + request.url.removeprefix(self._address)
        return answer


def session_for(platform: SimulatedPlatform, ca: Path) -> Session:
    """Return a session that reaches a simulated platform by the host names of the real one.

    Args:
        platform: a started platform.
        ca: the DER file of the CA that issued its certificate; a PEM file is written next to it.
    """
    session = Session()
    session.trust_env = False  # ignore this machine's proxy settings
    pem = ca.with_suffix(".pem")
    pem.write_bytes(x509.load_der_x509_certificate(ca.read_bytes()).public_bytes(Encoding.PEM))
    session.verify = str(pem)
    for name in platform.vendor.hosts:
        session.mount(f"https://{name}", PlatformAdapter(platform, name))
    return session
