"""lpad sim euicc: the software eUICC in a simulated modem or a virtual reader."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lpad.base.identifiers import Eid, Iccid
from lpad.cli.simulated.control_port_options import ControlOptions, control_options, json_object
from lpad.cli.simulated.folder_options import FOLDER, PKI, beside
from lpad.cli.simulated.stop_signals import stop_on_signals
from lpad.cli.terminal.output import Output
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.modem.personality import SEARCHING
from lpad.simulator.modem.pty_modem import PtyModem
from lpad.simulator.personalities import find_personality, personality_names
from lpad.simulator.pki.pki import Pki
from lpad.simulator.replayed_card import ReplayedCard
from lpad.simulator.virtual_reader import VirtualReaderCard, split_address

if TYPE_CHECKING:
    from lpad.simulator.modem.commands import Card


@click.command()
@click.argument("folder", type=FOLDER, required=False)
@click.option(
    "--pty", metavar="PATH", help="Path of the link to the modem's AT port; lpad.service cannot access /tmp."
)
@control_options
@PKI
@click.option("--eid", help="EID of a new card, 32 digits.")
@click.option("--baud", type=int, help="Speed of the emulated serial port in baud.")
@click.option(
    "--personality",
    type=click.Choice(personality_names()),
    help="Modem and card that misbehave like real ones; see lpad/simulator/personalities.yaml.",
)
@click.option("--behaviour", metavar="JSON", help="Change properties of the card; see docs/simulator.md.")
@click.option("--modem", metavar="JSON", help="Change properties of the modem; see docs/simulator.md.")
@click.option(
    "--without-service",
    "unserved",
    metavar="ICCID",
    multiple=True,
    help="ICCID of a profile with which the modem never registers; repeatable.",
)
@click.option(
    "--replay",
    metavar="RECORD",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Answer like the card whose APDUs this file contains (setting log.apdus); omit FOLDER.",
)
@click.option(
    "--replay-euicc", metavar="NAME", help="Name of the card, if the record contains several cards."
)
@click.option(
    "--vpcd",
    metavar="HOST:PORT",
    help="Put the card into a virtual PC/SC reader (Debian package vsmartcard-vpcd; ports 35963 and 35964)"
    " instead of a modem.",
)
def euicc(
    folder: Path | None,
    pty: str | None,
    pki_folder: Path | None,
    eid: str | None,
    baud: int | None,
    personality: str | None,
    behaviour: str | None,
    modem: str | None,
    unserved: tuple[str, ...],
    replay: Path | None,
    replay_euicc: str | None,
    vpcd: str | None,
    **control_ports: str | None,
) -> None:
    """Run a simulated eUICC in a modem or a PC/SC reader until Ctrl-C. FOLDER contains the card's memory."""
    if (folder is None) == (replay is None):
        raise click.UsageError("give either FOLDER or --replay, not both")
    if replay is not None and (pki_folder, eid, behaviour) != (None, None, None):
        raise click.UsageError(
            "--replay answers from the recording: --pki, --eid and --behaviour have no effect"
        )
    control = ControlOptions(**control_ports)
    if vpcd is not None and (pty, control.given, baud, modem, unserved) != (None, False, None, None, ()):
        raise click.UsageError(
            "--vpcd puts the card into a reader: --pty, --mbim, --qmi, --baud, --modem and --without-service"
            " are only for a modem"
        )
    control.check(serial=(pty, baud) != (None, None))
    reader = split_address(vpcd) if vpcd is not None else None
    stop = stop_on_signals()
    asked = json_object(modem, "--modem")
    if unserved:
        searching = {str(Iccid.parse(iccid)): SEARCHING for iccid in unserved}
        asked["registration"] = asked.get("registration", {}) | searching
    chosen = find_personality(personality or "plain", modem=asked, card=json_object(behaviour, "--behaviour"))
    with ExitStack() as stack:
        card: Card
        if replay is not None:
            card = ReplayedCard.read(replay, euicc=replay_euicc)
        else:
            assert folder is not None, "checked above"
            card = stack.enter_context(
                SoftCard(
                    folder,
                    pki=Pki.open(pki_folder or beside(folder)),
                    eid=Eid.parse(eid) if eid else None,
                    behaviour=chosen.card,
                )
            )
        if reader is not None:
            stack.enter_context(VirtualReaderCard(card, host=reader[0], port=reader[1]))
            Output().line(f"virtual reader at {reader[0]}:{reader[1]}")
        elif control.given:
            running = control.start(card, chosen.modem)
            stack.enter_context(running)
            Output().line(f"{control.name} port {running.path}")
        else:
            port = stack.enter_context(PtyModem(card, path=pty, baud=baud, personality=chosen.modem))
            Output().line(f"AT port {pty or port.path}")
        stop.wait()
