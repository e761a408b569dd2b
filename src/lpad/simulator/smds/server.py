"""The simulated SM-DS: ES11 over HTTPS on loopback, with its events in one folder.

The server is the simulated SM-DP+ with other certificates and functions; see `smdp/server.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.simulator.pki.pki import OID_DS1, OID_ROOT_DS
from lpad.simulator.smdp.functions.faults import FaultPlan, TlsIdentity
from lpad.simulator.smdp.server import SmDp
from lpad.simulator.smdp.store.smds_events import Events
from lpad.simulator.smds.functions import functions_on

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.simulator.pki.credential import Curve
    from lpad.simulator.pki.pki import Pki

ROOT_NAME = "testrootsmds.example.com"
ALTERNATIVE_NAME = "testsmds1.example.com"
"""The names in SGP.26."""


def make_smds(
    folder: Path,
    *,
    pki: Pki,
    host: str = "localhost",
    port: int = 0,
    alternative: bool = False,
    aliases: tuple[str, ...] = (),
    curve: Curve | None = None,
    faults: FaultPlan | None = None,
    tls: TlsIdentity = TlsIdentity.GOOD,
    bind: str = "127.0.0.1",
) -> SmDp:
    """Return an SM-DS, to be started like an SM-DP+.

    Args:
        folder: the server's folder, created if missing; `events_of` returns its events.
        pki: certificates and keys of the CIs; the SM-DS's own are made here.
        host: the host name in the server's address.
        port: TCP port; 0: a free one at each start.
        alternative: whether the server is an alternative SM-DS instead of the root.
        aliases: other host names, in addition to that of SGP.26.
        curve: the only curve on which the server signs, or None for the card's preferred one.
        faults: the faults from the start.
        tls: the certificate that the server presents in TLS handshakes.
        bind: IP address to listen on.
    """
    name, oid = (ALTERNATIVE_NAME, OID_DS1) if alternative else (ROOT_NAME, OID_ROOT_DS)
    return SmDp(
        folder,
        pki=pki.of_smds(oid),
        host=host,
        port=port,
        aliases=(name, *aliases),
        curve=curve,
        faults=faults,
        tls=tls,
        bind=bind,
        functions=functions_on(events_of(folder)),
    )


def events_of(folder: Path) -> Events:
    """Return the events of the SM-DS in a folder."""
    return Events(folder / "events")
