"""lpad sim smdp and smds: the simulated SM-DP+ and SM-DS."""

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
from lpad.simulator.smds.server import make_smds

if TYPE_CHECKING:
    from pathlib import Path

_CURVES = {"nist": Curve.NIST, "brainpool": Curve.BRAINPOOL}

PORT = click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="TCP port.  [default: a free one]",
)
BIND = click.option(
    "--bind",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="IPv4 address to listen on. Anyone who can reach this address can download.",
)
FAULTS = click.option("--faults", metavar="JSON", help="Fault to produce; see docs/simulator.md.")
TLS = click.option(
    "--tls",
    type=click.Choice([identity.value for identity in TlsIdentity]),
    default=TlsIdentity.GOOD.value,
    help="TLS certificate of the server.",
)
ALIAS = click.option(
    "--alias",
    "aliases",
    multiple=True,
    metavar="NAME",
    help="Another name of the server, in addition to that of SGP.26; may be given several times.",
)


@click.command()
@click.argument("folder", type=FOLDER)
@click.option("--host", default="localhost", show_default=True, help="Host name in the server's address.")
@PORT
@ALIAS
@BIND
@PKI
@click.option(
    "--curve",
    type=click.Choice(tuple(_CURVES)),
    help="Only curve that the server signs on.  [default: the one that the card prefers]",
)
@FAULTS
@TLS
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
    serve(server, "SM-DP+", where=(bind, port), infrastructure=infrastructure)


@click.command()
@click.argument("folder", type=FOLDER)
@click.option("--host", default="localhost", show_default=True, help="Host name in the server's address.")
@PORT
@ALIAS
@BIND
@PKI
@click.option("--alternative", is_flag=True, help="Run as an alternative SM-DS instead of the root.")
@FAULTS
@TLS
def smds(
    folder: Path,
    host: str,
    port: int,
    aliases: tuple[str, ...],
    bind: str,
    pki_folder: Path | None,
    alternative: bool,
    faults: str | None,
    tls: str,
) -> None:
    """Run a simulated SM-DS on loopback until Ctrl-C. FOLDER contains its events."""
    infrastructure = pki_folder or beside(folder)
    server = make_smds(
        folder,
        pki=Pki.open(infrastructure),
        host=host,
        port=port,
        alternative=alternative,
        aliases=aliases,
        faults=FaultPlan.from_json(faults) if faults else None,
        tls=TlsIdentity(tls),
        bind=bind,
    )
    serve(server, "SM-DS", where=(bind, port), infrastructure=infrastructure)


def serve(server: SmDp, kind: str, *, where: tuple[str, int], infrastructure: Path) -> None:
    """Run a server until Ctrl-C, and print its address.

    Raises:
        InvalidValue: this user may not listen on the port.
        Conflict: the port is taken.
    """
    stop = stop_on_signals()
    bind, port = where
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
        Output().line(f"{kind} {server.address}, OID {server.oid}")
        Output().line(f"its CA: {infrastructure / 'ci'}")
        stop.wait()
    finally:
        server.stop()
