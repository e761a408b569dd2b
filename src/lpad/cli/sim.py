"""lpad sim: the simulated card and server, for developers without hardware."""

from __future__ import annotations

import json
import signal
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from lpad.cli.orders import add_order
from lpad.errors import InvalidValue
from lpad.identifiers import Eid, Iccid
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.faults import FaultPlan, TlsIdentity
from lpad.simulator.made_up_profile import DEFAULT_SIZE
from lpad.simulator.modem import PtyModem
from lpad.simulator.personality import find_personality, personality_names
from lpad.simulator.pki import Pki
from lpad.simulator.smdp.announcement import Announcement
from lpad.simulator.smdp.orders import Orders
from lpad.simulator.smdp.server import SmDp
from lpad.simulator.vpcd import VirtualReaderCard, split_address

_FOLDER = click.Path(path_type=Path, file_okay=False)
_PKI = click.option(
    "--pki",
    "pki_folder",
    type=_FOLDER,
    help="Certificates, laid out like SGP.26; made there when missing. Default: beside FOLDER, in pki.",
)


@click.group()
def sim() -> None:
    """Play a card or a server."""


@sim.command()
@click.argument("folder", type=_FOLDER)
@click.option("--pty", metavar="PATH", help="Where to put a link to the modem's AT port.")
@_PKI
@click.option("--eid", help="32 digits; of a new card.")
@click.option("--baud", type=int, help="Emulate a serial port of this speed.")
@click.option(
    "--personality",
    type=click.Choice(personality_names()),
    help="A modem and card that misbehave as real ones do; see lpad/simulator/personalities.yaml.",
)
@click.option("--behaviour", metavar="JSON", help="What the card does otherwise.")
@click.option("--modem", metavar="JSON", help="What the modem does otherwise.")
@click.option(
    "--vpcd",
    metavar="HOST:PORT",
    help="Sit in a virtual PC/SC reader (Debian package vsmartcard-vpcd; ports 35963 and 35964) and not in a"
    " modem.",
)
def euicc(
    folder: Path,
    pty: str | None,
    pki_folder: Path | None,
    eid: str | None,
    baud: int | None,
    personality: str | None,
    behaviour: str | None,
    modem: str | None,
    vpcd: str | None,
) -> None:
    """Play an eUICC in a modem with an AT port, or in a PC/SC reader, until Ctrl-C. Its memory is FOLDER."""
    if vpcd is not None and (pty, baud, modem) != (None, None, None):
        raise click.UsageError("--vpcd puts the card into a reader: --pty, --baud and --modem are a modem's")
    reader = split_address(vpcd) if vpcd is not None else None
    stop = _stop_on_signals()
    habits = find_personality(
        personality or "plain", modem=_json(modem, "--modem"), card=_json(behaviour, "--behaviour")
    )
    with ExitStack() as stack:
        card = stack.enter_context(
            SoftCard(
                folder,
                pki=Pki.open(pki_folder or beside(folder)),
                eid=Eid.parse(eid) if eid else None,
                behaviour=habits.card,
            )
        )
        if reader is not None:
            stack.enter_context(VirtualReaderCard(card, host=reader[0], port=reader[1]))
            click.echo(f"virtual reader at {reader[0]}:{reader[1]}")
        else:
            port = stack.enter_context(PtyModem(card, path=pty, baud=baud, personality=habits.modem))
            click.echo(f"AT port {pty or port.path}")
        stop.wait()


@sim.command()
@click.argument("folder", type=_FOLDER)
@click.option("--host", default="localhost", show_default=True, help="The name in its address.")
@click.option("--port", type=int, default=0, help="TCP port; by default a free one.")
@_PKI
@click.option("--faults", metavar="JSON", help="What goes wrong; see lpad/simulator/faults.py.")
@click.option(
    "--tls",
    type=click.Choice([identity.value for identity in TlsIdentity]),
    default=TlsIdentity.GOOD.value,
    help="The certificate that it shows.",
)
@click.option("--check-memory", is_flag=True, help="Refuse profiles that don't fit into the card.")
def smdp(
    folder: Path,
    host: str,
    port: int,
    pki_folder: Path | None,
    faults: str | None,
    tls: str,
    check_memory: bool,
) -> None:
    """Play an SM-DP+ on loopback, until Ctrl-C. It keeps its orders in FOLDER."""
    stop = _stop_on_signals()
    infrastructure = pki_folder or beside(folder)
    server = SmDp(
        folder,
        pki=Pki.open(infrastructure),
        host=host,
        port=port,
        faults=FaultPlan.from_json(faults) if faults else None,
        tls=TlsIdentity(tls),
        check_memory=check_memory,
    )
    with server:
        click.echo(f"SM-DP+ {server.address}, OID {server.oid}")
        click.echo(f"its CA: {infrastructure / 'ci'}")
        stop.wait()


@sim.command()
@click.argument("folder", type=_FOLDER)
@click.option(
    "--upp", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A profile package."
)
@click.option("--iccid", help="Of a made-up profile; by default a random one.")
@click.option("--name", default="Demo profile", show_default=True, help="The profile's name.")
@click.option("--provider", default="Demo operator", show_default=True, help="The operator's name.")
@click.option("--size", type=int, default=DEFAULT_SIZE, show_default=True, help="Bytes of a made-up profile.")
@click.option("--matching-id", help="By default a random one, or none with --eid.")
@click.option("--eid", help="Only for this card; without --matching-id it finds the order by its EID.")
@click.option("--confirmation-code", help="What the user must know.")
@click.option("--address", help="The server's address; by default that of the server that runs on FOLDER.")
def order(
    folder: Path,
    upp: Path | None,
    iccid: str | None,
    name: str,
    provider: str,
    size: int,
    matching_id: str | None,
    eid: str | None,
    confirmation_code: str | None,
    address: str | None,
) -> None:
    """Add an order to the SM-DP+ that keeps its orders in FOLDER; prints the activation code."""
    announced = Announcement.read(folder)
    made = add_order(
        Orders(folder / "orders"),
        upp=upp.read_bytes() if upp else None,
        iccid=Iccid.parse(iccid) if iccid else None,
        name=name,
        provider=provider,
        size=size,
        matching_id=matching_id,
        eid=Eid.parse(eid) if eid else None,
        confirmation_code=confirmation_code,
    )
    click.echo(made.activation_code(address or announced.address, announced.oid))


def beside(folder: Path) -> Path:
    """Return the folder of the infrastructure that a card and a server beside each other share."""
    return folder.parent / "pki"


def _stop_on_signals() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set; set before anything is made, so that it is unmade."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _json(text: str | None, option: str) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError as error:
        raise InvalidValue(f"{option} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidValue(f"{option} is a JSON object, such as {{}}")
    return found
