"""lpad sim smdp: the simulated SM-DP+."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lpad.base.errors import Conflict, InvalidValue
from lpad.cli.simulated.folder_options import FOLDER, PKI, beside
from lpad.cli.simulated.stop_signals import stop_on_signals
from lpad.cli.terminal.output import Output
from lpad.simulator.pki.credential import Curve
from lpad.simulator.pki.pki import Pki
from lpad.simulator.smdp.functions.faults import FaultPlan, TlsIdentity
from lpad.simulator.smdp.server import SGP26_NAME, SmDp

if TYPE_CHECKING:
    from pathlib import Path

_CURVES = {"nist": Curve.NIST, "brainpool": Curve.BRAINPOOL}


@click.command()
@click.argument("folder", type=FOLDER)
@click.option("--host", default="localhost", show_default=True, help="Host name in the server's address.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="TCP port.  [default: a free one]",
)
@click.option(
    "--alias",
    "aliases",
    multiple=True,
    metavar="NAME",
    help=f"Another name of the server, in addition to {SGP26_NAME}; may be given several times.",
)
@click.option(
    "--bind",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="IPv4 address to listen on. Anyone who can reach this address can download.",
)
@PKI
@click.option(
    "--curve",
    type=click.Choice(tuple(_CURVES)),
    help="Only curve that the server signs on.  [default: the one that the card prefers]",
)
@click.option("--faults", metavar="JSON", help="Fault to produce; see docs/simulator.md.")
@click.option(
    "--tls",
    type=click.Choice([identity.value for identity in TlsIdentity]),
    default=TlsIdentity.GOOD.value,
    help="TLS certificate of the server.",
)
@click.option("--check-memory", is_flag=True, help="Refuse profiles that do not fit on the card.")
def smdp(
    folder: Path,
    host: str,
    port: int,
    aliases: tuple[str, ...],
    bind: str,
    pki_folder: Path | None,
    curve: str | None,
    faults: str | None,
    tls: str,
    check_memory: bool,
) -> None:
    """Run a simulated SM-DP+ on loopback until Ctrl-C. FOLDER contains its orders."""
    stop = stop_on_signals()
    infrastructure = pki_folder or beside(folder)
    server = SmDp(
        folder,
        pki=Pki.open(infrastructure),
        host=host,
        port=port,
        aliases=(SGP26_NAME, *aliases),
        curve=_CURVES[curve] if curve else None,
        faults=FaultPlan.from_json(faults) if faults else None,
        tls=TlsIdentity(tls),
        check_memory=check_memory,
        bind=bind,
    )
    try:
        server.start()
    except PermissionError as error:
        raise InvalidValue(
            f"this user may not listen on port {port} ({error}); choose a port above 1023"
        ) from error
    except OSError as error:
        raise Conflict(
            f"cannot listen on {bind}, port {port} ({error}); choose another address or port"
        ) from error
    try:
        Output().line(f"SM-DP+ {server.address}, OID {server.oid}")
        Output().line(f"its CA: {infrastructure / 'ci'}")
        stop.wait()
    finally:
        server.stop()
