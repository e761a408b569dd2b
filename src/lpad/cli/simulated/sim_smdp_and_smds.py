"""lpad sim smdp and smds: the simulated SM-DP+ and SM-DS."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from lpad.cli.simulated.folder_options import FOLDER, PKI, beside
from lpad.cli.simulated.foreground_server import PORT, served
from lpad.cli.terminal.output import Output
from lpad.simulator.pki.credential import Curve
from lpad.simulator.pki.pki import Pki
from lpad.simulator.smdp.functions.faults import FaultPlan, TlsIdentity
from lpad.simulator.smdp.server import SGP26_NAME, SmDp
from lpad.simulator.smds.server import make_smds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_CURVES = {"nist": Curve.NIST, "brainpool": Curve.BRAINPOOL}

BIND = click.option(
    "--bind",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="IPv4 address to listen on. Anyone who can reach this address can download.",
)
FAULTS = click.option("--faults", metavar="JSON", help="Faults to produce; see docs/simulator.md.")
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

HOST = click.option(
    "--host", default="localhost", show_default=True, help="Host name in the server's address."
)


def _common_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that SM-DP+ and SM-DS share."""
    for option in (TLS, FAULTS, PKI, BIND, ALIAS, PORT, HOST):
        command = option(command)
    return command


class _Common(TypedDict):
    """The values of the options that SM-DP+ and SM-DS share."""

    host: str
    port: int
    aliases: tuple[str, ...]
    bind: str
    pki_folder: Path | None
    faults: str | None
    tls: str


@click.command()
@click.argument("folder", type=FOLDER)
@_common_options
@click.option(
    "--curve",
    type=click.Choice(tuple(_CURVES)),
    help="Only curve that the server signs on.  [default: the one that the card prefers]",
)
@click.option("--check-memory", is_flag=True, help="Refuse profiles that do not fit on the card.")
def smdp(folder: Path, *, curve: str | None, check_memory: bool, **common: Unpack[_Common]) -> None:
    """Run a simulated SM-DP+ until Ctrl-C. FOLDER contains the server's orders."""
    common["aliases"] = (SGP26_NAME, *common["aliases"])
    make = partial(SmDp, curve=_CURVES[curve] if curve else None, check_memory=check_memory)
    _serve(make, "SM-DP+", folder, common)


@click.command()
@click.argument("folder", type=FOLDER)
@_common_options
@click.option("--alternative", is_flag=True, help="Run as an alternative SM-DS instead of the root.")
def smds(folder: Path, *, alternative: bool, **common: Unpack[_Common]) -> None:
    """Run a simulated SM-DS until Ctrl-C. FOLDER contains the server's events."""
    _serve(partial(make_smds, alternative=alternative), "SM-DS", folder, common)


def _serve(make: Callable[..., SmDp], kind: str, folder: Path, common: _Common) -> None:
    """Make a server, print its address, and run the server until Ctrl-C."""
    infrastructure = common["pki_folder"] or beside(folder)
    server = make(
        folder,
        pki=Pki.open(infrastructure),
        host=common["host"],
        port=common["port"],
        aliases=common["aliases"],
        faults=FaultPlan.from_json(common["faults"]) if common["faults"] else None,
        tls=TlsIdentity(common["tls"]),
        bind=common["bind"],
    )
    with served(server, bind=common["bind"], port=common["port"]):
        Output().line(f"{kind} {server.address}, OID {server.oid}")
        Output().line(f"its CA: {infrastructure / 'ci'}")
